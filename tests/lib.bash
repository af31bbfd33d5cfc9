# shellcheck shell=bash
#
# What the .bats files share: `load lib` in the first lines of each.
#
# Variables:
#	PATH		begins with the programs under test, $O/bin
#	TOP		the source tree
#	ROOT_BB		a small root: busybox-static. Do not write to it: see copy_root
#	ROOT_DEB	a Debian minbase; after need_root_deb
#	ROOT_USER	ROOT_BB for as_user: that user owns it, and may write to it
#	USER_DIR	a directory of that user, for the run
#	VOLT_STRICT=1	a missing feature of the host is a failure
#
# Any user may run a test, on a terminal or not, with ignored signals (nohup), and with any
# umask. A test sets what it needs. bash cannot undo an ignored signal. So a command that a
# signal will end must run by `env --default-signal`, or by start.
#
# Background processes close descriptor 3 (`cmd 3>&- &`). Otherwise bats waits for them.

bats_require_minimum_version 1.5.0

TOP=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
O=${O:-build}
[ "${O#/}" != "$O" ] || O=$TOP/$O
export TOP O
case $PATH in
"$O/bin:"*) ;;
*) PATH=$O/bin:$PATH:/usr/sbin:/sbin ;;
esac
# Remove variables of the caller's own chain, and make messages comparable.
unset VOLT_TOOLBOX VOLT_STATUS VOLT_NOTIFY NOTIFY_SOCKET
export LC_ALL=C TERM=dumb
umask 022

if [ -z "${ROOT_BB:-}" ]; then
	ROOT_BB=$("$TOP/tests/roots" bb) || exit 1
	export ROOT_BB
fi

# --- what the host can do -------------------------------------------------

# lacks REASON: skip the test. With VOLT_STRICT=1 fail it.
lacks() {
	if [ "${VOLT_STRICT:-0}" = 1 ]; then
		echo "the host lacks: $*" >&2
		return 1
	fi
	skip "the host lacks: $*"
}

# need CMD [ARG ...]: the test needs a host on which CMD works.
need() {
	"$@" </dev/null >/dev/null 2>&1 || lacks "$*"
}

# The test needs root. Without root this is always a skip, and never a failure.
need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

need_root_deb() {
	[ -z "${ROOT_DEB:-}" ] || return 0
	ROOT_DEB=$("$TOP/tests/roots" deb 2>"$BATS_TEST_TMPDIR/roots") || {
		cat "$BATS_TEST_TMPDIR/roots" >&2
		lacks "a Debian root: $(tail -n 1 "$BATS_TEST_TMPDIR/roots")"
	}
}

# copy_root [DIR]: make a writable copy of ROOT_BB (default $BATS_TEST_TMPDIR/root), and
# print its path.
copy_root() {
	local dir=${1:-$BATS_TEST_TMPDIR/root}

	cp -a "$ROOT_BB" "$dir" && echo "$dir"
}

# helper NAME: build the static program tests/helpers/NAME.c, and print its path. make builds
# all of them before the tests, because the test machine has no compiler.
helper() {
	local program=$O/helpers/$1

	if [ ! -x "$program" ] || [ "$TOP/tests/helpers/$1.c" -nt "$program" ]; then
		make -s -C "$TOP" O="$O" "$program" >&2 || return 1
	fi
	echo "$program"
}

# --- as an ordinary user --------------------------------------------------

# The user of as_user: ourselves, or an unused ID. bats makes its directory for its own user
# only. The other user must be able to pass through it.
TEST_UID=$(id -u)
ROOT_USER=$ROOT_BB
USER_DIR=$BATS_RUN_TMPDIR
if [ "$TEST_UID" = 0 ]; then
	TEST_UID=12345
	USER_DIR=$BATS_RUN_TMPDIR/user
	ROOT_USER=$USER_DIR/root
	chmod 711 "$BATS_RUN_TMPDIR"
fi
export TEST_UID USER_DIR ROOT_USER

