# shellcheck shell=bash
#
# What the .bats files share: `load lib` in the first lines of each.
#
# Variables:
#	PATH		begins with the programs under test, $O/bin
#	TOP		the source tree
#	ROOT_BB		a small root: busybox-static. Never written; see copy_root
#	ROOT_DEB	a Debian minbase; after need_root_deb
#	ROOT_USER	ROOT_BB for as_user: owned by that user, who may write it
#	USER_DIR	a directory of that user's, for the run
#	VOLT_STRICT=1	a host feature that is missing is a failure
#
# A test may be run by anybody: from a terminal or not, with signals ignored
# (nohup), with any umask. What it needs it sets: bash cannot undo an ignored
# signal, so what is to be ended by one runs by `env --default-signal`, or start.
#
# Background processes close descriptor 3 (`cmd 3>&- &`), or bats waits for them.

bats_require_minimum_version 1.5.0

TOP=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
O=${O:-build}
[ "${O#/}" != "$O" ] || O=$TOP/$O
export TOP O
case $PATH in
"$O/bin:"*) ;;
*) PATH=$O/bin:$PATH:/usr/sbin:/sbin ;;
esac
# Nothing of the caller's own chain, and messages that can be compared.
unset VOLT_TOOLBOX VOLT_STATUS VOLT_NOTIFY NOTIFY_SOCKET
export LC_ALL=C TERM=dumb
umask 022

if [ -z "${ROOT_BB:-}" ]; then
	ROOT_BB=$("$TOP/tests/roots" bb) || exit 1
	export ROOT_BB
fi

# --- what the host can do -------------------------------------------------

# Skip the test for this reason; with VOLT_STRICT=1 fail it.
lacks() {
	if [ "${VOLT_STRICT:-0}" = 1 ]; then
		echo "the host lacks: $*" >&2
		return 1
	fi
	skip "the host lacks: $*"
}

# need CMD [ARG ...]: this host can do CMD.
need() {
	"$@" </dev/null >/dev/null 2>&1 || lacks "$*"
}

# Never a failure: who is not root cannot be made to be.
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

# copy_root [DIR]: a writable copy of ROOT_BB (default $BATS_TEST_TMPDIR/root);
# prints its path.
copy_root() {
	local dir=${1:-$BATS_TEST_TMPDIR/root}

	cp -a "$ROOT_BB" "$dir" && echo "$dir"
}

# helper NAME: the program made of tests/helpers/NAME.c, static; prints its
# path. make builds them all before the tests, since the machine has no compiler.
helper() {
	local program=$O/helpers/$1

	if [ ! -x "$program" ] || [ "$TOP/tests/helpers/$1.c" -nt "$program" ]; then
		make -s -C "$TOP" O="$O" "$program" >&2 || return 1
	fi
	echo "$program"
}

# --- as an ordinary user --------------------------------------------------

# By whom as_user runs: ourselves, or an ID that nobody has. bats makes its
# directory for its user alone; the other one must get through.
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

# Make USER_DIR, once per run of bats: that user's root, home, the programs.
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

# helpers NAME ...: in setup_file, programs of tests/helpers in $HELP, for any user.
helpers() {
	local name

	export HELP=$BATS_FILE_TMPDIR/help
	mkdir "$HELP" && chmod 711 "$BATS_FILE_TMPDIR" || return
	for name; do
		cp "$(helper "$name")" "$HELP/" || return
	done
}

# PIDs of what a test left running behind it.
started=()

# start CMD ...: run CMD behind us, its output to the file out; $pid is its PID.
# BY=as_user runs it as that.
start() {
	rm -f out
	# shellcheck disable=SC2016 # expanded by that sh
	"${BY:-env}" sh -c 'echo $$; exec env --default-signal "$@"' sh "$@" >out 2>&1 </dev/null 3>&- &
	job=$!
	wait_for test -s out
	pid=$(head -n 1 out)
	started+=("$pid")
}

gone() {
	! kill -0 "$pid" 2>/dev/null || [ "$(cut -d' ' -f3 "/proc/$pid/stat")" = Z ]
}

# ended STATUS: what start started ends so.
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

# The end of each test: whatever it started is ended, and nothing is left. Of
# one that failed, say what its last command printed.
end_test() {
	# shellcheck disable=SC2154 # bats's
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		[ -z "${output:-}" ] || tail -c 2000 <<<"standard output: $output"
		[ -z "${stderr:-}" ] || tail -c 2000 <<<"standard error: $stderr"
	fi
	end_started
	no_leftovers
}

