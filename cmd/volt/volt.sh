#!/bin/sh
#
# volt: a life for machines. A machine is a file of words (volt-machines(5)), from which
# systemd runs one chain of the other programs. Each verb is a function.
#
# Nothing is kept but the files. What runs, and since when, systemd knows. A verb that
# changes a file holds a lock on the files' directory, writes aside and then gives the file
# its name. So no reader sees half a file, and what a killed verb has left, the next verb
# that takes the lock removes.
set -eu

version=@VERSION@
self=$(readlink -f -- "$0")
bin=${self%/*}
nl='
'
# PATH in a machine.
inner_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

if [ "$(id -u)" = 0 ]; then
	manager=--system
	conf=/etc/volt/machines
	data=/var/lib/volt/machines
	sockets=/run/volt
else
	manager=--user
	: "${HOME:?}" "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
	export XDG_RUNTIME_DIR
	conf=${XDG_CONFIG_HOME:-$HOME/.config}/volt/machines
	data=${XDG_STATE_HOME:-$HOME/.local/state}/volt/machines
	sockets=$XDG_RUNTIME_DIR/volt
fi

usage() {
	cat <<END
usage: volt verb [argument ...]

  create NAME [word ...] [[--] command [arg ...]]
                         make a machine
  start NAME ...         start machines; wait until they are ready
  stop NAME ...          stop machines
  restart NAME ...       stop and start machines
  destroy NAME ...       stop machines, and remove their files and changes
  run [word ...] [[--] command [arg ...]]
                         make a machine, wait for its command, destroy it
  exec NAME [command [arg ...]]
                         run a command in a machine
  cp NAME:FILE FILE      copy out of a machine; cp FILE NAME:FILE copies in
  logs NAME [option ...] show what a machine has printed, by journalctl(1)
  list [-j]              list the machines
  inspect [-j] NAME      show all about a machine
  stats [-j] [NAME ...]  show what machines use
  set NAME word ...      change limits, of the living machine and in its file
  apply [-N] DIR         make the machines what the files of DIR say
  chain [-N] NAME        become the chain of a machine
  doctor                 show what this host offers, and what it lacks

  -h  this help
  -V  the version
END
}

# at_end FUNCTION: do this at the end, also if a signal ends us.
at_end() {
	# shellcheck disable=SC2064 # its name
	trap "$1" EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

wrong_use() {
	usage >&2
	exit 125
}

# --- messages ---------------------------------------------------------------

operation=''
machine=''

# journal PRIORITY TEXT: a line in the journal, with the operation's ID as a field.
journal() {
	[ -n "$operation" ] || return 0
	printf 'MESSAGE=%s\nPRIORITY=%s\nSYSLOG_IDENTIFIER=volt\nVOLT_OPERATION=%s\nVOLT_MACHINE=%s\n' \
		"$2" "$1" "$operation" "$machine" | logger --journald 2>/dev/null || :
}

# printable TEXT: print one line of it that does a terminal no harm.
printable() {
	printf '%s' "$1" | LC_ALL=C tr -c '[:print:]' '?'
}

# fail TEXT: end with one line.
fail() {
	journal 3 "$*"
	echo "volt: $(printable "$*")${operation:+ (operation $operation)}" >&2
	exit 125
}

# begin VERB NAME: an operation that changes something has an ID.
begin() {
	read -r operation </proc/sys/kernel/random/uuid
	operation=${operation%%-*}
	machine=$2
	journal 6 "$1 $2"
}

# --- names and files --------------------------------------------------------

# is_name TEXT: a name is a label of a host name. It is checked here and nowhere else.
is_name() {
	case $1 in
	'' | [!abcdefghijklmnopqrstuvwxyz]* | *- | *[!abcdefghijklmnopqrstuvwxyz0123456789-]*)
		return 1
		;;
	esac
	[ ${#1} -le 63 ]
}

check_name() {
	is_name "$1" ||
		fail "$1: not a name: up to 63 small letters, digits and hyphens, a letter first"
}

# find_machine NAME: check that there is this machine.
find_machine() {
	check_name "$1"
	machine=$1
	[ -f "$conf/$1" ] || fail "$1: no such machine in $conf"
}

# is_file PATH: is it a machine's file, by its name?
is_file() {
	is_name "${1##*/}" && [ -f "$1" ]
}

# names: print the machines, one a line.
names() {
	for each_file in "$conf"/*; do
		! is_file "$each_file" || echo "${each_file##*/}"
	done
}

# unit NAME: print its unit. That of a machine of volt run is made for it.
unit() {
	case $1 in
	run-*) echo "volt-$1.service" ;;
	*) echo "volt@$1.service" ;;
	esac
}

# listing FILE NAME: print what a file says: "w WORD" for each limit, "m WORD" for each other word
# of the machine, "p PROGRAM" for each section, and "a ARGUMENT" for each line in it.
listing() {
	LC_ALL=C awk -v name="$2" '
	function refuse(why) {
		print "volt: " name ":" NR ": " why >"/dev/stderr"
		bad = 1
		exit 125
	}
	{ gsub(/^[ \t\r]+|[ \t\r]+$/, "") }
	/^$/ || /^#/ { next }
	/[\001-\010\013-\037\177]/ { refuse("a control character") }
	/^\[/ {
		if ($0 !~ /^\[.+\]$/)
			refuse("not a section: a program between [ and ]")
		program = substr($0, 2, length($0) - 2)
		base = program
		sub(/.*\//, "", base)
		print "p " program
		next
	}
	program == "" && /^idle=/ {
		if ($0 !~ /^idle=[1-9][0-9]*(ms|s|m|h)$/)
			refuse("not a time, such as 30m")
		idle = 1
	}
	program == "" && /^listen=/ {
		if ($0 !~ /^listen=([0-9.]+:|\[[0-9a-f:.]+\]:)?[0-9]+:[0-9]+$/ || listen)
			refuse("not one [ADDRESS:]PORT:PORT")
		listen = 1
	}
	program == "" && /^(idle|listen)=/ {
		print "m " $0
		next
	}
	program == "" {
		if ($0 !~ /^(cpus|[a-z0-9_]+\.[a-z0-9_.]+)=./)
			refuse("not a limit; other words are below the name of a program")
		print "w " $0
		next
	}
	base == "volt-net" && /^ip=/ { address = 1 }
	base ~ /^volt-/ && $0 !~ /^(-[A-Za-z]+|@.+|[a-z0-9._][a-z0-9._-]*=.*)$/ {
		refuse("not a flag, a word or an include")
	}
	{ print "a " $0 }
	END {
		if (!bad && program == "")
			refuse("no section: there is nothing to run")
		if (!bad && idle && !listen)
			refuse("idle= is for a machine with listen=")
		if (!bad && listen && !address)
			refuse("listen= needs the machine\047s address: ip= in [volt-net]")
	}' "$1"
}

# read_file FILE NAME: check a machine's file, and set $what to its listing. The file decides
# what runs: so only its owner may write to it.
read_file() {
	[ -n "$(find "$1" -maxdepth 0 -type f -user "$(id -u)" ! -perm /022 -size -1024k)" ] ||
		fail "$2: $1: not a plain file of this user that nobody else can write, up to 1 MiB"
	[ "$(LC_ALL=C tr -dc '\000' <"$1" | wc -c)" = 0 ] || fail "$2: $1: not a text file"
	what=$(listing "$1" "$2") || exit 125
}

# read_machine NAME: likewise, of a machine that there is.
read_machine() {
	find_machine "$1"
	read_file "$conf/$1" "$1"
}

# limits: print the words of $what that are limits, one a line.
limits() {
	printf '%s\n' "$what" | sed -n 's/^w //p'
}

# machine_word KEY: print the value of that word of the machine in $what.
machine_word() {
	printf '%s\n' "$what" | sed -n "s/^m $1=//p"
}

# kind: print what $what is.
kind() {
	case "$nl$what$nl" in
	*"${nl}p volt-kvm$nl"* | *"${nl}p "*"/volt-kvm$nl"*) echo vm ;;
	*) echo container ;;
	esac
}

