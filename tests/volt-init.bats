#!/usr/bin/env bats
# volt-init as PID 1 and as a subreaper.

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	helpers orphans
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

# Run it as PID 1 of a PID namespace, as root or as the root of a user namespace, and
# as a subreaper.
modes() {
	U=''
	[ "$(id -u)" = 0 ] || U=U
	"$1" volt-ns "-mp$U" root="$ROOT_BB" bind="$HELP:/mnt" volt-init
	"$1" volt-init
}

statuses() {
	local n

	for n in 0 1 2 64 124 125 126 127 128 129 200 255; do
		run "-$n" --separate-stderr "$@" sh -c "exit $n"
		[ "$stderr" = "" ]
	done
	for n in 1 2 9 10 13 14 15 34 64; do
		run "-$((128 + n))" --separate-stderr env --default-signal "$@" sh -c \
			"ulimit -c 0; kill -$n \$\$"
		[ "$stderr" = "" ]
	done
	run -127 --separate-stderr "$@" /none
	[ "$stderr" = "volt-init: exec /none: No such file or directory" ]
	run -126 --separate-stderr "$@" /etc
	[ "$stderr" = "volt-init: exec /etc: Permission denied" ]
}

@test "the status is the command's, or 128+N; 126 and 127" {
	modes statuses
}

@test "PID 1: process IDs, and reaping of orphans" {
	run -0 --separate-stderr as_user volt-ns -Ump root="$ROOT_USER" volt-init sh -c \
		'echo $$ $PPID; cat /proc/1/comm /proc/1/cmdline | tr "\0" " "'
	[ "${lines[0]}" = "2 1" ]
	[[ ${lines[1]} == volt-init ]]
	run -0 volt-init sh -c 'cat /proc/$PPID/comm'
	[ "$output" = volt-init ]
}

reaping() {
	# Double-forked orphans, some of which outlive their parent for a while.
	run -0 "$@" sh -c '
		for i in 1 2 3 4 5; do (sleep 0.1 & sleep 0 &) ; done
		sleep 0.5
		if [ -e /bin/busybox ] && [ $PPID = 1 ]; then p=1; else p=$PPID; fi
		for s in /proc/[0-9]*/stat; do
			read -r pid name state parent rest <$s 2>/dev/null &&
				[ "$parent" = $p ] && echo "$pid $state"
		done; true'
	[[ $output != *Z* ]]
	run -0 "$@" sh -c "(exit 7); exit 7" || [ "$status" = 7 ]
}

@test "orphans are reaped, and their status is ignored" {
	modes reaping
}

@test "a flood of 1000 orphans" {
	U=''
	[ "$(id -u)" = 0 ] || U=U
	run -0 volt-ns "-mp$U" root="$ROOT_BB" bind="$HELP:/mnt" volt-init /mnt/orphans 1000
	[ "$output" = 0 ]
}

@test "PID 1 ends with its command, and all other processes end with it" {
	start volt-ns ${U_FLAG:--Ump} root="$ROOT_BB" volt-init sh -c \
		'sleep 1000 & setsid sleep 1000 & exit 4'
	ended 4
	no_leftovers
}

forwarding() {
	for n in ${signals:-1 2 3 4 5 6 7 8 10 11 12 14 15 18 28 31 35 40 64}; do
		start "$@" sh -c \
			"trap 'exit $((n + 1))' $n; echo ready; while :; do sleep 0.05; done"
		wait_for grep -q ready out
		kill "-$n" "$pid"
		ended $((n + 1))
	done
}

@test "signals are passed on, real-time ones too" {
	modes forwarding
}

# The C library uses the first real-time signals itself: kill -RTMIN sends 34.
@test "signals are passed on: SIGRTMIN" {
	signals=34
	modes forwarding
}

ordinary_death() {
	start "$@" sleep 1000
	wait_for pgrep -P "$pid" >/dev/null
	sleep 0.1
	kill "$pid"
	ended 143
	start "$@" sleep 1000
	wait_for pgrep -P "$pid" >/dev/null
	sleep 0.1
	kill -INT "$pid"
	ended 130
}

@test "signals that a command does not catch kill it" {
	modes ordinary_death
}

