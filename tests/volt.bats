#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
#
# volt(1). What needs no systemd runs as an ordinary user, with directories of its own and,
# where a test says so, with a systemctl that only remembers what it was told. The tests
# named "systemd:" run on the test machine, with systemd as PID 1.

load lib

setup() {
	user_dir
	cd "$BATS_TEST_TMPDIR" || return
	leftovers_begin
}

teardown() {
	end_test
}

# --- without systemd ----------------------------------------------------------

# home: make a place for the user's machines, and the command $V, which runs a volt with it.
home() {
	D=$(mktemp -d "$USER_DIR/v.XXXXXX")
	CONF=$D/conf/volt/machines
	DATA=$D/state/volt/machines
	mkdir "$D/shims"
	chmod 755 "$D" && chown -R "$TEST_UID" "$D"
	V="env HOME=$D XDG_CONFIG_HOME=$D/conf XDG_STATE_HOME=$D/state XDG_RUNTIME_DIR=$D/run"
	V+=" PATH=$D/shims:$USER_DIR/bin:$PATH"
}

# volt ARGUMENT ...: run it as the user.
volt() {
	# shellcheck disable=SC2086 # words
	as_user $V volt "$@"
}

# fake_systemd: a user's manager that remembers what it was told in $D/told. A machine runs if
# $D/up/UNIT exists. It refuses to start a unit that is named in $D/broken.
fake_systemd() {
	mkdir -p "$D/run/systemd" "$D/up"
	cat >"$D/shims/systemctl" <<-EOF
		#!/bin/sh
		echo "\$*" >>"$D/told"
		for unit; do :; done
		[ "\$2" != -q ] || shift
		case \$2 in
		is-enabled | is-active) exit 1 ;;
		start | restart)
			! grep -qsx "\$unit" "$D/broken" || { echo "Job failed."; exit 1; }
			: >"$D/up/\$unit"
			;;
		stop) rm -f "$D/up/\$unit" ;;
		show)
			[ -e "$D/up/\$unit" ] && state=active || state=inactive
			[ "\$3" = -P ] || echo "ActiveState=\$state"
			;;
		esac
	EOF
	printf '#!/bin/sh\n' >"$D/shims/journalctl"
	chmod 755 "$D/shims/"*
	chown -R "$TEST_UID" "$D"
	(cd "$D/run/systemd" && as_user python3 -c 'import socket
socket.socket(socket.AF_UNIX).bind("private")')
}

# told WORD ...: print what systemctl was told of these, and forget all.
told() {
	grep -E "^--user ($(tr ' ' '|' <<<"$*")) " "$D/told" | sed 's/^--user //; s/ -- / /'
	: >"$D/told"
}

# file NAME: make this machine's file of what comes in.
file() {
	as_user mkdir -p "$CONF"
	as_user sh -c 'umask 022; cat >"$1"' sh "$CONF/$1"
}

# Nothing but whole machines is left.
whole() {
	local file

	run -0 find "$D/conf" -name '.*'
	[ -z "$output" ]
	for file in "$CONF"/*; do
		[ ! -e "$file" ] || run -0 volt inspect "${file##*/}"
	done
}

@test "a wrong verb and wrong arguments are 125, and -h and -V work" {
	home
	run -0 volt -h
	[ "${lines[0]}" = "usage: volt verb [argument ...]" ]
	run -0 volt -V
	[[ $output =~ ^volt\ [0-9.]+$ ]]
	run -125 volt
	run -125 volt nil
	[ "${lines[0]}" = "volt: nil: no such verb" ]
	for verb in create start stop restart destroy cp set apply chain exec logs inspect; do
		run -125 volt "$verb"
		[ "${lines[0]}" = "usage: volt verb [argument ...]" ]
	done
}

@test "names: what is no label of a host name is refused, and nothing is made" {
	local name long

	home
	long=$(printf 'a%.0s' {1..63})
	for name in '' . .. a.b ../a /etc a/b A 1a -a a- _ 'a b' $'a\nb' 'a;b' '$(id)' a@b '*' \
		"a'b" $'\e[1m' é "${long}a"; do
		run -125 --separate-stderr volt create "$name" root=/ true
		[[ $stderr == "volt: "*": not a name: "* ]] && [ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr != *$'\e'* ]]
	done
	for verb in destroy inspect start stop restart chain exec logs; do
		run -125 --separate-stderr volt "$verb" ../a
		[[ $stderr == "volt: ../a: not a name: "* ]] && [ "${#stderr_lines[@]}" = 1 ]
	done
	run -0 volt create "$long" root="$ROOT_USER" true
	[ "$(ls -A "$CONF")" = "$long" ]
}

