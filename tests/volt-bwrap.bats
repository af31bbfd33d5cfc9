#!/usr/bin/env bats
# volt-bwrap: what bubblewrap's options become, and that the chain does what they say.

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
}

setup() {
	load lib
	cd "$BATS_TEST_TMPDIR" || return
	need as_user unshare -Urp true
	leftovers_begin
}

teardown() {
	end_test
}

# The chain of these options, by a caller who is not root, one argument on each line.
chain() {
	as_user volt-bwrap --print-chain "$@" true
}

# steps WORDS OPTION ...: what builds the root is that.
steps() {
	local want=$1

	shift
	run -0 --separate-stderr chain "$@"
	echo "$output"
	[[ $output == *" mask=none $want"chdir=keep* ]]
}

# has TEXT OPTION ...: that is in the chain.
has() {
	local want=$1

	shift
	run -0 --separate-stderr chain "$@"
	echo "$output"
	[[ " $output " == *" $want "* ]]
}

# has_not TEXT OPTION ...: that is not in the chain.
has_not() {
	local want=$1

	shift
	run -0 --separate-stderr chain "$@"
	[[ " $output " != *" $want "* ]]
}

# wrong MESSAGE OPTION ...: one line, status 1, and no command.
wrong() {
	local want=$1

	shift
	run -1 --separate-stderr volt-bwrap "$@" echo ran
	[ "$output" = "" ]
	[ "$stderr" = "volt-bwrap: $want" ]
}

# The small root as a sandbox, as root and as an ordinary user.
both() {
	[ "$(id -u)" != 0 ] || WHO=env ROOT=$ROOT_BB "$@"
	WHO=as_user ROOT=$ROOT_USER "$@"
}

# sandbox OPTION ... COMMAND
sandbox() {
	"$WHO" volt-bwrap --ro-bind "$ROOT" / --tmpfs /tmp "$@"
}

# --- the translation --------------------------------------------------------

@test "chain: the links, and when there is which" {
	run -0 --separate-stderr chain
	rest=" root=tmpfs:size=50% proc=none dev=none sys=none cgroup=none mask=none chdir=keep"
	rest+=" -- volt-lock keyring=keep stdio=keep caps=none -- true"
	[[ $output == "volt-ns -mU stdio=keep uidmap="*"$rest" ]]
	for with in --unshare-pid "--lock-file /etc" "--sync-fd 1"; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr chain $with
		[[ $output == *"-- volt-init"*"-- volt-lock"* ]]
	done
	has_not volt-init --unshare-pid --as-pid-1
	if [ "$(id -u)" = 0 ]; then
		run -0 --separate-stderr volt-bwrap --print-chain true
		[[ $output == "volt-ns -m stdio=keep root=tmpfs:"* ]]
		[[ $output != *map=* ]]
		[[ $output == *"-- volt-lock keyring=keep stdio=keep -- true" ]]
	fi
}

@test "chain: a shell reads it as the command line that it is" {
	run -0 --separate-stderr chain --setenv A "b c'd" --dir '/x y' -- true "a'b" '' 'c d' --bind
	eval "set -- $output"
	while [ "$1" != volt-lock ]; do
		[[ $1 != env=* ]] || [ "$1" = "env=A=b c'd" ]
		[[ $1 != dir=* ]] || [ "$1" = "dir=/x y" ]
		shift
	done
	while [ "$1" != -- ]; do shift; done
	[ "$*" = "-- true a'b  c d --bind true" ]
	[ "$#" = 7 ]
}

