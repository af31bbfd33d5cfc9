#!/usr/bin/env bats
# The chain contract, the toolbox, what is left after a SIGKILL at any place, and what a
# hostile root or container can do.

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	helpers swap seize forge
}

setup() {
	load lib
	TERMINAL=$TOP/tests/helpers/terminal.py
	cd "$BATS_TEST_TMPDIR" || return
	need as_user unshare -Urmp true
	leftovers_begin
}

teardown() {
	end_test
}

as_root() {
	"$@"
}

# each CHECK ARG ...: run CHECK as root, if we are root, with and without a user namespace,
# and as an ordinary user. Its arguments are a function that runs a command as that user, a
# root for it, flags of volt-ns, and ARG ...
each() {
	if [ "$(id -u)" = 0 ]; then
		"$1" as_root "$ROOT_BB" -mpniuC "${@:2}"
		"$1" as_root "$ROOT_BB" -A "${@:2}"
	fi
	"$1" as_user "$ROOT_USER" -A "${@:2}"
}

# Make USER_DIR, with the directories that the tests need.
places() {
	user_dir && mkdir -p "$USER_DIR/tmp" "$USER_DIR/home"
}

# hostile_root: make a copy of the root that the user may write to, and print its path.
hostile_root() {
	places
	cp -a "$ROOT_USER" "$USER_DIR/tmp/hostile$BATS_TEST_NUMBER$BASHPID"
	echo "$USER_DIR/tmp/hostile$BATS_TEST_NUMBER$BASHPID"
}

# --- the contract -----------------------------------------------------------

contract() {
	local who=$1 root=$2 A=$3 args=(a 'b c' '' '*' $'new\nline' x=y -A @z --
		"$(head -c 4096 /dev/zero | tr '\0' q)")

	run -0 --separate-stderr "$who" volt-ns $A root="$root" -- volt-init -- sh -c \
		'for a; do echo "[$a]"; done' sh "${args[@]}"
	[ "$stderr" = "" ]
	[ "$output" = "$(for a in "${args[@]}"; do echo "[$a]"; done)" ]
	run -0 "$who" env ODD='a=b
c' EMPTY= LD_PRELOAD=/none TMPDIR=/none GCONV_PATH=/none VOLTAGE=230 VOLT_X=1 VOLT_STATUS=0 \
		VOLT_TOOLBOX=0:1:2:- VOLT_NOTIFY=1 volt-ns $A root="$root" volt-init env
	[[ $output == *"ODD=a=b
c"* ]]
	[[ $'\n'$output$'\n' == *$'\nEMPTY=\n'* ]]
	[[ $output == *VOLTAGE=230* ]]
	[[ $output != *VOLT_* ]]
	run -0 "$who" sh -c 'umask 037; echo in | "$@"' sh volt-ns $A root="$root" volt-init sh -c \
		'umask; cat; echo err >&2'
	[ "$output" = "0037
in
err" ]
}

@test "argv, environment, umask and stdio are the caller's" {
	each contract
}

ends_of_commands() {
	local who=$1 root=$2 A=$3 n s

	for n in {0..255}; do
		s=0
		"$who" volt-ns $A root="$root" volt-init volt-lock caps=none sh -c "exit $n" || s=$?
		[ "$s" = "$n" ] || {
			echo "status $n became $s"
			return 1
		}
	done
	for n in {1..64}; do
		case $n in
		3) continue ;; # busybox ignores it
		32 | 33) continue ;;
			# make(1) ignores them for us, by glibc's posix_spawn(3)
		17 | 18 | 19 | 2[0-3] | 28) continue ;; # they stop, continue, or do nothing
		esac
		s=0
		"$who" env --default-signal volt-ns $A root="$root" volt-init volt-lock caps=none \
			sh -c "ulimit -c 0; kill -$n \$\$" || s=$?
		[ "$s" = $((128 + n)) ] || {
			echo "signal $n became $s"
			return 1
		}
	done
}

@test "every status and every signal that ends a command comes through a whole chain" {
	each ends_of_commands
}

binary() {
	local who=$1 root=$2 A=$3

	"$who" volt-ns $A root="$root" volt-init volt-lock caps=none cat <in >out
	cmp in out
	"$who" volt-ns $A root="$root" volt-init volt-lock caps=none cat <in | cmp in -
	cat in | "$who" volt-ns $A root="$root" volt-init volt-lock caps=none sh -c 'cat >&2' 2>out
	cmp in out
}

@test "24 MiB of binary, in and out, through a whole chain" {
	head -c 24M /dev/urandom >in
	each binary
}

# from_outside WHO LINK ...: signals that normally report a fault reach the command when
# another process sends them.
from_outside() {
	local name who=$1

	shift
	for name in ABRT SEGV ILL BUS FPE TRAP SYS QUIT; do
		start_by "$who" "$@" sh -c "ulimit -c 0; trap 'echo got; exit 9' $name; echo ready
			while :; do sleep 0.1; done"
		wait_for grep -qx ready out
		kill -"$name" "$pid"
		ended 9
		grep -qx got out
	done
}

# faults_from_outside WHO [U]
faults_from_outside() {
	from_outside "$1" volt-ns "-p${2-}" volt-init volt-lock caps=none
	from_outside "$1" volt-ns ${2+-U} console=pipe
	from_outside "$1" volt-init
}

@test "a signal of a fault (SIGSEGV and the like) sent from outside reaches the command" {
	if [ "$(id -u)" = 0 ]; then
		faults_from_outside as_root
	fi
	faults_from_outside as_user U
}

# signals WHO LINK ...
signals() {
	local who=$1

	shift
	run -0 "$who" python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMIN])
