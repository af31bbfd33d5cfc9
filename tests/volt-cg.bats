#!/usr/bin/env bats
#
# volt-cg. A test that needs a controller is skipped where cgroup v2 does not have it.
# The test machine has all of them.

load lib

setup() {
	need_root
	cd "$BATS_TEST_TMPDIR" || return
	TREE=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$TREE" ] || lacks "cgroup v2"
	# Under systemd we may be in a service's group. These tests start at the top, where
	# they may make groups.
	echo 0 >"$TREE/cgroup.procs"
	leftovers_begin
	GROUP=t$RANDOM$RANDOM
}

teardown() {
	[ -n "${TREE:-}" ] || return 0
	[ -d "$TREE/volt" ] || return 0
	volt-cg true # it removes leftovers
	for dir in "$TREE"/volt/t[0-9]*/; do
		[ -d "$dir" ] || continue
		echo "left: $dir" >&2
		echo 1 >"$dir/cgroup.kill" && sleep 0.2
		find "$dir" -depth -type d -exec rmdir {} \;
		return 1
	done
	end_test
}

# need_controller NAME ...: skip unless cgroup v2 has these.
need_controller() {
	local name

	for name; do
		grep -qw "$name" "$TREE/cgroup.controllers" ||
			lacks "controller $name in cgroup v2"
	done
}

# Does a group of this name exist, or not?
group() {
	[ -d "$TREE/volt/$1" ]
}
no_group() {
	[ ! -d "$TREE/volt/$1" ]
}

# Does the group have processes?
populated() {
	grep -q 'populated 1' "$TREE/volt/$1/cgroup.events"
}
empty() {
	! populated "$1"
}

# --- a group and its command -------------------------------------------------

@test "the command is in the group, volt-cg is not" {
	run -0 volt-cg name="$GROUP" sh -c "cat /proc/self/cgroup /proc/\$PPID/cgroup"
	[ "$(grep -c "^0::/volt/$GROUP$" <<<"$output")" = 1 ]
	no_group "$GROUP"
}

@test "the status is the command's" {
	run -3 volt-cg name="$GROUP" sh -c 'exit 3'
	run -143 volt-cg name="$GROUP" sh -c 'kill -TERM $$'
	run -127 --separate-stderr volt-cg name="$GROUP" ./none
	[ "$stderr" = "volt-cg: exec ./none: No such file or directory" ]
	run -126 volt-cg name="$GROUP" /etc
	no_group "$GROUP"
}

@test "the command keeps stdin, descriptors, signal mask and environment" {
	run -0 volt-cg name="$GROUP" sh -c 'cat; echo "$A"; ls /proc/self/fd | tr "\n" " "
		grep SigBlk /proc/self/status' <<<word 3>&-
	[ "${lines[0]}" = word ]
	A=b run -0 volt-cg name="$GROUP" sh -c 'echo $A'
	[ "$output" = b ]
	want=$(sh -c 'ls /proc/self/fd' 3>&- | wc -l)
	got=$(volt-cg name="$GROUP" sh -c 'ls /proc/self/fd' 3>&- | wc -l)
	[ "$want" = "$got" ]
	[ "$(volt-cg name="$GROUP" grep -E 'Sig(Blk|Ign)' /proc/self/status)" = \
		"$(grep -E 'Sig(Blk|Ign)' /proc/self/status)" ]
}

@test "signals are forwarded" {
	volt-cg name="$GROUP" sh -c 'trap "echo got; exit 7" TERM; echo ready
		while :; do sleep 0.1; done' >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_for grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM $pid
	rc=0
	wait $pid || rc=$?
	[ "$rc" = 7 ]
	grep -q got "$BATS_TEST_TMPDIR/out"
	no_group "$GROUP"
}

@test "processes that the command leaves are killed" {
	run -0 volt-cg name="$GROUP" sh -c 'setsid sleep 1000 >/dev/null 2>&1 3>&- &'
	no_group "$GROUP"
	unmarked
}

@test "groups below the group are removed, however deep" {
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 volt-cg name="$GROUP" sh -c 'cd "$1" && for i in $(seq 100); do
		mkdir a b && cd a || exit; done
		sleep 1000 >/dev/null 2>&1 3>&- & echo $! >cgroup.procs' sh "$TREE/volt/$GROUP"
	no_group "$GROUP"
}

@test "without name= the group gets a unique name" {
	run -0 volt-cg sh -c 'volt-cg cat /proc/self/cgroup; cat /proc/self/cgroup'
	[ "$(grep -c '^0::/volt/run-' <<<"$output")" = 2 ]
	[ "$(grep '^0::/volt/run-' <<<"$output" | sort -u | wc -l)" = 2 ]
}

@test "a filter without clone3: the command still runs in the group" {
	need strace -f true
	export ASAN_OPTIONS=detect_leaks=0 # it traces too
	run -4 strace -f -qqq -o /dev/null -e inject=clone3:error=ENOSYS \
		volt-cg name="$GROUP" sh -c "grep -q ^0::/volt/$GROUP /proc/self/cgroup && exit 4"
	no_group "$GROUP"
}

@test "without cgroup.kill the group is killed as well" {
	need strace -f true
	export ASAN_OPTIONS=detect_leaks=0 # it traces too
	run -0 strace -qqq -o "$BATS_TEST_TMPDIR/trace" -P cgroup.kill \
		-e inject=openat,open:error=ENOENT volt-cg name="$GROUP" \
		sh -c 'for i in 1 2 3 4 5; do sleep 1000 >/dev/null 2>&1 3>&- & done'
	grep -q 'INJECTED' "$BATS_TEST_TMPDIR/trace"
	no_group "$GROUP"
	unmarked
}

# --- names -------------------------------------------------------------------

@test "hostile names are refused, and nothing is made" {
	before=$(find "$TREE" -maxdepth 3 -type d | sort)
	for name in '' . .. ../x /x x/y x/ .x -x $'x\ny' $'x\e[2J' 'x y' 'ä' \
		memory.max cgroup.procs cpu.x pids.max "$(printf 'x%.0s' {1..300})"; do
		run -125 volt-cg name="$name" touch "$BATS_TEST_TMPDIR/ran"
		[ "${#lines[@]}" = 1 ]
		[[ ${lines[0]} = "volt-cg: name="* ]]
	done
	for path in '' .. ../x a/../b /.. $'a\nb' volt/..; do
		run -125 volt-cg parent="$path" touch "$BATS_TEST_TMPDIR/ran"
		run -125 volt-cg join="$path" touch "$BATS_TEST_TMPDIR/ran"
	done
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
	[ "$(find "$TREE" -maxdepth 3 -type d | sort)" = "$before" ]
}