group() {
	# Only with -g does a grandchild get it, too.
	cat >script <<-'EOF2'
		sh -c 'trap "echo grandchild; exit" USR1; echo one; while :; do sleep 0.05; done' &
		trap 'echo child; wait; exit' USR1
		echo two
		while :; do wait; done
	EOF2
	start "$@" -g sh -c "$(cat script)"
	wait_for sh -c 'grep -q one out && grep -q two out'
	kill -USR1 "$pid"
	wait_for grep -q grandchild out
	wait_for gone
	grep -q '^child' out
	start "$@" sh -c "$(cat script)"
	wait_for sh -c 'grep -q one out && grep -q two out'
	kill -USR1 "$pid"
	wait_for grep -q '^child' out
	sleep 0.2
	run -1 grep grandchild out
	kill -KILL "$pid"
	wait_for gone
	marked >m || true
	while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = sh ] && kill -KILL "$p" || true
	done <m
}

@test "-g: signals go to the whole process group" {
	modes group
}

# left_behind TRAP: a group leader that ends once another process of its group runs.
# That process has the trap for SIGTERM.
left_behind() {
	echo "exec 4>&1; { (trap '$1' TERM; exec 5>&1 >&4; echo in >&5; exec 5>&-
		while :; do sleep 0.05; done) & } | { read -r x; }; exit 3"
}

group_end() {
	start "$@" -g grace=100s sh -c "$(left_behind 'echo heard; exit')"
	ended 3
	grep -qx heard out
	no_leftovers
	start "$@" -g grace=300ms sh -c "$(left_behind '')"
	ended 3
	no_leftovers
}

@test "-g: the rest of the group gets SIGTERM, and SIGKILL after grace=" {
	modes group_end
	# Without grace= volt-init does not wait.
	start volt-init -g sh -c "$(left_behind 'echo heard; exit')"
	ended 3
	wait_for grep -q heard out
	no_leftovers
	# A process that left the group is not killed.
	start volt-init -g sh -c 'setsid sh -c "echo \$\$ >left; exec sleep 1000" &
		until [ -s left ]; do sleep 0.05; done; exit 3'
	ended 3
	kill -0 "$(cat left)"
	kill -KILL "$(cat left)"
}

stopped() {
	[ "$(cut -d' ' -f3 "/proc/$1/stat")" = T ]
}
goes_on() {
	! stopped "$1"
}

@test "-g: SIGTSTP stops a command that catches it, and volt-init" {
	for n in TSTP TTIN TTOU; do
		start volt-init -g sh -c \
			"trap 'echo caught' $n; echo ready; while :; do sleep 0.05; done"
		wait_for grep -q ready out
		child=$(pgrep -P "$pid")
		kill -$n "$pid"
		wait_for stopped "$pid"
		wait_for stopped "$child"
		kill -CONT "$pid"
		wait_for goes_on "$pid"
		wait_for goes_on "$child"
		run -1 grep caught out
		kill -KILL "$pid"
		wait_for gone
	done
}

@test "SIGABRT from outside reaches the command, as systemd's watchdog needs" {
	start volt-init sh -c 'ulimit -c 0; trap "echo abort; exit 8" ABRT; echo ready
		while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill -ABRT "$pid"
	ended 8
	for chain in volt-init "volt-ns -Up volt-init"; do
		# shellcheck disable=SC2086 # several words
		start $chain sh -c 'ulimit -c 0; echo ready; exec sleep 1000'
		wait_for grep -q ready out
		kill -ABRT "$pid"
		ended 134
	done
}

grace() {
	start "$@" grace=300ms sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	ended 137
	# It ends in time: its own status.
	start "$@" grace=10s sh -c 'trap "exit 6" TERM; echo ready; while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	ended 6
	# Without grace= there is no limit.
	start "$@" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	sleep 0.5
	kill -0 "$pid"
	kill -KILL "$pid"
}

@test "grace=: SIGKILL for a command that ignores SIGTERM" {
	modes grace
}

@test "grace=: a stopped command, and one that is stopped again" {
	start volt-init grace=300ms sh -c 'echo ready; kill -STOP $$; echo never'
	wait_for grep -q ready out
	wait_for sh -c "cut -d' ' -f3 /proc/$pid/stat | grep -q T"
	kill "$pid"
	kill -CONT "$pid"
	wait_for gone
}

@test "stop=: the signal that a SIGTERM becomes" {
	start volt-init stop=USR2 sh -c 'trap "exit 8" USR2; trap "exit 9" TERM; echo ready
		while :; do sleep 0.05; done'
	wait_for grep -q ready out
	kill "$pid"
	ended 8
	run -125 --separate-stderr volt-init stop=NO true
	[ "$stderr" = "volt-init: stop=NO: not a signal" ]
}