@test "chain: binds" {
	steps 'bind=/etc:/a:rec bind=/etc:/b:rec,ro bind=/dev:/c:rec,samedev ' \
		--bind /etc /a --ro-bind /etc /b --dev-bind /dev /c
	steps 'bind=/etc:/a:rec,try bind=/etc:/b:rec,ro,try bind=/dev:/c:rec,samedev,try ' \
		--bind-try /etc /a --ro-bind-try /etc /b --dev-bind-try /dev /c
	steps '' --bind-try /none /a --ro-bind-try /none /b --dev-bind-try /none /c \
		--bind-try /none /
	steps 'bind=fd:7:/a:rec bind=fd:8:/b:rec,ro ' --bind-fd 7 /a --ro-bind-fd 8 b
	mkdir -p "$USER_DIR/tmp/a:b\\c" "$USER_DIR/tmp/fd"
	steps "'bind=$USER_DIR/tmp/a\\:b\\\\c:/x\\:y:rec' " --bind "$USER_DIR/tmp/a:b\\c" x:y
	cd "$USER_DIR/tmp"
	steps 'bind=./fd:/a:rec ' --bind fd /a
	rmdir 'a:b\c' fd
}

@test "chain: the root is what was last at /" {
	has root=/etc:rec --dir /gone --bind /etc /
	has_not dir=/gone --dir /gone --bind /etc /
	has root=/etc:rec,ro --ro-bind /etc //./
	has root=/etc:rec,samedev --dev-bind /etc /
	has root=fd:7:rec,ro --ro-bind-fd 7 /
	has root=tmpfs:size=4096,mode=700 --size 4096 --perms 700 --tmpfs /
	has 'lower=/usr lower=/etc' --overlay-src /etc --overlay-src /usr --ro-overlay /
	has 'lower=/etc overlay=tmpfs:size=50%' --overlay-src /etc --tmp-overlay /
	wrong '--overlay: not at /; --tmp-overlay and --ro-overlay are' \
		--overlay-src /etc --overlay /tmp /tmp /
	steps '' --dir /
	steps 'ro=/ ' --remount-ro /
}

@test "chain: everything else in the root" {
	steps 'tmpfs=/a:size=50%,mode=755 tmpfs=/b:size=4096,mode=1777 ' \
		--tmpfs /a --size 0x1000 --perms 01777 --tmpfs /b
	steps 'dir=/a dir=/b:mode=700 dir=/c ' --dir /a --perms 0700 --dir /b --dir c
	steps 'file=7:/a:plain,mode=666 file=7:/b:rw,mode=600 file=7:/c:ro,mode=640 ' \
		--file 7 /a --bind-data 7 /b --perms 640 --ro-bind-data 7 /c
	steps 'symlink=a\:b:/c ' --symlink a:b /c || steps "'symlink=a\\:b:/c' " --symlink a:b /c
	steps 'chmod=701:/a ro=/a:top mqueue=/b ' --chmod 0701 /a --remount-ro /a --mqueue /b
	layers='layers=/a:/usr:/etc layers=/b:/etc:upper=tmpfs:size=50% '
	layers+='layers=/c:/etc:upper=/tmp:work=/usr '
	steps "$layers" --overlay-src /etc --overlay-src /usr --ro-overlay /a \
		--overlay-src /etc --tmp-overlay /b --overlay-src /etc --overlay /tmp /usr /c
	steps 'proc=/proc dev=/dev:shm=50% ' --proc /proc --dev /dev --unshare-pid
	steps 'bind=/proc:/p:rec ' --proc /p
}

@test "chain: namespaces and identity" {
	has -mUpniuC --unshare-all
	has -mUpiuC --unshare-all --share-net
	has -mUpiujks --unshare-pid --unshare-ipc --unshare-uts --unshare-user-try \
		--new-session --die-with-parent --info-fd 7
	has -mUC --unshare-cgroup
	has -mUC --unshare-cgroup-try --unshare-user
	has "uidmap=0:$TEST_UID:1 gidmap=7:$TEST_UID:1 gid=7 uid=0" --uid 0 --gid 7
	has 'join=fd:7 join=fd:8 gid=1 uid=2' --userns 7 --pidns 8 --uid 2 --gid 1
	has -m --userns 7
	has userns=fd:9 --userns 7 --userns2 9
	has userns=none --unshare-user --disable-userns
	has userns=check --assert-userns-disabled
	has hostname=box --unshare-uts --hostname box
	has uidmap=wait:8 --unshare-user --userns-block-fd 8 --info-fd 7
}