@test "a group that volt-cg did not make is left alone" {
	local mask

	volt-cg true # there is a $TREE/volt
	for mask in 022 077; do
		(umask $mask && mkdir "$TREE/volt/$GROUP")
		run -125 volt-cg name="$GROUP" true
		[ "$output" = "volt-cg: name=$GROUP: there is such a group already" ]
		volt-cg true
		group "$GROUP"
		rmdir "$TREE/volt/$GROUP"
	done
}

@test "a group that can be made, but not locked, is removed" {
	need volt-lock fs=any fs.write_file=none true
	run -125 --separate-stderr volt-lock fs=any fs.write_file=none volt-cg name="$GROUP" true
	[[ $stderr == "volt-cg: "*"/$GROUP: lock: Permission denied" ]]
	[ -z "$(find "$TREE" -maxdepth 3 -name "$GROUP")" ]
}

@test "two runs of one name: the second is an error" {
	volt-cg name="$GROUP" sleep 1000 3>&- &
	pid=$!
	wait_for group "$GROUP"
	wait_for populated "$GROUP"
	run -125 volt-cg name="$GROUP" true
	[ "$output" = "volt-cg: name=$GROUP: a command is running in this group" ]
	run -125 volt-cg -k name="$GROUP" true
	kill $pid
	wait $pid || true
	run -0 volt-cg name="$GROUP" true
}

@test "races for one name: two never run at the same time, and one runs" {
	cd "$BATS_TEST_TMPDIR"
	for _ in {1..16}; do
		volt-cg name="$GROUP" sh -c 'mkdir in || echo overlap >>log
			echo ran >>log; sleep 0.2; rmdir in' >/dev/null 2>>errors 3>&- &
	done
	wait
	grep -q ran log
	run ! grep overlap log
	run ! grep -v -e 'a command is running' -e 'such a group already' errors
	no_group "$GROUP"
}

# A slow volt-cg finds the group of another one in place of its own.
@test "races for one name: a group that was removed before it was claimed" {
	need strace -qq -o /dev/null true
	cd "$BATS_TEST_TMPDIR"
	mkfifo go
	strace -qq -o /dev/null -e inject=mkdirat:delay_exit=2000000 volt-cg name="$GROUP" touch \
		slow >slow.out 2>&1 3>&- &
	slow=$!
	wait_for group "$GROUP"
	volt-cg name="$GROUP" sh -c 'touch fast; read -r x <go' 3>&- &
	fast=$!
	wait_for test -e fast
	wait $slow && status=0 || status=$?
	[ "$status" = 125 ]
	[ "$(cat slow.out)" = "volt-cg: name=$GROUP: a command is running in this group" ]
	[ ! -e slow ]
	kill -0 $fast
	echo x >go
	wait $fast
	no_group "$GROUP"
}

@test "200 groups at once" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 9<>"$BATS_TEST_TMPDIR/fifo"
	for i in {1..200}; do
		volt-cg name="$GROUP-$i" sh -c 'read -r _' <&9 3>&- &
		pids[i]=$!
	done
	all_populated() {
		[ "$(cat "$TREE/volt/$GROUP"-*/cgroup.events | grep -c 'populated 1')" = 200 ]
	}
	wait_for all_populated
	[ "$(volt-cg | grep -c "^$GROUP-[^ ]* 1 ")" = 200 ]
	for i in {1..200}; do echo >&9; done
	rc=0
	for i in {1..200}; do wait "${pids[i]}" || rc=$?; done
	[ "$rc" = 0 ]
	[ "$(find "$TREE/volt" -maxdepth 1 -name "$GROUP-*")" = "" ]
}

# --- when the parent dies ----------------------------------------------------

@test "SIGKILL of volt-cg kills the command, and the next run removes the rest" {
	volt-cg name="$GROUP" sh -c 'setsid sleep 1000 >/dev/null 2>&1 & exec sleep 1001' 3>&- &
	pid=$!
	wait_for group "$GROUP"
	two() { [ "$(wc -l <"$TREE/volt/$GROUP/cgroup.procs")" = 2 ]; }
	wait_for two
	kill -KILL $pid
	wait $pid || true
	one() { [ "$(wc -l <"$TREE/volt/$GROUP/cgroup.procs")" = 1 ]; }
	wait_for one
	volt-cg -j | jq -e --arg n "$GROUP" \
		'.[] | select(.name == $n) | .state == "left"'
	run -0 volt-cg -v true
	[[ $output = *"swept /volt/$GROUP"* ]]
	no_group "$GROUP"
	wait_for unmarked
}

killed() {
	no_hang "$1"
	wait_for no_processes
	volt-cg name="$GROUP" true
	no_group "$GROUP"
}