for n in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(n, signal.SIG_IGN if n == signal.SIGUSR2 else signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" grep -E '^Sig(Blk|Ign)' /proc/self/status
	# make(1) starts us with the signals of the C library ignored, 32 and 33.
	[ "$output" = "SigBlk:	0000000200000200
SigIgn:	$(printf %016x $((0x800 | 0x$(awk '/^SigIgn/ { print $2 }' \
		/proc/self/status) & 0x180000000)))" ]
}

signal_mask() {
	signals "$1" volt-ns
	signals "$1" volt-init
	signals "$1" volt-ns "$3" root="$2"
	signals "$1" volt-ns "$3" root="$2" volt-init
}

@test "the command has the caller's signal mask and ignored signals, SIGRTMIN included" {
	need python3 -c 'import signal'
	[ "$(id -u)" != 0 ] || signal_mask as_root "$ROOT_BB" -mp
	[ "$(id -u)" = 0 ] || signal_mask as_user "$ROOT_USER" -A
}

# own_signals WHO LINK ...: by system calls, because C libraries do not name these signals.
own_signals() {
	local who=$1

	shift
	run -0 --separate-stderr "$who" python3 -c 'import ctypes, os, sys
mask = ctypes.c_uint64(7 << 31)
ctypes.CDLL(None).syscall(14, 0, ctypes.byref(mask), None, 8) # rt_sigprocmask
for n in 32, 33, 34:
    os.kill(os.getpid(), n)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" grep SigBlk /proc/self/status
	[ "$output" = "SigBlk:	0000000380000000" ]
}

@test "signals that the C libraries reserve stay blocked, also if a helper runs" {
	need_root
	need command -v newuidmap
	own_signals as_subid_user volt-ns -U
	own_signals as_subid_user volt-ns -Up volt-init
	own_signals as_subid_user volt-ns -Ump tmpfs=/mnt
	private_net() { unshare -n "$@"; }
	own_signals private_net volt-net -d volt-ns -n
	own_signals private_net volt-net volt-cg volt-init volt-lock
}

@test "a VOLT_ variable with the number of a descriptor that a link opens later has no effect" {
	need as_user unshare -U true
	for name in VOLT_NOTIFY VOLT_STATUS VOLT_PLUG VOLT_TAP VOLT_TOOLBOX; do
		for n in 1 {3..12}; do
			# shellcheck disable=SC2016 # expanded by that sh
			run -0 --separate-stderr as_user env "$name=$n" bash -c 'exec 20>&1
				volt-ns -U volt-init status=20 volt-init sh -c "exit 5" 3>&- 4>&-
				echo $?'
			[ "$output" = "exit 5
5" ]
			[ "$stderr" = "" ]
		done
	done
}

# bare CMD ...: close the descriptors of the test, so that only those of the chain remain.
bare() {
	local fd

	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || eval "exec $fd>&-"
	done
	"$@"
}

# with_two CMD ...: give it descriptors 7 and 9.
with_two() {
	"$@" 7</etc 9</dev/null
}

descriptors() {
	local who=$1 root=$2 A=$3

	shift 3
	run -0 --separate-stderr bare "$who" volt-ns $A "$@" root="$root" ls /proc/self/fd
	[ "$output" = $'0\n1\n2\n3' ] # 3 is that of ls
	run -0 --separate-stderr bare "$who" volt-ns $A "$@" root="$root" volt-init ls /proc/self/fd
	[ "$output" = $'0\n1\n2\n3' ]
	run -0 --separate-stderr bare "$who" volt-ns $A "$@" root="$root" volt-ns -u volt-init \
		volt-init ls /proc/self/fd
	[ "$output" = $'0\n1\n2\n3' ]
	run -0 --separate-stderr bare with_two "$who" volt-ns $A "$@" root="$root" \
		volt-init ls /proc/self/fd
	[ "$output" = $'0\n1\n2\n3\n7\n9' ]
	run -0 --separate-stderr bare "$who" volt-ns $A "$@" root="$root" console=pty ls \
		-1 /proc/self/fd </dev/null
	[ "${output//$'\r'/}" = $'0\n1\n2\n3' ]
}

@test "SIGCHLD of our helpers is not pending in the command" {
	need python3 -c 'import signal'
	user_dir
	profile=$USER_DIR/share/volt/default.seccomp
	# pending WHO LINK ...
	pending() {
		local who=$1 blocked='import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
os.execvp(sys.argv[1], sys.argv[1:])'

		shift
		run -0 "$who" python3 -c "$blocked" "$@" grep -E "^(Sig|Shd)Pnd" /proc/self/status
		[ "$output" = "SigPnd:	0000000000000000
ShdPnd:	0000000000000000" ]
	}
	helped() {
		local who=$1 root=$2

		pending "$who" volt-ns -U
		pending "$who" volt-ns -Um root="$root"
		pending "$who" volt-ns -Um tmpfs=/mnt volt-ns -U volt-lock fs.rx=/
		pending "$who" volt-lock seccomp="$profile"
		# The caller may ignore the signal.
		run -0 "$who" env --ignore-signal=CHLD volt-lock seccomp="$profile" true
		run -0 "$who" env --ignore-signal=CHLD volt-ns -Um root="$root" \
			grep SigIgn /proc/self/status
		[[ $output == *1???? ]]
		run -0 as_subid_user env --ignore-signal=CHLD volt-ns -U true
	}
	each helped
}

@test "descriptors: the command gets the caller's, and none of ours" {
	each descriptors
	each descriptors overlay=tmpfs tmpfs=/mnt bind=/etc:/home
}

# They are sockets. The caller has no other socket.
@test "descriptors: with two reporters, the command gets none of theirs" {
	reporters() {
		# shellcheck disable=SC2016
		run -0 --separate-stderr "$1" sh -c 'exec "$@" 8>&1 9>&1' sh \
			volt-ns -A root="$2" status=9 volt-init volt-ns -Un status=8 \
			volt-lock fs=any sh -c 'ls -l /proc/$$/fd'
		[[ $output == *" 0 -> "* ]]
		[[ $output != *socket:* ]]
		[[ $output == *"exit 0
exit 0" ]]
	}
	each reporters
}

@test "a forged VOLT_ variable closes no descriptor of the caller" {
	for v in VOLT_STATUS=7 VOLT_TOOLBOX=7:7:7:7 VOLT_NOTIFY=7; do
		run -0 env $v volt-ns cat /proc/self/fd/7 7<<<kept
		[ "$output" = kept ]
		run -0 env $v volt-init cat /proc/self/fd/7 7<<<kept
		[ "$output" = kept ]
	done
}

closed() {
	local who=$1 root=$2 A=$3 look

	# shellcheck disable=SC2016 # that sh's
	look='for i in 0 1 2; do [ -e /proc/self/fd/$i ] || printf "$i "; done >/dev/null
		[ -e /proc/$$/fd/0 ]; a=$?; [ -e /proc/$$/fd/1 ]; b=$?; [ -e /proc/$$/fd/2 ]
		exit $((10 + a + 2 * b + 4 * $?))'
	for redirect in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
		for n in "volt-ns $A root=$root" "volt-ns $A root=$root volt-init" "volt-init"; do
			# shellcheck disable=SC2016 # that sh's
			"$who" sh -c "$n"' sh -c "$1" '"$redirect" sh "$look" && s=0 || s=$?
			case $redirect in
			'<&-') [ $s = 11 ] ;;
			'>&-') [ $s = 12 ] ;;
			'2>&-') [ $s = 14 ] ;;
			'<&- >&-') [ $s = 13 ] ;;
			*) [ $s = 17 ] ;;
			esac || {
				echo "$n $redirect: $s" >&2
				return 1
			}
		done
	done
}

@test "closed stdio stays closed, and none of our descriptors takes its number" {
	each closed
}