@test "chain: environment, descriptors, rights" {
	has 'env=A=b unset=C env=none chdir=keep' --setenv A b --unsetenv C --clearenv
	has 'chdir=/x env=PWD=/x' --chdir /x
	has 'chdir=./keep env=PWD=keep' --chdir keep
	has 'info=7 status=8 wait=9' --info-fd 7 --json-status-fd 8 --block-fd 9
	has 'volt-init -k lock=/a lock=/b hold=9' --lock-file /a --lock-file /b --sync-fd 9 \
		--die-with-parent
	has argv0=x --argv0 x
	printf '%64s' '' >filter
	exec 7<filter
	has 'filter=7' --seccomp 7
	has 'filter=7' --add-seccomp-fd 7
	exec 7<&-
	has 'caps=net_admin,sys_admin' --cap-add CAP_NET_ADMIN --cap-add cap_sys_admin
	has caps=keep --cap-add CAP_NET_ADMIN
	has_not caps=keep --cap-add CAP_NET_ADMIN --uid 0
	has caps=none --cap-add CAP_NET_ADMIN --cap-drop ALL
	has_not caps=none --cap-add ALL
	has 'caps=keep' --cap-add ALL
	run -0 --separate-stderr volt-bwrap --print-chain -- /proc/self/exe
	[[ $output == *" -- volt-bwrap" ]]
}

@test "chain: --args" {
	printf '%s\0' --dir /a --dir /b >args
	printf '%s\0%s' --dir /c >more.args
	steps 'dir=/a dir=/b dir=/c ' --args 7 --args 8 7<args 8<more.args
	: >none
	steps '' --args 7 7<none
	printf '%s\0' --args 7 >args
	wrong '--args not supported in arguments file' --args 7 7<args
	printf '%s\0' --dir /a true >args
	wrong '--args: true is not an option' --args 7 7<args
	printf '%s\0' --dir >args
	wrong '--dir takes an argument' --args 7 7<args
	wrong "Can't read --args data: Bad file descriptor" --args 77
	# No NUL at all: one option, which is none.
	printf -- '--dir\n/a' >args
	wrong 'Unknown option --dir\012/a' --args 7 7<args
	head -c 100000 /dev/zero | tr '\0' x >args
	wrong '--args: '"$(printf '%02040d' 0 | tr 0 x)" --args 7 7<args ||
		[ "${#stderr}" -lt 20000 ]
}

@test "help and version" {
	run -0 --separate-stderr volt-bwrap --help
	[ "${lines[0]}" = "usage: volt-bwrap [OPTION...] [--] COMMAND [ARG...]" ]
	while read -r option _; do
		grep -q -- "\*$option\*" "$TOP/man/volt-bwrap.1.scd" || {
			echo "$option is not in the manual"
			return 1
		}
	done < <(sed -n 's/^  \(--[a-z0-9-]*\) .*/\1/p' <<<"$output")
	[ "$(grep -c '^  --' <<<"$output")" -gt 60 ]
	# All that bubblewrap has, where there is one.
	if command -v bwrap >/dev/null; then
		while read -r option; do
			grep -q -- "^  $option " <<<"$output"
		done < <(bwrap --help | sed -n 's/^ *\(--[a-z0-9-]*\).*/\1/p')
	fi
	run -0 --separate-stderr volt-bwrap --version
	[[ $output == "bubblewrap 0.11."*" (volt-bwrap "*")" ]]
	run -1 --separate-stderr volt-bwrap --dir /a
	[[ $stderr == "usage: "* ]]
}

# --- what is refused --------------------------------------------------------