no_processes() {
	! grep -qs . "$TREE/volt/$GROUP/cgroup.procs" "$TREE/volt/$GROUP"/*/cgroup.procs
}

@test "umask 0777: an unfinished group is recognized" {
	need strace -qq -o /dev/null true
	# Kill it when it is about to lock the group that it has just made.
	# shellcheck disable=SC2016
	run strace -f -qq -o /dev/null --inject=flock:signal=SIGKILL:when=1 \
		sh -c 'umask 0777; exec "$@"' sh volt-cg name="$GROUP" true
	left=$(find "$TREE" -maxdepth 4 -name "$GROUP")
	[ "$(stat -c %a "$left")" = 1700 ]
	run -0 volt-cg true
	[ ! -e "$left" ]
}

@test "SIGKILL at every step: no process stays, nothing hangs, the next run cleans up" {
	need strace -qq -o /dev/null true
	kill_at_every_call killed volt-cg name="$GROUP" true
	need volt-ns -CUmp root="$ROOT_BB" true
	kill_at_every_call killed volt-cg -d name="$GROUP" volt-ns -CUmp root="$ROOT_BB" true
}

@test "an unfinished group is removed, with any umask" {
	need strace -qq -o /dev/null true
	volt-cg true # the group above is there
	for mask in 0777 0077 0; do
		run -137 sh -c "umask $mask; exec strace -qq -o /dev/null \
			-e inject=umask:signal=SIGKILL:when=4 volt-cg name=$GROUP true"
		[ "$(stat -c %a "$TREE/volt/$GROUP")" = 1700 ]
		run -0 volt-cg true
		no_group "$GROUP"
		run -0 sh -c "umask $mask; volt-cg name=$GROUP sh -c umask"
		[ "$output" = "$(sh -c "umask $mask; umask")" ]
	done
}

@test "the next run of the same name takes a leftover's place" {
	volt-cg name="$GROUP" sleep 1000 3>&- &
	pid=$!
	wait_for group "$GROUP"
	wait_for populated "$GROUP"
	kill -KILL $pid
	wait $pid || true
	run -5 volt-cg name="$GROUP" sh -c 'exit 5'
	no_group "$GROUP"
}

@test "a set-up that fails leaves no group" {
	run -125 volt-cg name="$GROUP" cgroup.freeze=7 touch "$BATS_TEST_TMPDIR/ran"
	no_group "$GROUP"
	run -125 volt-cg name="$GROUP" cgroup.nothing=7 touch "$BATS_TEST_TMPDIR/ran"
	[ "$output" = "volt-cg: cgroup.nothing=: this kernel has no such file" ]
	no_group "$GROUP"
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

# --- -k, join= ---------------------------------------------------------------

@test "-k keeps the group, and no parent waits" {
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 sh -c 'echo $$; exec volt-cg -k name="$1" sh -c "echo \$\$; cat /proc/self/cgroup"' \
		sh "$GROUP"
	[ "${lines[0]}" = "${lines[1]}" ]
	[[ $output = *"0::/volt/$GROUP"* ]]
	volt-cg true
	group "$GROUP"
	# The name can be used again when the group is empty.
	run -0 volt-cg name="$GROUP" true
	no_group "$GROUP"
}

@test "-k: after an error volt-cg goes back to its old group, and removes the new one" {
	# volt-cg must leave the group: its removal kills what is in it.
	run -127 --separate-stderr volt-cg -k name="$GROUP" /nonexistent
	[ "$stderr" = "volt-cg: exec /nonexistent: No such file or directory" ]
	no_group "$GROUP"
	# Limits that cannot be set, from a delegated group.
	# shellcheck disable=SC2016 # expanded by that sh
	run -125 --separate-stderr volt-cg -d name="$GROUP" \
		sh -c 'exec volt-cg -vk name=in nil.max=1 true'
	[ "${stderr_lines[0]}" = "volt-cg: made /volt/$GROUP/in" ]
	[[ $stderr == *"volt-cg: controller nil: "* ]]
	[ "${stderr_lines[-1]}" = "volt-cg: removed /volt/$GROUP/in" ]
	no_group "$GROUP"
	# It cannot go back to a group that it may not write to: the new one stays.
	top=$TREE/volt-test-$GROUP
	mkdir -p "$top/shell"
	chown "$TEST_UID" "$top"{,/cgroup.procs,/cgroup.subtree_control}
	# shellcheck disable=SC2016 # expanded by that bash
	run -127 --separate-stderr bash -c 'echo 0 >"$1/shell/cgroup.procs" || exit
		exec setpriv --reuid "$2" --clear-groups --inh-caps=-all \
			volt-cg -k parent="$3" name=in /nonexistent' bash \
		"$top" "$TEST_UID" "/volt-test-$GROUP"
	[ "$stderr" = "volt-cg: exec /nonexistent: No such file or directory" ]
	wait_for grep -q "populated 0" "$top/in/cgroup.events"
	rmdir "$top/in" "$top/shell" "$top"
}

@test "-k: a kept group with processes in it, or below it, is not replaced" {
	# shellcheck disable=SC2016 # expanded by that sh
	volt-cg -k name="$GROUP" sh -c 'mkdir "$1/below"; echo 0 >"$1/below/cgroup.procs"
		exec sleep 1000' sh "$TREE/volt/$GROUP" 3>&- &
	wait_for grep -q . "$TREE/volt/$GROUP/below/cgroup.procs"
	volt-cg | grep -q "^$GROUP 1 pid [0-9]"
	run -125 volt-cg name="$GROUP" true
	[ "${lines[0]}" = "volt-cg: name=$GROUP: this group was kept, and has processes (1)" ]
	volt-cg name="$GROUP" cgroup.kill=1
	wait_for empty "$GROUP"
	run -0 volt-cg name="$GROUP" true
	no_group "$GROUP"
}

@test "join= runs a command in an existing group" {
	volt-cg name="$GROUP" sleep 1000 3>&- &
	pid=$!
	wait_for group "$GROUP"
	wait_for populated "$GROUP"
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 sh -c 'echo $$; exec volt-cg join="$1" sh -c "echo \$\$; cat /proc/self/cgroup"' \
		sh "$GROUP"
	[ "${lines[0]}" = "${lines[1]}" ]
	[[ $output = *"0::/volt/$GROUP"* ]]
	run -9 volt-cg join="$GROUP" sh -c 'exit 9'
	kill $pid
	wait $pid || true
	run -125 --separate-stderr volt-cg join="$GROUP" true
	[ "${stderr_lines[0]}" = "volt-cg: $GROUP: No such file or directory" ]
	run -125 volt-cg join=x memory.max=1G true
	[ "$output" = "volt-cg: join= goes with parent= and a command only" ]
}

# --- without a command -------------------------------------------------------

@test "the list: every group of the host, in any unit, with its PID and use" {
	mkdir "$TREE/$GROUP.service"
	start volt-cg -d parent="/$GROUP.service" name=web sh -c 'sleep 1000 & wait'
	two() { [ "$(wc -l <"$TREE/$GROUP.service/web/cgroup.procs")" = 2 ]; } 2>/dev/null
	wait_for two
	first=$(sort -n "$TREE/$GROUP.service/web/cgroup.procs" | head -n 1)
	run -0 volt-cg
	line="web 2 pid $first unit $GROUP\.service memory [-0-9]+ cpu [0-9]+\.[0-9]{6}"
	line+=" path /$GROUP\.service/web"
	[[ $(grep "/$GROUP.service/web$" <<<"$output") =~ ^$line$ ]]
	run -0 volt-cg -j
	jq -e --arg n "$GROUP" --argjson p "$first" \
		'[.[] | select(.path == "/" + $n + ".service/web")] | length == 1 and
		.[0].pid == $p and .[0].unit == $n + ".service" and .[0].cpu >= 0 and
		.[0].state == "running"' <<<"$output"
	kill "$pid"
	ended 143
	rmdir "$TREE/$GROUP.service"
}

@test "the list: not the group that volt-cg makes for itself" {
	need_controller pids
	mkdir "$TREE/$GROUP.scope"
	# shellcheck disable=SC2016 # expanded by that sh
	start sh -c 'echo $$ >"$1/cgroup.procs"
		exec volt-cg parent=. name=in pids.max=10 sleep 1000' sh "$TREE/$GROUP.scope"
	there() { volt-cg | grep -q "^in 1 pid [0-9]* unit $GROUP.scope "; }
	wait_for there
	[ -n "$(find "$TREE/$GROUP.scope" -maxdepth 1 -name 'wait-*')" ]
	run ! grep wait- <<<"$(volt-cg)"
	kill "$pid"
	ended 143
	wait_for rmdir "$TREE/$GROUP.scope"
}

@test "an existing group is listed, shown, frozen and killed" {
	volt-cg name="$GROUP" sleep 1000 3>&- &
	pid=$!
	wait_for group "$GROUP"
	wait_for populated "$GROUP"
	volt-cg | grep -q "^$GROUP 1 pid [0-9]"
	volt-cg -j | jq -e --arg n "$GROUP" '.[] | select(.name == $n) |
		.processes == 1 and .state == "running" and .path == "/volt/" + $n'
	volt-cg name="$GROUP" | grep -qx 'cgroup.events.frozen 0'
	volt-cg name="$GROUP" | grep -qx 'processes 1'
	volt-cg -j name="$GROUP" | jq -e '."cgroup.events.populated" == 1'
	volt-cg name="$GROUP" cgroup.freeze=1
	wait_for grep -q 'frozen 1' "$TREE/volt/$GROUP/cgroup.events"
	volt-cg name="$GROUP" | grep -qx 'cgroup.events.frozen 1'
	volt-cg name="$GROUP" cgroup.freeze=0
	wait_for grep -q 'frozen 0' "$TREE/volt/$GROUP/cgroup.events"
	volt-cg name="$GROUP" cgroup.kill=1
	rc=0
	wait $pid || rc=$?
	[ "$rc" = 137 ]
	no_group "$GROUP"
}

@test "status= of a link in front: the signal that ended the command" {
	cd "$BATS_TEST_TMPDIR"
	# shellcheck disable=SC2016 # that sh's
	run -137 bash -c \
		'volt-init status=9 volt-cg sh -c '\''kill -9 $$'\'' 9>s; r=$?; cat s; exit $r'
	[ "$output" = "signal 9" ]
}

@test "a frozen group is killed as well" {
	volt-cg name="$GROUP" sh -c 'sleep 1000 & echo ready; exec sleep 1001' \
		>"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_for grep -q ready "$BATS_TEST_TMPDIR/out"
	volt-cg name="$GROUP" cgroup.freeze=1
	kill -KILL $pid
	wait $pid || true
	volt-cg true
	no_group "$GROUP"
}

@test "a frozen volt-init kills nothing; once thawed, it kills at once" {
	cd "$BATS_TEST_TMPDIR"
	start volt-cg name="$GROUP" volt-init grace=2s sh -c 'trap "" TERM; echo ready
		while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	volt-cg name="$GROUP" cgroup.freeze=1
	frozen() { grep -q 'frozen 1' "$TREE/volt/$GROUP/cgroup.events"; }
	wait_for frozen
	sleep 3
	populated "$GROUP"
	run ! gone
	volt-cg name="$GROUP" cgroup.freeze=0
	ended 137
	no_group "$GROUP"
}

@test "words without a command and a name are an error" {
	run -125 volt-cg memory.max=1G
	[ "$output" = "volt-cg: no command, and no name= of a group to change" ]
	run -125 volt-cg name="$GROUP"
	[ "${lines[0]}" = "volt-cg: $GROUP: No such file or directory" ]
	run -125 volt-cg -k
	run -125 volt-cg -s
	run -125 volt-cg -ks true
	run -125 volt-cg uid=0 true
	[ "$output" = "volt-cg: uid= needs -d" ]
}

@test "-N says what would be done and does nothing; -v says it and does it" {
	run -0 volt-cg -N name="$GROUP" cgroup.freeze=0 touch "$BATS_TEST_TMPDIR/ran"
	[ "${lines[0]}" = "volt-cg: make /volt/$GROUP" ]
	[ "${lines[1]}" = "volt-cg: cgroup.freeze=0" ]
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
	no_group "$GROUP"
	run -0 volt-cg -v name="$GROUP" cgroup.freeze=0 touch "$BATS_TEST_TMPDIR/ran"
	[ "${lines[0]}" = "volt-cg: made /volt/$GROUP" ]
	[ "${lines[1]}" = "volt-cg: cgroup.freeze=0" ]
	[ -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "parent= is a path in the tree or in the file system" {
	mkdir "$TREE/volt-test-$GROUP"
	for parent in "/volt-test-$GROUP" "$TREE/volt-test-$GROUP/" "volt-test-$GROUP"; do
		run -0 volt-cg parent="$parent" name=x cat /proc/self/cgroup
		[[ $output = *"0::/volt-test-$GROUP/x"* ]]
	done
	[ ! -d "$TREE/volt-test-$GROUP/x" ]
	rmdir "$TREE/volt-test-$GROUP"
	run -125 volt-cg parent="/volt-test-$GROUP" true
	[ "$output" = "volt-cg: parent=/volt-test-$GROUP: No such file or directory" ]
}

@test "-S prints the properties of a unit" {
	run -0 volt-cg -S @default cpus=1.5 cpuset.cpus=0-1,3 memory.swap.max=max -d
	[ "$output" = "MemoryMax=2147483648
MemoryHigh=1073741824
CPUWeight=100
IOWeight=100
TasksMax=4096
CPUQuota=150%
AllowedCPUs=0-1,3
MemorySwapMax=infinity
Delegate=yes" ]
	run -0 volt-cg -S "io.max=8:0 rbps=1M wiops=max" "cpu.max=1000 10000"
	[ "$output" = "IOReadBandwidthMax=/dev/block/8:0 1048576
IOWriteIOPSMax=/dev/block/8:0 infinity
CPUQuota=10%
CPUQuotaPeriodSec=10000us" ]
	# The last word counts, as in a group; io words add up.
	run -0 volt-cg -S @default memory.max=1G memory.max=3G cpu.idle=1 cpus=2 cpus=1 \
		"io.max=8:0 rbps=1M" "io.max=8:0 rbps=2M" \
		"io.max=8:16 rbps=3M" -d
	[ "$output" = "MemoryHigh=1073741824
IOWeight=100
TasksMax=4096
MemoryMax=3221225472
CPUWeight=idle
CPUQuota=100%
IOReadBandwidthMax=/dev/block/8:0 2097152
IOReadBandwidthMax=/dev/block/8:16 3145728
Delegate=yes" ]
	run -125 volt-cg -S cgroup.freeze=1
	[ "$output" = "volt-cg: cgroup.freeze=1: systemd has no property for this" ]
}

# --- words -------------------------------------------------------------------

@test "values that cannot be right are refused before anything is made" {
	while read -r word message; do
		run -125 volt-cg name="$GROUP" "$word" true
		[ "$output" = "volt-cg: $message" ]
	done <<-END
		memory.max=1X memory.max=1X: not a size (4096, 512K, 16M, 2G, 1T)
		memory.max=-1 memory.max=-1: not a size (4096, 512K, 16M, 2G, 1T)
		memory.max= memory.max=: the value is empty
		memory.max=99999999999999999999 memory.max=99999999999999999999: size too large
		pids.max=4K pids.max=4K: not a number
		cpus=0 cpus=0: the least is 0.01
		cpus=0.001 cpus=0.001: the least is 0.01
		cpus=1.123456 cpus=1.123456: not a number of CPUs, as 2 or 0.5
		cpus=1. cpus=1.: not a number of CPUs, as 2 or 0.5
		cpus=-1 cpus=-1: not a number of CPUs, as 2 or 0.5
		cpus=1e3 cpus=1e3: not a number of CPUs, as 2 or 0.5
		.max=1 .max=: unknown word
		nam=x nam=: unknown word; the nearest is name=
	END
	run -125 volt-cg "memory.max=1"$'\n'"2" true
	run -125 volt-cg io.max="none rbps=1M" true
	[ "$output" = "volt-cg: io.max=: no block device none" ]
	run -125 volt-cg io.max="/proc rbps=1M" true
	[ "$output" = "volt-cg: io.max=: /proc: not on one block device; name the device itself" ]
	run -125 volt-cg io.max="/dev/null rbps=1M" true
	[ "$output" = "volt-cg: io.max=: /dev/null: not a block device" ]
	no_group "$GROUP"
}

@test "a missing controller is named, with the reason" {
	run -125 volt-cg memroy.max=1G true
	[[ $output = "volt-cg: controller memroy: this kernel has none; there are: "* ]]
	if ! grep -qw memory "$TREE/cgroup.controllers"; then
		run -125 volt-cg memory.max=1G true
		[ "${lines[0]}" = "volt-cg: controller memory: bound to cgroup v1" ]
		[[ ${lines[1]} = *cgroup_no_v1=memory* ]]
	fi
}

@test "files with capitals in their names" {
	need_controller hugetlb
	compgen -G "$TREE/hugetlb.*" >/dev/null || mkdir -p "$TREE/volt"
	run -0 volt-cg -v name="$GROUP" hugetlb.2mb.max=4M \
		cat "$TREE/volt/$GROUP/hugetlb.2MB.max"
	[ "${lines[*]: -2:1}" = 4194304 ] || [[ $output = *4194304* ]]
	run -125 volt-cg hugetlb.2mb.maxx=4M true
	[ "$output" = "volt-cg: hugetlb.2mb.maxx=: this kernel has no such file;\
 the nearest is hugetlb.2MB.max" ]
}

@test "@default" {
	need_controller memory cpu io pids
	run -0 volt-cg @default name="$GROUP" volt-cg name="$GROUP"
	for line in 'memory.max 2147483648' 'memory.high 1073741824' 'cpu.weight 100' \
		'io.weight.default 100' 'pids.max 4096'; do
		grep -qx "$line" <<<"$output"
	done
}

# --- each limit is applied --------------------------------------------------

@test "memory.max: the command is killed, and that is reported" {
	need_controller memory
	run -137 volt-cg name="$GROUP" memory.max=16M memory.swap.max=max tail /dev/zero
	[ "${lines[-1]}" = \
		"volt-cg: $GROUP: out of memory, 1 process killed; the limit is memory.max=16M" ]
	no_group "$GROUP"
}

@test "memory.max: a kill is reported when it happens, and by status=" {
	need_controller memory
	cd "$BATS_TEST_TMPDIR"
	start volt-cg name="$GROUP" memory.max=16M memory.swap.max=max sh -c \
		'tail /dev/zero; sleep 1000'
	said() { grep -qx \
		"volt-cg: $GROUP: out of memory, 1 process killed; the limit is memory.max=16M" \
		out; }
	wait_for said
	[ -d "$TREE/volt/$GROUP" ] # the command goes on
	kill "$pid"
	ended 143
	[ "$(grep -c 'out of memory' out)" = 1 ]
	# shellcheck disable=SC2016 # that sh's
	run -137 --separate-stderr bash -c \
		'volt-cg status=3 name="$1" memory.max=16M memory.swap.max=max tail /dev/zero 3>s
		r=$?; cat s; exit $r' bash "$GROUP"
	[ "$output" = "oom 137" ]
	run -137 bash -c 'volt-ns status=3 volt-cg name="$1" memory.max=16M memory.swap.max=max \
		volt-init tail /dev/zero 3>s 2>/dev/null; r=$?; cat s; exit $r' bash "$GROUP"
	[ "$output" = "oom 137" ]
	# If it ended in another way, the status is its own.
	run -7 bash -c 'volt-cg status=3 name="$1" memory.max=16M memory.swap.max=max \
		sh -c "tail /dev/zero; exit 7" 3>s 2>/dev/null; r=$?; cat s; exit $r' bash "$GROUP"
	[ "$output" = "exit 7" ]
	# Many kills are a few lines, and a sum.
	run -0 --separate-stderr volt-cg name="$GROUP" memory.max=16M memory.swap.max=max sh -c \
		'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do tail /dev/zero; done; :'
	[ "${#stderr_lines[@]}" -le 35 ]
	[ "$(sed -n 's/^volt-cg: .*memory, \([0-9]*\) process.*/\1/p' <<<"$stderr" |
		awk '{ n += $1 } END { print n }')" = 12 ]
	[ "$(grep -c '^volt-cg: ' <<<"$stderr")" -le 11 ]
}