@test "create: the file of a container, of a guest, and of one that boots" {
	home
	cd "$USER_DIR"
	run -0 volt create web root=root port=8080:80 memory.max=64M cpus=0.5 env=A=B \
		caps=none @server seccomp=strict grace=5s uid=33 -- sh -c 'echo  "x"; exit'
	[ -z "$output" ]
	run -0 cat "$CONF/web"
	[ "$output" = "# A machine of volt(1). volt-machines(5) says what this means.
memory.max=64M
cpus=0.5

[volt-net]
-d
port=8080:80

[volt-ns]
-UmpniuC
env=none
env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=$PWD/root
env=A=B
uid=33
overlay=$DATA/web
hostname=web
console=pipe

[volt-init]
grace=5s

[volt-lock]
caps=none
@server
seccomp=strict

[sh]
-c
echo  \"x\"; exit" ]
	volt create boot root=/srv/deb overlay=tmpfs
	run -0 cat "$CONF/boot"
	[[ $output == *$'\noverlay=tmpfs\nhostname=boot\nconsole=pipe\nstop=RTMIN+3\n\n'* ]]
	[[ $output == *$'\n[volt-init]\n-b' ]]
	volt create ondemand root=/srv/deb ip=10.88.0.3 listen=80:80 idle=30m true
	run -0 head -n 6 "$CONF/ondemand"
	[[ $output == *$'\nlisten=80:80\nidle=30m\n\n[volt-net]\n-d' ]]
	volt create vm kind=vm kernel=/k disk=/d:ro memory=1G cpus=2 port=1:2 caps=none uname -a
	run -0 cat "$CONF/vm"
	[ "$output" = "# A machine of volt(1). volt-machines(5) says what this means.

[volt-net]
-t
port=1:2

[volt-kvm]
kernel=/k
disk=/d:ro
memory=1G
cpus=2
hostname=vm
control=$D/run/volt/vm
stop_timeout=20s

[volt-lock]
caps=none

[uname]
-a" ]
	run -0 volt list
	[ "${lines[1]%% -*}" = "boot      stopped  container " ]
	[ "${lines[2]%% -*}" = "ondemand  stopped  container " ]
	[ "${lines[3]%% -*}" = "vm        stopped  vm        " ]
}

@test "create: image=NAME and kernel=NAME become the words of an image and of a kernel" {
	home
	command -v skopeo umoci mkfs.erofs >/dev/null || lacks "skopeo, umoci and mkfs.erofs"
	need as_user unshare -U true
	# An image without a program: only what it says matters here.
	(
		cd "$BATS_TEST_TMPDIR"
		umoci init --layout layout
		umoci new --image layout:web
		umoci config --image layout:web --config.env A=of-image --config.env B=x \
			--config.workingdir /srv --config.user 33:34 --config.stopsignal SIGQUIT \
			--config.cmd serve --config.cmd 'all of it'
		chmod -R a+rX .
	) >/dev/null 2>&1
	chmod a+rx "$BATS_TEST_TMPDIR"
	volt create a "image=oci:$BATS_TEST_TMPDIR/layout:web" env=A=mine uid=5
	run -0 grep -vE '^(#|image=|overlay=|$)' "$CONF/a"
	[ "$output" = "[volt-ns]
-UmpniuC
env=none
env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env=A=mine
uid=5
env=B=x
chdir=/srv
gid=34
stop=SIGQUIT
hostname=a
console=pipe
[volt-init]
grace=10s
[serve]
all of it" ]
	run -0 grep '^image=' "$CONF/a"
	[[ $output == "image=$D"/*/images/*/root* ]]
	# By its name, which volt-image gave it; with another command; and as a guest.
	volt create b image=web true
	[ "$(tail -n 1 "$CONF/b")" = "[true]" ]
	volt create c kind=vm image=web
	words='disk=.*/images/.*/root:ro.*|overlay=tmpfs|env=A=of-image|\[volt-kvm\]'
	run -0 grep -cE "^($words)$" "$CONF/c"
	[ "$output" = 4 ]
	python3 "$TOP/tests/helpers/deb.py" good.deb good
	chmod a+r good.deb
	# shellcheck disable=SC2086 # words
	run -0 as_user $V volt-image kernel "$BATS_TEST_TMPDIR/good.deb" mine
	volt create e kernel=mine disk=/d:ro true
	run -0 grep -cE "^(kernel=/.*/kernels/mine/vmlinuz|modules=/.*/kernels/mine/.*)$" "$CONF/e"
	[ "$output" = 2 ]
	for word in "image=nil" "kernel=nil"; do
		run -125 --separate-stderr volt create d "$word" true
		[ "$stderr" = "volt-image: nil: no such ${word%%=*}" ]
		[ ! -e "$CONF/d" ]
	done
}

@test "create: what it refuses leaves nothing" {
	home
	refuses() {
		local want=$1

		shift
		run -125 --separate-stderr volt create a "$@"
		[[ ${stderr_lines[0]} == "volt: $want (operation "????????")" ]] ||
			[ "${stderr_lines[0]}" = "$want" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		run -0 find "$D/conf" "$D/state" -mindepth 1 -type f
		[ -z "$output" ]
	}
	as_user mkdir -p "$D/conf" "$D/state"
	refuses "a: root=DIR or image=FILE must say what it runs in" true
	refuses "nil=: no program of a machine has this word" root=/ nil=1 true
	refuses "-U: words are wanted here; flags are in the file" root=/ -U true
	refuses "x?y: cannot be a line of a machine's file (volt-machines(5))" root=/ true $'x\ny'
	refuses " x: cannot be a line of a machine's file (volt-machines(5))" root=/ true " x"
	refuses ": cannot be a line of a machine's file (volt-machines(5))" root=/ true ""
	refuses "#x: cannot be a line of a machine's file (volt-machines(5))" root=/ true "#x"
	refuses "[x]: cannot be a line of a machine's file (volt-machines(5))" root=/ true "[x]"
	refuses "env=A=?: cannot be a line of a machine's file (volt-machines(5))" root=/ \
		env=A=$'\n' true
	refuses "volt-cg: memory.max=x: not a size (4096, 512K, 16M, 2G, 1T)" \
		root=/ memory.max=x true
	refuses "volt-cg: cpu.weight.nice=1: systemd has no property for this" root=/ \
		cpu.weight.nice=1 true
}

@test "create: a second one of the name is refused, and the first stays as it is" {
	home
	volt create web root=/srv/a true
	before=$(cat "$CONF/web")
	run -125 --separate-stderr volt create web root=/srv/b true
	[[ $stderr == "volt: web: there is such a machine already (operation "????????")" ]]
	[ "$(cat "$CONF/web")" = "$before" ]
	whole
}

@test "create: of ten at once, one makes the machine" {
	local n made=0

	home
	for n in {1..10}; do
		volt create web root=/srv/$n true >"out.$n" 2>&1 3>&- &
		pids[n]=$!
	done
	for n in {1..10}; do
		if wait "${pids[n]}"; then
			made=$((made + 1)) winner=$n
		else
			grep -q "^volt: web: there is such a machine already" "out.$n"
		fi
	done
	[ "$made" = 1 ]
	grep -qx "root=/srv/$winner" "$CONF/web"
	whole
}

@test "create, destroy: killed at each change of a file, the next verb finishes or undoes it" {
	home
	# Half a machine is never there.
	check() {
		no_hang "$1"
		if [ -e "$CONF/web" ]; then
			run -0 volt inspect web
			[[ $output == *"chain volt-ns "*" -- true" ]]
		fi
		volt create other root=/srv/b true
		volt destroy other
		if [ -e "$CONF/web" ]; then
			[ "$again" = 1 ] || volt destroy web
		else
			[ ! -e "$DATA/web" ]
			[ "$again" = 0 ] || make
		fi
		[ "$again" = 1 ] || [ "$(find "$CONF" "$DATA" -mindepth 1)" = "" ]
		whole
	}
	make() {
		volt create web root=/srv/a true
		as_user mkdir -p "$DATA/web/upper"
		as_user touch "$DATA/web/upper/file"
	}
	calls='link(at)?|rename(at2?)?|unlink(at)?|rmdir|fsync|mkdir'
	as_user mkdir -p "$DATA" "$CONF"
	chmod 777 "$BATS_TEST_TMPDIR" # strace writes there
	again=0
	# shellcheck disable=SC2086 # words
	kill_at_every_call -c "$calls" -w "as_user $V" check volt create web root=/srv/a true
	again=1
	make
	# shellcheck disable=SC2086 # words
	kill_at_every_call -c "$calls" -w "as_user $V" check volt destroy web
}

@test "create: a full disk is one line, and nothing is left" {
	home
	need as_user unshare -Um --map-current-user --keep-caps true
	as_user mkdir -p "$D/conf"
	cat >"$D/script" <<-'EOF'
		mount -t tmpfs -o size=8k,mode=755 tmpfs "$XDG_CONFIG_HOME"
		mkdir -p "$XDG_CONFIG_HOME/volt/machines"
		head -c 8192 /dev/zero >"$XDG_CONFIG_HOME/fill" 2>/dev/null
		volt create web root=/srv/a true
		echo "status $?"
		find "$XDG_CONFIG_HOME/volt" -type f
		rm "$XDG_CONFIG_HOME/fill"
		volt create web root=/srv/a true && volt list
	EOF
	# shellcheck disable=SC2086 # words
	run -0 as_user $V unshare -Um --map-current-user --keep-caps sh "$D/script"
	[[ ${lines[0]} == "volt: web: cannot write its file: No space left on device ("* ]]
	[ "${lines[1]}" = "status 125" ]
	[[ ${lines[2]} == NAME* ]]
	[ "${lines[3]%% -*}" = "web   stopped  container " ]
}

@test "file: each mistake is one line that names the place" {
	home
	says() {
		printf '%b' "$1" | file web
		run -125 --separate-stderr volt chain web
		[ "$stderr" = "volt: $2" ]
		# It does not hide the machine.
		run -0 volt list
		[[ ${lines[1]} == "web   stopped  -"* ]]
	}
	says '' 'web:0: no section: there is nothing to run'
	says '# only this\n\n' 'web:2: no section: there is nothing to run'
	says 'memory.max=1G\n' 'web:1: no section: there is nothing to run'
	says 'root=/x\n[true]\n' \
		'web:1: not a limit; other words are below the name of a program'
	says '[]\n' 'web:1: not a section: a program between [ and ]'
	says '[true\n' 'web:1: not a section: a program between [ and ]'
	says 'idle=x\n[true]\n' 'web:1: not a time, such as 30m'
	says 'idle=5m\n[true]\n' 'web:2: idle= is for a machine with listen='
	says 'listen=80\n[true]\n' 'web:1: not one [ADDRESS:]PORT:PORT'
	says 'listen=1:1\nlisten=2:2\n[true]\n' 'web:2: not one [ADDRESS:]PORT:PORT'
	says 'listen=[::1]:1:1\n[volt-ns]\nip=1.2.3.4\n[true]\n' \
		"web:4: listen= needs the machine's address: ip= in [volt-net]"
	says '[volt-ns]\nroot\n' 'web:2: not a flag, a word or an include'
	says '[volt-ns]\n--\n' 'web:2: not a flag, a word or an include'
	says '[volt-ns]\n-U\n\n  -x=1\n' 'web:4: not a flag, a word or an include'
	says '[volt-init]\n/bin/sh\n' 'web:2: not a flag, a word or an include'
	says '[/opt/volt-init]\nsh\n' 'web:2: not a flag, a word or an include'
	says '[echo]\na\x07b\n' 'web:2: a control character'
	says '[echo]\n\x1b[31m\n' 'web:2: a control character'
	says '[echo]\na\0b\n' "web: $CONF/web: not a text file"
}

@test "file: one that others may write, or that is no plain file, runs nothing" {
	home
	says() {
		run -125 --separate-stderr volt chain web
		[ "$stderr" = "volt: $1" ]
	}
	bad="web: $CONF/web: not a plain file of this user that nobody else can write, up to 1 MiB"
	printf '[true]\n' | file web
	run -0 volt chain web
	chmod g+w "$CONF/web"
	says "$bad"
	chmod 602 "$CONF/web"
	says "$bad"
	mv "$CONF/web" "$CONF/../other"
	as_user ln -s ../other "$CONF/web"
	says "$bad"
	rm "$CONF/web"
	mkfifo "$CONF/web"
	says "web: no such machine in $CONF"
	rm "$CONF/web"
	{
		printf '[true]\n'
		head -c 1100000 /dev/zero | tr '\0' x
	} | file web
	says "$bad"
	need_root
	chown root "$CONF/web"
	says "$bad"
}

@test "chain: a line is an argument, whatever it is" {
	home
	file web <<-'EOF'
		# A comment
		  [printf]
		<%s>
		a  b
			$(id) `id` 'x' "y" \n \\
		-v
		@none
		--
		]x
		*
	EOF
	run -0 --separate-stderr volt chain web
	[ "$output" = '<a  b><$(id) `id` '"'x'"' "y" \n \\><-v><@none><--><]x><*>' ]
	# What inspect shows is that chain, for a shell.
	run -0 volt inspect web
	run -0 sh -c "$(sed 's/^chain //' <<<"${lines[-1]}")"
	[ "$output" = '<a  b><$(id) `id` '"'x'"' "y" \n \\><-v><@none><--><]x><*>' ]
}

@test "chain: a section ends the words of the one before" {
	home
	need as_user unshare -U true
	# Without "--" these would be words of volt-init and of volt-ns.
	printf '[volt-ns]\n-U\n[volt-init]\ngrace=1s\n[a=b]\nx\n' | file web
	run -127 --separate-stderr volt chain web
	[ "$stderr" = "volt-init: exec a=b: No such file or directory" ]
	printf '[volt-ns]\n-U\n[volt-init]\n[sh]\n-c\necho "$0 $1"; exit 3\nhostname=x\ny z\n' |
		file web
	run -3 --separate-stderr volt chain web
	[ "$output" = "hostname=x y z" ]
	run -0 volt chain -N web
	[[ $output == *"volt-ns: "*"volt-init: "* ]]
	printf '[true]\n' | file web
	run -125 --separate-stderr volt chain -N web
	[ "$stderr" = "volt: web: -N: the first program of the chain is not one of volt's" ]
	# Limits hold without systemd, too: or the chain does not run.
	printf 'pids.max=3\n[true]\n' | file web
	run -125 --separate-stderr volt chain web
	[[ ${stderr_lines[0]} == "volt-cg: "* ]]
}

@test "list, inspect, stats: JSON that a parser accepts, whatever the file says" {
	home
	volt create web root=/srv/a memory.max=1G pids.max=3 -- sh -c 'echo "\"\\"	é'
	printf 'nonsense\n' | file bad
	run -0 --separate-stderr volt list -j
	[ "$(jq -c '[.[] | [.name, .state, .kind, .memory]]' <<<"$output")" = \
		'[["bad","stopped",null,null],["web","stopped","container",null]]' ]
	run -0 --separate-stderr volt inspect -j web
	[ "$(jq -r .limits <<<"$output")" = "memory.max=1G pids.max=3" ]
	[[ $(jq -r .chain <<<"$output") == *" -- sh -c 'echo \"\\\"\\\\\"	é'" ]]
	run -0 --separate-stderr volt stats -j
	[ "$(jq -c '[.[] | .name]' <<<"$output")" = '["bad","web"]' ]
	as_user rm -r "$CONF"
	run -0 volt list -j
	[ "$(jq -c . <<<"$output")" = "[]" ]
	run -0 volt list
	[ "${#lines[@]}" = 1 ]
}

@test "set: the file, and the living machine" {
	home
	fake_systemd
	volt create web root=/srv/a memory.max=1G true
	volt set web memory.max=2G pids.max=9
	run -0 head -n 4 "$CONF/web"
	[ "$output" = "# A machine of volt(1). volt-machines(5) says what this means.
memory.max=2G
pids.max=9" ]
	[ -z "$(told set-property)" ]
	volt start web
	volt set web memory.max=3G "io.max=/dev/null rbps=1M" 2>/dev/null || true
	volt set web memory.max=3G
	[ "$(told set-property | tail -n 1)" = \
		"set-property --runtime volt@web.service MemoryMax=3221225472 TasksMax=9" ]
	before=$(cat "$CONF/web")
	for word in memory.max=x nil.x=1 env=A hostname=b root=/ memory.max $'pids.max=1\n2' \
		'pids.max=1 '; do
		run -125 --separate-stderr volt set web "$word"
		[ "${#stderr_lines[@]}" = 1 ]
		[ "$(cat "$CONF/web")" = "$before" ]
	done
	# What systemd refuses is not in the file either.
	printf '#!/bin/sh\n[ "$2" != set-property ] || { echo "No."; exit 1; }\n%s\n' \
		'echo ActiveState=active' >"$D/shims/systemctl"
	run -125 --separate-stderr volt set web memory.max=5G
	[[ $stderr == "volt: web: No. (operation "* ]]
	[ "$(cat "$CONF/web")" = "$before" ]
	whole
}

@test "start, stop: without systemd, and with a unit that fails, one line" {
	home
	volt create web root=/srv/a true
	for verb in start stop restart exec; do
		run -125 --separate-stderr volt "$verb" web
		[[ $stderr == "volt: no systemd runs for this user: log in, or loginctl "* ]]
		[ "${#stderr_lines[@]}" = 1 ]
	done
	run -125 --separate-stderr volt run root=/srv/a true
	[ "${#stderr_lines[@]}" = 1 ]
	fake_systemd
	echo volt@web.service >"$D/broken"
	run -125 --separate-stderr volt start web
	[[ $stderr == "volt: web: did not start: Job failed. (operation "????????")" ]]
	# All are checked before one starts.
	run -125 --separate-stderr volt start web nil
	[ "$stderr" = "volt: nil: no such machine in $CONF" ]
	run ! grep -q 'start -- volt@nil' "$D/told"
}

@test "cp: what it refuses, before it copies" {
	home
	fake_systemd
	volt create web root=/srv/a true
	as_user mkdir -p "$D/to/etc" "$D/to/file"
	refuses() {
		run -125 --separate-stderr volt cp "$2" "$3"
		[ "$stderr" = "volt: $1" ]
	}
	both="cp: one of the two must be NAME:FILE (write ./a:b for a file of the host)"
	refuses "$both" "$D/to" ./x
	refuses "$both" web:/a web:/b
	refuses "$both" "$D/to" Web:/a
	refuses "nil: no such machine in $CONF" "$D/to" nil:/x
	refuses "web: it does not run" web:/a "$D/to"
	volt start web
	refuses "$D/to/etc: it is there already" web:/etc "$D/to"
	refuses "/: name a file or directory" web:/ "$D/to"
	refuses "/..: name a file or directory" web:/.. "$D/to"
	run -125 --separate-stderr volt cp web:/a "$D/nil/x"
	[ "$(find "$D/to" | wc -l)" = 3 ]
}

@test "destroy: stops it first, and takes its changes along" {
	home
	fake_systemd
	volt create web root=/srv/a true
	as_user mkdir -p "$DATA/web/upper" "$DATA/other"
	volt start web
	: >"$D/told"
	volt destroy web
	[ "$(told start stop disable)" = "stop volt-demand-web.* volt@web.service" ]
	[ ! -e "$DATA/web" ] && [ -e "$DATA/other" ]
	[ -z "$(ls -A "$CONF")" ]
	# One that does not stop stays.
	volt create web root=/srv/a true
	printf '#!/bin/sh\necho ActiveState=active\n' >"$D/shims/systemctl"
	run -125 --separate-stderr volt destroy web
	[[ $stderr == "volt: web: it does not stop (operation "* ]]
	[ -e "$CONF/web" ]
}

@test "apply: the plan, what it does, and nothing the second time" {
	home
	fake_systemd
	as_user mkdir "$D/git"
	for name in a b; do
		printf '[true]\n' >"$D/git/$name"
	done
	printf 'no machine\n' >"$D/git/README.md"
	mkdir "$D/git/dir"
	volt create hand root=/srv/a true
	chown -R "$TEST_UID" "$D/git"
	run -0 volt apply -N "$D/git"
	[ "$output" = $'create a\nstart a\ncreate b\nstart b' ]
	[ "$(ls "$CONF")" = hand ]
	run -0 volt apply "$D/git"
	[ "$output" = $'create a\nstart a\ncreate b\nstart b' ]
	[ "$(told start restart stop)" = $'start volt@a.service\nstart volt@b.service' ]
	run -0 volt apply "$D/git"
	[ -z "$output" ]
	[ -z "$(told start restart stop)" ]
	# One is changed, one stands still, one is new, and one is gone.
	printf 'pids.max=9\n[true]\n' >"$D/git/a"
	volt stop b
	printf '[true]\n' | as_user tee "$D/git/c" >/dev/null
	run -0 volt apply "$D/git"
	[ "$output" = $'change a\nrestart a\nstart b\ncreate c\nstart c' ]
	rm "$D/git/b"
	: >"$D/told"
	run -0 volt apply "$D/git"
	[ "$output" = "destroy b" ]
	[ "$(told start restart stop)" = "stop volt-demand-b.* volt@b.service" ]
	[ "$(ls "$CONF")" = $'a\nc\nhand' ]
	whole
}

@test "apply: mistakes are found first, and what others made stays" {
	home
	fake_systemd
	as_user mkdir "$D/git"
	run -125 --separate-stderr volt apply "$D/git"
	[ "$stderr" = "volt: $D/git: there is no machine in it; nothing is done" ]
	run -125 --separate-stderr volt apply "$D/nil"
	printf '[true]\n' | as_user tee "$D/git/a" "$D/git/b" "$D/git/hand" >/dev/null
	printf 'nonsense\n' | as_user tee "$D/git/z" >/dev/null
	run -125 --separate-stderr volt apply "$D/git"
	[ "$stderr" = "volt: $D/git/z:1: not a limit; other words are below the name of a program" ]
	[ ! -e "$CONF" ] || [ -z "$(ls -A "$CONF")" ]
	rm "$D/git/z"
	# A machine made by hand is not apply's; one that fails does not keep the others.
	volt create hand root=/srv/a true
	before=$(cat "$CONF/hand")
	echo volt@a.service >"$D/broken"
	run -125 --separate-stderr volt apply "$D/git"
	[ "$output" = $'create a\nstart a\ncreate b\nstart b\nrefuse hand' ]
	[[ ${stderr_lines[0]} == "volt: a: did not start: "* ]]
	[[ ${stderr_lines[1]} == "volt: hand: apply did not make this machine"* ]]
	[ -e "$D/up/volt@b.service" ]
	[ "$(cat "$CONF/hand")" = "$before" ]
	# An empty checkout destroys nothing.
	rm "$D/git/"*
	run -125 --separate-stderr volt apply "$D/git"
	[ "$(ls "$CONF")" = $'a\nb\nhand' ]
}

@test "doctor: one line for each thing, with what it costs and the mend" {
	home
	run -0 --separate-stderr volt doctor
	[ -z "$stderr" ]
	[ "${#lines[@]}" -ge 10 ]
	for line in "${lines[@]}"; do
		[[ $line =~ ^(ok\ \ \ \ [^:]+(:\ .+)?|lacks\ [^:]+:\ [^\;]+\;\ .+)$ ]]
	done
	for what in "user namespaces" Landlock KVM systemd; do
		grep -qE "^(ok   |lacks) $what" <<<"$output"
	done
}

@test "VOLT_READY: the last link says that the command starts, once, and not before" {
	# ready CMD ...: print the command's status, and what came to NOTIFY_SOCKET.
	ready() {
		python3 -c 'import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
s.settimeout(5)
env = dict(os.environ, NOTIFY_SOCKET=os.getcwd() + "/notify", VOLT_READY="1")
print(subprocess.run(sys.argv[1:], env=env).returncode)
s.setblocking(False)
try:
    while True:
        print(s.recv(100).decode())
except BlockingIOError:
    os.unlink("notify")' "$@"
	}
	need unshare -Ump true
	[ "$(ready volt-lock caps=none true)" = "0
READY=1" ]
	[ "$(ready volt-ns -Ump root="$ROOT_BB" volt-init -- volt-lock caps=none sh -c \
		'exit ${VOLT_READY:-3}')" = "3
READY=1" ]
	[ "$(ready volt-ns -Um root="$ROOT_BB" true)" = "0
READY=1" ]
	# Each way to fail comes before.
	[ "$(ready volt-ns -Ump root=/nil volt-init -- true)" = 125 ]
	[ "$(ready volt-ns -Ump root="$ROOT_BB" volt-init -- volt-lock caps=nil true)" = 125 ]
	[ "$(ready volt-init nil=1)" = 125 ]
	# Without a socket it is nothing, and one that is gone is an error.
	run -0 env VOLT_READY=1 volt-lock caps=none true
	run -125 --separate-stderr env VOLT_READY=1 NOTIFY_SOCKET=/nil volt-lock caps=none true
	[[ $stderr == "volt-lock: VOLT_READY: "* ]]
}

# --- with systemd as PID 1 ------------------------------------------------------

# with_systemd: the units, for the programs under test; and the machine's own root, $ROOT.
with_systemd() {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	need_root
	for kind in system user; do
		mkdir -p "/run/systemd/$kind"
		sed "s,/usr/local/bin/,$O/bin/," "$O/systemd/$kind/volt@.service" \
			>"/run/systemd/$kind/volt@.service"
	done
	systemctl daemon-reload
	CONF=/etc/volt/machines DATA=/var/lib/volt/machines
	# What a test that failed has left.
	systemctl stop 'volt@*' 'volt-run-*'
	rm -rf "$CONF" "$DATA"
	ROOT=$(copy_root)
	printf 'PRETTY_NAME="Test OS 1"\n' >"$ROOT/etc/os-release"
}

# as_root ARGUMENT ...: volt, of the system's manager.
as_root() {
	command volt "$@"
}

# shown KEY NAME: a property of a machine's unit.
shown() {
	systemctl show -P "$1" "volt@$2.service"
}

# nothing_of NAME: no file, no process and no unit of the machine is left.
nothing_of() {
	[ ! -e "$CONF/$1" ] && [ ! -e "$DATA/$1" ] && [ -z "$(ls -A "$CONF")" ]
	[ ! -e "/sys/fs/cgroup/volt.slice/volt@$1.service" ]
	[ "$(shown ActiveState "$1")" = inactive ]
}

@test "systemd: a machine's life" {
	with_systemd
	as_root create web root="$ROOT" memory.max=64M pids.max=50 uid=33 gid=33 env=A=B \
		seccomp=strict caps=none -- \
		sh -c 'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 1; done'
	as_root start web
	[ "$(shown ActiveState web)" = active ]
	group=/sys/fs/cgroup/volt.slice/volt@web.service
	[ "$(shown MemoryMax web) $(shown TasksMax web)" = "67108864 50" ]
	[ "$(cat "$group/memory.max" "$group/pids.max")" = $'67108864\n50' ]
	run -0 as_root list -j
	[ "$(jq -c '.[] | [.name, .state, .kind, .os, .memory > 0, .uptime >= 0]' <<<"$output")" \
		= '["web","running","container","Test OS 1",true,true]' ]
	run -0 as_root stats -j
	[ "$(jq -c '.[] | [.tasks > 2, .cpu > 0]' <<<"$output")" = '[true,true]' ]
	wait_for sh -c 'volt logs web -o cat --no-pager | grep -qx hello'

	# exec: as the machine's user, with its variables, behind its locks, in its groups.
	run -7 --separate-stderr as_root exec web sh -c 'id -u; hostname; echo "$A"
		env | cut -d= -f1 | sort | tr "\n" " "
		grep -E "^(Seccomp|CapEff|NoNewPrivs):" /proc/self/status | tr "\t" " "; exit 7'
	[ "${lines[*]}" = \
		"33 web B A PATH PWD SHLVL CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" ]
	as_root exec web sleep 4242 3>&- &
	wait_for sh -c "cat $group/payload/cgroup.procs | sed 's,.*,/proc/&/cmdline,' |
		xargs grep -lsa 4242 | grep -q ."
	run as_root exec web sh -c 'kill $(pidof sleep)'
	wait
	run -0 script -qec "$O/bin/volt exec web tty" /dev/null
	[[ $output == *"/dev/pts/"* ]]
	run -127 as_root exec web nil
	run -0 as_root exec web sh -c 'cat; cat /proc/1/comm' <<<"a pipe"
	[ "$output" = $'a pipe\nvolt-init' ]

	# machined knows it, as long as it runs.
	run -0 machinectl list --no-legend
	[[ $output == web*container*volt* ]]
	run -0 machinectl show -p Unit -p Leader web
	[[ $output == *"Unit=volt@web.service"* ]]

	# Limits change while it lives, and stay; those that the file loses are taken back.
	as_root set web memory.max=96M memory.low=8M
	[ "$(cat "$group/memory.max" "$group/memory.low")" = $'100663296\n8388608' ]
	grep -qx memory.max=96M "$CONF/web"
	sed -i '/^memory.low=/d; /^pids.max=/d' "$CONF/web"
	as_root restart web
	[ "$(cat "$group/memory.max" "$group/memory.low")" = $'100663296\n0' ]
	[ "$(cat "$group/pids.max")" != 50 ]

	# It ends as its command does.
	as_root stop web
	[ "$(shown Result web)" = success ]
	wait_for sh -c 'volt logs web -o cat --no-pager | grep -qx bye'
	run -125 --separate-stderr as_root exec web true
	[ "$stderr" = "volt: web: it does not run" ]
	run -0 machinectl list --no-legend
	[[ $output != web* ]]
	# What it changed is there until it is destroyed.
	[ -d "$DATA/web/upper" ]
	as_root destroy web
	nothing_of web
	# The journal knows each operation by its ID.
	[ "$(journalctl -o cat --output-fields=MESSAGE VOLT_MACHINE=web | grep -cE \
		'^(create|start|set|restart|stop|destroy) web$')" = 6 ]
}

@test "systemd: a machine that does not start, that fails, that does not stop, that floods" {
	with_systemd
	as_root create bad root=/nil true
	run -125 --separate-stderr as_root start bad
	[[ $stderr == "volt: bad: did not start: volt-ns: root=/nil: No such file or "* ]]
	as_root create none root="$ROOT" nil
	run as_root start none
	[ "$(shown NRestarts none)" = 0 ]
	as_root create fails root="$ROOT" -- sh -c 'sleep 6; exit 9'
	as_root start fails
	wait_for sh -c '[ "$(systemctl show -P NRestarts volt@fails.service)" -ge 1 ]'
	as_root destroy fails
	# SIGTERM is nothing to it: grace= ends it, and not systemd's SIGKILL after a minute.
	as_root create deaf root="$ROOT" grace=1s -- sh -c 'trap "" TERM; while :; do sleep 1; done'
	# Its output does not hold it, nor us. (More would take this machine minutes.)
	as_root create flood root="$ROOT" memory.max=64M -- \
		sh -c 'yes "a line of many" | head -n 3000; exec sleep 1000'
	as_root start deaf flood
	run -0 as_root list -j
	[ "$(jq -r '.[] | select(.name == "flood") | .state' <<<"$output")" = running ]
	# A systemd in it may ask for its personality, and set it.
	run -0 as_root exec deaf linux32 true
	timeout 40 volt stop deaf flood
	[ "$(shown ExecMainStatus deaf)" = 137 ]
	as_root destroy bad none deaf flood
	for name in bad none fails deaf flood; do
		nothing_of "$name"
	done
}

@test "systemd: a machine with listen= starts at a connection, and stops when it is idle" {
	with_systemd
	[ -x /lib/systemd/systemd-socket-proxyd ] || lacks systemd-socket-proxyd
	mkdir -p "$ROOT/srv"
	echo page >"$ROOT/srv/index.html"
	as_root create web root="$ROOT" ip=10.88.0.9 listen=127.0.0.1:8088:80 idle=6s chdir=/srv \
		-- httpd -f -p 80
	as_root start web
	run -0 as_root list -j
	[ "$(jq -r '.[0].state' <<<"$output")" = listening ]
	run -0 curl -s --retry 5 --retry-all-errors http://127.0.0.1:8088/
	[ "$output" = page ]
	[ "$(shown ActiveState web)" = active ]
	# machined sees its address, as nss-mymachines does, which asks it.
	run -0 machinectl list --no-legend
	[[ $output == web*10.88.0.9* ]]
	wait_for sh -c '[ "$(systemctl show -P ActiveState volt@web.service)" = inactive ]'
	# It listens on.
	run -0 curl -s --retry 5 --retry-all-errors http://127.0.0.1:8088/
	[ "$output" = page ]
	as_root stop web
	run -7 curl -s http://127.0.0.1:8088/
	as_root start web
	as_root destroy web
	run -7 curl -s http://127.0.0.1:8088/
	nothing_of web
}

@test "systemd: run has the command's streams and status, and leaves nothing" {
	with_systemd
	run -4 --separate-stderr as_root run root="$ROOT" memory.max=32M -- \
		sh -c 'cat; echo err >&2; hostname; exit 4' <<<"in"
	[[ $output == $'in\nrun-'???????? ]]
	[ "$stderr" = err ]
	# The root may be an image, by its name.
	command volt-image import "$ROOT" bb
	run -5 as_root run image=bb -- sh -c 'echo from the image; exit 5'
	[ "$output" = "from the image" ]
	command volt-image rm bb
	run -0 command volt-image gc
	run -127 --separate-stderr as_root run root="$ROOT" nil
	[ "$stderr" = "volt-init: exec nil: No such file or directory" ]
	run -125 --separate-stderr as_root run root=/nil true
	[[ $stderr == "volt-ns: root=/nil: "* ]]
	start "$O/bin/volt" run root="$ROOT" -- sh -c 'echo up; sleep 1000'
	wait_for grep -qx up out
	kill "$pid"
	ended 143
	# What a killed one leaves goes with the next change, when its command has ended.
	start "$O/bin/volt" run root="$ROOT" -- sh -c 'echo up; sleep 1000'
	wait_for grep -qx up out
	kill -KILL "$pid"
	as_root create other root=/ true
	[ "$(ls "$CONF" | wc -l)" = 2 ]
	systemctl stop 'volt-run-*'
	wait_for sh -c 'flock -n "$1"/run-* true' sh "$CONF"
	as_root destroy other
	[ -z "$(ls -A "$CONF" "$DATA")" ] || [ "$(ls -A "$CONF" "$DATA")" = "$CONF:

$DATA:" ]
	[ -z "$(systemctl list-units --no-legend --state=running 'volt-run-*')" ]
}

@test "systemd: cp, list and exec follow no link out of a hostile root" {
	with_systemd
	echo secret >"$BATS_TEST_TMPDIR/secret"
	mkdir "$BATS_TEST_TMPDIR/host" "$BATS_TEST_TMPDIR/to" "$BATS_TEST_TMPDIR/dir"
	printf 'PRETTY_NAME="secret"\n' >"$BATS_TEST_TMPDIR/release"
	ln -sf "$BATS_TEST_TMPDIR/release" "$ROOT/etc/os-release"
	ln -s "$BATS_TEST_TMPDIR/secret" "$ROOT/link"
	ln -s "$BATS_TEST_TMPDIR" "$ROOT/out"
	ln -s ../../../../../../../.. "$ROOT/up"
	cp "$ROOT/bin/busybox" "$ROOT/suid"
	chmod 4755 "$ROOT/suid"
	echo text >"$BATS_TEST_TMPDIR/dir/file"
	ln -s "$BATS_TEST_TMPDIR/secret" "$BATS_TEST_TMPDIR/dir/link"
	as_root create web root="$ROOT" -- sleep 1000
	as_root start web
	run -0 as_root list -j
	[ "$(jq -r '.[0].os' <<<"$output")" = null ]
	# A machine that is frozen keeps nobody waiting.
	echo 1 >/sys/fs/cgroup/volt.slice/volt@web.service/payload/cgroup.freeze
	run -0 timeout 60 volt list
	echo 0 >/sys/fs/cgroup/volt.slice/volt@web.service/payload/cgroup.freeze

	# Out: the link itself, or nothing.
	cd "$BATS_TEST_TMPDIR/to"
	as_root cp web:/link .
	[ "$(readlink link)" = "$BATS_TEST_TMPDIR/secret" ]
	run -125 --separate-stderr as_root cp web:/out/secret x
	run -125 --separate-stderr as_root cp web:/nil x
	[[ $stderr == "volt: web: /nil: cannot be read there: tar: nil: "* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	as_root cp web:/suid .
	[ "$(stat -c '%a %u' suid)" = "755 0" ]
	as_root cp web:/etc etc
	[ "$(cat etc/passwd)" = "$(cat "$ROOT/etc/passwd")" ]
	[ "$(ls -A | tr '\n' ' ')" = "etc link suid " ]

	# In: the places are the machine's own.
	as_root cp ../dir web:/srv
	as_root cp ../dir/file web:/tmp/new
	run -0 as_root exec web sh -c 'cat /tmp/new; readlink /srv/link; stat -c %u /srv/file'
	[ "$output" = "text
$BATS_TEST_TMPDIR/secret
0" ]
	run as_root cp ../dir/file "web:/up$BATS_TEST_TMPDIR/host/file"
	[ -z "$(ls -A ../host)" ]

	# Its tar may send what it likes.
	python3 - evil.tar "$BATS_TEST_TMPDIR" <<-'EOF'
		import io, sys, tarfile
		with tarfile.open(sys.argv[1], "w") as t:
		    def add(name, type=tarfile.REGTYPE, link="", mode=0o644):
		        i = tarfile.TarInfo(name)
		        i.type, i.linkname, i.mode = type, link, mode
		        i.size = 4 if type == tarfile.REGTYPE else 0
		        t.addfile(i, io.BytesIO(b"evil") if i.size else None)
		    add("x", tarfile.DIRTYPE, mode=0o755)
		    add("x/s", mode=0o6755)
		    add("x/out", tarfile.SYMTYPE, sys.argv[2] + "/host")
		    add("x/out/a")
		    add("../escape")
		    add(sys.argv[2] + "/host/b")
		    add("x/hard", tarfile.LNKTYPE, sys.argv[2] + "/secret")
		    add("other")
		    add("x/null", tarfile.CHRTYPE)
	EOF
	mkdir -p "$ROOT/usr/bin"
	mv evil.tar "$ROOT/evil.tar"
	rm "$ROOT/bin/tar"
	printf '#!/bin/sh\ncat /evil.tar\nprintf "a\\033[1mb\\n" >&2; exit $(cat /status)\n' \
		>"$ROOT/bin/tar"
	echo 0 >"$ROOT/status"
	chmod 755 "$ROOT/bin/tar"
	as_root restart web
	run -125 --separate-stderr as_root cp web:/x .
	[ "${#stderr_lines[@]}" = 1 ]
	as_root exec web sh -c 'echo 1 >/status'
	run -125 --separate-stderr as_root cp web:/x .
	[ "$stderr" = "volt: web: /x: cannot be read there: a?[1mb" ]
	[ "$(ls -A | tr '\n' ' ')" = "etc link suid " ]
	[ -z "$(ls -A ../host)" ] && [ ! -e ../escape ]
	[ "$(cat ../secret)" = secret ]
	as_root destroy web
	nothing_of web
}

@test "systemd: the machines of an ordinary user" {
	with_systemd
	id user >/dev/null 2>&1 || skip "there is no ordinary user"
	uid=$(id -u user)
	loginctl enable-linger user
	wait_for test -S "/run/user/$uid/systemd/private"
	user_dir
	sed -i "s,$O/bin/,$USER_DIR/bin/," /run/systemd/user/volt@.service
	home=$(mktemp -d "$USER_DIR/u.XXXXXX")
	cp -a "$ROOT" "$home/root"
	chown -R user: "$home" && chmod 755 "$home"
	mine() {
		runuser -u user -- env HOME="$home" PATH="$USER_DIR/bin:$PATH" \
			XDG_RUNTIME_DIR="/run/user/$uid" "$@"
	}
	mine systemctl --user daemon-reload
	# The manager has a HOME of its own.
	mine systemctl --user set-environment HOME="$home"
	mine volt create web root="$home/root" memory.max=64M -- sh -c 'echo hello; exec sleep 1000'
	mine volt start web
	run -0 mine volt list
	[[ ${lines[1]} == "web   running  container  -"*"Test OS 1" ]]
	group=$(find /sys/fs/cgroup/user.slice -name 'volt@web.service')
	[ "$(cat "$group/memory.max")" = 67108864 ]
	run -3 --separate-stderr mine volt exec web sh -c 'id -u; hostname; exit 3'
	[ "$output" = $'0\nweb' ]
	mine volt cp web:/etc/os-release "$home/back"
	cmp "$ROOT/etc/os-release" "$home/back"
	run -5 mine volt run root="$home/root" -- sh -c 'exit 5'
	# A limit that the user's manager cannot set is refused, and not just ignored.
	if ! grep -qw io "$group/cgroup.controllers"; then
		run -125 --separate-stderr mine volt set web io.weight=5
		[[ $stderr == "volt: web: io.weight=5: this unit has no controller io; "* ]]
		run ! grep io.weight "$home/.config/volt/machines/web"
	fi
	mine volt set web memory.max=80M
	[ "$(cat "$group/memory.max")" = 83886080 ]
	mine volt stop web
	mine volt destroy web
	[ ! -e "$group" ]
	run -0 find "$home/.config/volt/machines" "$home/.local/state/volt/machines" -mindepth 1
	[ -z "$output" ]
	mine systemctl --user unset-environment HOME
	loginctl disable-linger user
	systemctl stop "user@$uid"
}

@test "systemd: a guest is ready when its command runs, and stops" {
	with_systemd
	[ -r "/boot/vmlinuz-$(uname -r)" ] || lacks "a kernel"
	[ -w /dev/kvm ] && grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo ||
		lacks "nested virtualization"
	mke2fs -q -t ext4 -d "$ROOT" "$BATS_TEST_TMPDIR/image" 64M
	as_root create vm kind=vm disk="$BATS_TEST_TMPDIR/image:ro" overlay=tmpfs memory=192M -- \
		sh -c 'echo up; exec sleep 1000'
	as_root start vm
	run -0 as_root logs vm -o cat --no-pager
	[[ $output == *$'\nup'* ]]
	run -0 as_root list
	[[ ${lines[1]} == "vm    running  vm "* ]]
	# Other commands join it.
	run -6 --separate-stderr as_root exec vm sh -c 'cat; hostname; exit 6' <<<in
	[ "$output" = $'in\nvm' ]
	as_root cp "$ROOT/etc/passwd" vm:/tmp/new
	as_root cp vm:/tmp/new "$BATS_TEST_TMPDIR/back"
	cmp "$ROOT/etc/passwd" "$BATS_TEST_TMPDIR/back"
	as_root stop vm
	[ "$(shown Result vm)" = success ]
	as_root destroy vm
	nothing_of vm
}