@test "errors: options that are wrong" {
	wrong 'Unknown option --none' --none
	wrong 'Unknown option -x' -x
	for o in --dir --tmpfs --proc --dev --args --uid --chdir --seccomp --lock-file; do
		run -1 --separate-stderr volt-bwrap "$o"
		[ "$stderr" = "volt-bwrap: $o takes an argument" ]
	done
	run -1 --separate-stderr volt-bwrap --bind /
	[ "$stderr" = "volt-bwrap: --bind takes two arguments" ]
	run -1 --separate-stderr volt-bwrap --overlay-src / --overlay / /
	[ "$stderr" = "volt-bwrap: --overlay takes three arguments" ]
	for bad in -1 0a '' 1.5 99999999999 ' 1'; do
		for o in --sync-fd --file; do
			run -1 --separate-stderr volt-bwrap "$o" "$bad" /a true
			[[ $stderr == "volt-bwrap: Invalid fd:"*"$bad" ]]
		done
	done
	wrong 'Invalid uid: -1' --unshare-user --uid -1
	wrong 'Invalid gid: x' --unshare-user --gid x
	wrong '--perms takes an octal argument <= 07777' --perms 8 --dir /a
	wrong '--perms takes an octal argument <= 07777' --perms 10000 --dir /a
	wrong '--chmod takes an octal argument <= 07777' --chmod '' /a
	wrong '--size takes a non-zero number of bytes' --size 0 --tmpfs /a
	wrong '--size takes a non-zero number of bytes' --size 18446744073709551616 --tmpfs /a
	wrong "Can't find source path /none: No such file or directory" --bind /none /a
	wrong "Can't find source path /none: No such file or directory" \
		--overlay-src /none --tmp-overlay /a
	wrong 'unknown cap: cap_none' --cap-add cap_none
	wrong '--setenv: not the name of a variable: A=B' --setenv A=B c
	wrong '--hostname: empty' --unshare-uts --hostname ''
	for o in --exec-label --file-label; do
		wrong "$o: labels are SELinux's, which volt does not speak;\
 runcon(1) in front sets one" "$o" x
	done
}

@test "errors: options that contradict each other" {
	wrong '--perms given twice for the same action' --perms 7 --perms 7 --dir /a
	wrong '--size given twice for the same action' --size 7 --size 7 --tmpfs /a
	wrong '--perms must be followed by an option that creates a file' --perms 7 --chdir /
	wrong '--perms must be followed by an option that creates a file' --perms 7
	wrong '--size must be followed by --tmpfs' --size 4096 --dir /a
	wrong '--overlay requires at least one --overlay-src' --overlay / / /a
	wrong '--tmp-overlay requires at least one --overlay-src' --tmp-overlay /a
	wrong '--ro-overlay requires at least two --overlay-src' --overlay-src / --ro-overlay /a
	follow='--overlay-src must be followed by another --overlay-src or one of --overlay, '
	follow+='--tmp-overlay, or --ro-overlay'
	wrong "$follow" --overlay-src /
	wrong "$follow" --overlay-src / --dir /a
	wrong '--argv0 used multiple times' --argv0 a --argv0 b
	wrong '--userns-block-fd requires --unshare-user' --userns-block-fd 7 --info-fd 8
	wrong '--userns-block-fd requires --info-fd' --userns-block-fd 7 --unshare-user
	wrong '--userns not compatible --unshare-user' --userns 7 --unshare-user
	wrong '--userns not compatible --unshare-user-try' --userns 7 --unshare-all
	wrong '--disable-userns requires --unshare-user' --disable-userns
	wrong '--disable-userns is not compatible with --userns-block-fd' \
		--unshare-user --disable-userns --userns-block-fd 7 --info-fd 8
	wrong 'Specifying --hostname requires --unshare-uts' --hostname a
	wrong 'Specifying --as-pid-1 requires --unshare-pid' --as-pid-1
	wrong 'Specifying --as-pid-1 and --lock-file is not permitted' \
		--unshare-pid --as-pid-1 --lock-file /a
	printf '%8s' '' >filter
	run -1 --separate-stderr volt-bwrap --seccomp 7 --add-seccomp-fd 7 true 7<filter
	[ "$stderr" = "volt-bwrap: --add-seccomp-fd cannot be combined with --seccomp" ]
	run -1 --separate-stderr volt-bwrap --add-seccomp-fd 7 --seccomp 7 true 7<filter
	[ "$stderr" = "volt-bwrap: --seccomp cannot be combined with --add-seccomp-fd" ]
	run -1 --separate-stderr volt-bwrap --add-seccomp-fd 7 --add-seccomp-fd 7 true 7<filter
	[ "$stderr" = "volt-bwrap: Can't read seccomp data: Bad file descriptor" ]
	printf x >>filter
	run -1 --separate-stderr volt-bwrap --seccomp 7 true 7<filter
	[ "$stderr" = "volt-bwrap: Invalid seccomp data, must be multiple of 8" ]
	if [ "$(id -u)" = 0 ]; then
		wrong 'Specifying --uid requires --unshare-user or --userns' --uid 7
		wrong 'Specifying --gid requires --unshare-user or --userns' --gid 7
	fi
}