@test "status=: also without a limit; an error where no parent waits" {
	cd "$BATS_TEST_TMPDIR"
	for c in "exit 0:true" "exit 3:exit 3" 'signal 15:kill $$' "failed 127:exec ./none"; do
		# shellcheck disable=SC2016 # that sh's
		run env --default-signal bash -c 'case $1 in
			failed*) volt-cg status=3 ./none ;;
			*) volt-cg status=3 sh -c "${1#*:}" ;;
			esac 3>s 2>/dev/null; cat s' bash "$c"
		[ "$output" = "${c%%:*}" ]
	done
	run -125 volt-cg -k status=2 true
	[ "$output" = "volt-cg: status=2 needs a command, and a volt-cg that waits for it" ]
}

@test "memory.max: a kill of a child is reported too, and the status is the command's" {
	need_controller memory
	run -7 volt-cg name="$GROUP" memory.max=16M sh -c 'tail /dev/zero; exit 7'
	[[ $output = *"volt-cg: $GROUP: out of memory, 1 process killed;\
 the limit is memory.max=16M"* ]]
}

@test "memory.max of a group above and of one below" {
	need_controller memory
	run -137 volt-cg -d name="$GROUP" memory.max=16M volt-cg name=in \
		memory.max=1G tail /dev/zero
	[[ $output = *"volt-cg: in: out of memory, 1 process killed;\
 the limit is memory.max=16M of /volt/$GROUP"* ]]
	run -137 volt-cg -d name="$GROUP" memory.max=1G volt-cg name=in \
		memory.max=16M tail /dev/zero
	[[ $output = *"volt-cg: $GROUP: out of memory, 1 process killed;\
 the limit is memory.max of a group below"* ]]
}