# lock: be the only one who changes files, and finish what a killed one has begun.
locked=''
lock() {
	[ -z "$locked" ] || return 0
	mkdir -p "$conf" 2>/dev/null || fail "$conf: cannot be made"
	exec 9<"$conf"
	flock -w 120 9 || fail "$conf: another volt holds the lock"
	locked=1
	for left in "$conf"/.*.new; do
		[ ! -e "$left" ] || rm -f -- "$left"
	done
	for left in "$conf"/.*.gone; do
		[ -e "$left" ] || continue
		left=${left##*/.}
		! is_name "${left%.gone}" || remove_data "${left%.gone}"
	done
	# A volt run holds a lock on its machine's file, as long as it lives.
	for left in "$conf"/run-*; do
		if is_file "$left" && flock -n "$left" true && ! is_up "${left##*/}"; then
			remove_files "${left##*/}"
		fi
	done
}

# remove_files NAME: the machine is gone when its file has lost its name.
remove_files() {
	mv -f -- "$conf/$1" "$conf/.$1.gone" || fail "$1: its file cannot be removed"
	remove_data "$1"
}

# write_file NAME TEXT HOW: give the file NAME this text. HOW is "new", then there must be none,
# or "old".
write_file() {
	trap 'rm -f -- "$aside"' EXIT
	aside=$conf/.$1.new
	why=$(umask 022 && printf '%s\n' "$2" | dd of="$aside" conv=fsync status=none 2>&1) ||
		fail "$1: cannot write its file: ${why##*: }"
	read_file "$aside" "$1"
	properties >/dev/null || exit 125
	if [ "$3" = old ]; then
		mv -f -- "$aside" "$conf/$1" || fail "$1: cannot write its file"
	elif ! ln -- "$aside" "$conf/$1" 2>/dev/null; then
		fail "$1: there is such a machine already"
	fi
	rm -f -- "$aside"
	trap - EXIT
}

# remove_data NAME: the last steps of destroy, which the next verb repeats if they are cut off.
# The files of a user's machine belong to the user's subordinate IDs.
remove_data() {
	if [ -e "$data/$1" ]; then
		if [ "$manager" = --user ]; then
			"$bin/volt-ns" -U rm -rf -- "$data/$1"
		else
			rm -rf -- "${data:?}/$1"
		fi || fail "$1: $data/$1: cannot be removed"
	fi
	rm -f -- "$conf/.$1.gone"
}

# --- systemd ----------------------------------------------------------------

ctl() {
	systemctl "$manager" "$@"
}

has_systemd() {
	if [ "$manager" = --system ]; then
		[ -d /run/systemd/system ]
	else
		[ -S "$XDG_RUNTIME_DIR/systemd/private" ]
	fi
}

# me: print the name of this user, or the number of one without a name.
me() {
	id -un 2>/dev/null || :
}

need_systemd() {
	has_systemd && return
	[ "$manager" = --user ] ||
		fail "systemd does not run here: volt chain NAME runs a machine without it"
	fail "no systemd runs for this user: log in, or loginctl enable-linger $(me)"
}

# look NAME: set $state, $pid and $group to what systemd knows of a machine: its ActiveState, its
# outermost process, and its control group.
look() {
	state=inactive pid=0 group=''
	has_systemd || return 0
	while IFS='=' read -r key value; do
		case $key in
		ActiveState) state=$value ;;
		MainPID) pid=$value ;;
		ControlGroup) group=$value ;;
		esac
	done <<END
$(ctl show -p ActiveState,MainPID,ControlGroup -- "$(unit "$1")")
END
}

# is_up NAME: does it run, or is it about to?
is_up() {
	look "$1"
	case $state in
	active | activating | reloading | deactivating) return 0 ;;
	esac
	return 1
}

# is_inside PID: is it a process of another PID namespace?
is_inside() {
	while read -r key _ more; do
		[ "$key" != NSpid: ] || {
			[ -n "$more" ]
			return
		}
	done 2>/dev/null <"/proc/$1/status"
	return 1
}

# leader PID: print the process ID of the machine's own PID 1, or else of its outermost process.
leader() {
	outermost=$1
	while [ $# -gt 0 ]; do
		below=''
		for one; do
			if is_inside "$one"; then
				echo "$one"
				return
			fi
			children=''
			read -r children 2>/dev/null <"/proc/$one/task/$one/children" || :
			below="$below $children"
		done
		# shellcheck disable=SC2086 # numbers
		set -- $below
	done
	echo "$outermost"
}

# last_words NAME: print why its chain has ended: the last line that it has printed.
last_words() {
	last_id=$(ctl show -P InvocationID -- "$(unit "$1")") || return 0
	[ -n "$last_id" ] || return 0
	journalctl -q -n 1 -o cat _TRANSPORT=stdout "_SYSTEMD_INVOCATION_ID=$last_id" 2>/dev/null ||
		:
}

# start_unit VERB NAME: start or restart it, and say in one line why it does not.
start_unit() {
	why=$(ctl "$1" -- "$(unit "$2")" 2>&1) && return
	last=$(last_words "$2")
	fail "$2: did not $1: ${last:-${why%%"$nl"*}}"
}

# demand NAME: print the name of the units that listen in its place.
demand() {
	echo "volt-demand-$1"
}

# is_listened NAME: does systemd listen in its place?
is_listened() {
	has_systemd && ctl -q is-active -- "$(demand "$1").socket"
}

# is_started NAME: does it run, or will it with the first connection?
is_started() {
	is_up "$1" || is_listened "$1"
}

# listen NAME PLACE:PORT: systemd listens at the place for the machine of $what. The first
# connection starts the machine, and a proxy passes each on. A proxy that has had none for idle=
# ends, and ends the machine.
listen() {
	[ "$manager" = --system ] || fail "$1: listen= is for the machines of root"
	idle=$(machine_word idle)
	address=$(printf '%s\n' "$what" | sed -n 's/^a ip=//p' | head -n 1)
	set -- "$1" "$(unit "$1")" "${2%:*}" "${address%%/*}:${2##*:}"
	why=$(systemd-run "$manager" -q --unit="$(demand "$1")" --slice=volt.slice \
		--socket-property="ListenStream=$3" -p Type=notify -p DynamicUser=yes \
		-p Requires="$2" -p After="$2" \
		-p ExecStopPost="+systemctl --no-block stop $2" -- \
		/lib/systemd/systemd-socket-proxyd ${idle:+"--exit-idle-time=$idle"} "$4" 2>&1) ||
		fail "$1: listen=: ${why%%"$nl"*}"
}

# stop_units NAME: stop whatever listens in its place, and the machine.
stop_units() {
	ctl stop -- "$(demand "$1").*" "$(unit "$1")"
}

# start_machine VERB NAME: start or restart it, or listen in its place.
start_machine() {
	read_machine "$2"
	where=$(machine_word listen)
	if [ -z "$where" ]; then
		start_unit "$1" "$2"
		return
	fi
	if [ "$1" = restart ]; then
		stop_units "$2"
	elif is_started "$2"; then
		return
	fi
	listen "$2" "$where"
}

# --- create, destroy, set ---------------------------------------------------

# check_argument TEXT: can it be a line of a file?
check_argument() {
	case $1 in
	'' | *"$nl"* | '#'* | '['* | [[:space:]]* | *[[:space:]])
		fail "$1: cannot be a line of a machine's file (volt-machines(5))"
		;;
	esac
}