@test "warnings: the last one counts; --level-prefix" {
	run -0 --separate-stderr chain --chdir / --chdir /etc
	[ "$stderr" = "volt-bwrap: Only the last --chdir option will take effect" ]
	[[ $output == *"chdir=/etc "* ]]
	run -0 --separate-stderr chain --level-prefix --chdir / --chdir /
	[ "$stderr" = "<4>volt-bwrap: Only the last --chdir option will take effect" ]
	run -1 --separate-stderr volt-bwrap --level-prefix --none
	[ "$stderr" = "<3>volt-bwrap: Unknown option --none" ]
	# The links, too; the command is not told.
	run -127 --separate-stderr as_user volt-bwrap --level-prefix --ro-bind "$ROOT_USER" / /none
	[ "$stderr" = "<3>volt-lock: exec /none: No such file or directory" ]
	run -0 --separate-stderr as_user volt-bwrap --level-prefix --ro-bind "$ROOT_USER" / env
	[[ $output != *VOLT_* ]]
}

many() {
	local args=() i

	for ((i = 0; i < $1; i++)); do
		args+=(--ro-bind /etc/passwd "/tmp/$i")
	done
	# At the hard limit of descriptors it is a line.
	run --separate-stderr sandbox "${args[@]}" ls /tmp
	if [ "$status" = 0 ]; then
		[ "${#lines[@]}" = "$1" ]
	else
		[ "${#stderr_lines[@]}" = 1 ]
	fi
}

@test "hostile: thousands of options, and 10,000 binds" {
	both many 2000
	ROOT=$ROOT_USER WHO=as_user many 10000
	args=()
	for ((i = 0; i < 20000; i++)); do
		args+=(--setenv "V$i" x --unsetenv "V$i")
	done
	run -0 --separate-stderr as_user volt-bwrap --ro-bind "$ROOT_USER" / "${args[@]}" echo ran
	[ "$output" = ran ]
	# More than exec(2) takes, by --args.
	printf -- '--setenv\0V\0%s\0' "$(head -c 200000 /dev/zero | tr '\0' x)" >args
	run --separate-stderr as_user volt-bwrap --ro-bind "$ROOT_USER" / --args 7 true 7<args
	[ "$status" -gt 124 ]
	[[ $stderr == "volt-bwrap: exec volt-ns: Argument list too long" ]]
}

# --- what it does -----------------------------------------------------------