# kill_at_every_call CHECK CMD ...: for each system call that CMD makes, SIGKILL
# for whoever comes first to the Nth of these; then CHECK, which is told the
# status. FOLLOW= leaves out children; WHERE is a command to run all that by;
# CALLS, a pattern, picks among them; SIGNAL is another signal.
kill_at_every_call() {
	local check=$1 call most n status
	local -a tracer

	shift
	read -r -a tracer <<<"${WHERE:-} strace ${FOLLOW--f} -qq"
	"${tracer[@]}" -o "$BATS_TEST_TMPDIR/calls" "$@" </dev/null
	# strace counts for each process, and each call by itself.
	awk -v pid="${FOLLOW--f}" '{ call = pid == "" ? $1 : $2; who = pid == "" ? "" : $1 }
	call ~ /^[a-z0-9_]+\(/ {
		sub(/\(.*/, "", call)
		n = ++count[who, call]
		if (n > most[call])
			most[call] = n
	} END { for (call in most) print call, most[call] }' \
		"$BATS_TEST_TMPDIR/calls" | grep -E "^(${CALLS:-.*}) " >"$BATS_TEST_TMPDIR/counts"
	[ -s "$BATS_TEST_TMPDIR/counts" ]
	while read -r call most; do
		for ((n = 1; n <= most; n++)); do
			echo "killed at $call $n: $*"
			timeout -k 5 30 "${tracer[@]}" -o /dev/null \
				--inject="$call:signal=${SIGNAL:-SIGKILL}:when=$n" "$@" \
				>/dev/null 2>&1 </dev/null && status=0 || status=$?
			"$check" "$status"
		done
	done <"$BATS_TEST_TMPDIR/counts"
}

no_hang() {
	[ "$1" != 124 ]
}

# as_user CMD [ARG ...]: as an ordinary user without capabilities or groups.
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

# as_subid_user CMD [ARG ...]: likewise, but that user has a name and
# subordinate IDs, so that newuidmap(1) serves it. As root that takes a mount
# namespace of its own, with passwd, subuid and subgid for the occasion; LACKS=
# says which of them has no range.
as_subid_user() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return $?
	fi
	user_dir || return 1
	(
		cd "$BATS_TEST_TMPDIR" || exit
		{ cat /etc/passwd && echo "volt:x:$TEST_UID:$TEST_UID::/:/bin/sh"; } >passwd
		echo "volt:1000000000:65536" | tee subuid >subgid
		[ -z "${LACKS:-}" ] || : >"$LACKS"
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

# --- guests without a kernel ----------------------------------------------

# tiny NAME: the guest made of tests/guest/NAME; prints its path.
tiny() {
	if command -v gcc >/dev/null && [ ! -e "$BATS_RUN_TMPDIR/guests" ]; then
		"$TOP/tests/guest/build" "$O/guest" >&2 || return 1
		: >"$BATS_RUN_TMPDIR/guests"
	fi
	[ -e "$O/guest/$1" ] && echo "$O/guest/$1"
}

# --- nothing is left behind -----------------------------------------------

# Retry CMD for two minutes (the machine is slow).
wait_for() {
	local end=$((SECONDS + 120))

	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0 # a bare return in a trap means another status
		sleep 0.05
	done
	"$@"
}

# Does anything run with the marker in its environment or arguments? Say what.
marked() {
	local files

	files=$(env -u TEST_MARK grep -lsaF -f - /proc/[0-9]*/environ \
		/proc/[0-9]*/cmdline <<<"$TEST_MARK") || true
	[ -z "$files" ] && return 1
	cut -d/ -f3 <<<"$files" | sort -u
}

# What a test might leave: mounts of this namespace, loop devices in use.
footprint() {
	cut -d' ' -f5- /proc/self/mountinfo | sort
	# The loop devices of this run: others come and go as they like.
	grep -hsF "$BATS_RUN_TMPDIR" /sys/block/loop*/loop/backing_file || true
	# It is everybody's; a user's own is his to write.
	[ "$(id -u)" != 0 ] || find "$ROOT_BB" -newer "$ROOT_BB/bin"
}

# Before the test, as in setup(): mark what it starts, note what is there.
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

# After it: none of its processes, mounts and loop devices are left, at the
# latest after 10 s.
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
