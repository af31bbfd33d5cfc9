#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # scripts for the machine; bats' own variables
#
# The test machine itself. Runs on the host, and boots some ten machines. A boot takes as
# long as a hundred other tests: so each one proves several things.

bats_require_minimum_version 1.5.0

setup_file() {
	"$BATS_TEST_DIRNAME/run" -p
}

setup() {
	machine=$BATS_TEST_DIRNAME/run
	export TMPDIR=$BATS_TEST_TMPDIR
	tree=$BATS_TEST_TMPDIR/tree
	mkdir "$tree"
}

# No process of this test's machines is left, and none of their files.
nothing_left() {
	for _ in {1..600}; do
		pgrep -f "$TMPDIR/volt-machine" >/dev/null || break
		sleep 0.1
	done
	! pgrep -af "$TMPDIR/volt-machine"
}

@test "-h is usage, on stdout" {
	run -0 --separate-stderr "$machine" -h
	[[ "$output" = "usage: tests/machine/run "* ]]
	[ -z "$stderr" ]
}

@test "-D names the packages that the host needs, one a line" {
	run -0 --separate-stderr "$machine" -D
	grep -qx qemu-system-x86 <<<"$output"
	grep -qx mmdebstrap <<<"$output"
	run ! grep '[^a-z0-9.+-]' <<<"$output"
}

@test "wrong options are 125, and boot nothing" {
	run -125 "$machine" -Z true
	run -125 "$machine"
	run -125 --separate-stderr "$machine" -k none true
	[ "$stderr" = "machine: none: no such kernel; there is stable, and backports" ]
	run -125 --separate-stderr "$machine" -a none true
	[ "$stderr" = "machine: none: no such accelerator; there is tcg, and kvm" ]
	run -125 --separate-stderr "$machine" -t 1h true
	[ "$stderr" = "machine: 1h: not a number of seconds" ]
	run -125 "$machine" -d "$tree/none" true
}

@test "a missing tool is named by its package" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	for tool in bash dirname sed sort; do
		ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/bin/"
	done
	# The script adds sbin to the path.
	run -125 --separate-stderr env PATH="$BATS_TEST_TMPDIR/bin" bash "$machine" true
	[[ "$stderr" = "machine: this host lacks Debian's "*" qemu-system-x86"* ]]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "the exit status is the command's" {
	run -125 --separate-stderr "$machine" -d "$tree" sh -c 'exit 125'
	[ -z "$stderr" ]
	run -127 "$machine" -d "$tree" /none
	run -137 "$machine" -d "$tree" sh -c 'kill -9 $$'
	nothing_left
}

@test "stdout and stderr come byte for byte, and apart; arguments go so" {
	head -c 3000000 /dev/urandom >"$tree/random"
	"$machine" -d "$tree" sh -c 'cat random; cat random random >&2; printf "%s|" "$@"' \
		'' '' 'a  b' $'c\nd' '$e' '*' >"$TMPDIR/out" 2>"$TMPDIR/err"
	cat "$tree/random" "$tree/random" | cmp - "$TMPDIR/err"
	{
		cat "$tree/random"
		printf '%s|' '' 'a  b' $'c\nd' '$e' '*'
	} | cmp - "$TMPDIR/out"
}

@test "the tree goes in without .git, /out comes back, and a process left behind holds nothing" {
	mkdir "$tree/.git" "$tree/build"
	echo one >"$tree/build/one"
	ln -s ./build "$tree/link"
	run -4 "$machine" -d "$tree" -o "$TMPDIR/back" -t 60 sh -c '
		pwd; ls -A; readlink link; cp -r build /out; sleep 1000 & exit 4'
	[ "$output" = $'/src\nbuild\nlink\n./build' ]
	[ "$(cat "$TMPDIR/back/build/one")" = one ]
}

@test "time runs out: 124" {
	run -124 --separate-stderr "$machine" -d "$tree" -t 20 sh -c 'echo begun; sleep 1000'
	[ "$output" = begun ]
	[ "${stderr_lines[0]}" = "machine: 20 seconds are over" ]
	nothing_left
}

@test "a panic is 125, and shows the console" {
	run -125 --separate-stderr "$machine" -d "$tree" sh -c '
		echo before; echo c >/proc/sysrq-trigger'
	[ "$output" = before ]
	[ "${stderr_lines[0]}" = "machine: the machine died" ]
	grep -q 'Kernel panic - not syncing: sysrq triggered crash' <<<"$stderr"
	nothing_left
}