root_is_as_asked() {
	run -0 --separate-stderr sandbox --proc /proc --dir /tmp/a/b --perms 700 --dir /tmp/c/d \
		--symlink b /tmp/a/l --file 7 /tmp/f --perms 640 --ro-bind-data 8 /tmp/g \
		--chmod 701 /tmp/a sh -c 'cd /tmp; stat -c "%a %n" a a/b c c/d f g; readlink a/l
			cat f g; echo x >f && echo written; echo x >g || echo refused
			ls /proc/self/fd' \
		7</etc/hostname 8<<<secret
	[ "${lines[*]:0:7}" = "701 a 755 a/b 700 c 700 c/d 666 f 640 g b" ]
	[ "${lines[*]:8:3}" = "secret written refused" ]
	# No descriptor but the shell's.
	[[ " ${lines[*]:11} " != *" 7 "* ]]
	[[ " ${lines[*]:11} " != *" 8 "* ]]
}

@test "root: directories, files, links, modes" {
	both root_is_as_asked
}

binds() {
	run -0 --separate-stderr sandbox --ro-bind /etc /tmp/etc --bind-fd 7 /tmp/fd \
		--remount-ro /tmp sh -c 'ls /tmp; cmp /tmp/etc/passwd /tmp/fd/passwd
			touch /tmp/x' 7</etc || true
	[ "${lines[*]}" = "etc fd" ]
	[[ $stderr == *"Read-only file system"* ]]
	run -1 --separate-stderr "$WHO" volt-bwrap --bind "$ROOT" / --bind /none /a true
	[[ $stderr == "volt-bwrap: Can't find source path /none: No such file or directory" ]]
	run -125 --separate-stderr sandbox --symlink a /tmp/l --symlink b /tmp/l true
	[ "$stderr" = "volt-ns: symlink=b:/tmp/l: Can't make symlink here:\
 existing destination is a" ]
}

@test "root: binds, by descriptor, remounted" {
	both binds
}

overlays() {
	local at=$USER_DIR/tmp/overlays

	mkdir -p "$at/one" "$at/two" "$at/up" "$at/work" "$at/a:b,c"
	echo 1 >"$at/one/f" && echo 2 >"$at/two/f" && echo 3 >"$at/a:b,c/g"
	[ "$(id -u)" != 0 ] || chown -R "$TEST_UID:$TEST_UID" "$at"
	run -0 --separate-stderr sandbox \
		--overlay-src "$at/one" --overlay-src "$at/two" --ro-overlay /tmp/a \
		--overlay-src "$at/one" --tmp-overlay /tmp/b \
		--overlay-src "$at/a:b,c" --overlay "$at/up" "$at/work" /tmp/c \
		sh -c 'cd /tmp; cat a/f b/f c/g; echo x >a/f || echo refused
			echo 4 >b/f; cat b/f; echo 5 >c/new'
	[ "${lines[*]}" = "2 1 3 refused 4" ]
	[ "$(cat "$at/one/f" "$at/up/new")" = $'1\n5' ]
	rm -rf "$at"
}

@test "root: overlays at any place" {
	need as_user unshare -Urm sh -c 'mount -t tmpfs t /mnt && cd /mnt && mkdir a b c &&
		mount -t overlay -o lowerdir=a:b,userxattr o c'
	both overlays
}

pids() {
	run -0 --separate-stderr sandbox --unshare-pid --proc /proc \
		sh -c 'echo $$; cat /proc/1/comm'
	[ "${lines[*]}" = "2 volt-init" ]
	run -0 --separate-stderr sandbox --unshare-pid --as-pid-1 sh -c 'echo $$'
	[ "$output" = 1 ]
	run -7 --separate-stderr sandbox --unshare-pid sh -c 'exit 7'
	run -143 --separate-stderr sandbox --unshare-pid sh -c 'kill $$'
	run -0 --separate-stderr sandbox --argv0 /x/sh --setenv X y --new-session sh -c 'echo $0 $X'
	[ "$output" = "/x/sh y" ]
}

@test "the command: PID 1, status, argument 0" {
	both pids
}