# known_words PROGRAM ...: print "PROGRAM KEY=" for each word that they know.
known_words() {
	for program; do
		"$bin/$program" -h | sed -n "s/^  \([a-z0-9._-]*=\).*/$program \1/p"
	done
}

# is_word TEXT: is it of the form key=value (volt(7))?
is_word() {
	case $1 in
	*=*) ;;
	*) return 1 ;;
	esac
	case ${1%%=*} in
	'' | -* | *[!abcdefghijklmnopqrstuvwxyz0123456789._-]*) return 1 ;;
	esac
}

# home_of WORD: print the program that the word is for, or "limits", or "machine".
home_of() {
	case $1 in
	idle=* | listen=*)
		echo machine
		return
		;;
	memory.* | pids.* | cpu.* | cpuset.* | io.* | hugetlb.* | misc.* | rdma.*)
		echo limits
		return
		;;
	cpus=*)
		[ "$new_kind" = vm ] || {
			echo limits
			return
		}
		;;
	caps=* | @*)
		echo volt-lock
		return
		;;
	esac
	for program in $new_links; do
		case $nl$known$nl in
		*"$nl$program ${1%%=*}=$nl"*)
			echo "$program"
			return
			;;
		esac
	done
	fail "${1%%=*}=: no program of a machine has this word"
}

# absolute WORD: print it, with the path of the host made absolute. The unit runs in /.
absolute() {
	case $1 in
	root=tmpfs* | *=/*) ;;
	root=* | image=* | lower=* | kernel=* | initrd=* | disk=*)
		path=${1#*=}
		if [ -e "${path%%:*}" ]; then
			echo "${1%%=*}=$PWD/$path"
			return
		fi
		;;
	esac
	printf '%s\n' "$1"
}

# keep_word WORD: add it to the words of its program.
keep_word() {
	check_argument "$1"
	home=$(home_of "$1") || exit 125
	kept=$(absolute "$1")
	case $home in
	limits | machine) new_limits=$new_limits$kept$nl ;;
	volt-net) new_net=$new_net$kept$nl ;;
	volt-ns) new_ns=$new_ns$kept$nl ;;
	volt-init) new_init=$new_init$kept$nl ;;
	volt-kvm) new_kvm=$new_kvm$kept$nl ;;
	volt-lock) new_lock=$new_lock$kept$nl ;;
	esac
}

# is_image WORD: does it name an image of volt-image(1), and not a file?
is_image() {
	case $1 in
	image=docker://* | image=oci:* | image=oci-archive:* | image=docker-archive:*) ;;
	image=*/*) return 1 ;;
	image=?*) [ ! -e "${1#*=}" ] ;;
	*) return 1 ;;
	esac
}