# Make USER_DIR, once in a run of bats, with that user's root, home, and the programs.
user_dir() {
	local tmp

	[ ! -d "$USER_DIR" ] || return 0
	tmp=$(mktemp -d "$USER_DIR.XXXXXX") && chmod 755 "$tmp" &&
		mkdir -p "$tmp/home" "$tmp/tmp" "$tmp/share" &&
		cp -a "$ROOT_BB" "$tmp/root" && cp -r "$O/bin" "$tmp/bin" &&
		{ [ ! -d "$O/share/volt" ] || cp -r "$O/share/volt" "$tmp/share/"; } &&
		chmod -R a+rX "$tmp/bin" "$tmp/share" &&
		chown -R "$TEST_UID:$TEST_UID" "$tmp" &&
		{ mv -T "$tmp" "$USER_DIR" 2>/dev/null || rm -rf "$tmp"; }
}

# helpers NAME ...: in setup_file, put programs of tests/helpers into $HELP, for any user.
helpers() {
	local name

	export HELP=$BATS_FILE_TMPDIR/help
	mkdir "$HELP" && chmod 711 "$BATS_FILE_TMPDIR" || return
	for name; do
		cp "$(helper "$name")" "$HELP/" || return
	done
}

# PIDs of the processes that start has started.
started=()

# start CMD ...: run CMD in the background, with its output in the file out. Sets $pid.
start() {
	start_by env "$@"
}

# start_by WHO CMD ...: likewise, but WHO, such as as_user, runs CMD.
start_by() {
	local who=$1

	shift
	rm -f out
	# shellcheck disable=SC2016 # expanded by that sh
	"$who" sh -c 'echo $$; exec env --default-signal "$@"' sh "$@" \
		>out 2>&1 </dev/null 3>&- &
	job=$!
	wait_for test -s out
	pid=$(head -n 1 out)
	started+=("$pid")
}

# gone [PID]: the process has ended. The default is the process of start.
gone() {
	local pid=${1:-$pid}

	! kill -0 "$pid" 2>/dev/null || [ "$(cut -d' ' -f3 "/proc/$pid/stat")" = Z ]
}

# ended STATUS: the command of start ends with this status.
ended() {
	local status=0

	wait_for gone
	wait "$job" || status=$?
	[ "$status" = "$1" ] || {
		echo "status $status"
		cat out
		return 1
	}
}