tells() {
	run -9 --separate-stderr sandbox --unshare-pid --proc /proc --info-fd 7 --json-status-fd 8 \
		sh -c 'readlink /proc/self/ns/pid; exit 9' \
		7>"$BATS_TEST_TMPDIR/info" 8>"$BATS_TEST_TMPDIR/status"
	[ "$(jq -r '."pid-namespace"' info)" = "$(tr -dc 0-9 <<<"$output")" ]
	jq -e '."child-pid" > 1' info
	[ "$(jq -s '.[0]."child-pid"' status)" = "$(jq '."child-pid"' info)" ]
	[ "$(sed -n 2p status)" = '{ "exit-code": 9 }' ]
	run -127 --separate-stderr sandbox --json-status-fd 8 /none 8>"$BATS_TEST_TMPDIR/status"
	[ "$(sed -n 2p status)" = '{ "failed": 127 }' ]
	run -0 --separate-stderr sandbox --info-fd 7 sh -c 'echo $$' 7>"$BATS_TEST_TMPDIR/info"
	[ "$(jq '."child-pid"' info)" = "$output" ]
	run -137 --separate-stderr sandbox --json-status-fd 8 sh -c 'kill -9 $$' \
		8>"$BATS_TEST_TMPDIR/status"
	[ "$(sed -n 2p status)" = '{ "exit-code": 137, "signal": 9 }' ]
}

@test "descriptors: who is told what" {
	command -v jq >/dev/null || lacks jq
	both tells
}

# Pipes and files that the user of as_user opens in its shell, and nobody else holds.
pipes() {
	user_dir && mkdir -p "$USER_DIR/tmp/pipes" && cd "$USER_DIR/tmp/pipes" || return
	rm -f go told status
	mkfifo -m 666 go told
	: >status
	chmod 777 . && chmod 666 status
	# Whoever reads it reads to its end.
	cat told >"$BATS_TEST_TMPDIR/info" 3>&- &
	reader=$!
}

# shellcheck disable=SC2016 # expanded by that sh
@test "descriptors: the start is held back, and the end seen" {
	pipes
	BY=as_user start sh -c 'exec volt-bwrap --ro-bind "$0" / --info-fd 8 \
		--json-status-fd 9 --block-fd 7 echo started 7<>go 8>told 9>status' "$ROOT_USER"
	wait "$reader"
	grep -q child-pid "$BATS_TEST_TMPDIR/info"
	wait_for grep -q child-pid status
	[ "$(grep -c started out)" = 0 ]
	echo >go
	ended 0
	grep -q started out
	grep -q '"exit-code": 0' status

	# --sync-fd: the other end of the pipe ends with the sandbox.
	[ "$(as_user volt-bwrap --bind / / --unshare-pid --sync-fd 7 --lock-file "$PWD/status" \
		sh -c 'ls /proc/self/fd' 7>&1 >&2 | cat)" = "" ]
	rm -r "$USER_DIR/tmp/pipes"
}

# shellcheck disable=SC2016 # expanded by that sh
@test "userns-block-fd: another process writes the maps" {
	pipes
	BY=as_user start sh -c 'exec volt-bwrap --ro-bind "$0" / --unshare-user \
		--userns-block-fd 7 --info-fd 8 --uid 0 --gid 0 --bind /proc /proc \
		sh -c "id -u; cat /proc/self/uid_map" 7<>go 8>told' "$ROOT_USER"
	wait "$reader"
	child=$(sed -n 's/.*"child-pid": \([0-9]*\).*/\1/p' "$BATS_TEST_TMPDIR/info")
	echo deny >"/proc/$child/setgroups"
	echo "0 $TEST_UID 1" >"/proc/$child/uid_map"
	echo "0 $TEST_UID 1" >"/proc/$child/gid_map"
	echo >go
	ended 0
	[ "$(sed -n 2p out)" = 0 ]
	rm -r "$USER_DIR/tmp/pipes"
}