# is_kernel WORD: does it name a kernel of volt-image(1), and not a file?
is_kernel() {
	case $1 in
	kernel=*/*) return 1 ;;
	kernel=?*) [ ! -e "${1#*=}" ] ;;
	*) return 1 ;;
	esac
}

# keep_kernel NAME: keep its words.
keep_kernel() {
	said=$("$bin/volt-image" words "$1" kernel) || exit 125
	while IFS= read -r line; do
		keep_word "$line"
	done <<END
$said
END
}

# keep_image IMAGE: keep what an image says, but for what other words say. One that is elsewhere
# is pulled.
keep_image() {
	image=$1
	case $image in
	*:*)
		pulled=$("$bin/volt-image" pull "$image") || exit 125
		image=${pulled%% *}
		;;
	esac
	if [ "$new_kind" = vm ]; then
		said=$("$bin/volt-image" words "$image" kvm) || exit 125
		has overlay "$new_kvm" || said="overlay=tmpfs$nl$said"
	else
		said=$("$bin/volt-image" words "$image" ns && "$bin/volt-image" words "$image" init) ||
			exit 125
	fi
	written=$new_ns$new_init$new_kvm
	while IFS= read -r line; do
		case $line in
		'') ;;
		env=*)
			key=${line#env=}
			has "env=${key%%=*}" "$written" || keep_word "$line"
			;;
		*) has "${line%%=*}" "$written" || keep_word "$line" ;;
		esac
	done <<END
$said
END
	if [ -z "$new_command" ]; then
		said=$("$bin/volt-image" command "$image") || exit 125
		eval "keep_command $said"
	fi
}

# keep_command [ARGUMENT ...]: set $new_command to its lines.
keep_command() {
	for word; do
		check_argument "$word"
		[ -n "$new_command" ] && new_command=$new_command$nl$word || new_command="[$word]"
	done
}

# sort_words [WORD ...] [[--] COMMAND ...]: keep each word and the command.
sort_words() {
	new_limits='' new_net='' new_ns='' new_init='' new_lock='' new_kvm='' new_command=''
	new_image=''
	new_kind=container new_links='volt-ns volt-net volt-init volt-lock'
	for word; do
		case $word in
		kind=vm | kernel=* | disk=*)
			new_kind=vm new_links='volt-kvm volt-net volt-lock'
			;;
		--) break ;;
		esac
	done
	# shellcheck disable=SC2086 # names
	known=$(known_words $new_links)
	while [ $# -gt 0 ]; do
		case $1 in
		--)
			shift
			break
			;;
		-*) fail "$1: words are wanted here; flags are in the file" ;;
		kind=container | kind=vm) ;;
		@*) keep_word "$1" ;;
		*)
			is_word "$1" || break
			if is_image "$1"; then
				new_image=${1#*=}
			elif is_kernel "$1"; then
				keep_kernel "${1#*=}"
			else
				keep_word "$1"
			fi
			;;
		esac
		shift
	done
	keep_command "$@"
	[ -z "$new_image" ] || keep_image "$new_image"
}

# has KEY WORDS: is there a word with this key?
has() {
	case $nl$2 in
	*"$nl$1="*) return 0 ;;
	esac
	return 1
}

# part NAME WORDS: print a section, if there are words for it.
part() {
	[ -z "$2" ] || printf '\n[%s]\n%s' "$1" "$2"
}

# container NAME CONSOLE: print the file of a container.
container() {
	has root "$new_ns" || has image "$new_ns" || has lower "$new_ns" ||
		fail "$1: root=DIR or image=FILE must say what it runs in"
	[ -z "$new_net" ] || new_net="-d$nl$new_net"
	has overlay "$new_ns" || new_ns="${new_ns}overlay=$data/$1$nl"
	has hostname "$new_ns" || new_ns="${new_ns}hostname=$1$nl"
	has console "$new_ns" || new_ns="${new_ns}console=$2$nl"
	# The host's variables are none of its business.
	new_ns="env=none${nl}env=PATH=$inner_path$nl$new_ns"
	if [ -n "$new_command" ]; then
		has grace "$new_init" || new_init="${new_init}grace=10s$nl"
	else
		has stop "$new_ns" || new_ns="${new_ns}stop=RTMIN+3$nl"
		new_init="-b$nl$new_init"
	fi
	part volt-net "$new_net"
	part volt-ns "-UmpniuC$nl$new_ns"
	part volt-init "$new_init"
	part volt-lock "$new_lock"
}

# guest NAME: print the file of a guest.
guest() {
	[ -z "$new_net" ] || new_net="-t$nl$new_net"
	has kernel "$new_kvm" || new_kvm="kernel=/boot/vmlinuz-$(uname -r)$nl$new_kvm"
	has hostname "$new_kvm" || new_kvm="${new_kvm}hostname=$1$nl"
	has control "$new_kvm" || new_kvm="${new_kvm}control=$sockets/$1$nl"
	has stop_timeout "$new_kvm" || new_kvm="${new_kvm}stop_timeout=20s$nl"
	part volt-net "$new_net"
	part volt-kvm "$new_kvm"
	part volt-lock "$new_lock"
}

# make_file NAME CONSOLE [WORD ...] [[--] COMMAND ...]: write the file of a new machine.
make_file() {
	new_name=$1 new_console=$2
	shift 2
	sort_words "$@"
	lock
	text=$(
		printf '# A machine of volt(1). volt-machines(5) says what this means.\n%s' \
			"$new_limits"
		if [ "$new_kind" = vm ]; then
			guest "$new_name"
		else
			container "$new_name" "$new_console"
		fi
		[ -z "$new_command" ] || printf '\n%s\n' "$new_command"
	) || exit 125
	write_file "$new_name" "$text" new
}

verb_create() {
	[ $# -gt 0 ] || wrong_use
	check_name "$1"
	case $1 in
	run-*) fail "$1: names that begin with run- are those of volt run" ;;
	esac
	new=$1
	shift
	begin create "$new"
	make_file "$new" pipe "$@"
}

# destroy NAME: in this order. What is cut off after the first change of a file, the next verb
# finishes (lock).
destroy() {
	lock
	find_machine "$1"
	if has_systemd; then
		stop_units "$1" 2>/dev/null || :
		! is_up "$1" || fail "$1: it does not stop"
		if ctl -q is-enabled -- "$(unit "$1")" 2>/dev/null; then
			ctl -q disable -- "$(unit "$1")" || fail "$1: it cannot be disabled"
		fi
		ctl reset-failed -- "$(unit "$1")" 2>/dev/null || :
	fi
	remove_files "$1"
}

verb_destroy() {
	[ $# -gt 0 ] || wrong_use
	for each; do
		find_machine "$each"
	done
	for each; do
		begin destroy "$each"
		destroy "$each"
	done
}

# properties: print the limits of $what as properties of a unit, one a line.
properties() {
	set --
	while IFS= read -r line; do
		[ -z "$line" ] || set -- "$@" "$line"
	done <<END
$(limits)
END
	[ $# -eq 0 ] || "$bin/volt-cg" -S "$@"
}

# check_controllers GROUP: check that systemd can enforce the limits of $what there. It accepts
# those of a controller that was not delegated to it, and ignores them.
check_controllers() {
	[ -n "$1" ] || return 0
	have=" $(cat "/sys/fs/cgroup$1/cgroup.controllers" 2>/dev/null) "
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		controller=${line%%[.=]*}
		[ "$controller" != cpus ] || controller=cpu
		case $have in
		*" $controller "*) ;;
		*) fail "$machine: $line: this unit has no controller $controller; volt doctor says more" ;;
		esac
	done <<END
$(limits)
END
}

# set_properties UNIT: give the unit the limits of $what, and take back those that it got before
# and that the file no longer has. These are systemd's own files of --runtime.
set_properties() {
	given=$(properties) || exit 125
	set -- "$1"
	if [ "$manager" = --system ]; then
		control=/run/systemd/system.control
	else
		control=$XDG_RUNTIME_DIR/systemd/user.control
	fi
	for each in "$control/$1.d"/50-*.conf; do
		[ -e "$each" ] || continue
		each=${each##*/50-}
		each=${each%.conf}
		case $each$nl$given in
		*"$nl$each="*) ;;
		MemoryMin* | MemoryLow*) set -- "$@" "$each=0" ;;
		*) set -- "$@" "$each=" ;;
		esac
	done
	while IFS= read -r line; do
		[ -z "$line" ] || set -- "$@" "$line"
	done <<END
$given
END
	[ $# -eq 1 ] || ctl set-property --runtime -- "$@"
}

# with_limits WORD ...: print the file of $machine with these limits in place of its own.
with_limits() {
	words=$(printf '%s\n' "$@") awk '
	BEGIN {
		n = split(ENVIRON["words"], word, "\n")
		for (i = 1; i <= n; i++) {
			# A limit of io.max is for a device.
			match(word[i], word[i] ~ /^io\..* / ? "^[^ ]* " : "^[^=]*=")
			key[i] = substr(word[i], 1, RLENGTH)
		}
	}
	/^[ \t\r]*$/ && !inside { blank = blank $0 "\n"; next }
	/^[ \t]*\[/ && !inside { add(); inside = 1 }
	{ printf "%s", blank; blank = "" }
	{
		line = $0
		gsub(/^[ \t]+/, "", line)
		for (i = 1; i <= n && !inside; i++)
			if (index(line, key[i]) == 1) {
				if (!done[i])
					print word[i]
				done[i] = 1
				next
			}
		print
	}
	function add() {
		for (i = 1; i <= n; i++)
			if (!done[i])
				print word[i]
	}' "$conf/$machine"
}

verb_set() {
	[ $# -gt 1 ] || wrong_use
	find_machine "$1"
	begin set "$1"
	shift
	new_kind=container new_links=''
	for word; do
		check_argument "$word"
		home=''
		! is_word "$word" || home=$(home_of "$word" 2>/dev/null) || :
		[ "$home" = limits ] ||
			fail "$word: not a limit; for other words edit $conf/$machine, and restart"
	done
	lock
	read_machine "$machine"
	old=$(cat "$conf/$machine")
	text=$(with_limits "$@")
	write_file "$machine" "$text" old
	is_up "$machine" || return 0
	(check_controllers "$group") || {
		write_file "$machine" "$old" old
		exit 125
	}
	refused=$(set_properties "$(unit "$machine")" 2>&1) || {
		write_file "$machine" "$old" old
		fail "$machine: $refused"
	}
}

# --- start, stop ------------------------------------------------------------

# each_machine start|restart NAME ...: all files are read before anything is done.
each_machine() {
	verb=$1
	shift
	[ $# -gt 0 ] || wrong_use
	for each; do
		read_machine "$each"
	done
	need_systemd
	for each; do
		begin "$verb" "$each"
		start_machine "$verb" "$each"
	done
}

verb_start() {
	each_machine start "$@"
}

verb_restart() {
	each_machine restart "$@"
}

verb_stop() {
	[ $# -gt 0 ] || wrong_use
	for each; do
		find_machine "$each"
	done
	need_systemd
	for each; do
		begin stop "$each"
		why=$(stop_units "$each" 2>&1) || fail "$each: did not stop: ${why%%"$nl"*}"
		[ "$(ctl show -P Result -- "$(unit "$each")")" != timeout ] ||
			echo "volt: $each: did not stop in time, and was killed" >&2
	done
}

# in_unit NAME: has systemd started us, as the unit of the machine? Sets $group to our own.
in_unit() {
	group=$(sed -n 's/^0:://p' /proc/self/cgroup)
	case "$group/" in
	*"/$(unit "$1")/"*) return 0 ;;
	esac
	return 1
}

# chain NAME [-N]: become the chain of $what. A link gets "--" after its words, so that what
# follows is the next section. In the unit, the limits are the unit's, and the last link says
# when the command starts, unless the file has ready= (volt(7), VOLT_READY). Elsewhere volt-cg
# sets the limits.
chain() {
	name=$1 dry=${2:-} link=''
	set --
	if in_unit "$name"; then
		check_controllers "$group"
		why=$(set_properties "$(unit "$name")" 2>&1) || fail "$name: limits: $why"
		case $nl$what in
		*"${nl}a ready="*) ;;
		*) export VOLT_READY=1 ;;
		esac
	elif [ -n "$(limits)" ]; then
		set -- "$bin/volt-cg" ${dry:+"$dry"} "name=$name"
		dry='' link=1
	fi
	while IFS= read -r line; do
		case $line in
		'w '*) [ -z "$link" ] || set -- "$@" "${line#w }" ;;
		'a '*) set -- "$@" "${line#a }" ;;
		'p '*)
			[ -z "$link" ] || set -- "$@" --
			line=${line#p }
			case $line in
			volt-*) link=1 ;;
			*) link='' ;;
			esac
			if [ $# -eq 0 ] && [ -n "$link" ]; then
				set -- "$bin/$line" ${dry:+"$dry"}
				dry=''
			else
				set -- "$@" "$line"
			fi
			;;
		esac
	done <<END
$what
END
	[ -z "$dry" ] || fail "$name: -N: the first program of the chain is not one of volt's"
	exec "$@"
}