@test "QEMU's own failure is 125, and says why" {
	run -125 --separate-stderr "$machine" -d "$tree" -m 1Z true
	grep -q '^machine: qemu-system-x86_64: .*1Z' <<<"$stderr"
}

@test "Ctrl-C, and the death of the runner, leave no process" {
	run -130 timeout --preserve-status -s INT 3 "$machine" -d "$tree" sleep 1000
	nothing_left
	[ -z "$(ls -d "$TMPDIR"/volt-machine.* 2>/dev/null)" ]
	"$machine" -d "$tree" sleep 1000 3>&- &
	until pgrep -f "qemu.*$TMPDIR/volt-machine" >/dev/null; do
		kill -0 "$!"
		sleep 0.1
	done
	kill -KILL "$!"
	nothing_left
}

# What the tests of the project rely on; the same with both kernels.
probe() {
	cat >"$tree/probe" <<'END'
set -eux
exec 2>&1
[ "$(id -u)" = 0 ]
[ "$PWD" = /src ]

# cgroup v2, with every controller for the children of the root
for c in cpu cpuset io memory pids hugetlb; do
	grep -qw $c /sys/fs/cgroup/cgroup.controllers
	grep -qw $c /sys/fs/cgroup/cgroup.subtree_control
done
grep -q '/sys/fs/cgroup cgroup2 .*nsdelegate' /proc/mounts

for fs in devpts mqueue securityfs bpf tracefs; do
	grep -qw $fs /proc/mounts
done
[ "$(stat -f -c %T /tmp)" = tmpfs ]
[ "$(stat -f -c %T /dev/shm)" = tmpfs ]
grep -q landlock /sys/kernel/security/lsm
: >/tmp/file

# devices whose module loads when they are opened
for node in kvm net/tun fuse loop-control vhost-net vhost-vsock; do
	: <>/dev/$node
done
python3 -c 'import fcntl; fcntl.ioctl(open("/dev/kvm", "r+b", 0), 0xae01)'
grep -q kvm_amd /proc/modules
modprobe -a overlay erofs squashfs loop nf_tables veth bridge tun
[ -s "/boot/vmlinuz-$(uname -r)" ]

# the ordinary user, and its own user namespace
[ "$(id -u user)" = 1000 ]
[ "$(su user -c 'unshare --map-root-user --map-auto cat /proc/self/uid_map' | wc -l)" = 2 ]

# networks of our own
ping -c 1 -W 20 127.0.0.1
ip link add v0 type veth peer name v1
nft add table inet t

# what is installed
for c in bats bwrap busybox capsh crun curl jq mkfs.erofs mksquashfs nc nsenter \
	passt runc setpriv socat strace systemd-nspawn; do
	command -v $c
done
! command -v cc
END
}

@test "the stable kernel has the features that the tests need" {
	probe
	run -0 "$machine" -d "$tree" sh probe
}

@test "the backports kernel has them too, and two processors, and a guest of that kernel" {
	probe
	cp -r "$BATS_TEST_DIRNAME/../../build/bin" "$tree/"
	run -0 "$machine" -m 2G -d "$tree" -c 2 -k backports sh -c \
		'[ "$(nproc)" = 2 ] && . ./probe &&
		timeout 600 bin/volt-kvm kernel="/boot/vmlinuz-$(uname -r)" boot_timeout=400s \
			volt-init -V'
	[ "${lines[-1]}" = "$("$tree/bin/volt-init" -V)" ]
}

@test "systemd is PID 1, with journal, machined, and user sessions" {
	cat >"$tree/probe" <<'END'
set -eux
exec 2>&1
[ "$(cat /proc/1/comm)" = systemd ]
[ "$(systemctl is-system-running --wait)" = running ]
systemd-run --wait --pipe -p MemoryMax=64M echo from a unit
systemd-run --quiet --wait --unit=ours sh -c 'echo to the journal'
journalctl --sync
[ "$(journalctl -u ours -o cat _TRANSPORT=stdout)" = "to the journal" ]
machinectl list
systemd-run --wait --pipe --user -M user@ -p Delegate=yes id -un
: <>/dev/kvm
END
	run -0 "$machine" -d "$tree" -s sh probe
}