@test "subreaper: a SIGKILL of volt-init kills the command" {
	start volt-init sleep 1000
	wait_for pgrep -P "$pid" -x sleep >/dev/null
	kill -KILL "$pid"
	no_leftovers
}

@test "-k: volt-init dies with its parent" {
	start sh -c 'volt-init -k sleep 1000 & echo ready; sleep 1000; :'
	wait_for sh -c 'pgrep -x volt-init >/dev/null'
	p=$(pgrep -P "$pid" -x volt-init)
	s=$(pgrep -P "$pid" -x sleep || true)
	kill -KILL "$pid"
	wait_for sh -c "! kill -0 $p 2>/dev/null"
	[ -z "$s" ] || kill "$s"
	no_leftovers
}

@test "status=: the line" {
	run -3 bash -c 'volt-init status=9 sh -c "exit 3" 9>s; r=$?; cat s; exit $r'
	[ "$output" = "exit 3" ]
	run -143 env --default-signal bash -c 'volt-init status=9 sh -c "kill \$\$" 9>s; r=$?; cat s
		exit $r'
	[ "$output" = "signal 15" ]
	run -127 --separate-stderr bash -c 'volt-init status=9 /none 9>s; r=$?; cat s; exit $r'
	[ "$output" = "failed 127" ]
	# Also if a link that waits is between them, and exits.
	# shellcheck disable=SC2016 # those sh's
	for chain in volt-init "volt-ns console=pty" \
		"volt-ns -Up volt-init" "volt-init volt-init"; do
		run -137 bash -c 'volt-init status=9 $1 sh -c "kill -9 \$\$" 9>s; r=$?; cat s
			exit $r' \
			bash "$chain"
		[ "$output" = "signal 9" ]
	done
}