verb_chain() {
	dry=''
	[ "${1:-}" != -N ] || {
		dry=-N
		shift
	}
	[ $# -eq 1 ] || wrong_use
	read_machine "$1"
	case $what in
	*"${nl}a control=$sockets/$1$nl"*) [ -n "$dry" ] || (umask 077 && mkdir -p -- "$sockets") ;;
	esac
	case $what in
	*"${nl}a overlay=$data/$1$nl"*) [ -n "$dry" ] || (umask 077 && mkdir -p -- "$data/$1") ;;
	esac
	chain "$1" $dry
}

# register NAME: tell systemd-machined(8) of a machine that has started, if it is there. systemd
# runs this (volt@.service). It says nothing: the last line in the journal is the chain's.
verb_register() {
	[ $# -eq 1 ] || wrong_use
	exec 2>/dev/null
	read_machine "$1"
	class=$(kind)
	look "$1"
	busctl -q call org.freedesktop.machine1 /org/freedesktop/machine1 \
		org.freedesktop.machine1.Manager RegisterMachine sayssus \
		"$1" 0 volt "$class" "$(leader "$pid")" ''
}

destroy_new() {
	destroy "$new"
}

# verb_run [WORD ...] [[--] COMMAND ...]: the unit is made for this run, so that the command's
# streams are ours. Whatever ends us, the machine is destroyed, if only by the next verb.
verb_run() {
	need_systemd
	read -r new </proc/sys/kernel/random/uuid
	new=run-${new%%-*}
	begin run "$new"
	if [ -t 0 ] && [ -t 1 ]; then
		console=pty streams=--pty
	else
		console=pipe streams=--pipe
	fi
	make_file "$new" "$console" "$@"
	exec 8<"$conf/$new"
	flock -s 8
	exec 9<&-
	locked=''
	at_end destroy_new
	# In the background, so that a signal that ends us is not kept until the command ends. The
	# shell gives a background command an empty input: so this one's is another descriptor.
	exec 3<&0
	systemd-run "$manager" -q --wait --collect "$streams" --unit="$(unit "$new")" \
		--slice=volt.slice -p Type=exec -p Delegate=yes -p KillMode=mixed \
		-p SuccessExitStatus=143 -- "$self" chain "$new" <&3 3<&- &
	exec 3<&-
	status=0
	wait $! || status=$?
	exit "$status"
}

# --- in a machine -----------------------------------------------------------

# inner: print how a command in the machine of $what is to run: the words of volt-ns that say who
# and with which variables, and then each volt-lock.
inner() {
	printf '%s\n' "$what" | awk '
	/^p / { program = $2; sub(/.*\//, "", program) }
	/^p / && program == "volt-lock" { lock = lock "--\nvolt-lock\n" }
	/^p / && program == "volt-ns" { lock = "" }
	!/^a / { next }
	{ word = substr($0, 3) }
	word ~ /^(status|filter|learn|learn\.words)=/ { next }
	program == "volt-ns" || program == "volt-init" {
		if (word ~ /^(env|unset|user|uid|gid|groups|umask|chdir)=/)
			print word
	}
	program == "volt-lock" { lock = lock word "\n" }
	END { printf "%s", lock }'
}

# control: print the socket of the guest in $what.
control() {
	printf '%s\n' "$what" | sed -n 's/^a control=//p' | head -n 1
}

# need_up NAME: check that this machine, which is in $what, runs and can be worked with.
need_up() {
	look "$1"
	[ "$state" = active ] || fail "$1: it does not run"
	[ "$(kind)" = container ] || [ -n "$(control)" ] ||
		fail "$1: its [volt-kvm] has no control=, by which other commands run in a guest"
}

# become [-i] NAME COMMAND ...: become a command in a machine that runs: in its groups, with its
# limits, in its namespaces, as its user, behind its locks; or in a guest, as its root. -i: with
# a terminal, if there is one.
become() {
	console=''
	[ "$1" != -i ] || {
		[ ! -t 0 ] || console=console=pty
		shift
	}
	inside=$1
	shift
	need_up "$inside"
	if [ "$(kind)" = vm ]; then
		exec "$bin/volt-kvm" "join=$(control)" ${console:+"$console"} -- "$@"
	fi
	group=$(sed -n 's/^0:://p' "/proc/$(leader "$pid")/cgroup")
	set -- -- "$@"
	while IFS= read -r line; do
		[ -z "$line" ] || set -- "$line" "$@"
	done <<END
$(inner | tac)
END
	set -- "$bin/volt-cg" "parent=${group%/*}" "join=${group##*/}" -- \
		volt-ns "join=$pid" ${console:+"$console"} "$@"
	set -- env -i "PATH=$inner_path" TERM="${TERM:-dumb}" "$@"
	# Only within the groups of a user's manager may the user move a process.
	if [ "$manager" = --user ] && ! grep -q "/user@$(id -u).service/" /proc/self/cgroup; then
		set -- systemd-run --user --scope -q -- "$@"
	fi
	exec "$@"
}

verb_exec() {
	[ $# -gt 0 ] || wrong_use
	read_machine "$1"
	need_systemd
	each=$1
	shift
	[ $# -gt 0 ] || set -- /bin/sh
	become -i "$each" "$@"
}

# of_machine ARGUMENT: is it NAME:FILE?
of_machine() {
	case $1 in
	*:*) is_name "${1%%:*}" ;;
	*) return 1 ;;
	esac
}

# base FILE, parent FILE: the last part of a path, and what is before it.
base() {
	path=${1%"${1##*[!/]}"}
	path=${path##*/}
	case $path in
	'' | . | ..) fail "$1: name a file or directory" ;;
	esac
	printf '%s' "$path"
}

parent() {
	path=${1%"${1##*[!/]}"}
	case $path in
	*/*) printf '%s/' "${path%/*}" ;;
	*) printf '%s' "${2:-.}" ;;
	esac
}

remove_work() {
	rm -rf -- "$work"
}

# within NAME COMMAND ...: run a command in a machine. The first that it says on standard error
# is in $work/why afterwards: it may be meant to harm a terminal, or to fill a disk.
within() {
	exec 4>&1
	{
		ended=0
		(become "$@" 4>&-) 2>&1 >&4 || ended=$?
		echo "$ended" >"$work/ended"
	} | {
		head -c 500
		cat >/dev/null
	} >"$work/why" 4>&-
	exec 4>&-
	return "$(cat "$work/ended")"
}

# why: print one line of what it has said.
why() {
	head -n 1 "$work/why" | sed 's/^/: /'
}

# copy_out NAME FILE FILE: what comes out of the machine is not trusted. A tar without
# capabilities unpacks it into a new directory, and can write nowhere else. Then the one file
# that was asked for is moved to its place.
copy_out() {
	from=$(base "$2") || exit 125
	to=$3
	[ ! -d "$to" ] || to=${to%/}/$from
	[ ! -d "$to" ] || fail "$to: it is there already"
	work=$(mktemp -d -- "$(parent "$to")/.volt.XXXXXX") || exit 125
	at_end remove_work
	mkdir "$work/new"
	mkfifo "$work/pipe"
	within "$1" tar -c -f - -C "$(parent "$2" /)" -- "$from" >"$work/pipe" &
	reader=0
	(
		cd "$work/new" &&
			exec "$bin/volt-lock" -b fs.rx=/ "fs.rwx=$(pwd | sed 's/[\\,]/\\&/g')" caps=none -- \
				tar -x --no-same-owner --no-same-permissions -f -
	) <"$work/pipe" 2>"$work/said" || reader=$?
	wait $! || fail "$1: $2: cannot be read there$(why)"
	[ "$reader" = 0 ] || fail "$1: $2: $(grep '^tar: ' "$work/said" | head -n 1)"
	[ "$(ls -A "$work/new")" = "$from" ] || fail "$1: $2: its tar sent something else"
	find "$work/new" -type f -perm /6000 -exec chmod ug-s {} +
	mv -fT -- "$work/new/$from" "$to" || fail "$to: cannot be written"
}

# copy_in FILE NAME FILE: a tar of the machine unpacks it, behind the machine's locks.
copy_in() {
	[ -e "$1" ] || [ -L "$1" ] || fail "$1: No such file or directory"
	from=$(base "$1") || exit 125
	to=$(parent "$3" /)
	as=$(base "$3") || exit 125
	work=$(mktemp -d) || exit 125
	at_end remove_work
	if within "$2" test -d "$3"; then
		to=$3 as=$from
	fi
	as=$(printf '%s' "$as" | sed 's/[\\&,]/\\&/g')
	mkfifo "$work/pipe"
	tar -c -f - --owner=0 --group=0 --transform="flags=rSH;s,^[^/]*,$as," \
		-C "$(parent "$1")" -- "$from" >"$work/pipe" &
	within "$2" tar -x -f - -C "$to" <"$work/pipe" ||
		fail "$2: $3: cannot be written there$(why)"
	wait $! || fail "$1: cannot be read"
}

verb_cp() {
	[ $# -eq 2 ] || wrong_use
	need_systemd
	if of_machine "$1" && ! of_machine "$2"; then
		read_machine "${1%%:*}"
		need_up "${1%%:*}"
		copy_out "${1%%:*}" "${1#*:}" "$2"
	elif of_machine "$2" && ! of_machine "$1"; then
		read_machine "${2%%:*}"
		need_up "${2%%:*}"
		copy_in "$1" "${2%%:*}" "${2#*:}"
	else
		fail "cp: one of the two must be NAME:FILE (write ./a:b for a file of the host)"
	fi
}

verb_logs() {
	[ $# -gt 0 ] || wrong_use
	find_machine "$1"
	set -- "$(unit "$1")" "$@"
	unit=$1
	shift 2
	if [ "$manager" = --user ]; then
		exec journalctl --user-unit="$unit" "$@"
	fi
	exec journalctl --unit="$unit" "$@"
}

# --- what there is ----------------------------------------------------------

# shown NAME ...: what systemd knows of machines: a line "NAME STATE PID MEMORY CPU TASKS SINCE
# RESTARTS" for each, with "-" for what is not known.
shown() {
	[ $# -gt 0 ] || return 0
	if ! has_systemd; then
		for each; do
			echo "$each stopped - - - - - -"
		done
		return
	fi
	for each; do
		set -- "$@" "$(unit "$each")"
		shift
	done
	ctl show -p Id,ActiveState,MainPID,MemoryCurrent,CPUUsageNSec,TasksCurrent \
		-p ActiveEnterTimestampMonotonic,NRestarts -- "$@" | awk -F = '
	BEGIN {
		call["active"] = "running"; call["inactive"] = "stopped"; call["failed"] = "failed"
		call["activating"] = "starting"; call["deactivating"] = "stopping"
	}
	{ value[$1] = $2 }
	function number(key) { return value[key] ~ /^[0-9]+$/ && value[key] < 2 ^ 63 ? value[key] : "-" }
	function out() {
		if (!("Id" in value))
			return
		name = value["Id"]
		sub(/^volt[@-]/, "", name)
		sub(/\.service$/, "", name)
		state = value["ActiveState"]
		up = state == "active"
		print name, (state in call ? call[state] : state), (up ? number("MainPID") : "-"),
			(up ? number("MemoryCurrent") : "-"), (up ? number("CPUUsageNSec") : "-"),
			(up ? number("TasksCurrent") : "-"),
			(up ? number("ActiveEnterTimestampMonotonic") : "-"), number("NRestarts")
		delete value["Id"]
	}
	/^$/ { out() }
	END { out() }'
}

# json: records of lines "key value", with an empty line after each, as JSON. A value that is
# "-" is null. Keys with numbers are known.
json() {
	LC_ALL=C awk '
	function quote(s, out, i, c) {
		gsub(/["\\]/, "\\\\&", s)
		gsub(/\t/, "\\t", s)
		return "\"" s "\""
	}
	BEGIN { numbers = " pid memory cpu tasks uptime restarts "; printf "[" }
	NF == 0 { printf "%s", open ? "}" : ""; open = 0; next }
	{
		key = $1
		value = substr($0, length(key) + 2)
		if (!open)
			printf "%s{", many++ ? ",\n" : ""
		else
			printf ", "
		open = 1
		if (value == "-")
			value = "null"
		else if (!index(numbers, " " key " "))
			value = quote(value)
		printf "%s: %s", quote(key), value
	}
	END { print "]" }'
}

# uptime SINCE: print the seconds since then.
uptime() {
	[ "$1" != - ] || {
		echo -
		return
	}
	read -r now _ </proc/uptime
	echo $((${now%%.*} - $1 / 1000000))
}

# system NAME: print what os-release of a container says. A program of the container prints it,
# since only that sees no file of the host. It may say anything, and take its time.
system() {
	said=$(timeout -k 1 10 "$self" exec "$1" cat /etc/os-release 2>/dev/null </dev/null |
		head -c 4096 | sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\).*/\1/p' | head -n 1) || :
	printable "${said:--}" | cut -c1-60
}

# address NAME: print the address that volt-net gave it.
address() {
	found=$(printf '%s\n' "$leases" | awk -v unit="$(unit "$1")" '
		$1 == "lease" { for (i = 3; i < NF; i++) if ($i == "unit" && $(i + 1) == unit) print $2 }')
	echo "${found:--}"
}

# records [-a] NAME ...: the records of machines. -a: all that there is to say.
records() {
	all=''
	[ "${1:-}" != -a ] || {
		all=1
		shift
	}
	leases=''
	[ "$manager" = --user ] || leases=$("$bin/volt-net" 2>/dev/null) || :
	shown "$@" | while read -r name state pid memory cpu tasks since restarts; do
		what=$(read_file "$conf/$name" "$name" 2>/dev/null && printf '%s' "$what") || what=''
		[ "$state" != stopped ] || [ -z "$(machine_word listen)" ] ||
			! is_listened "$name" || state=listening
		echo "name $name"
		echo "state $state"
		[ -n "$what" ] && echo "kind $(kind)" || echo "kind -"
		echo "address $(address "$name")"
		echo "memory $memory"
		echo "uptime $(uptime "$since")"
		if [ "$state" = running ] && [ -n "$what" ]; then
			echo "os $(system "$name")"
		else
			echo "os -"
		fi
		if [ -n "$all" ]; then
			echo "pid $pid"
			echo "cpu $cpu"
			echo "tasks $tasks"
			echo "restarts $restarts"
			echo "unit $(unit "$name")"
			echo "file $conf/$name"
			printf '%s\n' "$what" | awk '
			/^w / { limits = limits (limits == "" ? "" : " ") substr($0, 3); next }
			{ text = substr($0, 3) }
			/^p / && link { chain = chain " --" }
			/^p / { link = text ~ /^volt-/ }
			{
				if (text !~ /^[A-Za-z0-9_.,:=@%+\/-]+$/) {
					gsub("\047", "\047\\\047\047", text)
					text = "\047" text "\047"
				}
				chain = chain (chain == "" ? "" : " ") text
			}
			END {
				print "limits " (limits == "" ? "-" : limits)
				print "chain " (chain == "" ? "-" : chain)
			}'
		fi
		echo
	done
}

# table KEY ...: records as a table.
table() {
	awk -v keys="$*" '
	BEGIN {
		n = split(keys, key, " ")
		for (i = 1; i <= n; i++) {
			cell[0, i] = toupper(key[i])
			width[i] = length(key[i])
		}
	}
	NF == 0 { rows++; next }
	{
		for (i = 1; i <= n; i++)
			if ($1 == key[i]) {
				text = substr($0, length($1) + 2)
				cell[rows + 1, i] = text
				if (length(text) > width[i])
					width[i] = length(text)
			}
	}
	END {
		for (row = 0; row <= rows; row++) {
			line = ""
			for (i = 1; i <= n; i++)
				line = line sprintf("%-" (i < n ? width[i] + 2 : 1) "s", cell[row, i])
			print line
		}
	}'
}

verb_list() {
	as=table
	[ "${1:-}" != -j ] || {
		as=json
		shift
	}
	[ $# -eq 0 ] || wrong_use
	# shellcheck disable=SC2046 # names have no blanks
	set -- $(names)
	if [ "$as" = json ]; then
		records "$@" | json
	else
		records "$@" | table name state kind address memory uptime os
	fi
}

verb_inspect() {
	as=lines
	[ "${1:-}" != -j ] || {
		as=json
		shift
	}
	[ $# -eq 1 ] || wrong_use
	read_machine "$1"
	if [ "$as" = json ]; then
		records -a "$1" | json | sed 's/^\[//; s/\]$//'
	else
		records -a "$1" | sed '/^$/d'
	fi
}

# usage_of NAME ...: records of what machines use.
usage_of() {
	shown "$@" | while read -r name state _ memory cpu tasks _; do
		printf 'name %s\nstate %s\nmemory %s\ncpu %s\ntasks %s\n\n' \
			"$name" "$state" "$memory" "$cpu" "$tasks"
	done
}

verb_stats() {
	as=table
	[ "${1:-}" != -j ] || {
		as=json
		shift
	}
	for each; do
		find_machine "$each"
	done
	# shellcheck disable=SC2046 # names have no blanks
	[ $# -gt 0 ] || set -- $(names)
	if [ "$as" = json ]; then
		usage_of "$@" | json
		return
	fi
	# In cells: memory in MiB, CPU time in seconds.
	while :; do
		[ ! -t 1 ] || printf '\033[H\033[J'
		usage_of "$@" | awk '
			$1 == "memory" && $2 != "-" { $2 = sprintf("%.1fM", $2 / 1048576) }
			$1 == "cpu" && $2 != "-" { $2 = sprintf("%.2fs", $2 / 1e9) }
			{ print }' | table name state memory cpu tasks
		[ -t 1 ] || break
		sleep 2
	done
}

# --- apply ------------------------------------------------------------------

# The first line of a file that apply wrote says so. Only such machines does it change.
mark() {
	echo "# volt apply: $1"
}

# applied DIR NAME: print what the machine's file is to be.
applied() {
	mark "$1"
	cat -- "$1/$2"
}

# is_applied DIR NAME: did apply make this machine from that directory?
is_applied() {
	[ "$(head -n 1 -- "$conf/$2")" = "$(mark "$1")" ]
}

# plan DIR: print "VERB NAME" for each thing to do. destroy comes first, as others may need
# what it sets free.
plan() {
	for each in $(names); do
		! is_applied "$1" "$each" || [ -f "$1/$each" ] || echo "destroy $each"
	done
	for each in "$1"/*; do
		each=${each##*/}
		is_file "$1/$each" || continue
		if [ ! -e "$conf/$each" ]; then
			echo "create $each"
			echo "start $each"
		elif ! is_applied "$1" "$each"; then
			echo "refuse $each"
		elif ! applied "$1" "$each" | cmp -s - "$conf/$each"; then
			echo "change $each"
			! is_started "$each" && echo "start $each" || echo "restart $each"
		elif ! is_started "$each"; then
			echo "start $each"
		fi
	done
}

# step DIR VERB NAME: do one thing of the plan, in a shell of its own.
step() (
	begin "$2" "$3"
	case $2 in
	create) write_file "$3" "$(applied "$1" "$3")" new ;;
	change) write_file "$3" "$(applied "$1" "$3")" old ;;
	start | restart) start_machine "$2" "$3" ;;
	destroy) destroy "$3" ;;
	refuse) fail "$3: apply did not make this machine, and does not change it" ;;
	esac
)

verb_apply() {
	dry=''
	[ "${1:-}" != -N ] || {
		dry=1
		shift
	}
	[ $# -eq 1 ] || wrong_use
	dir=$(cd -- "$1" 2>/dev/null && pwd -P) || fail "$1: not a directory that can be read"
	count=0
	for each in "$dir"/*; do
		is_file "$each" || continue
		read_file "$each" "$each"
		count=$((count + 1))
	done
	# A checkout that failed must not destroy everything.
	[ "$count" -gt 0 ] || fail "$dir: there is no machine in it; nothing is done"
	[ -n "$dry" ] || {
		need_systemd
		lock
	}
	todo=$(plan "$dir") || exit 125
	[ -n "$todo" ] || return 0
	status=0 broken=' '
	while read -r verb name; do
		echo "$verb $name"
		[ -z "$dry" ] || continue
		case $broken in
		*" $name "*) continue ;;
		esac
		step "$dir" "$verb" "$name" </dev/null || {
			status=125
			broken="$broken$name "
		}
	done <<END
$todo
END
	return "$status"
}

# --- doctor -----------------------------------------------------------------

# good WHAT [TEXT], lacks WHAT COST MEND: a line of doctor.
good() {
	printf 'ok    %s%s\n' "$1" "${2:+: $2}"
}

lacks() {
	printf 'lacks %s: %s; %s\n' "$1" "$2" "$3"
}

# tool PROGRAM COST PACKAGE
tool() {
	if command -v "$1" >/dev/null 2>&1; then
		good "$1"
	else
		lacks "$1" "$2" "install the package $3"
	fi
}

# works COMMAND ...
works() {
	"$@" </dev/null >/dev/null 2>&1
}

# setting FILE: print the number in a file of /proc/sys, or nothing.
setting() {
	cat "/proc/sys/$1" 2>/dev/null || :
}

doctor_namespaces() {
	if works "$bin/volt-ns" -U true; then
		good "user namespaces"
		return
	fi
	mend='see DIAGNOSTICS in volt-ns(1)'
	if [ "$(setting user/max_user_namespaces)" = 0 ]; then
		mend='sysctl user.max_user_namespaces=10000'
	elif [ "$(setting kernel/unprivileged_userns_clone)" = 0 ]; then
		mend='sysctl kernel.unprivileged_userns_clone=1'
	elif [ "$(setting kernel/apparmor_restrict_unprivileged_userns)" = 1 ]; then
		mend='load the profile apparmor.volt-ns of the examples'
	fi
	lacks "user namespaces" "no container without root, and none whose root is nobody" "$mend"
}

doctor_ids() {
	if [ "$manager" = --system ]; then
		return
	fi
	if grep -qE "^($(me)|$(id -u)):" /etc/subuid 2>/dev/null &&
		grep -qE "^($(me)|$(id -u)):" /etc/subgid 2>/dev/null; then
		good "subordinate IDs"
	else
		lacks "subordinate IDs" "a container has one user" \
			"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(me)"
	fi
	tool newuidmap "a container has one user" uidmap
	tool pasta "a container of yours reaches no network" passt
}

doctor_cgroup() {
	tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
	if [ -z "$tree" ]; then
		lacks "cgroup v2" "no limits, and no statistics" \
			"boot with systemd.unified_cgroup_hierarchy=1"
		return
	fi
	have=$(cat "$tree/cgroup.controllers")
	[ "$manager" = --system ] || have=$(cat \
		"$tree/user.slice/user-$(id -u).slice/user@$(id -u).service/cgroup.controllers" \
		2>/dev/null) || have=''
	for controller in cpu cpuset io memory pids; do
		case " $have " in
		*" $controller "*) good "controller $controller" ;;
		*) lacks "controller $controller" "no limits of $controller.*" "$(
			[ "$manager" = --user ] &&
				echo "a drop-in for user@.service: Delegate=cpu cpuset io memory pids" ||
				echo "boot with cgroup_no_v1=$controller"
		)" ;;
		esac
	done
}

doctor_landlock() {
	for abi in 11 10 9 8 7 6 5 4 3 2 1; do
		if works "$bin/volt-lock" fs=any "abi=$abi" true; then
			good "Landlock" "ABI $abi"
			return
		fi
	done
	lacks "Landlock" "fs.*, tcp.* and udp.* of volt-lock are refused" \
		"a kernel with CONFIG_SECURITY_LANDLOCK, and landlock in lsm= of its command line"
}

doctor_guests() {
	if [ -w /dev/kvm ]; then
		good "KVM"
	elif [ -e /dev/kvm ]; then
		lacks "KVM" "no guests" "usermod -aG kvm $(me), and log in again"
	else
		lacks "KVM" "no guests" "turn virtualization on in the firmware; modprobe kvm_intel or kvm_amd"
	fi
	if [ -r "/boot/vmlinuz-$(uname -r)" ]; then
		good "a kernel for guests" "/boot/vmlinuz-$(uname -r)"
	else
		lacks "a kernel for guests" "kernel= must name one" \
			"install a package such as linux-image-cloud-amd64"
	fi
	for daemon in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd; do
		if [ -x "$daemon" ]; then
			good virtiofsd
			return
		fi
	done
	lacks virtiofsd "no directory as a guest's root, and no share=" \
		"install the package virtiofsd, or qemu-system-common"
}

doctor_systemd() {
	if has_systemd; then
		good "systemd" "$(systemctl --version | sed -n '1s/ (.*//p')"
	else
		lacks "systemd" "no start, stop, exec, run: volt chain runs a machine" "$(
			[ "$manager" = --system ] && echo "boot this host with it" ||
				echo "loginctl enable-linger $(me)"
		)"
	fi
	if ! has_systemd; then
		return
	elif works ctl cat volt@.service; then
		good "volt@.service"
	else
		lacks "volt@.service" "no machine starts" "make install, and systemctl daemon-reload"
	fi
	if [ "$manager" = --user ]; then
		return
	elif works systemctl cat systemd-machined.service; then
		good "systemd-machined"
	else
		lacks "systemd-machined" "machinectl(1) does not show machines" \
			"install the package systemd-container"
	fi
	if grep -q '^hosts:.*mymachines' /etc/nsswitch.conf 2>/dev/null; then
		good "nss-mymachines"
	else
		lacks "nss-mymachines" "machines have no host names here" \
			"install libnss-mymachines, and add mymachines to hosts: in /etc/nsswitch.conf"
	fi
}

doctor_root() {
	if [ "$manager" = --user ]; then
		return
	fi
	if [ -e /dev/loop-control ]; then
		good "loop devices"
	else
		lacks "loop devices" "no image= of volt-ns" "modprobe loop"
	fi
	if works "$bin/volt-net"; then
		good "networks"
	else
		lacks "networks" "no volt-net" "a kernel with nf_tables, veth and bridge"
	fi
}

verb_doctor() {
	[ $# -eq 0 ] || wrong_use
	good "Linux" "$(uname -r)"
	doctor_namespaces
	doctor_ids
	doctor_cgroup
	doctor_landlock
	doctor_root
	doctor_guests
	doctor_systemd
	tool skopeo "no images from registries" skopeo
	tool umoci "no OCI images" umoci
	tool mkfs.erofs "no erofs images" erofs-utils
}

# --- the verb ---------------------------------------------------------------

case ${1:-} in
-h)
	usage
	;;
-V)
	echo "volt $version"
	;;
create | start | stop | restart | destroy | run | exec | cp | logs | list | inspect | stats | \
	set | apply | chain | doctor | register)
	verb=$1
	shift
	"verb_$verb" "$@"
	;;
*)
	[ $# -eq 0 ] || echo "volt: $(printable "$1"): no such verb" >&2
	wrong_use
	;;
esac
