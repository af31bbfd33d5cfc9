#!/usr/bin/env bats
# volt-seccomp: a filter means what its profile says. An interpreter of both, which shares no
# code with it, checks that (tests/helpers/filter.py).

bats_require_minimum_version 1.5.0

setup() {
	load lib
	cd "$BATS_TEST_TMPDIR" || return
	leftovers_begin
}

teardown() {
	end_test
}

@test "volt-lock's and volt-kvm's own filters mean what their text says, call by call" {
	command -v python3 >/dev/null || lacks python3
	volt-seccomp -n >names
	for p in strict default ports no-tcp no-listen no-udp no-net no-unix kvm-vcpu \
		kvm-disk kvm-io; do
		volt-seccomp profile="$TOP/share/$p.seccomp" \
			groups="$TOP/share/seccomp.groups" >filter
		volt-seccomp -r profile="$TOP/share/$p.seccomp" \
			groups="$TOP/share/seccomp.groups" >reference
		run -0 python3 "$TOP/tests/helpers/filter.py" filter "$TOP/share/$p.seccomp" \
			"$TOP/share/seccomp.groups" names reference
		[[ $output == *" 0 differ" ]]
	done
}

@test "every comparison, mask and half of an argument" {
	command -v python3 >/dev/null || lacks python3
	volt-seccomp -n >names
	cat >profile <<-'EOF'
		@two: getuid getgid
		@four: @two geteuid getegid
		read if a0==5
		read if a0:32!=7 a1>0x100000000 = EINVAL
		read if a2>=0xffffffffffffffff = kill
		read = deny
		write if a0<3
		write if a0<=0x1ffffffff a1&0xff00000000==0x1200000000 = log
		write if a3:32&0xf0!=0x10 a4:32>5 a4:32<=10 = EACCES
		close if a0>2 a1<0x500000000
		close if a5&SOCK_STREAM|0x100==0x100 = ENOENT
		@four if a0&0x8000000000000000!=0 = kill
		@two
		* = EOPNOTSUPP
	EOF
	volt-seccomp profile=./profile >filter
	run -0 python3 "$TOP/tests/helpers/filter.py" filter profile /dev/null names
	[[ $output == *" 0 differ" ]]
}

@test "a call that a line names twice counts once, in groups of groups too" {
	cat >twice <<-'EOF'
		@a: read read write
		@b: @a read @a
		@c: @b @a @b
		@c read if a0==1
		@b @c if a0==2 = EPERM
	EOF
	printf '%s\n' 'read write if a0==1' 'read write if a0==2 = EPERM' >once
	volt-seccomp -l profile=./twice >twice.list
	volt-seccomp -l profile=./once >once.list
	cmp twice.list once.list
}

@test "a filter with far jumps" {
	command -v python3 >/dev/null || lacks python3
	volt-seccomp -n >names
	awk '{ for (i = 0; i < 4; i++)
		printf "%s if a%d==0x%d00000000%d = E%s\n", $2, i, i + 1, $1 % 7,
			i % 2 ? "INVAL" : "PERM"
	}' names | head -n 560 >profile
	volt-seccomp profile=./profile >filter
	run -0 python3 "$TOP/tests/helpers/filter.py" filter profile /dev/null names
	[[ $output == *" 0 differ" ]]
	awk '{ for (i = 0; i < 8; i++)
		printf "%s if a%d!=0x%d00000000%d = EPERM\n", $2, i % 6, i + 1, $1 % 7
	}' names >profile
	run -125 --separate-stderr volt-seccomp profile=./profile
	[ "$stderr" = "volt-seccomp: ./profile: Argument list too long" ]
}

@test "no filter is written to a terminal, and no command is accepted" {
	run -125 --separate-stderr volt-seccomp profile=strict.seccomp true
	[ "$stderr" = "volt-seccomp: true: takes no command" ]
	run -125 script -qec "volt-seccomp profile=strict.seccomp" /dev/null </dev/null
	[ "${output%$'\r'}" = "volt-seccomp: the filter is binary: -c or -l, or into a file" ]
	run -125 --separate-stderr volt-seccomp
	[ "$stderr" = "volt-seccomp: no profile=; -h shows the words" ]
	run -125 volt-seccomp profile=strict.seccomp groups=./none
	volt-seccomp profile=strict.seccomp >filter
	[ "$(stat -c %s filter)" = $((8 * $(volt-seccomp -l profile=strict.seccomp | wc -l))) ]
}