@test "pids.max: fork is refused" {
	need_controller pids
	run ! volt-cg name="$GROUP" pids.max=1 sh -c '/bin/true; :'
	[[ $output = *[Ff]ork* ]]
	run -0 volt-cg name="$GROUP" pids.max=2 sh -c '/bin/true; :'
}

@test "a fork bomb is limited, and killed as a whole" {
	need_controller pids
	local bomb rc

	bomb=$(helper bomb)
	refused() { ! grep -q 'max 0' "$TREE/volt/$GROUP/pids.events"; }
	# It ends by a word, or because its first process is killed.
	for end in 'volt-cg name=$GROUP cgroup.kill=1' 'pkill -KILL -P $pid'; do
		volt-cg name="$GROUP" pids.max=40 "$bomb" >/dev/null 2>&1 3>&- &
		pid=$!
		started+=("$pid")
		wait_for group "$GROUP"
		wait_for refused
		[ "$(cat "$TREE/volt/$GROUP/pids.current")" -le 40 ]
		eval "$end"
		rc=0
		wait "$pid" || rc=$?
		[ "$rc" = 137 ]
		no_group "$GROUP"
		unmarked
	done
}

@test "cpus: CPU time is limited" {
	need_controller cpu
	run --separate-stderr volt-cg -sj name="$GROUP" cpus=0.1 timeout 4 \
		sh -c 'while :; do :; done'
	jq -e '."cpu" < 0.25 * .wall and ."cpu.throttled" > 0' <<<"$stderr"
}