notified() {
	# listen FILE: write each datagram to the socket "sock" as a line, until 0.5 s
	# after the last one.
	cat >listen.py <<-'EOF2'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		name = os.environ["NOTIFY_SOCKET"]
		s.bind("\0" + name[1:] if name[0] == "@" else name)
		if name[0] != "@":
		    os.chmod(name, 0o666)
		p = subprocess.Popen(sys.argv[1:])
		s.settimeout(0.1)
		while True:
		    try:
		        # Use one write, because others write there, too.
		        os.write(1, repr(s.recv(65536).decode()).encode() + b"\n")
		    except TimeoutError:
		        if p.poll() is not None:
		            sys.exit(p.returncode)
	EOF2
	# Neither busybox's nc nor bash can send datagrams to a path, so python in the
	# host's root does. The arguments are those of printf; @ sends the same by each
	# descriptor that it can take from its parent.
	cat >tell.py <<-'EOF2'
		import ctypes, os, socket, sys
		def take(n):
		    pid = os.pidfd_open(os.getppid())
		    return ctypes.CDLL(None).syscall(438, pid, n, 0)
		def to(s, message):
		    try:
		        s.send(message)
		    except OSError as e:
		        pass
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(os.environ["NOTIFY_SOCKET"])
		for message in sys.argv[1:]:
		    message = message.encode().decode("unicode_escape").encode("latin1")
		    if message[:1] != b"@":
		        s.send(message)
		        continue
		    taken = [fd for fd in map(take, range(3, 64)) if fd != -1]
		    for fd in taken:
		        if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
		            to(socket.socket(fileno=fd), message[1:])
		    os.write(1, b"taken %d\n" % len(taken))
	EOF2
	NOTIFY_SOCKET=$1 run -0 --separate-stderr python3 listen.py volt-ns "${@:2}" \
		volt-init ready="$PWD/n" sh -c '
		echo "$NOTIFY_SOCKET"
		exec python3 tell.py READY=1 "STATUS=x\\nMAINPID=77\\nFDSTORE=1" MAINPID=9 \
			"READY=1\\rMAINPID=1" "READY=1\\0MAINPID=1" "mainpid=1" "NOTIFYACCESS=all" \
			"$(head -c 5000 /dev/zero | tr "\0" x)" "@MAINPID=66" STOPPING=1'
	[[ $output == *"$PWD/n"* ]]
	[[ $output =~ taken\ [1-9] ]]
	[ "$(grep "^'" <<<"$output")" = "'READY=1'
'STATUS=x'
'STOPPING=1'" ]
	[ ! -e n ]
}

@test "ready=: notifications leave a new root" {
	need_root
	need python3 -c 'import socket'
	export PATH=/usr/bin:$PATH
	PATH=$O/bin:$PATH
	# The old root cannot be seen: only the connected socket leads out.
	notified "$PWD/sock" -mp root=/ chdir="$PWD"
	notified @abstract$$ -mp root=/ chdir="$PWD"
}

@test "ready=: no NOTIFY_SOCKET, or no listener" {
	run -0 env -u NOTIFY_SOCKET volt-init ready="$PWD/n" sh -c 'echo "[$NOTIFY_SOCKET]"'
	[ "$output" = "[]" ]
	run -125 --separate-stderr volt-init ready=x true
	[ "$stderr" = "volt-init: ready=x: the path must begin with /" ]
	need_root
	run -0 env NOTIFY_SOCKET="$PWD/none" volt-ns -mp root="$ROOT_BB" volt-init ready=/run/n true
}

@test "-b: systemd in a delegated group" {
	need_root
	[ -x /lib/systemd/systemd ] || lacks "systemd"
	need volt-cg -d true
	mkdir -m 777 out
	cat >test.service <<-'EOF2'
		[Unit]
		DefaultDependencies=no
		SuccessAction=exit-force
		SuccessActionExitStatus=7
		FailureAction=exit-force
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'cat /proc/1/comm; cat /proc/self/cgroup'
		StandardOutput=file:/out/log
	EOF2
	run -7 timeout 200 volt-cg -d volt-ns -UmpniuC root=/ overlay=tmpfs \
		bind="$PWD/test.service:/etc/systemd/system/test.service:ro" bind="$PWD/out:/out" \
		stop=RTMIN+3 console=pty volt-init -b /lib/systemd/systemd \
		--unit=test.service </dev/null
	run -0 cat out/log
	[ "${lines[0]}" = systemd ]
	grep -qx '0::/system.slice/test.service' <<<"$output"
}

@test "-b: only as PID 1" {
	run -125 --separate-stderr volt-init -b
	[ "$stderr" = "volt-init: boot: not PID 1; volt-ns -p makes one" ]
}

@test "-b: the caller's own file systems are not covered" {
	need_root
	before=$(cat /proc/self/mountinfo)
	run -125 --separate-stderr volt-ns -p volt-init -b true
	[ "$stderr" = "volt-init: boot: /proc is not this PID namespace's; volt-ns -mp mounts one" ]
	[ "$(cat /proc/self/mountinfo)" = "$before" ]
}

@test "-b: an init finds what it expects" {
	need_root
	r=$(copy_root)
	rm "$r/sbin" && mkdir "$r/sbin"
	cat >"$r/sbin/init" <<-'EOF2'
		#!/bin/sh
		echo "$$ $container"
		touch /run/x /tmp/x && mkdir /sys/fs/cgroup/mine && rmdir /sys/fs/cgroup/mine &&
			echo writable
		env | grep VOLT_
		trap 'exit 5' 37
		echo ready
		while :; do sleep 0.1; done
	EOF2
	chmod 755 "$r/sbin/init"
	start volt-ns -mpniuC root="$r" stop=RTMIN+3 volt-init -b
	wait_for grep -q ready out
	kill "$pid"
	ended 5
	run -0 tail -n +2 out
	[ "$output" = "1 volt
writable
ready" ]
}

@test "-N, -v, -h, -V and bad words" {
	run -0 --separate-stderr volt-init -N
	[ "$stderr" = "volt-init: wait as a subreaper" ]
	run -0 --separate-stderr volt-init -v echo x
	[ "$stderr" = "volt-init: wait as a subreaper" ]
	[ "$output" = x ]
	run -0 volt-init -h
	[[ ${lines[0]} == "usage: volt-init [-"* ]]
	run -0 volt-init -V
	[[ $output == "volt-init "* ]]
	run -125 --separate-stderr volt-init
	[ "$stderr" = "volt-init: no command; -h shows the words" ]
	run -125 --separate-stderr volt-init grase=1s true
	[ "$stderr" = "volt-init: grase=: unknown word; the nearest is grace=" ]
	run -125 --separate-stderr volt-init user=x true
	[ "$stderr" = "volt-init: user=: unknown word; -h lists them" ]
	for bad in '' x -1 10 1h 01s 1.5s; do
		run -125 --separate-stderr volt-init "grace=$bad" true
		[ "$stderr" = "volt-init: grace=$bad: not a time (500ms, 10s, 2m)" ]
	done
	run -125 --separate-stderr volt-init grace=99999999999999999999s true
	[ "$stderr" = "volt-init: grace=99999999999999999999s: time too long" ]
	run -125 --separate-stderr volt-init grace=0 true
	[ "$stderr" = "volt-init: grace=0: the time must not be 0" ]
}

@test "with SIGCHLD ignored and signals blocked it works, and the command inherits both" {
	need python3 -c 'import signal'
	run -0 env --default-signal python3 -c 'import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.execvp("volt-init", ["volt-init", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])'
	[[ $output == *"SigBlk:	0000000000000200"* ]]
	[[ $output =~ SigIgn:.*1....$ ]]
}

timeouts() {
	run -124 --separate-stderr "$@" status=1 timeout=200ms sleep 1000
	[ "$stderr" = "volt-init: timeout=: the command ran too long and was terminated" ]
	[ "$output" = "timeout 124" ]
	# Whatever the command does on the signal.
	run -124 --separate-stderr "$@" status=1 timeout=200ms sh -c \
		'trap "exit 0" TERM; while :; do sleep 0.1; done'
	[ "$output" = "timeout 124" ]
	run -124 --separate-stderr "$@" status=1 timeout=200ms grace=200ms sh -c \
		'trap "" TERM; while :; do sleep 0.1; done'
	[ "$output" = "timeout 124" ]
	run -124 --separate-stderr "$@" status=1 timeout=200ms stop=INT sh -c \
		'trap "" TERM; trap "exit 3" INT; while :; do sleep 0.1; done'
	[ "$output" = "timeout 124" ]
	# A command that ends in time, with any status.
	for n in 0 3 124; do
		run "-$n" --separate-stderr "$@" status=1 timeout=1000s sh -c "exit $n"
		[ "$stderr" = "" ]
		[ "$output" = "exit $n" ]
	done
	run -143 --separate-stderr env --default-signal "$@" status=1 timeout=1000s sh -c 'kill $$'
	[ "$output" = "signal 15" ]
	[ "$stderr" = "" ]
}

@test "timeout=: a SIGTERM, 124, and a line of status=" {
	modes timeouts
	# The outer link writes the same line.
	run -124 --separate-stderr volt-ns status=1 volt-init timeout=200ms sleep 1000
	[ "$output" = "timeout 124" ]
	run -124 --separate-stderr volt-ns status=1 volt-init sh -c 'exit 124'
	[ "$output" = "exit 124" ]
	run -125 --separate-stderr volt-init timeout=0 true
	[ "$stderr" = "volt-init: timeout=0: the time must not be 0" ]
}

@test "env= and unset= reach the command, with ready= and without" {
	run -0 env -i A=1 B=2 "$(command -v volt-init)" env=none env=B env=C=3 /usr/bin/env
	[ "$output" = $'B=2\nC=3' ]
	run -0 env -i A=1 B=2 "$(command -v volt-init)" unset=A /usr/bin/env
	[ "$output" = B=2 ]
	run -125 --separate-stderr volt-init env=VOLT_NOTIFY=3 true
	[ "$stderr" = "volt-init: env=VOLT_NOTIFY=3: VOLT_ variables are the chain's own" ]
}

@test "lock= and hold=: as long as the command runs" {
	touch "$BATS_TEST_TMPDIR/file"
	locked() {
		[ "$(awk -v inode="$(stat -c %i file)" '{ split($6, a, ":") }
			a[3] == inode && $4 == "READ"' /proc/locks | wc -l)" = 1 ]
	}
	start volt-init lock="$PWD/file" sleep 1000
	wait_for locked
	kill "$pid"
	ended 143
	run -1 locked
	# The command has neither the lock nor the pipe, which ends with volt-init.
	[ "$(volt-init hold=7 lock="$PWD/file" sh -c 'ls /proc/self/fd; echo x >&7' \
		7>&1 >fds 2>&1 | cat)" = "" ]
	[ "$(grep -cx 7 fds)" = 0 ]
	run -125 --separate-stderr volt-init lock=/none true
	[ "$stderr" = "volt-init: lock=/none: No such file or directory" ]
	run -125 --separate-stderr volt-init hold=77 true
	[ "$stderr" = "volt-init: hold=77: Bad file descriptor" ]
	run -125 --separate-stderr volt-init -b hold=1
	[ "$stderr" = "volt-init: lock= and hold= need a volt-init that waits: not -b" ]
}