end_started() {
	local pid

	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# The end of each test: end what it started, and check that nothing is left. If the test
# failed, show the output of its last command.
end_test() {
	# shellcheck disable=SC2154 # bats's
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		[ -z "${output:-}" ] || tail -c 2000 <<<"standard output: $output"
		[ -z "${stderr:-}" ] || tail -c 2000 <<<"standard error: $stderr"
	fi
	end_started
	[ ! -d "$BATS_TEST_TMPDIR/proved" ] || wait_for umount "$BATS_TEST_TMPDIR/proved"
	no_leftovers
}

# kill_at_every_call [-1] [-c CALLS] [-s SIGNAL] [-w WHERE] CHECK CMD ...: run CMD again and
# again. Each time, SIGKILL ends the process that first makes a certain call for the Nth time,
# for every call and every N. Then run CHECK with the status. -1 leaves out children. CALLS is
# a pattern of the calls; without it, those that only look are left out: what comes before and
# after them is the same. SIGNAL is another signal. WHERE is a command that runs all this.
kill_at_every_call() {
	local calls='' follow=-f signal=SIGKILL where='' opt OPTIND=1
	local check call most n status looks
	local -a tracer

	looks='[a-z]*stat(at|fs|x)?|newfstatat|m(un)?map|mprotect|brk|rt_sig(procmask|action)'
	looks+='|get[a-z0-9]*|lseek|readlink(at)?|access|faccessat2?|prlimit64|uname|pread64'
	while getopts 1c:s:w: opt; do
		case $opt in
		1) follow='' ;;
		c) calls=$OPTARG ;;
		s) signal=$OPTARG ;;
		w) where=$OPTARG ;;
		*) return 1 ;;
		esac
	done
	check=${!OPTIND}
	shift "$OPTIND"
	read -r -a tracer <<<"$where strace $follow -qq"
	"${tracer[@]}" -o "$BATS_TEST_TMPDIR/calls" "$@" </dev/null
	# strace counts the calls of each process, and each call separately.
	awk -v pid="$follow" '{ call = pid == "" ? $1 : $2; who = pid == "" ? "" : $1 }
	call ~ /^[a-z0-9_]+\(/ {
		sub(/\(.*/, "", call)
		n = ++count[who, call]
		if (n > most[call])
			most[call] = n
	} END { for (call in most) print call, most[call] }' \
		"$BATS_TEST_TMPDIR/calls" |
		if [ -n "$calls" ]; then
			grep -E "^($calls) "
		else
			grep -vE "^($looks) "
		fi >"$BATS_TEST_TMPDIR/counts"
	[ -s "$BATS_TEST_TMPDIR/counts" ]
	while read -r call most; do
		for ((n = 1; n <= most; n++)); do
			echo "killed at $call $n: $*"
			timeout -k 5 30 "${tracer[@]}" -o /dev/null \
				--inject="$call:signal=$signal:when=$n" "$@" \
				>/dev/null 2>&1 </dev/null && status=0 || status=$?
			"$check" "$status"
		done
	done <"$BATS_TEST_TMPDIR/counts"
}

no_hang() {
	[ "$1" != 124 ]
}

# as_user CMD [ARG ...]: run CMD as an ordinary user without capabilities or groups.
as_user() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return $?
	fi
	user_dir || return 1
	env PATH="$USER_DIR/bin:${PATH#"$O/bin:"}" HOME="$USER_DIR/home" \
		TMPDIR="$USER_DIR/tmp" USER=volt LOGNAME=volt \
		setpriv --reuid "$TEST_UID" --regid "$TEST_UID" --clear-groups \
		--inh-caps=-all -- "$@"
}

# as_subid_user CMD [ARG ...]: like as_user, but the user has a name and subordinate IDs, so
# that newuidmap(1) works. As root, this uses a mount namespace with its own passwd, subuid
# and subgid.
as_subid_user() {
	as_subid_user_without '' "$@"
}

# as_subid_user_without FILE CMD [ARG ...]: likewise, but FILE, subuid or subgid, is empty.
as_subid_user_without() {
	local lacks=$1

	shift
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return $?
	fi
	user_dir || return 1
	(
		cd "$BATS_TEST_TMPDIR" || exit
		{ cat /etc/passwd && echo "volt:x:$TEST_UID:$TEST_UID::/:/bin/sh"; } >passwd
		echo "volt:1000000000:65536" | tee subuid >subgid
		[ -z "$lacks" ] || : >"$lacks"
		chmod 644 passwd subuid subgid
		touch /etc/subuid /etc/subgid
	) || return 1
	# shellcheck disable=SC2016 # expanded by that sh
	env PATH="$USER_DIR/bin:${PATH#"$O/bin:"}" HOME="$USER_DIR/home" \
		TMPDIR="$USER_DIR/tmp" USER=volt LOGNAME=volt \
		unshare -m sh -ec '
			tmp=$1; uid=$2; shift 2
			for f in passwd subuid subgid; do
				mount --bind "$tmp/$f" "/etc/$f"
			done
			exec setpriv --reuid "$uid" --regid "$uid" \
				--clear-groups --inh-caps=-all -- "$@"
		' sh "$BATS_TEST_TMPDIR" "$TEST_UID" "$@"
}

# --- files that are proved ------------------------------------------------

# verified_image DIR FILE: make FILE an erofs of DIR, with the hashes of dm-verity behind it.
# Print the root hash.
verified_image() {
	mkfs.erofs -T0 "$2" "$1" >/dev/null 2>&1 || return
	veritysetup format "$2" "$2" --hash-offset="$(stat -c %s "$2")" |
		awk '/^Root hash/ { print $3 }'
}