no_userns() {
	run --separate-stderr sandbox --unshare-user --disable-userns unshare -U true
	[ "$status" != 0 ]
	run -125 --separate-stderr sandbox --assert-userns-disabled true
	[ "$stderr" = "volt-ns: userns=: user namespaces can be made here" ]
	run -0 --separate-stderr sandbox --unshare-user --disable-userns --uid 0 --gid 0 \
		--cap-add ALL --bind /proc /proc sh -c 'echo 9 >/proc/sys/user/max_user_namespaces
			unshare -U true || echo none'
	[ "$output" = none ]
}

@test "disable-userns: nobody makes a further one, nor takes that back" {
	both no_userns
}

rights() {
	run -0 --separate-stderr sandbox --proc /proc grep -E 'NoNewPrivs|CapEff' /proc/self/status
	[[ $output == *"NoNewPrivs:"*1* ]]
	run -0 --separate-stderr sandbox --unshare-user --proc /proc --cap-drop ALL \
		--cap-add CAP_KILL grep -E 'CapEff|CapPrm' /proc/self/status
	caps="CapPrm: 0000000000000020 CapEff: 0000000000000020 "
	[ "$(tr -s '\t\n' ' ' <<<"$output")" = "$caps" ]
	# A filter: getppid is ENOSYS (x86-64).
	[ "$(uname -m)" = x86_64 ] || return 0
	filter=$BATS_TEST_TMPDIR/filter
	printf '\x20\0\0\0\0\0\0\0\x15\0\0\x01\x6e\0\0\0' >"$filter"
	printf '\x06\0\0\0\x26\0\x05\0\x06\0\0\0\0\0\xff\x7f' >>"$filter"
	run -0 --separate-stderr sandbox --proc /proc --seccomp 7 \
		grep Seccomp: /proc/self/status 7<"$filter"
	[ "$(tr -dc 0-9 <<<"$output")" = 2 ]
	run -0 --separate-stderr sandbox --proc /proc --add-seccomp-fd 7 --add-seccomp-fd 8 \
		grep Seccomp_filters /proc/self/status 7<"$filter" 8<"$filter"
	[ "$(tr -dc 0-9 <<<"$output")" = 2 ]
}

locked() {
	run -0 --separate-stderr sandbox --unshare-user --uid 0 --gid 0 --cap-add ALL --proc /proc \
		--ro-bind /etc /tmp/etc --remount-ro /tmp sh -c 'for m in /tmp/etc /tmp; do
			mount -o remount,bind,rw $m || echo locked
			umount $m || echo locked
		done; unshare -Urm mount -o remount,bind,rw /tmp/etc || echo locked'
	[ "${lines[*]}" = "locked locked locked locked locked" ]
}

@test "attack: a root in the sandbox takes nothing back" {
	both locked
}

@test "rights: no_new_privs, capabilities, filters" {
	both rights
}

@test "die-with-parent: a SIGKILL of the caller ends all" {
	for o in "" --unshare-pid; do
		# shellcheck disable=SC2086 # one word or none
		BY=as_user start sh -c 'volt-bwrap --ro-bind "$0" / --die-with-parent \
			'"$o"' sleep 300; true' "$ROOT_USER"
		wait_for pgrep -P "$pid" >/dev/null
		sleep 0.5
		kill -KILL "$pid"
		ended 137
		wait_for unmarked
	done
}

@test "a link named bwrap stands in: its name in messages, nested by /proc/self/exe" {
	mkdir -p "$USER_DIR/tmp/as"
	ln -sf "$USER_DIR/bin/volt-bwrap" "$USER_DIR/tmp/as/bwrap"
	run -1 --separate-stderr as_user "$USER_DIR/tmp/as/bwrap" --none
	[ "$stderr" = "bwrap: Unknown option --none" ]
	run -0 --separate-stderr as_user "$USER_DIR/tmp/as/bwrap" --unshare-user --uid 0 --gid 0 \
		--cap-add ALL --bind / / --bind /proc /proc -- \
		/proc/self/exe --unshare-all --bind / / --proc /proc sh -c 'echo $$ in $PPID'
	[ "$output" = "2 in 1" ]
	rm -r "$USER_DIR/tmp/as"
}