@test "cpu.weight is written as it is" {
	need_controller cpu
	run -0 volt-cg name="$GROUP" cpu.weight=50 cpus=1.25 \
		cat "$TREE/volt/$GROUP/cpu.weight" "$TREE/volt/$GROUP/cpu.max"
	[ "$output" = "50
125000 100000" ]
	run -125 volt-cg name="$GROUP" cpu.weight=10001 true
	echo "$output"
	[[ $output = "volt-cg: cpu.weight=10001: "* ]]
}

@test "cpuset.cpus is applied, and a set that the kernel cannot give is refused" {
	need_controller cpuset
	run -0 volt-cg name="$GROUP" cpuset.cpus=0 grep Cpus_allowed_list /proc/self/status
	[ "${output#*:}" = $'\t0' ]
	run -125 volt-cg name="$GROUP" cpuset.cpus=4095 true
	[ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ] || return 0
	run -125 volt-cg -d name="$GROUP" cpuset.cpus=0 volt-cg name=in cpuset.cpus=1 true
	[ "$output" = "volt-cg: cpuset.cpus=1: the group above has only 0" ]
}

@test "io.max by path, by name and by number; writing is slowed" {
	need_controller io
	cd "$BATS_TEST_TMPDIR"
	dev=$(lsblk -nro MAJ:MIN,TYPE | awk '$2 == "disk" { print $1; exit }')
	[ -n "$dev" ] || lacks "a disk"
	name=$(basename "$(readlink -f "/sys/dev/block/$dev")")
	for word in "$dev" "$name" "/dev/$name"; do
		run -0 volt-cg name="$GROUP" "io.max=$word rbps=1M wiops=50" \
			cat "$TREE/volt/$GROUP/io.max"
		[ "$output" = "$dev rbps=1048576 wbps=max riops=max wiops=50" ]
	done
	# The path of a file means the disk that it is on.
	touch /var/tmp/volt-cg-test
	run -0 volt-cg name="$GROUP" "io.max=/var/tmp/volt-cg-test wbps=1M" \
		sh -c 'date +%s
		dd if=/dev/zero of=/var/tmp/volt-cg-test bs=1M count=4 oflag=direct 2>/dev/null
		date +%s'
	rm -f /var/tmp/volt-cg-test
	[ $((lines[1] - lines[0])) -ge 2 ]
}

@test "-s prints what was used" {
	need_controller memory cpu io pids
	run -0 --separate-stderr volt-cg -s name="$GROUP" sh -c 'sleep 0.1 & sleep 0.1; wait'
	for key in wall cpu cpu.user cpu.system cpu.throttled memory.oom_kill \
		cpu.pressure memory.pressure io.pressure; do
		grep -qE "^volt-cg: $key [0-9.]+$" <<<"$stderr"
	done
	run -3 --separate-stderr volt-cg -sj name="$GROUP" sh -c 'exit 3'
	jq -e '.wall > 0 and .cpu >= 0 and ."memory.oom_kill" == 0' <<<"$stderr"
	jq -e 'has("memory.peak") == ($v == "1")' --arg v \
		"$(volt-cg name="$GROUP" memory.max=1G test -e "$TREE/volt/$GROUP/memory.peak" &&
			echo 1)" \
		<<<"$stderr"
}

@test "the limits of an existing group can be changed" {
	need_controller memory
	volt-cg name="$GROUP" sleep 1000 3>&- &
	pid=$!
	wait_for group "$GROUP"
	wait_for populated "$GROUP"
	volt-cg name="$GROUP" memory.max=64M
	volt-cg name="$GROUP" | grep -qx 'memory.max 67108864'
	volt-cg -j name="$GROUP" | jq -e '."memory.max" == 67108864 and ."memory.high" == "max"'
	kill $pid
	wait $pid || true
}

# --- delegation --------------------------------------------------------------

@test "-d: volt-cg in volt-cg, and nothing stays" {
	run -0 volt-cg -d name="$GROUP" volt-cg name=in volt-cg parent="/volt/$GROUP" \
		name=in2 cat /proc/self/cgroup
	[[ $output = *"0::/volt/$GROUP/in2"* ]]
	no_group "$GROUP"
}

@test "-d: volt-cg leaves a delegated group for limits below it, and restores it" {
	need_controller pids
	run -0 volt-cg -d name="$GROUP" sh -c 'exec volt-cg -v name=in pids.max=9 sh -c "
		cat /proc/self/cgroup; cat \$1/in/pids.max; ls -d \$1/*/" sh "$1"' sh \
		"$TREE/volt/$GROUP"
	[[ $output = *"0::/volt/$GROUP/in"* ]]
	grep -qx 9 <<<"$output"
	[[ $output = *"$TREE/volt/$GROUP/wait-"* ]]
	# With -k no volt-cg moves to another group.
	run -0 volt-cg -d name="$GROUP" sh -c 'exec volt-cg -k name=in pids.max=9 sh -c "
		cat /proc/self/cgroup; ls -d \$1/*/" sh "$1"' sh "$TREE/volt/$GROUP"
	[[ $output = *"0::/volt/$GROUP/in"* ]]
	[[ $output != *"/wait-"* ]]
	no_group "$GROUP"
	# Afterwards a process can enter that group again.
	mkdir "$TREE/volt/$GROUP"
	chown "$TEST_UID" "$TREE/volt/$GROUP"{,/cgroup.procs,/cgroup.subtree_control}
	for _ in 1 2; do
		# shellcheck disable=SC2016 # expanded by that bash
		run -0 bash -c 'echo 0 >"$1/cgroup.procs" && exec setpriv --reuid "$2" \
			--clear-groups --inh-caps=-all volt-cg name=in pids.max=9 \
			cat /proc/self/cgroup' bash "$TREE/volt/$GROUP" "$TEST_UID"
		[[ $output = *"0::/volt/$GROUP/in"* ]]
	done
	[ "$(find "$TREE/volt/$GROUP" -mindepth 1 -type d)" = "" ]
	rmdir "$TREE/volt/$GROUP"
}