# sign HASH FILE: make FILE a signature of the root hash, by a new key that nobody knows. It has
# the certificate, so that the kernel finds only the trust missing.
sign() {
	printf %s "$1" >"$2.hash" &&
		openssl req -x509 -newkey rsa:1024 -nodes -keyout "$2.key" -out "$2.cert" \
			-subj /CN=nobody -days 1000 2>/dev/null &&
		openssl smime -sign -noattr -binary -in "$2.hash" -inkey "$2.key" \
			-signer "$2.cert" -outform der -out "$2"
}

# flip FILE OFFSET: change one byte of FILE.
flip() {
	printf '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# place_of FILE TEXT: print the offset of the first TEXT in FILE.
place_of() {
	grep -abo -m 1 "$2" "$1" | head -n 1 | cut -d: -f1
}

# Another hash of the same length.
another() {
	case $1 in
	*0) echo "${1%?}1" ;;
	*) echo "${1%?}0" ;;
	esac
}

# need_fsverity: mount a file system with fs-verity at ./proved. end_test unmounts it.
need_fsverity() {
	need_root
	need command -v fsverity
	truncate -s 64M ext4 && mke2fs -q -t ext4 -b 4096 -O verity ext4 && mkdir proved
	if ! mount ext4 proved || ! : >proved/x || ! fsverity enable proved/x; then
		lacks "fs-verity in ext4"
	fi
}

# prove FILE: copy FILE into ./proved, enable fs-verity for the copy, and print its digest.
prove() {
	local copy=proved/${1##*/}

	cp "$1" "$copy" && fsverity enable "$copy" &&
		fsverity measure "$copy" | sed 's/^sha256:\([0-9a-f]*\) .*/\1/'
}

# --- guests without a kernel ----------------------------------------------

# tiny NAME: build the guest tests/guest/NAME, and print its path.
tiny() {
	if command -v gcc >/dev/null && [ ! -e "$BATS_RUN_TMPDIR/guests" ]; then
		"$TOP/tests/guest/build" "$O/guest" >&2 || return 1
		: >"$BATS_RUN_TMPDIR/guests"
	fi
	[ -e "$O/guest/$1" ] && echo "$O/guest/$1"
}

# --- nothing is left behind -----------------------------------------------

# wait_for CMD ...: retry CMD for two minutes (the test machine is slow).
wait_for() {
	local end=$((SECONDS + 120))

	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0 # in a trap, a bare return has another status
		sleep 0.05
	done
	"$@"
}

# Print the processes that have the marker in their environment or arguments, if any.
marked() {
	local files

	files=$(env -u TEST_MARK grep -lsaF -f - /proc/[0-9]*/environ \
		/proc/[0-9]*/cmdline <<<"$TEST_MARK") || true
	[ -z "$files" ] && return 1
	cut -d/ -f3 <<<"$files" | sort -u
}

# Print what a test could leave: mounts of this namespace, used loop devices.
footprint() {
	cut -d' ' -f5- /proc/self/mountinfo | sort
	# Only the loop devices of this run: others may come and go.
	grep -hsF "$BATS_RUN_TMPDIR" /sys/block/loop*/loop/backing_file || true
	# All tests share it. An ordinary user may write to a root of its own.
	[ "$(id -u)" != 0 ] || find "$ROOT_BB" -newer "$ROOT_BB/bin"
}

# Before the test, in setup(): mark the processes that it starts, and record what is there.
leftovers_begin() {
	export TEST_MARK=test-mark-$BASHPID-$RANDOM$RANDOM
	footprint >"$BATS_TEST_TMPDIR/footprint"
}

unmarked() {
	! marked >/dev/null
}

unchanged() {
	footprint | cmp -s - "$BATS_TEST_TMPDIR/footprint"
}

# After the test: none of its processes, mounts and loop devices must be left. They may need
# some time to go.
no_leftovers() {
	local pid

	if ! wait_for unmarked; then
		echo "processes are left:"
		for pid in $(marked); do
			echo "$pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		done
		return 1
	fi
	if ! wait_for unchanged; then
		echo "mounts, loop devices or the shared root differ:"
		footprint | diff "$BATS_TEST_TMPDIR/footprint" - || return 1
	fi
}