closed_without_null() {
	# shellcheck disable=SC2016
	local who=$1 root=$2 A=$3 closed=(sh -c 'exec "$@" <&- >&-' sh)

	run -3 --separate-stderr "$who" "${closed[@]}" volt-lock fs.rx=/ volt-init sh -c 'exit 3'
	[ "$stderr" = "" ]
	run -3 --separate-stderr "$who" "${closed[@]}" volt-ns $A root="$root" \
		dev=none volt-init sh -c 'exit 3'
	[ "$stderr" = "" ]
}

@test "closed stdio: the chain needs no /dev/null, which may be missing or denied" {
	each closed_without_null
}

# --- dry run ----------------------------------------------------------------

@test "-N: each link of the chain says what it would do, and does nothing" {
	need as_user unshare -U true
	before=$(find "$ROOT_USER" | sort)
	run -0 --separate-stderr as_user volt-ns -N -Ump root="$ROOT_USER" \
		tmpfs=/made volt-init grace=2s \
		volt-lock fs.rx=/only/there user=nil volt-ns uid=5 touch "$BATS_TEST_TMPDIR/done"
	[ "$output" = "" ]
	[[ $stderr == *"volt-ns: new mount namespace"*"volt-ns: mount tmpfs at /made "*"
volt-init: wait as PID 1
"*"volt-lock: fs.rx=/only/there
"* ]]
	[[ $stderr != *"not there"* ]]
	[ "$(find "$ROOT_USER" | sort)" = "$before" ]
	[ ! -e "$BATS_TEST_TMPDIR/done" ]
	# If the root is ours, the paths are checked. A mistake of a later link is an error.
	run -125 --separate-stderr volt-init -N volt-lock fs.rx=/only/there true
	[ "${stderr_lines[0]}" = "volt-init: wait as a subreaper" ]
	[ "${stderr_lines[-1]}" = "volt-lock: fs.rx=/only/there: No such file or directory" ]
	run -125 --separate-stderr volt-init -N volt-lock nil=1 true
	[[ $stderr == *"volt-lock: nil=: unknown word"* ]]
	# A path is not a link, and a variable with another value has no effect.
	printf '#!/bin/sh\n: >ran' >volt-x
	chmod 755 volt-x
	PATH=$PWD:$PATH run -0 volt-init -N volt-x
	run -0 volt-init -N ./volt-x
	[ ! -e ran ]
	run -125 env VOLT_DRY=rp volt-lock fs.rx=/only/there true
	# A link that cannot run here ends the dry run, as it would end the chain.
	run -127 --separate-stderr as_user volt-ns -Ump root="$ROOT_USER" volt-ns \
		-Nu volt-net mode=host true
	[ "${stderr_lines[-1]}" = "volt-ns: exec volt-net: No such file or directory" ]
	# A program that cannot be looked for is an error, and does not end the chain quietly.
	local name
	printf -v name 'volt-%05000d' 0
	run -125 --separate-stderr volt-init -N "$name"
	[[ ${stderr_lines[-1]} == "volt-init: look for $name: File"*"name too long" ]]
}

# --- the toolbox ------------------------------------------------------------

@test "toolbox: a hostile root's links and words are never used" {
	r=$(hostile_root)
	printf '#!/bin/sh\necho HOSTILE\n' | tee "$r/bin/volt-init" >"$r/bin/volt-ns"
	mkdir -p "$r/usr/local/bin" "$r/usr/local/share/volt" "$r/etc/volt" "$r/usr/share/volt" \
		"$r$O/bin" "$r$USER_DIR/bin"
	cp "$r/bin/volt-init" "$r/usr/local/bin/"
	cp "$r/bin/volt-init" "$r$O/bin/"
	cp "$r/bin/volt-init" "$r$USER_DIR/bin/"
	chmod 755 "$r/bin/volt-init" "$r/bin/volt-ns" "$r/usr/local/bin/volt-init" \
		"$r$O/bin/volt-init" "$r$USER_DIR/bin/volt-init"
	mkdir -p "$r/root/.config/volt" "$r$HOME/.config/volt" "$r$USER_DIR/home/.config/volt"
	echo umask=0 | tee "$r/etc/volt/evil" "$r/usr/local/share/volt/evil" \
		"$r/root/.config/volt/evil" \
		"$r$HOME/.config/volt/evil" \
		"$r$USER_DIR/home/.config/volt/evil" >"$r/usr/share/volt/evil"
	hostile() {
		local who=$1 A=$3

		run -0 --separate-stderr "$who" volt-ns $A root="$r" volt-init echo ours
		[ "$output" = ours ]
		run -0 --separate-stderr "$who" volt-ns $A root="$r" volt-ns -u volt-init echo ours
		[ "$output" = ours ]
		run -125 --separate-stderr "$who" volt-ns $A root="$r" volt-ns @evil echo ours
		[ "$stderr" = "volt-ns: @evil: No such file or directory" ]
		# A program with another name is a command of the root, and not a link.
		printf '#!/bin/sh\nls /proc/self/fd; env | grep VOLT_' >"$r/bin/volt-other"
		chmod 755 "$r/bin/volt-other"
		run -1 --separate-stderr bare "$who" volt-ns $A root="$r" volt-init volt-other
		[ "$output" = $'0\n1\n2\n3' ] || [ "$output" = $'0\n1\n10\n2\n3' ]
	}
	each hostile
}

# own_words WHO ROOT HOME [U]
own_words() {
	local who=$1 root=$2 home=$3 U=${4-} config=$3/.config/volt

	"$who" mkdir -p "$config"
	"$who" sh -c 'echo umask=027 >"$1/mine"; echo umask=07 >"$1/server"
		echo "@io @file @memory @process @signal @time" >"$1/calls"' \
		sh "$config"
	"$who" chmod -R go-w "$home/.config"
	run -0 --separate-stderr "$who" env HOME="$home" volt-ns @mine sh -c umask
	[ "$output" = 0027 ]
	run -0 --separate-stderr "$who" env -u HOME XDG_CONFIG_HOME="$home/.config" volt-ns @mine \
		sh -c umask
	[ "$output" = 0027 ]
	# They precede files of the same name that come with volt.
	run -0 "$who" env HOME="$home" volt-ns @server sh -c umask
	[ "$output" = 0007 ]
	# They work in a new root, with a profile of system calls, and after two links.
	run -1 --separate-stderr "$who" env HOME="$home" volt-ns "-mp$U" \
		root="$root" volt-init volt-ns @mine \
		volt-lock seccomp=calls sh -c 'umask; exec chroot / true'
	[ "$output" = 0027 ]
	[[ $stderr == *"chroot"* ]]
	# A directory that others may write to does not count, nor does a relative one.
	"$who" chmod o+w "$config"
	run -125 --separate-stderr "$who" env HOME="$home" volt-ns @mine true
	[ "$stderr" = "volt-ns: @mine: No such file or directory" ]
	run -125 --separate-stderr "$who" env HOME="$home" volt-ns "-mp$U" \
		root="$root" volt-ns @mine true
	[ "$stderr" = "volt-ns: @mine: No such file or directory" ]
	"$who" chmod o-w "$config"
	run -125 --separate-stderr "$who" env HOME=. volt-ns @mine true
}

@test "toolbox: the user's own files of words are found by name, also behind a new root" {
	if [ "$(id -u)" = 0 ]; then
		mkdir home
		own_words as_root "$ROOT_BB" "$PWD/home"
	fi
	need as_user unshare -U true
	user_dir
	own_words as_user "$ROOT_USER" "$USER_DIR/home" U
	as_user rm -rf "$USER_DIR/home/.config"
}

@test "toolbox: another user's files of words are not used, as after sudo" {
	need_root
	user_dir
	as_user mkdir -p "$USER_DIR/home/.config/volt"
	as_user sh -c 'echo umask=0 >$HOME/.config/volt/evil'
	run -125 --separate-stderr env HOME="$USER_DIR/home" volt-ns @evil true
	[ "$stderr" = "volt-ns: @evil: No such file or directory" ]
	run -125 --separate-stderr env HOME="$USER_DIR/home" volt-ns -m \
		root="$ROOT_BB" volt-ns @evil true
	[ "$stderr" = "volt-ns: @evil: No such file or directory" ]
	as_user rm -r "$USER_DIR/home/.config"
}

# hidden WHO ROOT [U]
hidden() {
	local who=$1 root=$2 U=${3-} bin

	bin=$(dirname "$("$who" sh -c 'command -v volt-ns')")
	run -0 --separate-stderr "$who" volt-ns "-m$U" tmpfs="$bin" volt-init volt-lock fds=close \
		sh -c 'ls -A "$1"' sh "$bin"
	[ "$output" = "" ]
	[ "$stderr" = "" ]
	run -0 --separate-stderr "$who" volt-ns "-mp$U" bind="$root:${bin%/*}" volt-init volt-ns \
		umask=027 sh -c 'umask; env | grep VOLT_; true'
	[ "$output" = 0027 ]
}

@test "toolbox: it is found if a mount hides the programs" {
	if [ "$(id -u)" = 0 ]; then
		hidden as_root "$ROOT_BB"
	fi
	need as_user unshare -U true
	hidden as_user "$ROOT_USER" U
}

# The same happens if sudo runs a user's build.
@test "toolbox: programs that another user owns are found too" {
	need_root
	r=$(copy_root)
	printf '#!/bin/sh\necho HOSTILE\n' >"$r/bin/volt-init"
	chmod 755 "$r/bin/volt-init"
	cp -r "$O/bin" tools && chown -R 4242:4242 tools
	for flags in -m -mp -A -mpniuC; do
		run -0 --separate-stderr env PATH="$PWD/tools:$PATH" volt-ns $flags \
			root="$r" volt-init echo ours
		[ "$output" = ours ]
	done
	run -0 --separate-stderr env PATH="$PWD/tools:$PATH" volt-ns -Ump uidmap=0:100000:65536 \
		root="$r" volt-init echo ours
	[ "$output" = ours ]
}

# In that case, the kernel's path of a running program begins at its mount.
@test "toolbox: it is found even if the mount namespace of the caller is gone" {
	need_root
	mkdir -p mount/bin
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 --separate-stderr unshare -m sh -ec 'mount -t tmpfs tmpfs mount
		cp -r "$O/bin" mount
		exec mount/bin/volt-ns -m env mount/bin/volt-ns -m root="$ROOT_BB" \
			volt-init echo in'
	[ "$output" = in ]
}

@test "toolbox: a symlink in it does not lead into the root" {
	places
	r=$(hostile_root)
	mkdir -p "$r/opt" "$USER_DIR/tmp/tools" "$USER_DIR/tmp/share/volt" "$USER_DIR/tmp/opt"
	cp "$O"/bin/volt-ns "$USER_DIR/tmp/tools/"
	cp "$O"/bin/volt-init "$USER_DIR/tmp/opt/"
	ln -sf "/opt/volt-init" "$USER_DIR/tmp/tools/volt-init"
	ln -sf "/opt/words" "$USER_DIR/tmp/share/volt/words"
	printf '#!/bin/sh\necho HOSTILE\n' >"$r/opt/volt-init" && chmod 755 "$r/opt/volt-init"
	echo umask=0 >"$r/opt/words"
	chmod -R a+rX "$USER_DIR/tmp" "$r/opt"
	run --separate-stderr as_user env PATH="$USER_DIR/tmp/tools:/usr/bin:/bin" volt-ns -A \
		root="$r" volt-init echo ours
	[[ $output != *HOSTILE* ]]
	run --separate-stderr as_user env PATH="$USER_DIR/tmp/tools:/usr/bin:/bin" volt-ns -A \
		root="$r" volt-ns @words echo read
	[ "$output" != read ]
}

exe() {
	local who=$1 root=$2 A=$3 sum

	sum=$(cat "$O"/bin/volt-* "$USER_DIR"/bin/volt-* 2>/dev/null | sha256sum)
	# shellcheck disable=SC2016
	run -0 --separate-stderr "$who" volt-ns $A root="$root" volt-init sh -c '
		for p in /proc/[0-9]*; do
			n=$(cat $p/comm); case $n in volt-*) ;; *) continue ;; esac
			(echo evil >>$p/exe) 2>&1 | sed "s/.*: //"
			(echo evil >$p/exe) 2>&1 | sed "s/.*: //"
			chmod 777 $p/exe 2>&1 | sed "s/.*: //"
		done'
	[ "${#lines[@]}" -ge 2 ]
	for line in "${lines[@]}"; do
		case $line in
		"Read-only file system" | "Text file busy" | "Permission denied" | nonexistent*) ;;
		*) echo "$line" >&2 && return 1 ;;
		esac
	done
	[ "$(cat "$O"/bin/volt-* "$USER_DIR"/bin/volt-* 2>/dev/null | sha256sum)" = "$sum" ]
}