@test "a user's session: the nearest group above that has no processes is used" {
	need_controller pids
	top=$TREE/volt-test-$GROUP
	mkdir "$top" && echo +pids >"$top/cgroup.subtree_control" && mkdir "$top/shell"
	chown "$TEST_UID" "$top"{,/shell}{,/cgroup.procs,/cgroup.subtree_control}
	user_dir
	# shellcheck disable=SC2016 # expanded by that bash
	run -0 bash -c 'echo 0 >"$1/shell/cgroup.procs" || exit; shift
		exec setpriv --reuid "$1" --clear-groups --inh-caps=-all \
			sh -c "volt-cg name=in pids.max=9 cat /proc/self/cgroup; exit \$?"' \
		bash "$top" "$TEST_UID"
	[[ $output = *"0::/volt-test-$GROUP/in"* ]]
	[ ! -d "$top/in" ]
	rmdir "$top/shell" "$top"
}

@test "-d: a group with other processes cannot have limits below it" {
	need_controller pids
	run -125 volt-cg -d name="$GROUP" sh -c 'volt-cg pids.max=9 true; exit $?'
	[ "${lines[0]}" = "volt-cg: /volt/$GROUP: other processes are in this group (1),\
 so none below it can have limits" ]
	[[ ${lines[1]} = *Delegate=yes* ]]
}

@test "-d uid=: an ordinary user has limits below, and not those above" {
	need_controller memory pids
	run -137 volt-cg -d uid="$TEST_UID" gid="$TEST_UID" name="$GROUP" memory.max=64M \
		setpriv --reuid "$TEST_UID" --regid "$TEST_UID" --clear-groups --inh-caps=-all \
		volt-cg name=in memory.max=16M tail /dev/zero
	[[ $output = *"volt-cg: in: out of memory, 1 process killed;\
 the limit is memory.max=16M"* ]]

	# shellcheck disable=SC2016 # expanded by that sh
	run -0 volt-cg -d uid="$TEST_UID" name="$GROUP" memory.max=64M \
		setpriv --reuid "$TEST_UID" --regid "$TEST_UID" --clear-groups --inh-caps=-all \
		volt-cg name=in pids.max=50 \
		sh -c 'cat /proc/self/cgroup; echo 1G >$1/memory.max || echo refused
			echo 0 >$1/../cgroup.procs || echo refused' sh "$TREE/volt/$GROUP"
	[[ $output = *"0::/volt/$GROUP/in"* ]]
	[ "$(grep -cx refused <<<"$output")" = 2 ]
}

@test "-d uid= and gid=: names, from /etc/passwd and /etc/group" {
	# Use the last user and the last group of this host.
	IFS=: read -r user _ uid _ < <(tail -n 1 /etc/passwd)
	IFS=: read -r group _ gid _ < <(tail -n 1 /etc/group)
	run -0 volt-cg -d uid="$user" gid="$group" name="$GROUP" stat -c '%u %g' \
		"$TREE/volt/$GROUP" "$TREE/volt/$GROUP/cgroup.procs"
	[ "$output" = "$uid $gid"$'\n'"$uid $gid" ]
	run -0 --separate-stderr volt-cg -dv uid="$user" name="$GROUP" \
		stat -c '%u %g' "$TREE/volt/$GROUP"
	[ "$output" = "$uid 0" ]
	[[ $stderr = *"volt-cg: delegated to user $uid"* ]]
	for word in "uid=nil: no user of that name in /etc/passwd" \
		"gid=nil: no group of that name in /etc/group" "uid=a/b: not a number or a name"; do
		run -125 --separate-stderr volt-cg -d "${word%%: *}" name="$GROUP" true
		[ "$stderr" = "volt-cg: $word" ]
		[ ! -e "$TREE/volt/$GROUP" ]
	done
	run -0 --separate-stderr volt-cg -N -d uid="$user" gid="$group" name="$GROUP" true
	[[ $stderr = *"volt-cg: delegate it to user $uid
volt-cg: delegate it to group $gid"* ]]
	# In a dry run, the files of the root are not available yet.
	run -0 volt-ns -Nm root="$ROOT_BB" volt-cg -Nd uid=nil true
}

@test "an ordinary user without a delegated group is told what to do" {
	user_dir
	run -125 as_user volt-cg true
	[ "${lines[0]}" = "volt-cg: /: this group is not delegated to you" ]
	[[ ${lines[1]} = *"systemd-run --user --scope -p Delegate=yes"* ]]
}

@test "a controller that was not delegated is named" {
	need_controller memory pids
	mkdir "$TREE/volt-test-$GROUP"
	chown "$TEST_UID" "$TREE/volt-test-$GROUP"{,/cgroup.procs,/cgroup.subtree_control}
	echo +pids >"$TREE/volt-test-$GROUP/cgroup.subtree_control"
	user_dir
	mkdir "$TREE/volt-test-$GROUP/a"
	chown "$TEST_UID" "$TREE/volt-test-$GROUP/a"{,/cgroup.procs,/cgroup.subtree_control}
	run -125 bash -c 'echo 0 >"$1/cgroup.procs"; shift; exec setpriv --reuid "$1" \
		--clear-groups --inh-caps=-all volt-cg memory.max=1G true' sh \
		"$TREE/volt-test-$GROUP/a" "$TEST_UID"
	rmdir "$TREE/volt-test-$GROUP/a" "$TREE/volt-test-$GROUP"
	[ "${lines[0]}" = "volt-cg: controller memory: not delegated to /volt-test-$GROUP/a,\
 which has: pids" ]
	[[ ${lines[1]} = *Delegate=memory* ]]
}

# --- with the other programs -------------------------------------------------

@test "volt-ns -C behind volt-cg: the group is the root of the namespace" {
	need volt-ns -C true
	run -0 volt-cg name="$GROUP" volt-ns -C cat /proc/self/cgroup
	grep -qx '0::/' <<<"$output"
	run -0 volt-cg name="$GROUP" volt-ns -CUmp root="$ROOT_BB" cat /proc/self/cgroup
	grep -qx '0::/' <<<"$output"
}

@test "a container cannot change its own limits, and cannot leave" {
	need volt-ns -CUmpn root="$ROOT_BB:idmap" uidmap=0:100000:65536 volt-init true
	copy_root
	# shellcheck disable=SC2016 # expanded by that sh
	script='mkdir /tmp/cg && mount -t cgroup2 cg /tmp/cg || exit 9
		cat /proc/self/cgroup
		echo 5 >/tmp/cg/cgroup.max.depth || echo refused
		echo 1 >/tmp/cg/cgroup.freeze || echo refused
		echo 1 >/sys/fs/cgroup/cgroup.freeze || echo refused
		echo 1 >/tmp/cg/cgroup.kill || echo refused
		mkdir /tmp/cg/x && echo made'
	run -0 volt-cg name="$GROUP" volt-ns -CUmpn root="$BATS_TEST_TMPDIR/root:idmap" \
		uidmap=0:100000:65536 volt-init sh -c "$script; :"
	grep -qx '0::/' <<<"$output"
	[ "$(grep -cx refused <<<"$output")" = 4 ]
	run ! grep -qx made <<<"$output"
	rmdir "$BATS_TEST_TMPDIR/root/tmp/cg"
	# With -d it can make groups, and still cannot change its own.
	run -0 volt-cg -d uid=100000 gid=100000 name="$GROUP" volt-ns -CUmpn \
		root="$BATS_TEST_TMPDIR/root:idmap" uidmap=0:100000:65536 \
		volt-init sh -c "$script; :"
	[ "$(grep -cx refused <<<"$output")" = 4 ]
	grep -qx made <<<"$output"
	no_group "$GROUP"
}

@test "a container in a delegated group: it is beside its parent, and its root makes groups" {
	need volt-ns -CUmp root="$ROOT_BB" true
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 volt-cg -d name="$GROUP" volt-ns -CUmp root="$ROOT_BB" overlay=tmpfs \
		cgroup=/sys/fs/cgroup:rw \
		volt-init sh -c 'cat /proc/self/cgroup; cd /sys/fs/cgroup
			mkdir a && echo 0 >a/cgroup.procs && grep ^0:: /proc/self/cgroup
			for f in cgroup.freeze cgroup.kill cgroup.max.depth; do
				echo 1 >$f || echo refused
			done'
	grep -qx '0::/' <<<"$output"
	grep -qx '0::/a' <<<"$output"
	[ "$(grep -cx refused <<<"$output")" = 3 ]
	no_group "$GROUP"
	# Everybody inside can look at it, whatever the caller's umask is.
	run -0 sh -c 'umask 077; exec "$@"' sh volt-cg -d name="$GROUP" volt-ns -CUmp \
		root="$ROOT_BB" overlay=tmpfs cgroup=/sys/fs/cgroup:rw \
		volt-init stat -c %a /sys/fs/cgroup
	[ "$output" = 755 ]
	# Not if the group has other processes, and not if it is not delegated.
	# shellcheck disable=SC2016
	run -0 volt-cg -d name="$GROUP" sh -c 'volt-ns -vCUmp root="$1" true; true' sh "$ROOT_BB"
	[[ $output != *supervisor* ]]
	run -0 volt-cg name="$GROUP" volt-ns -vCUmp root="$ROOT_BB" true
	[[ $output != *supervisor* ]]
	# Nothing stays, whichever process is killed.
	for victim in supervisor payload; do
		volt-cg -d name="$GROUP" volt-ns -CUmp root="$ROOT_BB" volt-init sleep 1000 3>&- &
		wait_for grep -qs . "$TREE/volt/$GROUP/payload/cgroup.procs"
		wait_for grep -qs . "$TREE/volt/$GROUP/$victim/cgroup.procs"
		kill -KILL "$(head -n 1 "$TREE/volt/$GROUP/$victim/cgroup.procs")"
		ended=0
		wait $! || ended=$?
		[ "$ended" = 137 ]
		no_group "$GROUP"
	done
}

@test "a container in a delegated group: limits below its own" {
	need_controller pids
	need volt-ns -CUmp root="$ROOT_BB" true
	# As systemd does it: move away from the top, then enable the controllers.
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 volt-cg -d name="$GROUP" pids.max=50 volt-ns -CUmp root="$ROOT_BB" \
		overlay=tmpfs cgroup=/sys/fs/cgroup:rw volt-init sh -c 'cd /sys/fs/cgroup; mkdir a b
			for p in $(cat cgroup.procs); do echo $p >a/cgroup.procs; done
			echo +pids >cgroup.subtree_control && echo 3 >b/pids.max && cat b/pids.max
			echo 100 >pids.max || echo refused'
	[[ $output == *3*refused* ]]
	no_group "$GROUP"
}

@test "systemd: limits in a unit with Delegate=yes" {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	run -0 systemd-run -q --wait --pipe -p Delegate=yes -u "$GROUP" "$O/bin/volt-cg" \
		name=web pids.max=77 -- sh -c 'cat /proc/self/cgroup
		cat /sys/fs/cgroup$(cut -c4- /proc/self/cgroup)/pids.max'
	[ "$output" = "0::/system.slice/$GROUP.service/web
77" ]
	run -0 systemd-run -q --wait --pipe -p Delegate=yes -u "$GROUP" "$O/bin/volt-cg" \
		-k name=web pids.max=77 -- cat /proc/self/cgroup
	[ "$output" = "0::/system.slice/$GROUP.service/web" ]
	# A unit without Delegate= is systemd's: the group is made in /volt.
	run -0 systemd-run -q --wait --pipe -u "$GROUP" "$O/bin/volt-cg" \
		name="$GROUP" pids.max=77 -- cat /proc/self/cgroup
	[ "$output" = "0::/volt/$GROUP" ]
	# To stop the unit stops the command, and leaves nothing.
	systemd-run -q -p Delegate=yes -u "$GROUP" "$O/bin/volt-cg" name=web pids.max=77 sleep 1000
	wait_for test -d "$TREE/system.slice/$GROUP.service/web"
	systemctl stop "$GROUP.service"
	wait_for test ! -d "$TREE/system.slice/$GROUP.service"
	# systemd accepts what -S prints.
	volt-cg -S pids.max=77 cpus=0.5 memory.max=64M cpuset.cpus=0 >"$BATS_TEST_TMPDIR/props"
	args=()
	while read -r line; do args+=(-p "$line"); done <"$BATS_TEST_TMPDIR/props"
	run -0 systemd-run -q --wait --pipe "${args[@]}" sh -c \
		'cd /sys/fs/cgroup$(cut -c4- /proc/self/cgroup) &&
		cat pids.max cpu.max memory.max cpuset.cpus'
	[ "$output" = "77
50000 100000
67108864
0" ]
}

@test "systemd: a user's own manager" {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	id user >/dev/null 2>&1 || skip "there is no ordinary user"
	systemctl start "user@$(id -u user).service"
	user_dir
	run -0 systemd-run -q --wait --pipe --user -M user@ -p Delegate=yes -u "$GROUP" \
		"$USER_DIR/bin/volt-cg" name=web pids.max=77 -- sh -c \
		'cat /proc/self/cgroup; cat /sys/fs/cgroup$(cut -c4- /proc/self/cgroup)/pids.max'
	[[ $output = "0::/user.slice/user-"*"/$GROUP.service/web
77" ]]
}