@test "toolbox: a link's own file cannot be written from inside" {
	places
	each exe
}

@test "toolbox: a link that waits for its command does not keep it open" {
	kept() {
		# The container's root has every right over PID 1 and 2.
		# shellcheck disable=SC2016
		run -0 --separate-stderr "$1" volt-ns -A root="$2" volt-init volt-init sh -c '
			for i in 1 2 3 4 5 6 7 8 9 10; do
				dirs=
				for fd in /proc/1/fd/* /proc/2/fd/*; do
					[ ! -d "$fd/" ] || dirs="$dirs $fd"
				done
				[ -z "$dirs" ] && break
				sleep 0.1
			done
			echo "$(ls /proc/1/fd | wc -l) $dirs"'
		[[ $output == [1-9]*" " ]]
	}
	kept as_user "$ROOT_USER"
	[ "$(id -u)" != 0 ] || kept as_root "$ROOT_BB"
}

@test "toolbox: its .. stays in it" {
	need_root
	# Put a link among ours that checks the toolbox.
	cp -r "$O/bin" tools
	cp "$(helper toolbox)" tools/volt-probe
	for flags in -m -A; do
		run -0 env PATH="$PWD/tools:$PATH" volt-ns $flags root="$ROOT_BB" volt-probe
		[ "$output" = "x: Read-only file system" ]
	done
}

nested() {
	local who=$1 root=$2

	# The kernel permits no new /proc below one that is partly hidden.
	run -125 --separate-stderr "$who" volt-ns -A root="$root" volt-ns -A root=/ true
	[ "$stderr" = "volt-ns: /proc: mount proc: Operation not permitted
volt-ns: a new /proc needs -p, and a /proc outside that is not masked itself" ]
	run -0 --separate-stderr "$who" volt-ns -A root="$root" mask=none hostname=outer volt-init \
		volt-ns -A root=/ hostname=inner volt-init sh -c 'hostname; echo $PPID
		cat /proc/1/comm; echo x >/dev/null'
	[ "$stderr" = "" ]
	[ "$output" = "inner
1
volt-init" ]
	run -0 --separate-stderr "$who" volt-ns -A root="$root" mask=none volt-ns -A root=/ \
		volt-ns -Umu volt-ns -Ai volt-init sh -c 'echo $PPID'
	[ "$output" = 1 ]
}

@test "volt-ns in volt-ns" {
	if [ "$(id -u)" = 0 ]; then
		nested as_root "$ROOT_BB"
	fi
	nested as_user "$ROOT_USER"
}

# The outer actor must find its own child, even if the /proc that it sees has other process
# IDs.
@test "volt-ns in volt-ns -p without a /proc of its own" {
	need_root
	run -0 --separate-stderr volt-ns -p volt-ns -Up sh -c 'id -u'
	[ "$output" = 0 ]
	run -0 --separate-stderr as_user volt-ns -Up volt-ns -Up sh -c 'id -u'
	[ "$output" = 0 ]
}

# --- SIGKILL anywhere -------------------------------------------------------

@test "SIGKILL at every step: nothing is left, nothing hangs" {
	need_root
	need strace -qq -o /dev/null true
	set -- volt-ns -A root="$ROOT_BB" overlay=tmpfs volt-init true
	kill_at_every_call no_hang "$@"
	no_leftovers
	# Kill only the parent that waits.
	kill_at_every_call -1 no_hang "$@"
	no_leftovers
}

@test "SIGKILL at every step of an image and without a PID namespace" {
	need_root
	need strace -qq -o /dev/null true
	mkfs.erofs image "$ROOT_BB" >/dev/null 2>&1
	for flags in -A -Um; do
		kill_at_every_call no_hang volt-ns $flags image=image overlay=tmpfs true
		no_leftovers
	done
}

# running ROOT FLAGS
running() {
	local victim

	for victim in parent init command; do
		start volt-ns "$2" root="$1" volt-init sh -c \
			'sleep 1000 & setsid sleep 1000 & echo ready; sleep 1000; :'
		wait_for grep -q ready out
		p=$pid
		[ "$victim" = parent ] || p=$(pgrep -P "$p")
		[ "$victim" != command ] || p=$(pgrep -P "$p" | head -n 1)
		[ -n "$p" ]
		kill -KILL "$p"
		wait_for gone
		no_leftovers
	done
}

@test "SIGKILL of the parent, of PID 1, of the command: no process is left" {
	if [ "$(id -u)" = 0 ]; then
		running "$ROOT_BB" -A
		running "$ROOT_BB" -mpniuC
	else
		running "$ROOT_USER" -A
	fi
}

# A later link may change IDs. Then the kernel drops the death signal, unless volt keeps it.
@test "SIGKILL of a parent that waits: its command ends, in every order of links" {
	need python3 -c 'import select'
	set -- volt-init "volt-ns -U" "volt-ns -Up"
	for n in 1 2 3; do
		run -0 as_user "$TOP/tests/helpers/orphan.py" $n "$@"
		[ "$(id -u)" != 0 ] || {
			run -0 "$TOP/tests/helpers/orphan.py" $n "$@" volt-cg \
				"volt-ns -U uid=1 gid=1" "volt-lock uid=1 gid=1"
		}
	done
	# timeout(1) waits, too, and sets no death signal.
	run -0 "$TOP/tests/helpers/orphan.py" 1 "timeout 900 volt-init -k" \
		"timeout 900 volt-ns -k -U" "timeout 900 volt-ns -k -Up" \
		"timeout 900 volt-ns -k -U volt-ns -U"
	# Remove the groups of volt-cgs that were killed.
	volt-cg true 2>/dev/null || true
}

# Its helper opens many sources meanwhile. A process that lives on would hold the pipe.
@test "SIGKILL of a parent whose container is being built: no command starts, nothing waits" {
	need strace -qq -o /dev/null true
	user_dir
	printf 'bind=/etc/hostname:/tmp/%d\n' {1..1000} >"$USER_DIR/tmp/binds"
	chmod 644 "$USER_DIR/tmp/binds"
	for words in "" "status=3" "overlay=tmpfs"; do
		# shellcheck disable=SC2016 # expanded by that sh
		run -0 --separate-stderr as_user timeout 60 sh -c \
			'"$@" 3>/dev/null 4>&- </dev/null | cat' sh \
			strace -qq -o /dev/null -e trace=recvmsg \
			-e inject=recvmsg:signal=KILL:when=1 volt-ns -Ump root="$ROOT_USER" \
			tmpfs=/tmp uidmap="0:$TEST_UID:1" $words "@$USER_DIR/tmp/binds" \
			sh -c 'echo ran; sleep 1000'
		[ "$output" = "" ]
	done
}

@test "SIGKILL of a parent that waits: a command that has joined ends too" {
	need_root
	start volt-ns -Ump root="$ROOT_BB" sh -c 'echo ready; sleep 1000'
	wait_for grep -q ready out
	for n in 1 2 3; do
		run -0 "$TOP/tests/helpers/orphan.py" $n volt-init "volt-ns join=$pid" \
			"volt-ns join=$pid:user,mnt" "volt-lock caps=none"
	done
}

# --- signals and the terminal -----------------------------------------------

@test "SIGTERM to the waiting parent reaches the command; its status comes back" {
	flags=-mp
	[ "$(id -u)" = 0 ] || flags=-A
	start volt-ns $flags root="$ROOT_BB" volt-init sh -c 'trap "exit 6" TERM; echo ready
		while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	ended 6
}

@test "SIGTERM at every step of the start ends the chain" {
	need strace -qq -o /dev/null true
	ends_by_it() { echo "status $1" && [ "$1" = 143 ]; }
	[ "$(id -u)" != 0 ] || set -- -mpniuC
	# These are the calls of the parent that waits before its child has ended.
	calls='rt_sig.*|clone3|prctl|open|openat|close|sendmsg|munmap|mount_setattr|geteuid|poll'
	for flags in "$@" -A; do
		kill_at_every_call -1 -s SIGTERM -c "$calls" ends_by_it \
			volt-ns $flags root="$ROOT_BB" overlay=tmpfs volt-init sleep 3
	done
	# It is not lost while PID 1 execs the next link, or before that has a handler.
	for late in execve:delay_enter execve:delay_exit rt_sigprocmask:delay_enter; do
		start strace -f -qq -o /dev/null -e inject="$late=300000" \
			volt-ns $flags root="$ROOT_BB" volt-init sleep 1000
		inner() { pgrep -P "$(pgrep -P "$pid")" >/dev/null; }
		wait_for inner
		kill "$(pgrep -P "$pid")"
		ended 143
	done
}

state() {
	cut -d' ' -f3 "/proc/$1/stat"
}

@test "stop and continue are mirrored" {
	for chain in volt-init "volt-ns status=9" "volt-ns -Up status=9 volt-init"; do
		# shellcheck disable=SC2016,SC2086 # that sh's; several words
		start sh -c 'exec "$@" 9>status' sh $chain \
			sh -c 'echo ready; while :; do sleep 0.05; done'
		wait_for grep -q ready out
		child=$(pgrep -P "$pid")
		kill -STOP "$child"
		[ "$chain" = "volt-ns -Up status=9 volt-init" ] ||
			wait_for sh -c "cut -d' ' -f3 /proc/$pid/stat | grep -q T"
		kill -CONT "$pid"
		wait_for sh -c "! cut -d' ' -f3 /proc/$child/stat | grep -q T"
		kill -KILL "$child"
		wait_for gone
	done
}

@test "^C ends the command once, ^Z stops and fg continues" {
	need python3 -c 'import pty'
	for chain in "volt-ns status=2" volt-init "volt-ns -Up volt-init" \
		"volt-ns -Up volt-init -g"; do
		script='trap "echo int; exit 3" INT; echo ready; while :; do sleep 0.05; done'
		run "$TERMINAL" expect='[#$] ' \
			send="$chain sh -c '$script'; echo status \$?\\n" \
			expect='\nready' send='\x03' expect='int.?\n' expect='status 3' \
			send='exit 0\n' -- env PS1='$ ' bash --norc --noediting -i
		echo "$chain: $output"
		[ "$status" = 0 ]
		[ "$(tr -d '\r' <<<"$output" | grep -c 'int$')" = 1 ]
	done
	# The terminal drops what was typed before ^Z and shortly after it.
	for chain in "volt-ns status=2" volt-init "volt-ns -Up volt-init" "volt-init -g"; do
		run "$TERMINAL" expect='[#$] ' \
			send="$chain sh -c 'echo ready; read x; echo got \$x'\\n" \
			expect='\nready' pause=0.2 send='\x1a' expect='Stopped' pause=0.2 \
			send='fg\n' pause=0.3 send='word\n' expect='got word' send='exit 0\n' -- \
			env PS1='$ ' bash --norc --noediting -i
		echo "$chain: $output"
		[ "$status" = 0 ]
	done
}

@test "-g: neither PID 1 nor its command can stop; the caller gets the terminal back" {
	need python3 -c 'import pty'
	for chain in volt-init "volt-ns -Up volt-init"; do
		[ "$chain" = volt-init ] || set -- pause=0.2 send='\x1a' pause=0.5
		run "$TERMINAL" expect=ready "$@" send='word\n' expect='got word' \
			expect=after send='more\n' expect='and more' -- \
			sh -c "$chain -g sh -c 'echo ready; read x; echo got \$x'
				echo after; read y; echo and \$y"
		echo "$chain: $output"
		[ "$status" = 0 ]
	done
}

# --- attacks ----------------------------------------------------------------

# Every place of a mount is a symlink that leads out of the root, each in another way.
@test "hostile symlinks: no mount is made outside the root" {
	places
	canary=$USER_DIR/tmp/canary
	as_user mkdir -p "$canary/sub"
	echo canary | as_user tee "$canary/file" "$canary/sub/file" >/dev/null
	sum=$(find "$canary" -printf '%p %y %s %m %T@\n' | sort)
	linked() {
		local who=$1 A=$3

		for name in dev proc tmp etc sys mnt; do
			for target in "$canary" "../../../../../../../..$canary" \
				"/proc/1/root$canary" "/proc/self/cwd"; do
				r=$(hostile_root)
				rm -rf "${r:?}/$name" && ln -s "$target" "$r/$name"
				run --separate-stderr "$who" volt-ns $A root="$r" tmpfs=/$name/t \
					bind="$USER_DIR/home:/$name/sub" \
					tmpfs=/$name/sub/deep bind=/etc/hostname:/$name/file \
					sh -c "echo evil >/$name/t/x; echo evil >/$name/x
					echo evil >/$name/sub/y"
				run --separate-stderr "$who" volt-ns $A root="$r" \
					mask=/$name/file ro=/$name/sub sh -c true
				run --separate-stderr "$who" volt-ns $A root="$r" overlay=tmpfs \
					tmpfs=/$name/t sh -c 'echo evil >/'$name/x
				[ "$(find "$canary" -printf '%p %y %s %m %T@\n' | sort)" = "$sum" ]
				rm -rf "$r"
			done
		done
	}
	each linked
	[ -z "$(ls -A "$USER_DIR/home/deep" 2>/dev/null)" ]
}

# masked ... PLACE ...: in the root $r there is a /proc at the first place, and at no place is
# there a way around its masks.
masked() {
	# shellcheck disable=SC2016
	run --separate-stderr "$1" volt-ns "$3" root="$r" sh -c '
		for p; do
			(: >>$p/sys/kernel/core_pattern) 2>/dev/null && echo "$p core_pattern"
			for f in timer_list keys; do
				[ ! -e $p/$f ] || [ -z "$(head -c 1 $p/$f)" ] || echo "$p $f"
			done
			! grep -q " $p " $p/self/mounts 2>/dev/null || echo $p
		done; true' sh "${@:4}"
	[ "$output" = "$4" ]
}

# The masks belong to the /proc that was mounted, wherever the root's /proc led at that time.
@test "hostile symlinks: a /proc that is reached through /dev keeps its masks" {
	r=$(hostile_root)
	rm -rf "${r:?}/proc" "${r:?}/dev" && mkdir "$r/dev" "$r/real"
	ln -s /dev/p "$r/proc" && ln -s /real "$r/dev/p"
	each masked /real /proc
}

@test "hostile symlinks: a /proc that covers its own path keeps its masks" {
	r=$(hostile_root)
	rm -rf "${r:?}/proc" && mkdir -p "$r/p/d"
	ln -s p/d/.. "$r/proc"
	each masked /p /proc
}

@test "hostile symlinks: they are swapped while containers start" {
	places
	canary=$USER_DIR/tmp/swapped
	as_user mkdir -p "$canary"
	r=$(hostile_root)
	ln -s "$canary" "$r/evil"
	mkdir "$r/mnt/sub"
	chown "$TEST_UID:$TEST_UID" "$r/evil" "$r/mnt/sub" 2>/dev/null || true
	start "$HELP/swap" "$r/mnt" "$r/evil"
	sleep 0.1
	for ((i = 0; i < 40; i++)); do
		as_user volt-ns -Ump root="$r" tmpfs=/mnt/sub bind=/etc:/mnt/b sh -c \
			'echo evil >/mnt/sub/x' 2>/dev/null || true
	done
	kill -KILL "$pid"
	[ "$(ls -A "$canary")" = "" ]
}

@test "devices: a file that is not the real /dev/null is not mounted as a mask" {
	need_root
	run -125 --separate-stderr unshare -m sh -c 'mount -t tmpfs t /mnt && touch /mnt/f &&
		mount --bind /mnt/f /dev/full && exec volt-ns -m root='"$ROOT_BB"' true'
	[ "$stderr" = "volt-ns: /dev/full: not the device 1:7" ]
}

# The container cannot change the mode, the owner and the times of the host's devices.
@test "devices: the host's cannot be changed from inside" {
	need_root
	touch null && mknod m c 1 3
	for flags in -mpniuC -A; do
		run -0 unshare -m sh -c \
			'mount --bind m /dev/null && exec volt-ns '"$flags root=$ROOT_BB"' sh -c "
			chmod 600 /dev/null; chown 7 /dev/null; touch -d @1 /dev/null
			echo x >/dev/null; true" 2>&1'
		[ "$(stat -c '%a %u' m)" = "644 0" ]
	done
}

@test "devices: mknod is refused or useless" {
	run -0 as_user volt-ns -A root="$ROOT_USER" tmpfs=/mnt sh -c \
		'for d in /tmp /mnt /dev; do mknod $d/disk b 7 0 && echo made; done 2>/dev/null
		true'
	[ "$output" = "" ]
	need_root
	r=$(copy_root)
	mknod "$r/image" c 1 5
	run -0 volt-ns -mpniuC root="$r" tmpfs=/mnt sh -c '
		mknod /mnt/z c 1 5; mknod /tmp/z c 1 5; mknod /dev/z c 1 5
		for f in /mnt/z /tmp/z /dev/z /image; do
			head -c 1 $f >/dev/null 2>&1 && echo $f
		done; true'
	[ "$output" = "" ]
}

@test "the host's /proc/sys and sysrq: the container's root cannot reach them" {
	unreachable() {
		# shellcheck disable=SC2016
		run --separate-stderr "$1" volt-ns -A root="$2" sh -c '
			for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe \
				/proc/sysrq-trigger /proc/sys/vm/drop_caches; do
				(: >>$f) 2>/dev/null && echo "$f"
			done; true'
		[ "$output" = "" ]
	}
	[ "$(id -u)" != 0 ] || unreachable as_root "$ROOT_BB"
	unreachable as_user "$ROOT_USER"
}

# The mount that covers it is locked. A new /proc would show more.
@test "the host's /proc/sys: the container cannot unmount its mask, nor mount a new /proc" {
	uncovered() {
		# shellcheck disable=SC2016
		run --separate-stderr "$1" volt-ns -A root="$2" sh -c '
			umount /proc/sys && echo unmounted
			umount /proc/keys && echo unmounted
			mkdir -p /dev/shm/p && mount -t proc p /dev/shm/p && echo mounted
			for f in /proc /dev/shm/p; do
				(: >>$f/sys/kernel/core_pattern) 2>/dev/null && echo "$f"
			done; true'
		[ "$output" = "" ]
	}
	uncovered as_user "$ROOT_USER"
	[ "$(id -u)" != 0 ] || uncovered as_root "$ROOT_BB"
}

@test "ways out: .., /proc/self/fd, /proc/1/root and fchdir do not leave the root" {
	out() {
		# shellcheck disable=SC2016
		run -0 --separate-stderr "$1" volt-ns "$3" root="$2" volt-init sh -c '
			i=$(stat -c %d:%i /)
			for d in /.. /../../../.. /proc/1/root /proc/self/root /proc/1/root/.. \
				/proc/1/cwd /proc/1/cwd/../..; do
				[ "$(stat -L -c %d:%i $d/)" = "$i" ] || echo "$d"
			done
			for p in /proc/[0-9]*; do
				for f in $p/fd/*; do
					[ -d $f/.. ] || continue
					case $f in /proc/1/fd/* | $p/fd/[012]) continue ;; esac
					to=$(readlink $f)
					[ "$to" = "/proc/${p#/proc/}/fd" ] || echo "$f $to"
				done
			done
			mkdir -p /dev/shm/c && chroot /dev/shm/c /none 2>/dev/null
			grep -c "" /proc/self/mountinfo >/dev/null
			ls -d /proc/[0-9]* | wc -l'
		[ "${#lines[@]}" = 1 ]
	}
	each out
}

@test "the command cannot see, signal or trace the parent" {
	# unseen ROOT FLAGS
	unseen() {
		start volt-ns "$2" root="$1" volt-init sh -c 'echo ready; sleep 1000; :'
		wait_for grep -q ready out
		# shellcheck disable=SC2016
		run -0 --separate-stderr volt-ns "$2" root="$1" volt-init sh -c 'kill -9 -1
			ls -d /proc/[0-9]* | grep -c .; cat /proc/*/comm | grep -x volt-ns; true'
		gone && return 1
		[[ $output != *volt-ns* ]]
		kill -KILL "$pid"
		wait_for gone
	}
	if [ "$(id -u)" = 0 ]; then
		unseen "$ROOT_BB" -mpniuC
		unseen "$ROOT_BB" -A
		# It is not dumpable: its /proc entry belongs to root, even if it is a user's.
		start setpriv --reuid "$TEST_UID" --regid "$TEST_UID" --clear-groups \
			"$USER_DIR/bin/volt-ns" -Up sleep 1000
		wait_for pgrep -P "$pid" >/dev/null
		wait_for sh -c "[ \"\$(stat -c %u /proc/$pid/environ)\" = 0 ]"
		kill -KILL "$pid"
	else
		unseen "$ROOT_USER" -A
	fi
}

# waiting CMD ...: run CMD with each link that waits for a command on the same /proc, as its
# last argument.
waiting() {
	local via

	for via in volt-init "volt-init -g" "volt-ns status=9" "volt-ns console=pty" \
		"volt-ns -U status=9" "volt-ns -Um status=9" "volt-lock learn=/dev/null" \
		"volt-init volt-init" "volt-init volt-ns -U"; do
		"$@" "$via"
	done
}

# This is so from the command's first instruction on, while the parent still has things to do.
@test "a command that starts cannot seize the parent" {
	seizes() {
		# shellcheck disable=SC2016,SC2086 # that sh's; several words
		run -0 as_user sh -c \
			'n=$1; shift
			while [ $((n -= 1)) -ge 0 ]; do "$@" 9>/dev/null </dev/null; done' \
			sh "${STARTS:-200}" $1 "$HELP/seize"
		[ "$output" = "" ] || {
			echo "$1: $(sort <<<"$output" | uniq -c)"
			return 1
		}
	}
	waiting seizes
}

@test "the parent is not dumpable before the command exists" {
	need strace -qq -o /dev/null true
	before() {
		# volt-lock is a tracer itself. The helper of volt-ns -U has ended by then.
		case $1 in volt-lock* | *"volt-ns -U") return ;; esac
		# shellcheck disable=SC2086 # several words
		strace -f -qq -o calls $1 true 9>/dev/null </dev/null
		awk '
			/execve\(.*= 0$/ { open[$1] = 1 }
			/prctl\(PR_SET_DUMPABLE, (0|SUID_DUMP_DISABLE)\) += 0$/ { open[$1] = 0 }
			/ (fork|vfork|clone|clone3)\(/ {
				found = 1
				if (open[$1]) {
					print
					bad = 1
				}
			}
			END { exit bad || !found }' calls
	}
	waiting before
	before "volt-ns -p"
	[ "$(id -u)" != 0 ] || before "volt-ns -mpniuC root=$ROOT_BB"
	if volt-cg true; then
		before volt-cg
	fi
}

# The container's root has CAP_SYS_PTRACE over volt-init, and can take its descriptors. A link
# that is slow to close a descriptor is also safe.
@test "status=: the container's root cannot forge the line" {
	# forged ... LINKS LEAST: with these links, it takes more than LEAST descriptors.
	forged() {
		local who=$1 root=$2 A=$3 code late

		for code in 0 3 125; do
			run "-$code" --separate-stderr bare "$who" sh -c '"$@" 9>&2' sh \
				$late volt-ns $A root="$root" \
				bind="$HELP:/mnt" status=9 $4 /mnt/forge "$code"
			# Standard error may also have messages of bats, without its descriptors.
			grep -qx "exit $code" <<<"$stderr"
			! grep -qE '^(failed|signal)' <<<"$stderr"
			[ "$output" -gt "$5" ]
			[ "$code" != 3 ] || [ -z "$strace" ] || late=$strace
		done
	}
	strace="strace -f -qq -o /dev/null -e trace=close -e inject=close:delay_enter=3000"
	$strace true || strace=''
	for inner in volt-init "volt-init volt-init" "volt-ns -Up volt-init"; do
		each forged "$inner" 0
	done
	# It has no rights over these links, and takes nothing.
	for inner in '' "volt-init volt-ns -U"; do
		each forged "$inner" -1
	done
}

@test "set-user-ID files of the root give no privileges" {
	need_root
	r=$(copy_root)
	cp "$ROOT_BB/bin/busybox" "$r/bin/busybox0" && chmod 4755 "$r/bin/busybox0"
	run -0 volt-ns -mp root="$r" uid=1000 gid=1000 sh -c \
		'/bin/busybox0 id -u; grep CapEff /proc/self/status'
	[ "$output" = "1000
CapEff:	0000000000000000" ]
}

@test "overlay: a file capability that is copied up has no effect outside" {
	need_root
	need setcap -h
	places
	l=$USER_DIR/tmp/caps
	as_user mkdir -p "$l"
	run as_user volt-ns -A root="$ROOT_USER" overlay="$l" bind=/usr:/usr bind=/lib:/lib \
		bind=/lib64:/lib64 sh -c 'cp /bin/busybox /capped && setcap cap_sys_admin+ep /capped
		chmod 6755 /bin/busybox'
	run -1 sh -c "getcap -n -r $l/upper | grep -v rootid"
	run -0 as_user "$l/upper/bin/busybox" id -u
	[ "$output" = "$TEST_UID" ]
	run -0 as_user "$l/upper/bin/busybox" grep CapEff /proc/self/status
	[ "$output" = "CapEff:	0000000000000000" ]
}

@test "cgroup tree: read-only" {
	cgroups() {
		run -0 --separate-stderr "$1" volt-ns "$3" root="$2" sh -c '
			mkdir /sys/fs/cgroup/x 2>/dev/null && echo made
			(echo 1 >/sys/fs/cgroup/cgroup.procs) 2>/dev/null && echo moved
			(echo 1 >/sys/fs/cgroup/cgroup.freeze) 2>/dev/null && echo frozen
			true'
		[ "$output" = "" ]
	}
	each cgroups
}

@test "messages: one line each, whatever the words contain" {
	name=$'/no\nvolt-ns forged\033[2J'
	shown='/no\012volt-ns forged\033[2J'
	line() {
		# shellcheck disable=SC2016
		run -0 --separate-stderr sh -c '"$@" || :' sh "$@"
		printf '%s\n' "${stderr_lines[@]}"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == *"$shown"* ]]
	}
	line volt-ns "$name"
	line volt-ns -m bind="$name" true
	line volt-ns -m root="$name" true
	line volt-ns chdir="$name" true
	line volt-ns "@$name" true
	line volt-ns "uid=$name" true
	line volt-init "$name"
	line volt-init ready="$name" "grace=$name" true
	line volt-lock fs.ro="$name" true
	line volt-lock fs=any "$name"
	line volt-net "port=$name" true
	line volt-kvm kernel="$name"
	line volt-seccomp profile="$name"
	run --separate-stderr volt-ns -N -m bind="/etc:$name" true
	[[ $stderr == *"mount /etc at $shown nosuid nodev"* ]]
	run --separate-stderr bash -c 'exec -a "$1" "$2" -x' bash "$name" "$O/bin/volt-ns"
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "names with newlines are refused" {
	run -125 --separate-stderr as_user volt-ns -Uu hostname=$'a\nb' true
	[[ $stderr == "volt-ns: hostname="* ]]
}
