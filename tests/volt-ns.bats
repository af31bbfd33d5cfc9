#!/usr/bin/env bats
# What volt-ns does, and what it must not: namespaces, maps, the root, identity.

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	helpers push swap unlock
}

setup() {
	load lib
	TERMINAL=$TOP/tests/helpers/terminal.py
	SOCKET=$TOP/tests/helpers/journal.py
	cd "$BATS_TEST_TMPDIR" || return
	leftovers_begin
}

teardown() {
	end_test
}

# Make USER_DIR, with the directories that the tests need.
places() {
	user_dir && mkdir -p "$USER_DIR/tmp" "$USER_DIR/home"
}

as_root() {
	"$@"
}

# each CHECK: run CHECK as root, if we are root, and as an ordinary user. Its arguments are a
# function that runs a command as that user, a root for it, and the flag U if it needs one.
each() {
	if [ "$(id -u)" = 0 ]; then
		"$1" as_root "$ROOT_BB" ''
	fi
	need as_user unshare -U true
	"$1" as_user "$ROOT_USER" U
}

spaces() {
	readlink /proc/self/ns/{cgroup,ipc,mnt,net,pid,time,user,uts}
}
INSIDE='cd /proc/self/ns; for n in cgroup ipc mnt net pid time user uts; do readlink $n; done'

# ends STATUS MESSAGE WORD ...: volt-ns ends with this status, and prints only this message.
ends() {
	run "-$1" --separate-stderr volt-ns "${@:3}"
	[ "$stderr" = "volt-ns: $2" ] || {
		echo "said: $stderr" >&2
		return 1
	}
	[ "$output" = "" ]
}

# --- namespaces -------------------------------------------------------------

one_namespace() {
	local who=$1 U=$3 letter name before after

	before=$(spaces)
	for letter in C:cgroup i:ipc m:mnt n:net p:pid T:time U:user u:uts; do
		name=${letter#*:} letter=${letter%:*}
		run -0 --separate-stderr "$who" volt-ns "-$U$letter" sh -c "$INSIDE"
		[ "$stderr" = "" ]
		after=$(diff <(echo "$before") <(echo "$output") |
			sed -n 's/^> \([a-z]*\):.*/\1/p' | grep -vx "${U:+user}" || true)
		[ "$letter" = U ] && [ -n "$U" ] && name=
		[ "$after" = "$name" ] || {
			echo "-$U$letter changed '$after'" >&2
			return 1
		}
	done
	[ "$(spaces)" = "$before" ]
}

@test "namespaces: each flag makes its own namespace and no other" {
	each one_namespace
}

all_namespaces() {
	run -0 --separate-stderr "$1" volt-ns -A sh -c "$INSIDE"
	[ "$stderr" = "" ]
	[ "$(diff <(spaces) <(echo "$output") | grep -c '^>')" = 8 ]
}

@test "namespaces: -A makes all eight, and leaves the caller's unchanged" {
	before=$(spaces)
	each all_namespaces
	[ "$(spaces)" = "$before" ]
}

@test "namespaces: without root only -U opens the others, and says so" {
	run -125 --separate-stderr as_user volt-ns -u true
	[ "$stderr" = "volt-ns: namespaces: Operation not permitted
volt-ns: without root, add -U for a user namespace" ]
}

no_fork() {
	local who=$1 U=$3

	# shellcheck disable=SC2016
	run -0 "$who" sh -c 'echo $$; exec volt-ns -'"$U"'mnuiCT sh -c "echo \$\$"'
	[ "${lines[0]}" = "${lines[1]}" ]
	run -0 "$who" volt-ns "-p$U" sh -c 'echo $$'
	[ "$output" = 1 ]
}

@test "namespaces: -p alone forks, the others keep the process" {
	each no_fork
}

@test "without a namespace, the command just runs" {
	run -0 volt-ns echo plain
	[ "$output" = plain ]
	run -7 volt-ns sh -c 'exit 7'
}

@test "-n: the loopback interface is up" {
	run -0 as_user volt-ns -Un cat /sys/class/net/lo/flags /proc/net/dev
	run -0 as_user volt-ns -Upmn root="$ROOT_USER" ifconfig lo
	[[ $output == *"UP LOOPBACK RUNNING"* ]]
}

# --- user namespaces --------------------------------------------------------

@test "uidmap=auto: an ordinary user becomes root, with one ID" {
	run -0 as_user volt-ns -U sh -c 'id -u; id -g; cat /proc/self/setgroups
		tr -s " " </proc/self/uid_map'
	[ "$output" = "0
0
deny
 0 $TEST_UID 1" ]
}

# User 0 of the host owns /proc/sys, with or without capabilities.
@test "uidmap=auto: the host's root gets unused IDs, and files keep their owners" {
	need_root
	[ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ] ||
		skip "needs the initial user namespace"
	run -0 volt-ns -U sh -c 'id -u; tr -s " " </proc/self/uid_map
		tr -s " " </proc/self/gid_map'
	[ "${lines[0]}" = 0 ]
	read -r inside outside count <<<"${lines[1]}"
	[ "$inside" = 0 ] && [ "$outside" -ge 65536 ] && [ "$count" = 65536 ]
	[ "${lines[2]}" = "${lines[1]}" ]
	r=$(copy_root) && chown 1000:1001 "$r/home/user"
	run -0 --separate-stderr volt-ns -A root="$r" sh -c 'stat -c %u:%g / /home/user; touch /new
		chown 7 /new'
	[ "$stderr" = "" ]
	[ "$output" = "0:0
1000:1001" ]
	[ "$(stat -c %u:%g "$r/new")" = 7:0 ]
}

@test "uidmap=auto: the IDs differ even if the process IDs are the same" {
	need_root
	start volt-ns -p volt-ns -U sleep 100
	child=$(wait_for pgrep -P "$pid")
	wait_for grep -qs . "/proc/$child/uid_map"
	run -0 volt-ns -p volt-ns -U cat /proc/self/uid_map
	[ "$output" != "$(cat "/proc/$child/uid_map")" ]
}

@test "uidmap=auto: the root of a user namespace keeps all IDs that it has" {
	run -0 as_user unshare -Ur volt-ns -U sh -c 'id -u; tr -s " " </proc/self/uid_map'
	[ "$output" = "0
 0 0 1" ]
}

@test "uidmap=: ranges for root; gidmap= is the same by default" {
	need_root
	run -0 --separate-stderr volt-ns -U uidmap=0:100000:65536 sh -c \
		'id -u; tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map'
	[ "$stderr" = "" ]
	[ "$output" = "0
 0 100000 65536
 0 100000 65536" ]
	run -0 --separate-stderr volt-ns -pU uidmap=0:1000:1,1:5000:10 uidmap=11:7000:1 \
		gidmap=0:0:100 sh -c 'tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map'
	[ "$output" = " 0 1000 1
 1 5000 10
 11 7000 1
 0 0 100" ]
	# The new files belong to the mapped root.
	mkdir "$BATS_TEST_TMPDIR/d" && chmod 777 "$BATS_TEST_TMPDIR/d"
	chmod 711 "$BATS_TEST_TMPDIR"
	run -0 volt-ns -U uidmap=0:100000:65536 touch "$BATS_TEST_TMPDIR/d/f"
	[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/d/f")" = 100000:100000 ]
}

@test "uidmap=: newuidmap maps the subordinate IDs of a user" {
	need_root
	need command -v newuidmap
	run -0 --separate-stderr as_subid_user volt-ns -U sh -c \
		'id -u; tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map
		cat /proc/self/setgroups'
	[ "$output" = "0
 0 $TEST_UID 1
 1 1000000000 65536
 0 $TEST_UID 1
 1 1000000000 65536
allow" ]
	run -0 --separate-stderr as_subid_user volt-ns -pU uid=7 gid=8 groups=9,10 id
	[ "$output" = "uid=7(lp) gid=8(mail) groups=8(mail),9(news),10(uucp)" ]
	run -0 --separate-stderr as_subid_user volt-ns -U uidmap=0:1000000000:10 \
		gidmap=0:1000000005:10 sh -c 'tr -s " " </proc/self/uid_map
		tr -s " " </proc/self/gid_map'
	[ "$output" = " 0 1000000000 10
 0 1000000005 10" ]
}

@test "uidmap=auto: a range in only one of subuid and subgid is reported and not used" {
	need_root
	need command -v newuidmap
	for file in subuid subgid; do
		run -0 --separate-stderr as_subid_user_without "$file" volt-ns -U sh -c \
			'tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map'
		[ "$output" = " 0 $TEST_UID 1
 0 $TEST_UID 1" ]
		[ "$stderr" = "volt-ns: volt has no range in /etc/$file:\
 only the caller's own IDs are mapped" ]
	done
}

@test "uidmap=: newuidmap refuses a range that is not granted" {
	need_root
	need command -v newuidmap
	run -125 --separate-stderr as_subid_user volt-ns -U uidmap=0:0:1 true
	[ "${stderr_lines[-1]}" = "volt-ns: newuidmap: failed for uidmap=" ]
	run -125 --separate-stderr as_subid_user setpriv --no-new-privs volt-ns -U true
	[[ $stderr == *"volt-ns: newuidmap: no_new_privs is set, so it gets no privileges;\
 map only your own ID"* ]]
}

@test "uidmap=: bad ranges" {
	for bad in 0 0:0 0:0:0 0:0:1:1 a:0:1 0:-1:1 -1:0:1 0:01:1 0:4294967295:1 \
		0:0:4294967296 4294967296:0:1 '' '0:0:1,,' ' 0:0:1' \
		$'0:0:1\n1:1:1' 0:0:99999999999999999999; do
		ends 125 "uidmap=${bad//$'\n'/\\012}: not IN:OUT:N" -U "uidmap=$bad" true
		ends 125 "gidmap=${bad//$'\n'/\\012}: not IN:OUT:N" -U "gidmap=$bad" true
	done
	run -125 --separate-stderr volt-ns -U uidmap=auto gidmap=0:0:1 true
	[ "$stderr" = "volt-ns: uidmap= and gidmap=: both auto, or neither" ]
}

@test "setgroups: with a single ID, groups can be neither dropped nor added" {
	run -125 --separate-stderr as_user volt-ns -U groups=1 true
	[[ $stderr == "volt-ns: groups: "* ]]
	run -125 --separate-stderr as_user volt-ns -U groups= true
	run -127 --separate-stderr as_user volt-ns -U setpriv --clear-groups true
	[[ $stderr == *"setgroups failed: Operation not permitted" ]]
}

@test "max_user_namespaces=0: advice" {
	need as_user unshare -U true
	run -125 --separate-stderr as_user unshare -Ur sh -c \
		'echo 0 >/proc/sys/user/max_user_namespaces && exec volt-ns -U true'
	[ "$stderr" = "volt-ns: namespaces: No space left on device
volt-ns: this host allows no user namespaces: sysctl user.max_user_namespaces is 0" ]
}

@test "PID limit: one line, and nothing is left" {
	# Use an ID of its own: no other process counts against its limit.
	need_root
	places
	cp "$O/bin/volt-ns" "$BATS_TEST_TMPDIR/" && chmod 711 "$BATS_TEST_TMPDIR"
	run -125 --separate-stderr setpriv --reuid 54321 --regid 54321 --clear-groups \
		prlimit --nproc=1 "$BATS_TEST_TMPDIR/volt-ns" -Up true
	[ "${stderr_lines[0]}" = "volt-ns: namespaces: Resource temporarily unavailable" ]
	[ "${stderr_lines[1]}" = "volt-ns: the limit on processes is reached: pids.max, ulimit -u" ]
	[ "${#stderr_lines[@]}" = 2 ]
}

# --- identity ---------------------------------------------------------------

@test "uid= gid= groups=: all IDs of the process change" {
	need_root
	run -0 volt-ns uid=1000 gid=1001 groups=7,9 grep -E \
		'^(Uid|Gid|Groups|CapPrm|CapEff|CapInh|CapAmb)' /proc/self/status
	[ "$output" = "Uid:	1000	1000	1000	1000
Gid:	1001	1001	1001	1001
Groups:	7 9 
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapAmb:	0000000000000000" ]
	# A new identity drops all groups of the caller.
	run -0 setpriv --groups 3,4 volt-ns uid=1000 id -G
	[ "$output" = 0 ]
	run -0 setpriv --groups 3,4 volt-ns uid=1000 gid=1000 id -G
	[ "$output" = 1000 ]
}

@test "uid= gid=: exact, or refused" {
	for key in uid gid; do
		for bad in 01 1x 0x1 1e3 $'1\n'; do
			ends 125 "$key=${bad//$'\n'/\\012}: not a number" "$key=$bad" true
		done
		for bad in -1 '' ' 1' +1 a:b a/b 'a b' $'a\n'; do
			ends 125 "$key=${bad//$'\n'/\\012}: not a number or a name" "$key=$bad" true
		done
		for bad in 4294967295 4294967296 18446744073709551616; do
			ends 125 "$key=$bad: number too large" "$key=$bad" true
		done
	done
	ends 125 "groups=01: not a number" groups=01 true
	run -125 volt-ns groups=1,, true
	need_root
	run -0 volt-ns uid=4294967294 gid=2147483648 sh -c 'id -u; id -g'
	[ "$output" = "4294967294
2147483648" ]
	run -0 volt-ns uid=1 id -u
	[ "$output" = 1 ]
	run -125 --separate-stderr volt-ns -U uidmap=0:0:1 uid=5 true
	[[ $stderr == "volt-ns: uid=5: Invalid argument"* ]]
}

@test "user=, and names: they are looked up in the files of the command's root" {
	need_root
	root=$(copy_root)
	printf 'web:x:33:34::/:/bin/sh\nshort:x:1\nbad:x:1x:1::/:\n' >>"$root/etc/passwd"
	printf 'ssl:x:50:other,web\nweb:x:34:\nnet:x:51:web' >>"$root/etc/group"
	run -0 volt-ns -m root="$root" user=web sh -c 'id -u; id -G'
	[ "$output" = $'33\n34 50 51' ]
	run -0 volt-ns -Ump root="$root" user=web volt-init sh -c 'id -u; id -G'
	[ "$output" = $'33\n34 50 51' ]
	run -0 volt-ns -m root="$root" user=33 gid=0 groups=ssl sh -c 'id -u; id -G'
	[ "$output" = $'33\n0 50' ]
	run -0 volt-ns -m root="$root" uid=web gid=ssl id -u
	[ "$output" = 33 ]
	# The terminal belongs to the user.
	run -0 volt-ns -m root="$root" user=web console=pty stat -c %u /dev/console
	[ "${output%$'\r'}" = 33 ]
	ends 125 "user=short: no user of that name in /etc/passwd" -m root="$root" user=short true
	ends 125 "user=bad: no user of that name in /etc/passwd" -m root="$root" user=bad true
	ends 125 "uid=nil: no user of that name in /etc/passwd" -m root="$root" uid=nil true
	ends 125 "groups=nil: no group of that name in /etc/group" -m root="$root" groups=1,nil true
	# In the caller's own root, the caller's file counts.
	run -0 volt-ns user=nobody id -u
	[ "$output" = "$(id -u nobody)" ]
}

@test "user=: unusable passwd and group files are refused, and no symlink leads outside" {
	need_root
	root=$(copy_root)
	rm "$root/etc/passwd"
	ends 125 "user=web: /etc/passwd: No such file or directory" -m root="$root" user=web true
	mkfifo "$root/etc/passwd"
	ends 125 "user=web: /etc/passwd: Invalid argument" -m root="$root" user=web true
	ln -sf /dev/zero "$root/etc/passwd"
	ends 125 "user=web: /etc/passwd: Invalid argument" -m root="$root" user=web true
	ln -sf /proc/1/root/etc/passwd "$root/etc/passwd"
	run -125 --separate-stderr volt-ns -m root="$root" user=nobody true
	[[ $stderr == "volt-ns: user=nobody: /etc/passwd: "* ]]
	rm "$root/etc/passwd"
	truncate -s 1T "$root/etc/passwd"
	ends 125 "user=web: /etc/passwd: File too large" -m root="$root" user=web true
}

user_alone() {
	# Only the caller's ID is mapped: groups cannot be set, and need not be.
	run -0 --separate-stderr as_user volt-ns -U uidmap=0:"$TEST_UID":1 user=root id -u
	[ "$output" = 0 ]
}

@test "user=: root of a user namespace with one ID" {
	need as_user unshare -U true
	user_alone
}

# --- places that are made ---------------------------------------------------

empty_root() {
	local who=$1 root=$2 U=$3

	run -0 --separate-stderr "$who" volt-ns "-mp$U" root=tmpfs:mode=711 \
		bind="$root/bin":/bin:ro \
		volt-init stat -c '%a %u %F' /
	[ "${lines[0]}" = "711 0 directory" ]
	run -0 "$who" volt-ns "-mp$U" root=tmpfs bind="$root/bin":/bin:ro volt-init sh -c \
		'echo x >/x; cat /x; ls /'
	[ "$output" = $'x\nbin\ndev\nproc\nx' ]
	# Everything is made before the root becomes read-only.
	run -1 "$who" volt-ns "-mp$U" root=tmpfs:ro bind="$root/bin":/bin \
		dir=/d volt-init touch /d/x
	[[ $output == *"Read-only file system"* ]]
	run -1 "$who" volt-ns "-mp$U" root=tmpfs:size=4K bind="$root/bin":/bin volt-init sh -c \
		'dd if=/dev/zero of=/x bs=8K count=1 2>&1'
	[[ $output == *"No space left"* ]]
}

@test "root=tmpfs: it is empty, in memory, and owned by the container's root" {
	each empty_root
	ends 125 "root=tmpfs: an empty root has no layers" -m root=tmpfs overlay=tmpfs true
	ends 125 "root=tmpfs: an empty root has no layers" -m root=tmpfs lower=/ true
	ends 125 "root=tmpfs:idmap: tmpfs: Unknown parameter 'idmap'" -mU root=tmpfs:idmap true
	ends 125 "root=tmpfs needs -m" root=tmpfs true
	# A directory of that name needs a path.
	need_root
	mkdir tmpfs
	ends 127 "exec true: No such file or directory" -m root=./tmpfs proc=none dev=none true
}

written() {
	local -a in=("$1" volt-ns "-mp$3" root=tmpfs "bind=$2/bin:/bin:ro")

	printf 'a\nb' >key
	chmod 644 key
	run -0 --separate-stderr "${in[@]}" file=3:/run/key text='x\: y:/etc/t:mode=600,ro' \
		text=:/etc/empty text=$'l\n:/etc/l' volt-init sh -c '
		cat /run/key; echo; cat /etc/t /etc/empty /etc/l
		stat -c "%a %u %g" /run/key /etc/t; ! echo >&3' 3<key
	[ "$output" = $'a\nb\nx: y\nl\n644 0 0\n600 0 0' ]
	[[ $stderr == *"3: Bad file descriptor" ]]
	# The file is new, with the size of its contents. A file that it covers does not change.
	run -0 "${in[@]}" text=old:/etc/f file=3:/etc/f volt-init sh -c \
		'wc -c </etc/f; echo new >>/etc/f && tail -n 1 /etc/f' \
		3< <(head -c 3000000 /dev/zero | tr '\0' '\n')
	[ "$output" = $'3000000\nnew' ]
	run -1 "${in[@]}" text=x:/etc/f:ro volt-init sh -c 'echo y >/etc/f'
	# It is read from standard input, which the command does not get.
	run -0 "${in[@]}" file=0:/f volt-init sh -c 'cat /f; [ ! -e /proc/self/fd/0 ]' < <(echo in)
	[ "$output" = in ]
	[ "$(cat key)" = $'a\nb' ]
}

@test "file= and text=: they make files in memory, at their places" {
	each written
	ends 125 "file=77: Bad file descriptor" -m file=77:/x true
	ends 125 "file=x: not a number" -m file=x:/x true
	ends 125 "file=3: no place" -m file=3 true
	ends 125 "text=x:y: the place must begin with /" -m text=x:y true
	ends 125 "text=x:/y:rec: unknown option" -m text=x:/y:rec true
	for bad in mode= mode=8 mode=17777 mode=x; do
		ends 125 "text=x:/y:$bad: unknown option" -m "text=x:/y:$bad" true
	done
	# It also works in the caller's root, where nothing is left of it.
	need_root
	run -0 volt-ns -m text=x:/etc/passwd sh -c 'cat /etc/passwd; [ -c /dev/null ]'
	[ "$output" = x ]
	[ "$(wc -l </etc/passwd)" -gt 1 ]
	[ "$(grep -c ' /etc/passwd ' /proc/self/mountinfo)" = 0 ]
	ends 125 "text=x:/proc: a file cannot be mounted on the directory /proc" -m text=x:/proc \
		true
}

made() {
	local -a in=("$1" volt-ns "-mp$3" root=tmpfs "bind=$2/bin:/bin:ro")

	run -0 --separate-stderr "${in[@]}" dir=/a/b/c:mode=1750 dir=/a:mode=700 \
		dir=/tmp:mode=1777 symlink=a/b:/l symlink=a/b:/l symlink=/x:/n/m/ dir=/l/d \
		volt-init sh -c 'stat -c "%a %u" /a/b/c /a /tmp /a/b/d
		readlink /l; readlink /n/m'
	[ "$output" = $'1750 0\n750 0\n1777 0\n755 0\na/b\n/x' ]
	[ "$stderr" = "" ]
	run -125 "${in[@]}" symlink=a:/l symlink=b:/l true
	[ "$output" = "volt-ns: symlink=b:/l: Can't make symlink here: existing destination is a" ]
	run -125 "${in[@]}" dir=/l symlink=b:/l true
	[ "$output" = "volt-ns: symlink=b:/l: File exists" ]
	run -125 "${in[@]}" text=x:/f dir=/f true
	[ "$output" = "volt-ns: dir=/f: Not a directory" ]
	# A symlink of the root does not lead outside.
	run -0 "${in[@]}" symlink=/../../tmp:/up dir=/up/here \
		symlink=x:/up/there volt-init sh -c 'ls /tmp'
	[ "$output" = $'here\nthere' ]
	[ ! -e /tmp/here ] && [ ! -L /tmp/there ]
}

@test "dir= and symlink=: made in the root, and only there" {
	each made
	ends 125 "dir=x: the place must begin with /" -m dir=x true
	ends 125 "dir=/x:ro: unknown option" -m dir=/x:ro true
	ends 125 "symlink=x: no place" -m symlink=x true
	ends 125 "symlink=x:/y:ro: unknown option" -m symlink=x:/y:ro true
	ends 125 "symlink=:/y: no source" -m symlink=:/y true
	need_root
	ends 125 "symlink=x:/: No such file or directory" -m root=tmpfs symlink=x:/ true
	for bad in /. /.. /a/..; do
		run -125 volt-ns -m root=tmpfs "symlink=x:$bad" true
	done
}

tried() {
	run -0 --separate-stderr "$1" volt-ns "-mp$3" root=tmpfs bind="$2/bin":/bin:try \
		bind=/nil/x:/y:try bind=/etc/passwd/x:/z:ro,try volt-init ls /
	[ "$output" = $'bin\ndev\nproc' ]
	[ "$stderr" = "" ]
}

in_place() {
	local who=$1 root=$2 U=$3
	local -a in=("$who" volt-ns "-mp$U" root=tmpfs "bind=$root/bin:/bin:ro")

	run -0 --separate-stderr "${in[@]}" file=3:/a/b/f:plain,mode=640 text=one:/t \
		text=two:/t:plain text=new:/a/n:plain dir=/d:mode=4711 dir=/e \
		chmod=1700:/e chmod=600:/a/n volt-init sh -c 'cat /a/b/f /t /a/n
			stat -c "%a %n" /a /a/b/f /a/n /d /e; rm /a/b/f' 3<<<secret
	[ "$output" = $'secret\ntwo\nnew\n750 /a\n640 /a/b/f\n600 /a/n\n4711 /d\n1700 /e' ]
	[ "$stderr" = "" ]
	run -125 --separate-stderr "${in[@]}" chmod=700:/none true
	[ "$stderr" = "volt-ns: chmod=700:/none: No such file or directory" ]
	# Symlinks of the root do not lead outside.
	run -0 "${in[@]}" symlink=/../../tmp:/up text=x:/up/in-place:plain chmod=777:/up \
		volt-init cat /tmp/in-place
	[ "$output" = x ]
	[ ! -e /tmp/in-place ]
}

@test "file= with plain, chmod=: in the root itself, and only there" {
	each in_place
	ends 125 "chmod=8:/a: not an octal mode" -m chmod=8:/a true
	ends 125 "chmod=:/a: no source" -m chmod=:/a true
	ends 125 "chmod=7:/a:ro: unknown option" -m chmod=7:/a:ro true
	ends 125 "dir=/a:plain: unknown option" -m dir=/a:plain true
}

layered() {
	local who=$1 root=$2 U=$3 at=$USER_DIR/tmp/layers
	local -a in=("$who" volt-ns "-mp$U" "root=$root")

	mkdir -p "$at/one" "$at/two" "$at/up" "$at/work" "$at/changes"
	echo 1 >"$at/one/f"
	echo 2 >"$at/two/f"
	echo 2 >"$at/two/g"
	[ "$(id -u)" != 0 ] || chown -R "$("$who" id -u):$("$who" id -g)" "$at"
	run -0 --separate-stderr "${in[@]}" "layers=/tmp:$at/one:$at/two" \
		"layers=/mnt:$at/two:$at/one:upper=tmpfs:size=64K" \
		volt-init sh -c 'cat /tmp/f /tmp/g /mnt/f; echo x >/tmp/f; echo 3 >/mnt/f
			cat /mnt/f; df -k /mnt | grep -c " 64 "'
	[ "${lines[*]}" = "1 2 2 3 1" ]
	[[ $stderr == *"Read-only file system"* ]]
	run -0 "${in[@]}" "layers=/tmp:$at/one:upper=$at/up:work=$at/work" \
		"layers=/mnt:$at/two:upper=$at/changes" \
		volt-init sh -c 'echo 4 >/tmp/f; echo 5 >/mnt/new'
	[ "$(cat "$at/one/f" "$at/up/f" "$at/changes/upper/new")" = $'1\n4\n5' ]
	run -125 --separate-stderr "${in[@]}" "layers=/tmp:/none:$at/one" true
	[[ $stderr == "volt-ns: layers=/tmp:/none:"*": No such file or directory" ]]
	run -125 --separate-stderr "${in[@]}" "layers=/tmp:$at/one:upper=$at/up:work=/none" true
	[[ $stderr == *": /none: No such file or directory" ]]
	rm -rf "$at"
}

@test "layers=: an overlay at a place" {
	each layered
	for bad in "/a:no layer" "/a:/b:one layer without upper= is a bind=" \
		"/a:/b:work=/c:work= needs upper=" "/a:/b:size=1M:/c:size= is for upper=tmpfs" \
		"/a:/b:upper=tmpfs:work=/c:a tmpfs has its own work=" \
		"/a:/b::no directory" "/a:/b:upper=:no directory" \
		"/a:/b:upper=tmpfs:size=x:not a size (4096, 512K, 16M, 2G, 1T)"; do
		run -125 --separate-stderr volt-ns -m "layers=${bad%:*}" true
		[[ $stderr == "volt-ns: layers=${bad%:*}: ${bad##*:}" ]]
	done
	ends 125 "layers=a:/b:/c: the place must begin with /" -m layers=a:/b:/c true
}

by_descriptor() {
	local who=$1 root=$2 U=$3
	local -a in=("$who" volt-ns "-mp$U" "root=$root")

	run -0 --separate-stderr "${in[@]}" bind=fd:7:/tmp:ro volt-init \
		sh -c 'ls /tmp; ls /proc/self/fd; touch /tmp/x' 7<"$root/bin" || true
	[[ $output == *busybox* ]]
	[[ $'\n'"$output"$'\n' != *$'\n7\n'* ]]
	[[ $stderr == *"Read-only file system"* ]]
	run -0 --separate-stderr "$who" volt-ns "-mp$U" root=fd:7 volt-init ls / 7<"$root"
	[[ $output == *bin* ]]
	run -125 --separate-stderr "${in[@]}" bind=fd:7:/tmp true 7< <(:)
	[ "$stderr" = "volt-ns: bind=fd:7:/tmp: not a file or directory with a path" ]
	mkdir -p "$USER_DIR/tmp/gone"
	exec 8<"$USER_DIR/tmp/gone"
	rmdir "$USER_DIR/tmp/gone"
	run -125 --separate-stderr "${in[@]}" bind=fd:8:/tmp true
	[[ $stderr == "volt-ns: bind=fd:8:/tmp"* ]]
	exec 8<&-
}

@test "bind= and root= by descriptor" {
	each by_descriptor
	ends 125 "bind=fd:77: Bad file descriptor" -m bind=fd:77:/a true ||
		[[ $stderr == *"Bad file descriptor" ]]
}

guards() {
	local who=$1 root=$2 U=$3

	run -0 --separate-stderr "$who" volt-ns "-mp$U" root=tmpfs "bind=$root/bin:/bin:ro" \
		tmpfs=/t tmpfs=/t/below ro=/t:top ro=/none:try mask=/none:try dev=/dev:shm=128K \
		volt-init sh -c 'touch /t/x; touch /t/below/x && ls /t/below
			df -k /dev/shm | tail -n 1; readlink /dev/core'
	[ "${lines[0]}" = x ]
	[[ ${lines[1]} == *" 128 "* ]]
	[ "${lines[2]}" = /proc/kcore ]
	[[ $stderr == *"/t/x: Read-only file system"* ]]
	run -125 "$who" volt-ns "-mp$U" root=tmpfs "bind=$root/bin:/bin" dir=/d ro=/d:top true
	[[ ${lines[0]} == "volt-ns: ro=/d:top: Invalid argument" ]]
	run -125 "$who" volt-ns "-mp$U" "root=$root" ro=/none true
	[[ $output == *"No such file or directory" ]]
	run -0 "$who" volt-ns "-mip$U" "root=$root" mqueue=/tmp volt-init \
		grep -c " /tmp .* mqueue " /proc/self/mountinfo
	[ "$output" = 1 ]
}

@test "ro= with top and try, mask= with try, dev= with shm=, mqueue=" {
	each guards
	ends 125 "dev=/dev:shm=x: unknown option" -m dev=/dev:shm=x true
	ends 125 "mask=/x:top: unknown option" -m mask=/x:top true
}

the_last_namespace() {
	local who=$1 root=$2 map

	map=uidmap=0:$("$who" id -u):1
	run --separate-stderr "$who" volt-ns -Ump "$map" "root=$root" userns=none volt-init \
		sh -c 'echo 9 >/proc/sys/user/max_user_namespaces
			unshare -U true || unshare -Ur true || echo none'
	[ "$output" = none ]
	run -125 --separate-stderr "$who" volt-ns -Um "$map" "root=$root" userns=check true
	[ "$stderr" = "volt-ns: userns=: user namespaces can be made here" ]
	run -0 "$who" volt-ns -Um "$map" "root=$root" userns=any true
}

@test "userns=: the last user namespace" {
	the_last_namespace as_user "$ROOT_USER"
	ends 125 "userns=none needs -Um, and a new root or a mount" -U userns=none true
	ends 125 "userns=x: not any, none, check, fd:N or a path" userns=x true
	ends 125 "userns=/none: No such file or directory" userns=/none true
	need_root
	the_last_namespace as_root "$ROOT_BB"
	ends 125 "userns=none: the host's root must give uidmap=, too" \
		-Um root="$ROOT_BB" userns=none true
}

joined_files() {
	local who=$1 root=$2

	BY=$who start volt-ns -Ump uidmap="0:$("$who" id -u):1" "root=$root" volt-init sleep 1000
	wait_for "$who" volt-ns join="$pid" pidof sleep >/dev/null
	inner=$(pgrep -P "$(pgrep -P "$pid")")
	want=$(readlink "/proc/$inner/ns/user" "/proc/$inner/ns/pid")
	# It also works with a new root, by paths or descriptors.
	run -0 --separate-stderr "$who" volt-ns -m "join=/proc/$inner/ns/user" join=fd:7 \
		"root=$root" proc=/proc volt-lock keyring=keep \
		sh -c 'readlink /proc/self/ns/user; readlink /proc/self/ns/pid
			pidof sleep >/dev/null && echo seen' 7<"/proc/$inner/ns/pid"
	[ "$output" = "$want"$'\n'seen ]
	run -0 --separate-stderr "$who" volt-ns "join=/proc/$inner/ns/user" \
		sh -c 'readlink /proc/self/ns/user'
	[ "$output" = "${want%%$'\n'*}" ]
	run -125 "$who" volt-ns -m "join=/proc/$inner/ns/user" "join=/proc/$inner/ns/mnt" \
		"root=$root" true
	[ "$output" = "volt-ns: join= of a mount namespace cannot be used with root=" ]
}

@test "join=: namespaces by descriptor and path, also with a new root" {
	need_root
	joined_files as_root "$ROOT_BB"
	ends 125 "join=/etc/passwd: not a namespace" join=/etc/passwd true
	ends 125 "join=fd:77: Bad file descriptor" join=fd:77 true ||
		[[ $stderr == *"Bad file descriptor" ]]
	run -125 --separate-stderr volt-ns join=/none true
	[ "$stderr" = "volt-ns: join=/none: No such file or directory" ]
}

told() {
	local who=$1 root=$2 U=$3

	run -5 --separate-stderr "$who" volt-ns "-jmp$U" "root=$root" info=7 status=8 \
		volt-init sh -c 'readlink /proc/self/ns/mnt; exit 5' \
		7>"$BATS_TEST_TMPDIR/info" 8>"$BATS_TEST_TMPDIR/how"
	[ "$(sed -n 's/.*"mnt-namespace": //p' info | tr -d ,)" = "$(tr -dc 0-9 <<<"$output")" ]
	[[ $(sed -n 1p how) == '{ "child-pid": '*' }' ]]
	[ "$(sed -n 2p how)" = '{ "exit-code": 5 }' ]
	run -0 --separate-stderr "$who" volt-ns "-m$U" "root=$root" info=7 \
		sh -c 'echo $$; readlink /proc/self/ns/mnt' 7>"$BATS_TEST_TMPDIR/info"
	[ "$(sed -n 1p info)" = "child-pid ${lines[0]}" ]
	grep -qx "mnt-namespace $(tr -dc 0-9 <<<"${lines[1]}")" info
	run -127 "$who" volt-ns "-jm$U" "root=$root" status=8 /none 8>"$BATS_TEST_TMPDIR/how"
	[ "$(sed -n 2p how)" = '{ "failed": 127 }' ]
	run -125 "$who" volt-ns "-jm$U" root=/none status=8 true 8>"$BATS_TEST_TMPDIR/how"
	[ "$(cat how)" = '{ "failed": 125 }' ]
	# The command waits for a byte, or for the end of file.
	run -0 --separate-stderr "$who" volt-ns "-m$U" "root=$root" wait=7 echo on 7<<<x
	[ "$output" = on ]
	run -0 --separate-stderr "$who" volt-ns "-m$U" "root=$root" wait=7 echo on 7</dev/null
	[ "$output" = on ]
}

@test "info=, wait=, -j: the command's IDs, and when it starts" {
	each told
	ends 125 "info=77: Bad file descriptor" info=77 true
	ends 125 "wait=77: Bad file descriptor" wait=77 true
}

kept() {
	local who=$1 root=$2 U=$3

	mkdir -p "$USER_DIR/tmp/kept" && cd "$USER_DIR/tmp/kept" || return
	run -0 --separate-stderr "$who" volt-ns "-m$U" "root=$root" chdir=keep env=HOME=/tmp \
		sh -c 'pwd; echo "$PWD"'
	[ "$output" = $'/tmp\n/tmp' ]
	run -0 --separate-stderr "$who" volt-ns "-m$U" "root=$root" chdir=keep env=HOME=/none \
		sh -c 'pwd; echo "$PWD"'
	[ "$output" = $'/\n/' ]
	run -0 --separate-stderr "$who" volt-ns "-m$U" root=tmpfs "bind=$root/bin:/bin" \
		"dir=$PWD" chdir=keep sh -c 'pwd; echo "$PWD"'
	[ "$output" = "$PWD"$'\n'"$PWD" ]
	cd "$BATS_TEST_TMPDIR" || return
	rmdir "$USER_DIR/tmp/kept"
	run -0 --separate-stderr "$who" volt-ns -Um "uidmap=7:$("$who" id -u):1" "root=$root" \
		uid=7 gid=7 caps=keep proc=none bind=/proc:/proc:rec volt-lock keyring=keep \
		sh -c 'grep -E "Cap(Prm|Amb)" /proc/self/status | cut -f2 | sort -u | wc -l
			id -u; grep -c CapEff:.0000000000000000 /proc/self/status || true'
	[ "$output" = $'1\n7\n0' ]
	ends 125 "caps=x: not keep or root" caps=x true
}

@test "chdir=keep and caps=keep" {
	each kept
}

@test "bind=: an error names the source or the place" {
	ends 125 "bind=$PWD/nil:/mnt: source $PWD/nil: No such file or directory" \
		-Um bind="$PWD/nil:/mnt" true
	ends 125 "bind=/etc:/etc/passwd/x:rec: place /etc/passwd/x: Not a directory" -Um \
		bind=/etc:/etc/passwd/x:rec true
	need_root
	run -0 volt-ns -N -Um root="$ROOT_BB" bind=/etc:/a bind=/etc:/b:ro bind=/etc:/c:idmap
	[ "$(grep -c 'the option idmap maps them' <<<"$output")" = 1 ]
	[[ $output == *"volt-ns: bind=/etc:/a: its files keep the host's owners,\
 who are nobody inside; the option idmap maps them"* ]]
}

@test "bind=...:try: it is left out if there is no source, and only then" {
	each tried
	ln -s loop loop
	run -125 --separate-stderr volt-ns -mU bind="$PWD/loop":/y:try true
	[[ $stderr == "volt-ns: bind=$PWD/loop:/y:try: "*[Ll]oop* || $stderr == *"symbolic links" ]]
	ends 125 "root=/nil:try: unknown option" -m root=/nil:try true
}

# --- the environment --------------------------------------------------------

@test "env= and unset=: they work from left to right, but not on the chain's variables" {
	run -0 env -i A=1 B=2 C=3 PATH="$PATH" "$(command -v volt-ns)" env=none env=B env=D=4=5 \
		env=NIL env=E= unset=C env
	[ "$output" = $'B=2\nD=4=5\nE=' ]
	run -0 env -i A=1 B=2 "$(command -v volt-ns)" unset=A unset=A env=B=3 env=B /usr/bin/env
	[ "$output" = B=2 ]
	# The next link is still found, and has its own variables.
	need as_user unshare -U true
	run -0 as_user volt-ns -Um root="$ROOT_USER" env=none volt-ns status=2 env=X=1 /bin/env
	[ "$output" = $'X=1\nexit 0' ]
	for bad in '' =x; do
		ends 125 "env=$bad: not the name of a variable" "env=$bad" true
	done
	ends 125 "unset=A=1: not the name of a variable" unset=A=1 true
	ends 125 "env=VOLT_X=1: VOLT_ variables are the chain's own" env=VOLT_X=1 true
	ends 125 "unset=VOLT_X: VOLT_ variables are the chain's own" unset=VOLT_X true
	# The new PATH finds the command.
	ends 127 "exec true: No such file or directory" env=PATH=/nil true
}

@test "uid=: it is refused without the privilege" {
	run -125 --separate-stderr as_user volt-ns uid=0 true
	[[ $stderr == "volt-ns: "*"Operation not permitted" ]]
}

@test "hostname=, domainname=: only the command sees them" {
	before=$(uname -n)
	run -0 as_user volt-ns -Uu hostname=guest domainname=dom sh -c \
		'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname'
	[ "$output" = "guest
dom" ]
	[ "$(uname -n)" = "$before" ]
	ends 125 "hostname= needs -u" hostname=x true
	ends 125 "hostname=: empty" -u hostname= true
	long=$(printf '%065d' 0)
	ends 125 "hostname=$long: longer than 64 bytes" -u "hostname=$long" true
	run -0 as_user volt-ns -Uu "hostname=${long%0}" uname -n
	[ "$output" = "${long%0}" ]
}

@test "umask: it is kept, or set by umask=" {
	umask 037
	run -0 volt-ns sh -c umask
	[ "$output" = 0037 ]
	run -0 as_user volt-ns -Ump root="$ROOT_USER" sh -c umask
	[ "$output" = 0037 ]
	run -0 volt-ns umask=027 sh -c umask
	[ "$output" = 0027 ]
	for bad in 8 1000 '' x -1 077x; do
		ends 125 "umask=$bad: not an octal mask" "umask=$bad" true
	done
}

@test "umask 077: all users can still use the mount points and /dev" {
	umask 077
	places
	cp -a "$ROOT_USER" "$USER_DIR/tmp/r$$"
	rmdir "$USER_DIR/tmp/r$$"/{proc,sys,mnt} && rm -r "$USER_DIR/tmp/r$$/dev"
	run -0 as_user volt-ns -A root="$USER_DIR/tmp/r$$" tmpfs=/mnt/deep/er sh -c \
		'stat -c %a /dev /dev/null /mnt /mnt/deep /dev/pts /dev/shm'
	[ "$output" = "755
666
755
755
755
1777" ]
	[ "$(stat -c %a "$USER_DIR/tmp/r$$"/{proc,sys,dev,mnt})" = "755
755
755
755" ]
}

@test "chdir=: inside the root, relative or through symlinks, and never outside" {
	places
	r=$USER_DIR/tmp/c$$ && cp -a "$ROOT_USER" "$r"
	ln -s /etc "$r/abs" && ln -s ../../../../etc "$r/up" && ln -s / "$r/top"
	for dir in /etc etc abs up top/abs ../../etc /../etc; do
		run -0 as_user volt-ns -Ump root="$r" chdir="$dir" pwd
		[ "$output" = /etc ]
	done
	run -125 --separate-stderr as_user volt-ns -Ump root="$r" chdir=/none pwd
	[ "$stderr" = "volt-ns: chdir=/none: No such file or directory" ]
	run -125 --separate-stderr as_user volt-ns -Ump root="$r" chdir=/etc/passwd pwd
	[ "$stderr" = "volt-ns: chdir=/etc/passwd: Not a directory" ]
	for fd in $(seq 3 12) 100; do
		run -125 --separate-stderr as_user volt-ns -Ump root="$r" \
			chdir="/proc/self/fd/$fd" pwd 100</
		[[ $stderr == "volt-ns: chdir=/proc/self/fd/$fd: "* ]]
	done
	for magic in /proc/self/root /proc/1/root /proc/self/cwd; do
		run -125 --separate-stderr as_user volt-ns -Ump root="$r" chdir=$magic pwd
		[ "${stderr_lines[0]}" = "volt-ns: chdir=$magic: Symbolic link loop" ] ||
			[ "${stderr_lines[0]}" = \
				"volt-ns: chdir=$magic: Too many levels of symbolic links" ]
		[ "${stderr_lines[1]}" = "volt-ns: the path leads through a symlink of /proc/PID,\
 or a loop of symlinks" ]
	done
}

@test "chdir=: without a root, it works like cd" {
	mkdir -p a/b && ln -s /etc a/abs
	cd a/b
	run -0 volt-ns chdir=.. sh -c 'pwd -P'
	[ "$output" = "$(cd .. && pwd -P)" ]
	cd ..
	run -0 volt-ns chdir=abs sh -c 'pwd -P'
	[ "$output" = "$(cd -P /etc && pwd)" ]
}

@test "working directory: it is kept without a root, and / with one" {
	run -0 as_user sh -c 'cd "$HOME" && exec volt-ns -Ump sh -c "pwd -P"'
	[ "$output" = "$(as_user sh -c 'cd "$HOME" && pwd -P')" ]
	run -0 as_user volt-ns -Ump root="$ROOT_USER" pwd
	[ "$output" = / ]
}

@test "-s: a new session, also for a process group leader" {
	need command -v python3
	# shellcheck disable=SC2016
	show='read -r _ _ _ _ pgrp sid _ </proc/self/stat; [ $sid = $$ ] && [ $pgrp = $$ ]'
	run -0 volt-ns -s sh -c "$show"
	run -0 as_user volt-ns -Ups root="$ROOT_USER" -m sh -c "$show"
	# Start it as a shell with job control does.
	run -0 python3 -c 'import os, sys
os.setpgid(0, 0)
os.execvp("volt-ns", ["volt-ns", "-s", "sh", "-c", "ps -o sid= -p $$; echo $$"])'
	[ "$((lines[0]))" != "$(($(ps -o sid= -p $$)))" ]
}

@test "-k: it dies with its parent" {
	for flags in -Uk -Upk; do
		start_by as_user sh -c 'volt-ns '"$flags"' sleep 1001 </dev/null & sleep 1002; :'
		wait_for pgrep -f '^sleep 1001' >/dev/null
		kill -KILL "$pid"
		for p in $(pgrep -f '^sleep 1002'); do
			tr '\0' '\n' <"/proc/$p/environ" | grep -qx "TEST_MARK=$TEST_MARK" &&
				kill "$p"
		done
		no_leftovers
	done
}

# --- the root ---------------------------------------------------------------

a_root() {
	local who=$1 root=$2

	run -0 --separate-stderr "$who" volt-ns -A root="$root" sh -c \
		'cut -d" " -f5 /proc/self/mountinfo; ls -A /dev; echo $$'
	[ "$stderr" = "" ]
	for n in / /proc /proc/sys /dev /dev/null /dev/zero /dev/full /dev/random \
		/dev/urandom /dev/tty /dev/pts /dev/shm /sys; do
		[[ $'\n'$output$'\n' == *$'\n'$n$'\n'* ]]
	done
	[ "${lines[-1]}" = 1 ]
	for n in core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero; do
		[[ $'\n'$output$'\n' == *$'\n'$n$'\n'* ]]
	done
	run -0 "$who" volt-ns -A root="$root" sh -c \
		'for d in null zero full random urandom tty; do stat -c %t:%T /dev/$d; done'
	[ "$output" = "1:3
1:5
1:7
1:8
1:9
5:0" ]
	run -0 "$who" volt-ns -A root="$root" sh -c 'echo x >/dev/null && echo y >/dev/shm/y &&
		cat /dev/shm/y && (echo z >/dev/stdout) | cat'
	[ "$output" = "y
z" ]
}

@test "root=: it has /proc and /dev, and nothing of the host" {
	before=$(cat /proc/self/mountinfo)
	each a_root
	[ "$(cat /proc/self/mountinfo)" = "$before" ]
}

safe_root() {
	local who=$1 root=$2

	run -0 "$who" volt-ns -A root="$root" cat /proc/self/mountinfo
	# Every mount is nosuid, and nodev except /dev, its devices and devpts.
	run -0 awk '$6 !~ /nosuid/ && $5 !~ "^/dev/" && $5 !~ "^/proc/"' <<<"$output"
	[ "$output" = "" ]
	run -0 "$who" volt-ns -A root="$root" cat /proc/self/mountinfo
	run -0 awk '$6 !~ /nodev/ && $5 !~ "^/dev" && $9 != "devtmpfs" &&
		$0 !~ / - devtmpfs / && $5 !~ "^/proc/"' <<<"$output"
	[ "$output" = "" ]
	# No mount is shared with a mount outside, or a slave of one.
	run -0 "$who" volt-ns -A root="$root" grep -cE 'shared:|master:|propagate_from:' \
		/proc/self/mountinfo || [ "$status" = 1 ]
}

# systemd shares the mounts of a host. What is mounted in a clone of a shared mount is also
# mounted on the host.
@test "root=: nothing is mounted on a host whose mounts are shared" {
	need_root
	for flags in -m -Um -mp -Ump -A; do
		for word in chdir=/ overlay=tmpfs "bind=/etc:/mnt:rec" \
			"lower=/etc overlay=tmpfs"; do
			# shellcheck disable=SC2016,SC2086
			run -0 --separate-stderr unshare -m --propagation shared sh -c '
				before=$(wc -l </proc/self/mountinfo)
				volt-ns "$@" true || exit
				[ "$(wc -l </proc/self/mountinfo)" = "$before" ]' sh \
				$flags root="$ROOT_BB" $word
		done
	done
}

@test "root=: it is nosuid, nodev and private" {
	each safe_root
}

masked() {
	# shellcheck disable=SC2016
	run -0 --separate-stderr "$1" volt-ns -A root="$2" sh -c '
		for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe \
		    /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
			[ ! -e $f ] || ! ( : >>$f ) 2>/dev/null || echo "$f is writable"
		done
		for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug \
			/proc/interrupts; do
			[ ! -e $f ] || [ -z "$(head -c 1 $f)" ] || echo "$f can be read"
		done
		for f in /proc/acpi /proc/scsi /sys/firmware /proc/asound; do
			[ ! -e $f ] || [ -z "$(ls -A $f)" ] || echo "$f has something in it"
		done
		( : >>/sys/kernel/x ) 2>/dev/null && echo "/sys is writable"
		mkdir /sys/fs/cgroup/x 2>/dev/null && echo "/sys/fs/cgroup is writable"
		f=/sys/fs/cgroup/cgroup.procs
		[ ! -e $f ] || ! echo 1 2>/dev/null >$f || echo "$f is writable"
		true'
	[ "$output" = "" ]
}

@test "defaults: kernel paths are masked, and read-only" {
	each masked
}

# An explicit proc= or sys= has the same masks and read-only paths, with any place and any
# options.
explicit_proc() {
	# shellcheck disable=SC2016
	run -0 --separate-stderr "$1" volt-ns -A root="$2" proc=/proc:hidepid=2 sh -c '
		( : >>/proc/sys/kernel/core_pattern ) 2>/dev/null && echo core_pattern
		( : >>/proc/sysrq-trigger ) 2>/dev/null && echo sysrq
		f=/proc/timer_list
		[ ! -e $f ] || [ -z "$(head -c 1 $f)" ] || echo timer_list
		[ "$(grep -c " /proc/sys ro" /proc/self/mountinfo)" = 1 ] || echo /proc/sys
		true'
	[ "$output" = "" ]
}

@test "proc=/proc:hidepid=2 is masked like the default /proc" {
	each explicit_proc
}

@test "proc= sys= dev= cgroup= mask=: none, or at another place" {
	places
	run -0 as_user volt-ns -A root="$ROOT_USER" proc=none sys=none \
		dev=none sh -c 'ls -A /proc /sys'
	[ "$output" = "/proc:

/sys:" ]
	run -0 as_user volt-ns -A root="$ROOT_USER" mask=none sh -c \
		'! grep -q " /proc/." /proc/self/mountinfo'
	run -0 as_user volt-ns -A root="$ROOT_USER" cgroup=none sh -c \
		'! grep -q cgroup2 /proc/self/mountinfo'
	run -0 as_user volt-ns -A root="$ROOT_USER" dev=none dev=/run/dev tmpfs=/mnt proc=/mnt/p \
		sys=/mnt/s cgroup=/mnt/c sh -c \
		'readlink /mnt/p/self && ls /mnt/s/kernel /mnt/c/cgroup.procs >/dev/null &&
		echo >/run/dev/null'
}

@test "mask= ro=: paths of the caller" {
	run -0 --separate-stderr as_user volt-ns -A root="$ROOT_USER" mask=/etc/passwd \
		mask=/usr/lib mask=/home ro=/etc ro=/root sh -c '
		cat /etc/passwd; ls -A /usr/lib /home | grep -v : | tr -d "\n"
		touch /etc/x 2>&1; touch /root/x 2>&1; rm /etc/group 2>&1; true'
	[ "$output" = "touch: /etc/x: Read-only file system
touch: /root/x: Read-only file system
rm: can't remove '/etc/group': Read-only file system" ]
	run -125 --separate-stderr as_user volt-ns -A root="$ROOT_USER" mask=/none true
	[ "$stderr" = "volt-ns: mask=/none: /none: No such file or directory" ]
	run -125 --separate-stderr as_user volt-ns -A root="$ROOT_USER" mask=relative true
	[ "$stderr" = "volt-ns: mask=relative: the place must begin with /" ]
}

# read_only WHO WORD ...
read_only() {
	run -0 --separate-stderr "$1" volt-ns -A "${@:2}" sh -c 'touch /x 2>&1
		touch /dev/shm/x && touch /dev/pts/ptmx; true'
	[ "${lines[0]}" = "touch: /x: Read-only file system" ]
}

read_only_root() {
	read_only "$1" root="$2:ro"
	read_only "$1" root="$2" ro=/
}

@test "a read-only root, by root=DIR:ro and by ro=/" {
	each read_only_root
}

@test "mount points are made if the root is writable" {
	places
	r=$USER_DIR/tmp/e$$ && as_user mkdir -p "$r/bin"
	as_user cp "$ROOT_USER/bin/busybox" "$r/bin/"
	echo data >"$USER_DIR/tmp/file" && chmod 644 "$USER_DIR/tmp/file"
	run -0 --separate-stderr as_user volt-ns -A root="$r" bind="$USER_DIR/tmp/file:/a/b/c" \
		tmpfs=/t/u /bin/busybox cat /a/b/c
	[ "$output" = data ]
	[ -d "$r/proc" ] && [ -d "$r/dev" ] && [ -d "$r/sys" ] && [ -d "$r/t/u" ]
	[ -f "$r/a/b/c" ] && [ ! -s "$r/a/b/c" ]
	# In a root that is not writable, an error names the missing one.
	rmdir "$r/proc"
	run -125 --separate-stderr as_user volt-ns -A root="$r:ro" true
	[ "$stderr" = "volt-ns: /proc: /proc: Read-only file system" ] ||
		[ "$stderr" = "volt-ns: /proc: Read-only file system" ]
}

@test "mount points are made at the target of a dangling symlink, inside the root" {
	places
	r=$USER_DIR/tmp/d$$ && as_user mkdir -p "$r/bin" "$r/etc" "$r/proc" "$r/dev"
	as_user cp "$ROOT_USER/bin/busybox" "$r/bin/"
	as_user ln -s nowhere "$r/etc/localtime"
	as_user ln -s "$USER_DIR/tmp/outside" "$r/etc/absolute"
	as_user ln -s ../../../run/new/file "$r/etc/up"
	run -0 --separate-stderr as_user volt-ns -Um root="$r" bind=/etc/hostname:/etc/localtime \
		bind=/etc/hostname:/etc/absolute bind=/etc/hostname:/etc/up \
		/bin/busybox cat /etc/nowhere "$USER_DIR/tmp/outside" /run/new/file
	[ "$output" = "$(cat /etc/hostname /etc/hostname /etc/hostname)" ]
	[ -f "$r/etc/nowhere" ] && [ -f "$r$USER_DIR/tmp/outside" ] && [ -f "$r/run/new/file" ]
	[ ! -e "$USER_DIR/tmp/outside" ]
}

@test "a directory on a file and a file on a directory are refused" {
	places
	r=$USER_DIR/tmp/t$$ && as_user mkdir -p "$r/dir" && as_user touch "$r/file"
	run -125 --separate-stderr as_user volt-ns -Um root="$r" bind=/etc:/file true
	[ "$stderr" = "volt-ns: bind=/etc:/file: a directory cannot be mounted on the file /file" ]
	run -125 --separate-stderr as_user volt-ns -Um root="$r" bind=/etc/hostname:/dir true
	[ "$stderr" = \
		"volt-ns: bind=/etc/hostname:/dir: a file cannot be mounted on the directory /dir" ]
	run -125 --separate-stderr as_user volt-ns -Um root="$r" tmpfs=/file true
	[ "$stderr" = "volt-ns: tmpfs=/file: a directory cannot be mounted on the file /file" ]
}

@test "bind=: rw and exec take effect, or are an error" {
	need_root
	mkdir src && cp "$ROOT_BB/bin/busybox" src/echo
	# shellcheck disable=SC2016
	mounted='mount -t tmpfs t src && cp "$0/bin/busybox" src/echo &&
		mount -o "remount,bind,$1" src && shift && exec "$@"'
	under() {
		unshare -m sh -c "$mounted" "$ROOT_BB" "$@"
	}
	run -0 under ro,noexec volt-ns -Um root="$ROOT_BB" overlay=tmpfs \
		bind="$PWD/src:/mnt:rw,exec" \
		sh -c ': >/mnt/new && /mnt/echo given'
	[ "$output" = given ]
	run -0 under nosuid,nodev volt-ns -Um root="$ROOT_BB" overlay=tmpfs \
		bind="$PWD/src:/mnt:suid,dev" \
		grep " /mnt rw,relatime " /proc/self/mountinfo
	run -1 --separate-stderr under ro volt-ns -Um root="$ROOT_BB" overlay=tmpfs \
		bind="$PWD/src:/mnt" sh -c ': >/mnt/new'
	[[ $stderr == *"Read-only file system"* ]]
	# An ordinary user cannot clear a flag that the host's root has set.
	run -125 --separate-stderr under ro setpriv --reuid "$TEST_UID" --clear-groups \
		env PATH="$PATH" volt-ns -Um bind="$PWD/src:/mnt:rw" true
	[ "${stderr_lines[0]}" = \
		"volt-ns: bind=$PWD/src:/mnt:rw: mount attributes: Operation not permitted" ]
	[ "${stderr_lines[1]}" = "volt-ns: the flags of the source's mount are locked:\
 the options rw, exec, dev and suid cannot clear them" ]
	# Root cannot do it, either, if the file system itself is read-only.
	mksquashfs src image -quiet -no-progress >/dev/null
	# shellcheck disable=SC2016
	run -125 --separate-stderr unshare -m sh -c 'mount -o loop image src && exec "$@"' sh \
		volt-ns -Um root="$ROOT_BB" overlay=tmpfs bind="$PWD/src:/mnt:rw" true
	[ "$stderr" = "volt-ns: bind=$PWD/src:/mnt:rw: rw: the file system is read-only" ]
}

@test "later mounts of the host appear in the caller's root, and below a bind with slave" {
	need_root
	mkdir -p host/below
	# shellcheck disable=SC2016
	later='
		mount -t tmpfs host "$1/host" && mount --make-rshared / && mkdir "$1/host/below"
		start() {
			"$@" &
			pid=$!
			until grep -qs sleep "/proc/$pid/comm"; do command sleep 0.05; done
		}
		seen() {
			[ -e "/proc/$pid/root$1/new" ] && echo yes || echo no
		}
		for chain in "volt-ns -m" "volt-ns -Um" "volt-ns -Um bind=/etc:/mnt" \
			"volt-ns -m root=$ROOT_BB overlay=tmpfs bind=$1/host:/mnt" \
			"volt-ns -m root=$ROOT_BB overlay=tmpfs bind=$1/host:/mnt:slave,rec" \
			"volt-ns -Um root=$ROOT_BB overlay=tmpfs bind=$1/host:/mnt:slave,rec"; do
			start $chain sleep 100
			mount -t tmpfs later "$1/host/below" && : >"$1/host/below/new"
			case $chain in
			*host*) seen /mnt/below ;;
			*) seen "$1/host/below" ;;
			esac
			umount "$1/host/below"
			case $chain in
			*host*) seen /mnt/below ;;
			*) seen "$1/host/below" ;;
			esac
			kill $pid
			wait $pid 2>/dev/null || :
		done'
	run -0 --separate-stderr unshare -m bash -ec "$later" bash "$PWD"
	[ "$(paste -sd ' ' <<<"$output")" = "yes no yes no yes no no no yes no yes no" ]
	[ "$stderr" = "" ]
	# A device that was mounted before is not busy after the host has unmounted it.
	# shellcheck disable=SC2016
	run -0 unshare -m bash -ec '
		mount -t tmpfs host "$1/host" && mount --make-rshared /
		volt-ns -m sleep 100 &
		until grep -qs sleep "/proc/$!/comm"; do sleep 0.05; done
		umount "$1/host"
		grep -c " $1/host " "/proc/$!/mountinfo" || :
		kill $!' bash "$PWD"
	[ "$output" = 0 ]
}

@test "a thousand binds, and 127 layers" {
	places
	many() {
		local who=$1 root=$2 i words=()

		ulimit -Sn 256
		for ((i = 0; i < 1000; i++)); do
			words+=("bind=/etc/hostname:/tmp/$i")
		done
		run -0 --separate-stderr "$who" volt-ns -A root="$root" tmpfs=/tmp "${words[@]}" \
			sh -c 'cat /tmp/0 /tmp/999; ulimit -n'
		[ "$output" = "$(cat /etc/hostname /etc/hostname)
256" ]
		words=()
		for ((i = 1; i <= 127; i++)); do
			"$who" mkdir -p "$USER_DIR/tmp/layers-$who/$i/etc"
			"$who" touch "$USER_DIR/tmp/layers-$who/$i/etc/only$i"
			words+=("lower=$USER_DIR/tmp/layers-$who/$i")
		done
		run -0 --separate-stderr "$who" volt-ns -A root="$root" overlay=tmpfs \
			"${words[@]}" sh -c 'ls /etc/only* | wc -l; : >/new'
		[ "$output" = 127 ]
	}
	each many
}

# overlay WHO ROOT TMP
overlay() {
	local who=$1 root=$2 l=$3/l

	run -0 --separate-stderr "$who" volt-ns -A root="$root" overlay=tmpfs:size=8M sh -c '
		echo new >/etc/new && rm /etc/passwd && cat /etc/new && ls /etc/passwd 2>&1
		df -m / | tail -n 1 >/dev/null'
	[ "${lines[0]}" = new ]
	[[ ${lines[1]} == *"No such file"* ]]
	[ ! -e "$root/etc/new" ] && [ -e "$root/etc/passwd" ]
	"$who" mkdir -p "$l/1/etc" "$l/2/etc" "$l/up"
	for i in 1 2; do
		echo "$i" | "$who" tee "$l/$i/etc/both" "$l/$i/etc/only$i" >/dev/null
	done
	run -0 --separate-stderr "$who" volt-ns -A root="$root" lower="$l/1" \
		lower="$l/2" overlay="$l/up" sh -c \
		'cat /etc/both /etc/only1 /etc/only2; test -e /etc/passwd && echo kept >/kept'
	[ "$output" = "1
1
2" ]
	[ "$(cat "$l/up/upper/kept")" = kept ]
	[ ! -e "$l/1/kept" ] && [ ! -e "$root/kept" ]
	run -0 --separate-stderr "$who" volt-ns -A root="$root" lower="$l/2" lower="$l/1" \
		overlay=tmpfs cat /etc/both
	[ "$output" = 2 ]
	run -0 --separate-stderr "$who" volt-ns -A root="$root" lower="$l/2" sh -c \
		'cat /etc/both; touch /x 2>&1; true'
	[ "$output" = "2
touch: /x: Read-only file system" ]
	# The changes are there the next time.
	run -0 --separate-stderr "$who" volt-ns -A root="$root" overlay="$l/up" cat /kept
	[ "$output" = kept ]
	# ro makes the root read-only, and not the place of its changes.
	for i in tmpfs "$l/up"; do
		run -0 --separate-stderr "$who" volt-ns -A root="$root" overlay="$i:ro" \
			sh -c 'touch /x 2>&1; ls -d /proc/self'
		[ "$output" = "touch: /x: Read-only file system
/proc/self" ]
	done
}

@test "overlay= and lower=: the layers, their order, and where changes go" {
	places
	[ "$(id -u)" != 0 ] || overlay as_root "$ROOT_BB" "$BATS_TEST_TMPDIR/o"
	overlay as_user "$ROOT_USER" "$USER_DIR/tmp/o$$"
}

@test "overlay=: an ordinary user's layer with mounts below it is refused, also with rec" {
	user_dir
	for words in "root=/ overlay=tmpfs" "lower=/ root=/etc"; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr as_user volt-ns -Um $words true
		[ "$stderr" = "volt-ns: ${words%%[ ]*}: Invalid argument
volt-ns: there are mounts below it: only the host's root can make a layer of it" ]
	done
	run -125 --separate-stderr as_user volt-ns -Um bind=/:/mnt true
	[ "${stderr_lines[1]}" = "volt-ns: there are mounts below it: add the option rec" ]
}

@test "/dev: in a user namespace without group 5, terminals have the caller's group" {
	places
	nested() {
		run -0 --separate-stderr "$1" volt-ns -U uidmap="0:$3:1" \
			volt-ns -mp root="$2" console=pty stat -c %g /dev/console </dev/null
		[ "${output%$'\r'}" = 0 ]
	}
	nested as_user "$ROOT_USER" "$TEST_UID"
	[ "$(id -u)" != 0 ] || nested as_root "$ROOT_BB" 0
	[ "$(id -u)" != 0 ] || {
		run -0 volt-ns -mp root="$ROOT_BB" console=pty stat -c %g /dev/console </dev/null
		[ "${output%$'\r'}" = 5 ]
	}
}

images() {
	mkdir img
	mkfs.erofs img/erofs "$ROOT_BB" >/dev/null 2>&1
	mksquashfs "$ROOT_BB" img/squashfs -quiet -no-progress >/dev/null
	truncate -s 16M img/ext4 && mke2fs -q -t ext4 -d "$ROOT_BB" img/ext4
}

loops() {
	cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c "$BATS_TEST_TMPDIR" || true
}

@test "image=: erofs, squashfs, ext4; no loop device is left" {
	need_root
	need test -e /dev/loop-control
	images
	for t in erofs squashfs ext4; do
		grep -qw "$t" /proc/filesystems || continue
		for flags in -A -m -mpniuC; do
			run -0 --separate-stderr volt-ns $flags image="img/$t" sh -c \
				'touch /x 2>&1; cat /etc/passwd | head -n 1'
			[ "$stderr" = "" ]
			[ "$output" = "touch: /x: Read-only file system
root:x:0:0:root:/root:/bin/sh" ]
		done
		run -0 volt-ns -A image="img/$t" overlay=tmpfs sh -c 'echo new >/x; cat /x'
		[ "$output" = new ]
		start volt-ns -A image="img/$t" sleep 1000
		wait_for pgrep -f "^sleep 1000" >/dev/null
		[ "$(loops)" = 1 ]
		kill -KILL "$pid"
		no_leftovers
	done
	run -0 volt-ns -A image=img/ext4:rw sh -c 'echo kept >/kept'
	run -0 volt-ns -A image=img/ext4 cat /kept
	[ "$output" = kept ]
	wait_for sh -c \
		"! cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -q '$BATS_TEST_TMPDIR'"
}

@test "image=: a file that is no image is refused" {
	need_root
	head -c 8192 /dev/zero >zero && : >empty && mkfifo fifo
	ends 125 "image=zero: not an erofs, squashfs or ext4 image" -m image=zero true
	ends 125 "image=empty: not an erofs, squashfs or ext4 image" -m image=empty true
	ends 125 "image=.: not a file" -m image=. true
	ends 125 "image=fifo: not a file" -m image=fifo true
	ends 125 "image=none: No such file or directory" -m image=none true
	# The superblock describes more than the file has.
	printf 'hsqs' >trunc && head -c 8192 /dev/zero >>trunc
	run -125 --separate-stderr timeout 60 volt-ns -m image=trunc true
	[[ $stderr == "volt-ns: image=trunc: "* ]]
}

@test "image=: verity=, hashes= and fsverity= that are no proof are refused" {
	local h=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff

	places
	head -c 8192 /dev/zero >i
	for o in verity= verity=${h}0 verity=${h%?} verity=${h%?}g verity=sha256:$h \
		fsverity= fsverity=${h}0; do
		ends 125 "image=i:$o: ${o%%=*}: not 64 or 128 hexadecimal digits" \
			-m image="i:$o" true
	done
	ends 125 "image=i:hashes=x,verity=$h: hashes: not a size" \
		-m image=i:hashes=x,verity=$h true
	ends 125 "image=i:hashes=4096: hashes needs verity" -m image=i:hashes=4096 true
	ends 125 "image=i:sig=s: sig needs verity" -m image=i:sig=s true
	ends 125 "image=i:verity=$h,sig=: sig: no file" -m image=i:verity=$h,sig= true
	ends 125 "image=i:rw,verity=$h: verity needs ro" -m image=i:rw,verity=$h true
	ends 125 "image=i:fsverity=$h,rw: fsverity needs ro" -m image=i:fsverity=$h,rw true
	ends 125 "bind=/:/b:verity=$h: unknown option" -m bind=/:/b:verity=$h true
	run -0 volt-ns -Nm image=i:verity=$h$h,hashes=4K,fsverity=$h,sig=s true
	[ "${lines[1]}" = "volt-ns: mount i at / ro nosuid nodev verity sig fsverity" ]
	[ "$(id -u)" = 0 ] || return 0
	ends 125 "image=i:fsverity=$h: fsverity: the file system has none" \
		-m image=i:fsverity=$h true || # or it has, and the file has no digest
		ends 125 "image=i:fsverity=$h: fsverity: it is not enabled for the file" \
			-m image=i:fsverity=$h true
	need test -e /dev/loop-control
	ends 125 "image=i:verity=$h: verity: no superblock; hashes=OFFSET says where it is" \
		-m image=i:verity=$h true
	ends 125 "image=i:verity=$h,hashes=4096: verity: no superblock there" \
		-m image=i:verity=$h,hashes=4096 true
}

# The devices of dm-verity that we made, and that are still there.
verified() {
	dmsetup ls | grep '^volt-loop[0-8]' || true
}

unverified() {
	[ "$(verified)" = "" ]
}

# need_verity: make v, an image with a file of 64 K that is verified, and set h to its hash.
need_verity() {
	need_root
	need command -v veritysetup
	need dmsetup targets
	local root

	root=$(copy_root)
	head -c 65536 /dev/zero | tr '\0' Q >"$root/large"
	h=$(verified_image "$root" v)
}

@test "image=: verity=: all reads are verified, and no device is left" {
	local h n place

	need_verity
	n=$(stat -c %s v)
	place=$(place_of v QQQQQQQQ)
	for o in "" ",hashes=$(place_of v verity)"; do
		run -0 --separate-stderr volt-ns -m image=v:verity=$h$o md5sum /large
		[ "$output" = "$(md5sum <root/large | tr -d -)/large" ]
		[ "$stderr" = "" ]
		wait_for unverified
	done
	run -0 volt-ns -A image=v:verity=$h overlay=tmpfs sh -c 'echo x >/x; cat /x'
	[ "$output" = x ]
	bad=$(another "$h")
	wrong="verity: the hash is not that of the data, or the data changed"
	ends 125 "image=v:verity=$bad: $wrong" -m image=v:verity=$bad true
	ends 125 "image=v:verity=$h$h: verity: the superblock has another algorithm \
than the hash" -m image=v:verity=$h$h true
	# One changed bit of the data, of a hash in the tree, of the salt.
	cp v w && flip w $((place + 8192))
	run -1 --separate-stderr volt-ns -m image=w:verity=$h sh -c 'cat /large | tr -d Q | wc -c
		cat /large >/dev/null'
	[ "$output" = 0 ]
	[[ $stderr == *"cat: read error: Input/output error" ]]
	cp v w && flip w $((n - 4096 + 32 * (place / 4096 % 128)))
	run --separate-stderr volt-ns -m image=w:verity=$h cat /large
	[ "$status" != 0 ]
	[[ $stderr == *"I/O error" || $stderr == *"Input/output error" ]]
	cp v w && flip w $(($(place_of v verity) + 88))
	ends 125 "image=w:verity=$h: $wrong" -m image=w:verity=$h true
	# Hashes that are cut off, and a superblock that leaves out data.
	head -c -4096 v >w
	ends 125 "image=w:verity=$h: verity: the hashes are cut off" -m image=w:verity=$h true
	cp v w && flip w $(($(place_of v verity) + 72 + 3))
	ends 125 "image=w:verity=$h: verity: the superblock is not behind the data" \
		-m image=w:verity=$h true
	# What changes later is not read.
	cp v w && mkdir go
	start volt-ns -m image=w:verity=$h bind="$PWD/go:/mnt" sh -c '
		echo up; until [ -e /mnt/x ]; do sleep 0.1; done; exec cat /large'
	wait_for grep -q up out
	[ "$(verified)" != "" ]
	flip w $((place + 8192))
	touch go/x
	ended 1
	grep -q 'cat: read error: Input/output error$' out
	start volt-ns -m image=w:verity=$h sleep 1000
	wait_for pgrep -f "^sleep 1000" >/dev/null
	kill -KILL "$pid"
	wait_for unverified
	[ "$(loops)" = 0 ]
}

@test "image=: verity=: sig=: a signature that the kernel does not accept mounts nothing" {
	local h s bad="sig: it is no signature of the root hash"

	need_verity
	need command -v openssl
	need strace -qq -o /dev/null true
	sign "$h" good
	sign "$(another "$h")" other
	head -c 500 /dev/urandom >noise
	cp good cut && truncate -s -1 cut
	: >empty
	truncate -s 32768 large
	while IFS='|' read -r s why; do
		ends 125 "image=v:verity=$h,sig=$s: $why" -m image=v:verity=$h,sig=$s true
	done <<-END
		none|sig: No such file or directory
		empty|sig: Invalid argument
		large|sig: File too large
		noise|$bad
		cut|$bad
		other|$bad
		good|sig: the kernel trusts no key that made it
	END
	# The kernel gets the file as a key, of which nothing is left.
	strace -f -qq -e trace=add_key,keyctl -o calls volt-ns -m image=v:verity=$h,sig=good true ||
		true
	grep -q "add_key(\"user\", \"volt-verity\", .*, $(stat -c %s good), KEY_SPEC_THREAD_K" calls
	grep -q 'keyctl(KEYCTL_UNLINK, .* = 0$' calls
	run -1 grep -q volt-verity /proc/keys
	wait_for unverified
	[ "$(loops)" = 0 ]
	[ "$(dmsetup ls | grep -c volt-)" = 0 ]
}

# A device that was left is unused, and the next volt-ns removes it.
swept() {
	no_hang "$1"
	volt-ns -m image=v:verity=$h true
	wait_for unverified
	wait_for test "$(loops)" = 0
}

@test "image=: verity=: killed at any ioctl, the next one leaves nothing" {
	local h n

	need strace -qq -o /dev/null true
	need_verity
	# An unused device of another program is left alone, whatever its name is.
	dmsetup create volt-loop9 --table "0 8 zero"
	kill_at_every_call -c ioctl swept volt-ns -m image=v:verity=$h true
	dmsetup remove volt-loop9
	# Four at once do not remove each other's devices.
	for n in 1 2 3 4; do
		cp v v$n
		volt-ns -m image=v$n:verity=$h sh -c 'cat /large | wc -c' >out$n 3>&- &
	done
	wait
	[ "$(cat out?)" = $'65536\n65536\n65536\n65536' ]
	wait_for unverified
}

@test "image=: fsverity=: the file has this digest" {
	need_fsverity
	mkfs.erofs small "$ROOT_BB" >/dev/null 2>&1
	d=$(prove small)
	cp small proved/plain
	run -0 volt-ns -m image=proved/small:fsverity=$d cat /etc/passwd
	[ "${lines[0]}" = "root:x:0:0:root:/root:/bin/sh" ]
	bad=$(another "$d")
	ends 125 "image=proved/small:fsverity=$bad: fsverity: the file has another digest" \
		-m image=proved/small:fsverity=$bad true
	ends 125 "image=proved/small:fsverity=$d$d: fsverity: the file has another digest" \
		-m image=proved/small:fsverity=$d$d true
	ends 125 "image=proved/plain:fsverity=$d: fsverity: it is not enabled for the file" \
		-m image=proved/plain:fsverity=$d true
}

@test "image=: it requires root, and says so" {
	places
	cp "$ROOT_BB/bin/busybox" "$USER_DIR/tmp/i$$"
	printf 'hsqs' | dd of="$USER_DIR/tmp/i$$" conv=notrunc status=none
	run -125 --separate-stderr as_user volt-ns -Um image="$USER_DIR/tmp/i$$" true
	[[ $stderr == *"image= requires root's rights; unpack the image and use root=" ]]
}

@test "bind=: attributes, by default and cleared" {
	places
	d=$USER_DIR/tmp/b$$ && as_user mkdir -p "$d"
	as_user cp "$ROOT_USER/bin/busybox" "$d/echo"
	bind() {
		run -0 --separate-stderr as_user volt-ns -A \
			root="$ROOT_USER" bind="$d:/mnt$1" sh -c \
			'grep " /mnt " /proc/self/mountinfo | cut -d" " -f6 | tr , "\n" |
			grep -xE "ro|rw|nosuid|nodev|noexec" | tr "\n" " "'
	}
	bind ""
	[ "$output" = "rw nosuid nodev " ]
	bind :ro
	[ "$output" = "ro nosuid nodev " ]
	bind :ro,noexec
	[ "$output" = "ro nosuid nodev noexec " ]
	bind :ro,rw,noexec,exec
	[ "$output" = "rw nosuid nodev " ]
	run -126 --separate-stderr as_user volt-ns -A root="$ROOT_USER" \
		bind="$d:/mnt:noexec" /mnt/echo x
	[ "$stderr" = "volt-ns: exec /mnt/echo: Permission denied" ]
	run -0 as_user volt-ns -A root="$ROOT_USER" bind="$d:/mnt" /mnt/echo x
	ends 125 "bind=/etc:/x:frob: unknown option" -m bind=/etc:/x:frob true
	ends 125 "bind=/etc:x: the place must begin with /" -m bind=/etc:x true
	ends 125 "bind=:/x: no source" -m bind=:/x true
	need_root
	run -0 volt-ns -mp root="$ROOT_BB" bind="$d:/mnt:suid,dev" sh -c \
		'grep " /mnt " /proc/self/mountinfo | grep -cE "nosuid|nodev"; true'
	[ "$output" = 0 ]
}

# undone WHO WORD ...: print what the container's root can undo (tests/helpers/unlock.c).
undone() {
	run -0 --separate-stderr "$1" volt-ns "${@:2}"
	echo "$output"
}

@test "locked: the container's root can undo no flag, no mask and no mount" {
	locked() {
		local who=$1 root=$2 bind=bind=$HELP/unlock:/tmp/unlock:ro

		[ -z "$(undone "$who" -A root="$root" tmpfs=/tmp "$bind" \
			mask=/etc ro=/bin /tmp/unlock)" ]
		[ -z "$(undone "$who" -A root="$root" overlay=tmpfs:noexec "$bind" \
			volt-init /tmp/unlock)" ]
		[ -z "$(undone "$who" -Um root="$root" overlay=tmpfs "$bind" /tmp/unlock)" ]
		[ -z "$(undone "$who" -Um bind=/etc:/mnt:ro,noexec "$HELP/unlock")" ]
		[ -z "$(undone "$who" -Ump proc=/proc ro=/ "$HELP/unlock")" ]
	}
	each locked
	# Without a user namespace, root can undo them: so the helper works.
	need_root
	undone=$(undone as_root -mp root="$ROOT_BB" overlay=tmpfs \
		bind="$HELP/unlock:/tmp/unlock:ro" /tmp/unlock)
	grep -qx "/tmp/unlock without ro" <<<"$undone"
	grep -qx "/ without nodev" <<<"$undone"
	grep -qx "/dev/shm unmounted" <<<"$undone"
}

@test "locked: a device node of an image still cannot be opened" {
	need_root
	root=$(copy_root)
	mknod -m 666 "$root/disk" b 7 0
	# shellcheck disable=SC2016
	run --separate-stderr volt-ns -UmpniuC root="$root" sh -c '
		mount -o remount,bind,dev,suid / && echo remounted
		head -c 1 /disk && echo opened'
	[ "$output" = "" ]
	grep -q "/disk: Permission denied" <<<"$stderr"
}

@test "locked: the toolbox, in PID 1 and in processes that join" {
	toolbox() {
		local who=$1 root=$2 dir joined

		dir=$USER_DIR/tmp/fifo$BASHPID
		places && "$who" mkdir "$dir" && "$who" mkfifo "$dir/words"
		start_by "$who" volt-ns -A root="$root" overlay=tmpfs bind="$dir:/mnt" \
			bind="$HELP/unlock:/tmp/unlock:ro" volt-lock @/mnt/words true
		joined=$pid
		wait_for "$who" volt-ns join="$joined" true 2>/dev/null
		start_by "$who" volt-ns join="$joined" volt-lock @/mnt/words true
		# Both links wait for their words, with the toolbox open.
		wait_for grep -qz volt-lock "/proc/$(pgrep -P "$pid")/cmdline"
		[ -z "$(undone "$who" join="$joined" /tmp/unlock)" ]
		kill "$pid" "$joined"
	}
	each toolbox
}

@test "bind=: without a root, in a copy of the caller's mounts" {
	mkdir src dst && echo here >src/f
	run -0 unshare -m volt-ns -m bind=src:"$PWD/dst" cat dst/f || need_root
	[ "$output" = here ]
	[ ! -e dst/f ]
}

@test "bind=: rec includes the mounts below" {
	need_root
	mkdir -p src/sub
	sub='mount -t tmpfs t src/sub && touch src/sub/in && exec volt-ns -m root='"$ROOT_BB"
	run -0 unshare -m sh -c "$sub bind=src:/mnt:rec ls /mnt/sub"
	[ "$output" = in ]
	run -0 unshare -m sh -c "$sub bind=src:/mnt ls /mnt/sub"
	[ "$output" = "" ]
	# ro applies to all of them.
	run -1 unshare -m sh -c "$sub bind=src:/mnt:rec,ro touch /mnt/sub/x"
}

@test "bind=: idmap maps the owners like the container's IDs" {
	need_root
	mkdir src && touch src/root && chmod 755 . && chmod 777 src
	run -0 --separate-stderr volt-ns -Ump uidmap=0:100000:65536 root="$ROOT_BB" \
		bind=src:/mnt:idmap sh -c 'stat -c %u /mnt/root && touch /mnt/new'
	[ "$output" = 0 ]
	[ "$(stat -c %u src/new)" = 0 ]
	run -125 --separate-stderr volt-ns -m root="$ROOT_BB" bind=src:/mnt:idmap true
	[[ $stderr == "volt-ns: bind=src:/mnt:idmap"* ]]
	# If it is impossible, the advice is to leave it out.
	run -125 --separate-stderr as_user volt-ns -Um root="$ROOT_USER" bind=/tmp:/mnt:idmap true
	[ "$stderr" = "volt-ns: bind=/tmp:/mnt:idmap: mount attributes: Operation not permitted
volt-ns: the option idmap requires the rights of the host's root: leave it out" ]
	run -125 --separate-stderr volt-ns -Um root="$ROOT_BB" bind=/proc:/mnt:idmap true
	[ "$stderr" = "volt-ns: bind=/proc:/mnt:idmap: mount attributes: Invalid argument
volt-ns: this kernel cannot map the IDs of that file system, or of one below it;\
 without the option idmap its files belong to nobody inside" ]
}

# A path with ".." leads to mounts stacked on "/". So a relative source must be looked up
# before the new root is attached.
relative() {
	local who=$1 root=$2 U=$3

	run -0 --separate-stderr "$who" sh -c 'cd "$1/a/b" && shift && exec volt-ns "$@"' sh "$D" \
		-mp"$U" root="$root" bind=../../x:/mnt cat /mnt/mark
	[ "$output" = host ]
	run -0 --separate-stderr "$who" sh -c 'cd "$1/a" && shift && exec volt-ns "$@"' sh "$D" \
		-mp"$U" root="$root" bind=../../../../../../../../../../"$D/x":/mnt cat /mnt/mark
	[ "$output" = host ]
	run -0 --separate-stderr "$who" sh -c 'cd "$1/x" && shift && exec volt-ns "$@"' sh "$D" \
		-mp"$U" root=../../../../../../../../"$root" bind=.:/mnt cat /mnt/mark
	[ "$output" = host ]
	run -0 --separate-stderr "$who" sh -c 'cd / && exec volt-ns "$@"' sh -mp"$U" root="$root" \
		lower=.."$D/x" overlay=tmpfs cat /mark
	[ "$output" = host ]
}

@test "sources with .. are paths of the host" {
	places
	D=$USER_DIR/tmp/rel$$
	as_user mkdir -p "$D/a/b" "$D/x"
	echo host | as_user tee "$D/x/mark" >/dev/null
	each relative
}

@test "a mount on the root itself is refused" {
	places
	r=$USER_DIR/tmp/self$$ && cp -a "$ROOT_USER" "$r" && ln -s / "$r/top" &&
		ln -s ../../.. "$r/up"
	for dst in / /usr/.. /.. // /./ /top /up /usr/../top/..; do
		for word in "bind=/etc:$dst" "tmpfs=$dst" "mask=$dst" "proc=$dst" "dev=$dst"; do
			run -125 --separate-stderr as_user volt-ns -Ump root="$r" "$word" true
			[ "$stderr" = "volt-ns: $word: $dst is the root itself" ]
		done
	done
	# A bind of the root somewhere else is another place.
	run -0 --separate-stderr as_user volt-ns -Ump root="$r" bind="$r:/mnt" \
		tmpfs=/mnt/tmp ro=/mnt true
}

@test "tmpfs=: sizes" {
	run -0 as_user volt-ns -A root="$ROOT_USER" tmpfs=/mnt:size=1M tmpfs=/run sh -c \
		'df -k /mnt /run /dev/shm | awk "NR>1 {print \$2}"; stat -c %a /mnt
		dd if=/dev/zero of=/mnt/f bs=1024 count=2000 2>&1 | tail -n 1 |
		cut -d, -f1 | cut -d" " -f1'
	[ "${lines[0]}" = 1024 ]
	[ "${lines[1]}" = 524288 ]
	[ "${lines[2]}" = 65536 ]
	[ "${lines[3]}" = 1777 ]
	run -125 --separate-stderr as_user volt-ns -Um root="$ROOT_USER" \
		tmpfs=/mnt:size=99999999999999999999999 true
	[[ $stderr == "volt-ns: tmpfs=/mnt:size=99999999999999999999999: "* ]]
	run -125 --separate-stderr as_user volt-ns -Um root="$ROOT_USER" tmpfs=/mnt:nonsense=1 true
	[[ $stderr == "volt-ns: tmpfs=/mnt:nonsense=1: "* ]]
}

# --- join= ------------------------------------------------------------------

joining() {
	local who=$1 root=$2 inner

	start_by "$who" volt-ns -A root="$root" hostname=box volt-init sh -c 'sleep 1000; :'
	wait_for "$who" volt-ns join="$pid" pidof sleep >/dev/null
	# A volt-ns that waits means its child.
	run -0 --separate-stderr "$who" volt-ns join="$pid" sh -c 'hostname; cat /proc/1/comm; pwd
		cd /; ls -d bin'
	[ "$stderr" = "" ]
	[ "$output" = "box
volt-init
/
bin" ]
	inner=$(pgrep -P "$pid")
	run -0 "$who" volt-ns join="$inner" hostname
	[ "$output" = box ]
	run -0 "$who" volt-ns join="$inner:user,uts" sh -c "uname -n; $INSIDE"
	[ "${lines[0]}" = box ]
	[ "$(diff <(spaces) <(echo "${lines[*]:1}" | tr ' ' '\n') | grep -c '^>')" = 2 ]
	# The process is in all eight namespaces of the container.
	run -0 "$who" volt-ns join="$inner" sh -c "$INSIDE"
	inside=$("$who" sh -c "cd /proc/$inner/ns; readlink cgroup ipc mnt net pid time user uts")
	[ "$output" = "$inside" ]
	# A link comes from the toolbox, because the root has none.
	run -0 --separate-stderr "$who" volt-ns join="$pid" volt-init -v echo linked
	[ "$stderr" = "volt-init: wait as a subreaper" ]
	[ "$output" = linked ]
	run -9 "$who" volt-ns join="$pid" sh -c 'exit 9'
	run -143 "$who" volt-ns join="$pid" sh -c 'kill $$'
	# The command gets no descriptor and no variable.
	run -0 "$ROOT_BB/bin/ls" /proc/self/fd
	before=$output
	run -0 "$who" volt-ns join="$pid" volt-init ls /proc/self/fd
	[ "$output" = "$before" ]
	run -0 "$who" volt-ns join="$pid" volt-init env
	[[ $output != *VOLT_* ]]
	run -125 --separate-stderr "$who" volt-ns join="$pid" chdir=/proc/1/root true
	[[ $stderr == "volt-ns: chdir=/proc/1/root: "* ]]
	kill "$pid"
	wait_for sh -c "! kill -0 $pid 2>/dev/null"
}

@test "join=: all namespaces, or some; through the waiting parent; with a link behind" {
	each joining
}

@test "join=: through a volt-cg that waits before volt-ns" {
	need_root
	need volt-cg true
	start volt-cg volt-ns -mpu root="$ROOT_BB" hostname=box volt-init sleep 1000
	wait_for volt-ns join="$pid" pidof sleep
	run -0 volt-ns join="$pid" hostname
	[ "$output" = box ]
	kill "$pid"
	ended 143
}

@test "join=: bad words" {
	for bad in 0 '' x -1 01 99999999999; do
		ends 125 "join=$bad: not a process ID" "join=$bad" true
	done
	ends 125 "join=1:frob: not a namespace: user mnt pid net uts ipc cgroup time" join=1:frob \
		true
	run -125 --separate-stderr volt-ns join=2147483647 true
	[ "$stderr" = "volt-ns: join=2147483647: No such process" ]
	ends 125 "join= and root= do not go together" -m join=1 root=/ true
	need_root
	run -125 --separate-stderr as_user volt-ns join=1 true
	[[ $stderr == "volt-ns: join: /proc/1/ns/"*": Permission denied
volt-ns: only the user who made a container, and the host's root, may enter it" ]]
}

@test "join=: without a container, or before it is ready, no command runs" {
	local waiting

	sleep 1000 3>&- &
	run -125 --separate-stderr volt-ns join="$!" echo ran
	kill "$!"
	[ "$output" = "" ]
	[[ $stderr == *"is in the same namespaces as we are" ]]

	need strace -qq -o /dev/null true
	start_by as_user strace -f -qq -o /dev/null \
		-e trace=unshare,move_mount,mount_setattr,fsopen \
		-e inject=move_mount,mount_setattr,fsopen:delay_enter=30000 \
		volt-ns -Ump root="$ROOT_USER" volt-init sleep 1000
	wait_for pgrep -P "$pid" >/dev/null
	waiting=$(pgrep -P "$pid" | head -n 1)
	refused=0
	until run --separate-stderr as_user volt-ns join="$waiting" cat /proc/1/comm &&
		[ "$status" = 0 ]; do
		[ "$status" = 125 ]
		refused=$((refused + 1))
	done
	echo "refused $refused times"
	[ "$output" = volt-init ]
	[ "$refused" -gt 0 ]
	kill "$waiting"
	wait_for gone
}

# --- standard streams -------------------------------------------------------

# A script that uses the names, and its output: "1: " is standard output.
# shellcheck disable=SC2016 # the command's
names='cat /dev/stdin; echo out >/dev/stdout; echo tee | tee /dev/stderr
exec 3<>/dev/stdout; echo three >&3; echo err >/dev/stderr'
named=$'1: in\n1: out\n1: tee\n1: three\n2: err\n2: tee'
# A shell of the user makes the pipes, so that they belong to the user.
# shellcheck disable=SC2016 # that bash's
piped='{ echo in | "$@" 2>&1 >&3 | sed "s/^/2: /"; } 3> >(sed "s/^/1: /") | cat'

# through_pipes WHO CMD ...: the streams of CMD are pipes of WHO.
through_pipes() {
	local who=$1

	shift
	run -0 "$who" bash -c "$piped" bash "$@"
	[ "$(sort <<<"$output")" = "$named" ]
	run -0 "$who" bash -c 'echo echo a script | "$@" | cat' bash "${@:1:$#-3}" sh /dev/stdin
	[ "$output" = "a script" ]
}

pipes_by_name() {
	through_pipes "$1" volt-ns -U sh -c "$names"
	through_pipes "$1" volt-ns -A root="$2" volt-init sh -c "$names"
	through_pipes "$1" volt-ns -A root="$2" volt-init volt-lock caps=none sh -c "$names"
}

@test "standard streams: pipes open by their names" {
	each pipes_by_name
	if [ "$(id -u)" = 0 ]; then
		for words in uid=33 "uid=33 gid=33 -s" "-U uid=33" "-Up uid=33" \
			"-Up uidmap=0:100000:65536" \
			"user=nobody" "-mp root=$ROOT_BB uid=33" \
			"-A root=$ROOT_BB uid=33 volt-init" \
			"-A root=$ROOT_BB volt-init volt-lock uid=7 caps=none"; do
			# shellcheck disable=SC2086 # words
			through_pipes as_root volt-ns $words sh -c "$names"
		done
		# A program of the image changes to another user.
		for words in "-mp root=/" -U; do
			# shellcheck disable=SC2086 # words
			through_pipes as_root volt-ns $words setpriv --reuid 33 --clear-groups \
				sh -c "$names"
		done
	fi
	need as_subid_user volt-ns -U true
	through_pipes as_subid_user volt-ns -U uid=5 sh -c "$names"
	through_pipes as_subid_user volt-ns -A root="$ROOT_USER" volt-init volt-lock uid=5 \
		sh -c "$names"
}

@test "standard streams: pipes open by their names for a command that joins" {
	need_root
	start volt-ns -U -mp root="$ROOT_BB" volt-init sh -c 'echo ready; exec sleep 1000'
	wait_for grep -qx ready out
	through_pipes as_root volt-ns join="$pid" sh -c "$names"
	through_pipes as_root volt-ns join="$pid" uid=33 sh -c "$names"
}

@test "standard streams: several users can open one pipe in turn, and its owner stays the caller" {
	need_root
	# shellcheck disable=SC2016 # that bash's
	run -0 bash -c '{ for words in -U -U uid=33 uid=34; do
		volt-ns $words sh -c "echo $words >/dev/stdout"
	done; stat -L -c %u:%a /dev/stdout; } | cat'
	[ "$output" = $'-U\n-U\nuid=33\nuid=34\n0:666' ]
	# Without another user, nothing is changed.
	run -0 bash -c 'volt-ns -mp stat -L -c %u:%a /dev/stdout | cat'
	[ "$output" = 0:600 ]
	run -0 bash -c 'volt-ns -U stdio=keep sh -c "
		echo lost >/dev/stdout || echo kept" 2>/dev/null | cat'
	[ "$output" = kept ]
	ends 125 "stdio=take: not give or keep" stdio=take true
}

@test "standard streams: another user's pipe, as after sudo, with and without the privilege" {
	need_root
	need python3 -c pass
	# shellcheck disable=SC2016 # python's
	other='import os, subprocess, sys
r, w = os.pipe()
os.fchown(w, 1001, -1)
subprocess.run(sys.argv[1:], stdout=w, check=True)
os.close(w)
sys.stdout.write(os.read(r, 4096).decode() + "\n")'
	run -0 python3 -c "$other" volt-ns -U sh -c 'echo out >/dev/stdout
		stat -L -c %a /dev/stdout'
	[ "$output" = $'out\n666' ]
	run -0 --separate-stderr python3 -c "$other" setpriv --reuid "$TEST_UID" --clear-groups \
		"$O/bin/volt-ns" -Uv stat -L -c %a /dev/stdout
	[ "$output" = 600 ]
	[[ $stderr == *"volt-ns: a standard stream is a pipe that only its owner can open:\
 Operation not permitted"* ]]
}

@test "standard streams: no file, named pipe or terminal gets another owner or mode" {
	need_root
	need python3 -c 'import pty'
	mkfifo -m 600 fifo && exec 7<>fifo
	(umask 077 && : >file)
	for words in -U uid=33 "-U console=pipe" "uid=33 console=pipe"; do
		# shellcheck disable=SC2086 # words
		volt-ns $words sh -c 'echo x >/dev/stdout || :
			echo x >/dev/stderr || :' <fifo >file 2>&7 &
		wait "$!"
		[ "$(stat -c %u:%a fifo file | tr '\n' ' ')" = "0:600 0:600 " ]
		run -0 python3 -c 'import os, pty, subprocess, sys
ours, terminal = pty.openpty()
above, _ = os.pipe()
before = os.fstat(terminal)
subprocess.run(["volt-ns", *sys.argv[1].split(), "sh", "-c", "echo x >/dev/stdout || :"],
    stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.DEVNULL, pass_fds=[above],
    check=True)
after = os.fstat(terminal)
print(after.st_uid - before.st_uid, after.st_mode - before.st_mode,
    oct(os.fstat(above).st_mode & 0o777))' "$words"
		[ "$output" = "0 0 0o600" ]
	done
	exec 7>&-
}

# --- console=pipe -----------------------------------------------------------

console_pipe() {
	echo in >in
	chmod 600 in
	volt-ns "$@" console=pipe sh -c "$names; exit 7" <in >out 2>err || [ "$?" = 7 ]
	[ "$(sed 's/^/1: /' out && sort err | sed 's/^/2: /')" = "$named" ]
	[ "$(volt-ns "$@" console=pipe sh /dev/stdin <<<"echo a script" | cat)" = "a script" ]
	for n in 0 1 255; do
		run "-$n" volt-ns "$@" console=pipe sh -c "exit $n" </dev/null
	done
	run -137 volt-ns "$@" console=pipe sh -c \
		"kill -9 \$\$; $([[ $* == *p* ]] && echo exit 137)" <in
	# A socket is like the journal.
	run -7 "$SOCKET" all volt-ns "$@" console=pipe sh -c "$names; exit 7" <in
	[ "$output" = $'in\nout\ntee\ntee\nthree\nerr' ]
	# A pipe and /dev/null stay as they are: there is nothing to copy.
	run -0 bash -c '"$@" 2>/dev/null | cat' bash volt-ns "$@" console=pipe sh -c \
		'readlink /proc/self/fd/0 /proc/self/fd/2' </dev/null
	[ "$output" = $'/dev/null\n/dev/null' ]
}

@test "console=pipe: instead of files and sockets, the command has pipes that open by name" {
	need_root
	for words in -U uid=33 "-U uid=33" "-Up uid=33 gid=33" "uid=33 -s" ""; do
		# shellcheck disable=SC2086 # words
		console_pipe $words
	done
	run -0 "$SOCKET" out volt-ns -A root="$ROOT_BB" console=pipe volt-init volt-lock uid=7 \
		caps=none sh -c "$names" <in
	[ "$output" = $'in\nout\ntee\ntee\nthree\nerr' ]
	# volt-lock does not wait, and so needs a volt-ns before it.
	run -0 "$SOCKET" out volt-ns console=pipe volt-lock uid=7 sh -c "$names" <in
	[ "$output" = $'in\nout\ntee\ntee\nthree\nerr' ]
	run -0 "$SOCKET" out volt-ns -U sh -c 'echo x >/dev/stdout || echo refused'
	[[ $output == *"/dev/stdout: No such device or address"*refused ]]
}

@test "console=pipe: a named pipe and a terminal" {
	need_root
	mkfifo -m 600 fifo
	volt-ns -U console=pipe sh -c 'echo x >/dev/stdout' >fifo &
	[ "$(cat fifo)" = x ]
	wait "$!"
	# The writer has ended before we begin. One reader comes after another.
	echo x >fifo &
	exec 7<fifo
	wait "$!"
	for how in pipe pty; do
		[ "$how" = pipe ] || exec 7< <(echo x)
		run -0 timeout 60 volt-ns console=$how cat <&7
		[ "${lines[0]%$'\r'}" = x ]
	done
	exec 7>&-
	timeout 60 volt-ns console=pipe sh -c 'echo first; until [ -e second ]; do sleep 0.1; done
		echo second' >fifo &
	[ "$(head -n 1 fifo)" = first ]
	exec 7<fifo
	: >second
	[ "$(head -n 1 <&7)" = second ]
	wait "$!"
	exec 7<&-
	run -3 "$TERMINAL" expect='ready' mode send='hello\n' expect='got hello' \
		send='\x04' expect='over' send='\x03' expect='interrupted' -- \
		volt-ns -Up console=pipe sh -c 'trap "echo interrupted >/dev/stdout; exit 3" INT
			test ! -t 1 && echo ready >/dev/stderr
			read x </dev/stdin; echo got $x >/dev/stdout
			cat /dev/stdin; echo over; while :; do sleep 0.1; done'
	[[ $output == *cooked* ]]
	# In the background, input waits.
	run -0 "$TERMINAL" expect='[#$] ' \
		send='volt-ns console=pipe sh -c "echo u\\"\\"p; read x; echo got \\$x" &\n' \
		expect='up' \
		send='echo she""ll\n' expect='shell' pause=0.3 send='fg\n' expect='volt-ns' \
		pause=0.3 send='typed\n' expect='got typed' pause=0.5 \
		send='exit\n' -- env PS1='$ ' bash --norc --noediting -i
}

@test "console=pipe: complete input and output, in order" {
	head -c 25165824 /dev/urandom >in
	volt-ns console=pipe cat <in >out
	cmp in out
	"$SOCKET" all volt-ns -p console=pipe cat <in >out
	cmp in out
	# Both streams lead to the same file, so their order is kept.
	# shellcheck disable=SC2016 # the command's
	run -0 "$SOCKET" out volt-ns console=pipe sh -c '
		for i in $(seq 500); do echo $i; echo $i >&2; done'
	[ "$output" = "$(seq 500 | sed p)" ]
	# shellcheck disable=SC2016 # the command's
	volt-ns console=pipe sh -c 'for i in $(seq 500); do echo $i; echo $i >&2; done' >both 2>&1
	[ "$(cat both)" = "$(seq 500 | sed p)" ]
	# Input that the command does not read keeps no process.
	run -0 volt-ns console=pipe true <in
	run -0 volt-ns console=pipe sh -c 'exec <&-; echo on' <in
	[ "$output" = on ]
	# The command gets no descriptor of ours. A closed one stays closed.
	run -0 "$SOCKET" out volt-ns console=pipe "$ROOT_BB/bin/ls" /proc/self/fd
	[ "$output" = $'0\n1\n2\n3' ]
	run -0 "$SOCKET" out sh -c 'exec "$@" <&-' sh volt-ns console=pipe \
		"$ROOT_BB/bin/ls" /proc/self/fd
	[ "$output" = $'0\n1\n2' ] # 0 is the directory
}

@test "console=pipe: lost output is reported, and turns status 0 into 125" {
	# A limit of 1024 bytes has the same effect as a full file system.
	run -125 --separate-stderr bash -c 'ulimit -f 1; volt-ns console=pipe sh -c "
		trap \"\" PIPE; head -c 100000 /dev/zero 2>/dev/null; exit 0" >file'
	[ "$stderr" = "volt-ns: the command's output: File too large" ]
	[ "$(stat -c %s file)" = 1024 ]
	run -9 --separate-stderr bash -c \
		'ulimit -f 1; volt-ns console=pipe sh -c "head -c 100000 /dev/zero; exit 9" >file'
	[ "$stderr" = "volt-ns: the command's output: File too large" ]
	# The other stream goes on.
	run -9 bash -c 'ulimit -f 1; volt-ns console=pipe sh -c "
		head -c 100000 /dev/zero; seq 5 >&2; exit 9" >file 2>err'
	[ "$(head -n 1 err)" = "volt-ns: the command's output: File too large" ] ||
		[ "$(grep -c '^[1-5]$' err)" = 5 ]
}

@test "console=pipe: without a reader, the command gets a SIGPIPE" {
	run -141 --separate-stderr "$SOCKET" gone volt-ns console=pipe yes
	[ "${lines[0]}" = y ]
	# Whether some output was on its way depends on the moment.
	lost="volt-ns: the command's output"
	[[ $stderr == "" || $stderr == "$lost: "@("Broken pipe"|"Connection reset by peer") ]]
	# It is the same when no output is on its way.
	run -7 --separate-stderr "$SOCKET" gone volt-ns console=pipe sh -c 'trap "" PIPE; echo first
		while echo x 2>/dev/null; do sleep 0.1; done; exit 7'
	[ "${lines[0]}" = first ]
}

@test "console=pipe: processes that the command left, and a stalled reader" {
	need python3 -c 'import pty'
	run -5 --separate-stderr sh -c "exec volt-ns console=pipe sh -c '$left_behind 5' >file"
	[ "$stderr" = "" ]
	[ "$(head -n 1 file)" = a ]
	for signal in TERM INT HUP QUIT; do
		run -0 --separate-stderr "$TOP/tests/helpers/reader.py" terminal $signal volt-ns \
			console=pipe sh -c 'ulimit -c 0; exec yes'
		[ "$output" = $((128 + $(kill -l $signal))) ]
		[ "$stderr" = "volt-ns: the command's output: not all of it was read" ]
	done
}

@test "console=pipe: volt-ns waits for the command, as with -p" {
	start volt-ns console=pipe stop=USR1 status=9 sh -c 'trap "exit 6" USR1; echo ready
		while :; do sleep 0.1; done' 9>how
	wait_for grep -qx ready out
	kill "$pid"
	ended 6
	[ "$(cat how)" = "exit 6" ]
	ends 127 "exec ./none: No such file or directory" console=pipe ./none
	ends 125 "console=pipes: not pty or pipe" console=pipes true
}

@test "console=pipe: SIGKILL at every step leaves nothing and never hangs" {
	need strace -qq -o /dev/null true
	kill_at_every_call \
		-c 'pipe2|fchmod|clone3|clone|dup2|close|poll|read|write|execve|exit_group' \
		no_hang volt-ns console=pipe sh -c 'echo x >/dev/stdout' >file
}

# --- console=pty ------------------------------------------------------------

# feed WHO CMD ...
feed() {
	printf 'a\nb' | "$1" timeout 60 "${@:2}"
}

pty_basics() {
	local who=$1 root=$2 U=$3

	run -0 "$who" volt-ns -A root="$root" console=pty sh -c 'tty; test -t 0 && test -t 1 &&
		test -t 2 && stat -c %t /dev/console; echo x >/dev/console' </dev/null
	[ "$output" = $'/dev/pts/0\r\n88\r\nx\r' ]
	run -5 "$who" volt-ns -A root="$root" console=pty sh -c 'exit 5' </dev/null
	# Input from a pipe reaches its end.
	run -0 feed "$who" volt-ns -A root="$root" console=pty cat
	[[ $output == *b* ]]
	# All output arrives. (The end of our input is a character, which raw echoes.)
	for i in 1 2 3; do
		n=$("$who" volt-ns -A root="$root" console=pty sh -c \
			'stty raw -echo; head -c 1048576 /dev/zero' </dev/null | wc -c)
		[ "$n" = 1048576 ] || { echo "$n bytes" && false; }
	done
	n=$("$who" volt-ns ${U:+-U} console=pty sh -c 'stty raw -echo; head -c 1048576 /dev/zero' \
		</dev/null | wc -c)
	[ "$n" = 1048576 ] || { echo "$n bytes" && false; }
}

# A signal is pending. It would end the command if it were passed on earlier.
@test "console=: a signal loses no output that is read" {
	need python3 -c 'import ctypes'
	run -0 --separate-stderr python3 -c 'import ctypes, os, subprocess, sys
def pending():
    mask = ctypes.c_uint64(1 << 33)
    ctypes.CDLL(None).syscall(14, 0, ctypes.byref(mask), None, 8) # rt_sigprocmask
    os.kill(os.getpid(), 34)
for n in range(100):
    for console in "pty", "pipe":
        p = subprocess.run(["volt-ns", "console=" + console, "echo", "out"], preexec_fn=pending,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if (p.returncode, p.stdout.strip()) != (0, b"out"):
            sys.exit(f"{console} {n}: {p}")'
	[ "$stderr" = "" ]
}

@test "console=pty: a new terminal, complete input and output, status" {
	each pty_basics
}

# shellcheck disable=SC2016 # the command's
terminals='for n in stdin stdout stderr tty $more; do echo $n >/dev/$n || exit; done
exec 3<>/dev/stdout && echo three >&3 && stat -L -c %u /dev/stdout'

pty_names() {
	run -0 "$1" volt-ns -U console=pty sh -c "$terminals" </dev/null
	[ "$output" = $'stdin\r\nstdout\r\nstderr\r\ntty\r\nthree\r\n0\r' ]
	run -0 "$1" volt-ns -A root="$2" console=pty volt-init sh -c \
		"more=console; $terminals" </dev/null
	[ "$output" = $'stdin\r\nstdout\r\nstderr\r\ntty\r\nconsole\r\nthree\r\n0\r' ]
}

@test "console=pty: the terminal opens by all of its names" {
	each pty_names
	if [ "$(id -u)" = 0 ]; then
		for words in uid=33 "-U uid=33" "-Up uid=33" "-mp root=$ROOT_BB uid=33" \
			"-A root=$ROOT_BB uid=33 volt-init"; do
			more=
			[[ $words != *root=* ]] || more=console
			# shellcheck disable=SC2086 # words
			run -0 volt-ns console=pty $words sh -c "more=$more; $terminals" </dev/null
			[ "${lines[-1]}" = $'33\r' ]
		done
	fi
	need as_subid_user volt-ns -U true
	run -0 as_subid_user volt-ns -A root="$ROOT_USER" uid=5 console=pty sh -c \
		"more=console; $terminals" </dev/null
	[ "${lines[-1]}" = $'5\r' ]
}

# pty_terminal ROOT
pty_terminal() {
	run -3 "$TERMINAL" size=33x99 expect='ready' mode send='hello\n' expect='got hello' \
		size=40x100 expect='winch' send='\x03' expect='interrupted' -- \
		"$BATS_TEST_TMPDIR/who" volt-ns -A root="$1" console=pty sh -c '
			trap "stty size; echo winch" WINCH
			trap "echo interrupted; exit 3" INT
			stty size; echo ready; read x; echo got $x
			while :; do sleep 0.1; done'
	[[ $output == *"24 80"* || $output == *"33 99"* ]]
	[[ $output == *raw* ]]
	[[ $output == *"40 100"* ]]
}

@test "console=pty: size, raw, ^C" {
	need command -v python3
	who_script() {
		{
			echo '#!/bin/bash'
			declare -f as_root as_user user_dir
			echo "$1"' "$@"'
		} >"$BATS_TEST_TMPDIR/who"
		chmod 755 "$BATS_TEST_TMPDIR/who"
		pty_terminal "$2"
	}
	each who_script
}

@test "console=pty: the caller's terminal is restored" {
	need command -v python3
	run -0 "$TERMINAL" expect=ready -- sh -c 'a=$(stty -g)
		volt-ns console=pty sh -c "echo ready; sleep 0.2"
		[ "$a" = "$(stty -g)" ]'
	run -1 "$TERMINAL" expect=ready -- sh -c 'a=$(stty -g)
		volt-ns console=pty sh -c "echo ready; exit 1"; s=$?
		[ "$a" = "$(stty -g)" ] || exit 9
		exit $s'
}

@test "console=pty and -s: the command cannot type into the caller's terminal" {
	need_root
	need command -v python3
	cp "$HELP/push" .
	inside="root=$ROOT_BB overlay=tmpfs bind=$PWD/push:/mnt/push console=pty /mnt/push"
	for words in "-A $inside" "-mpniuC $inside" \
		"-p console=pty $PWD/push" "-s $PWD/push </dev/null >/dev/null 2>&1"; do
		run -0 "$TERMINAL" -- sh -c "volt-ns $words"
		[[ $output != *typed* ]]
	done
	# Without volt-ns, the helper can type: so the test works.
	if [ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1)" = 1 ] ||
		[ "$(id -u)" = 0 ]; then
		run -0 "$TERMINAL" -- "$PWD/push"
		[[ $output == *typed:* ]]
	fi
}

@test "console=pty: lost output is reported, and turns status 0 into 125" {
	for flags in "" -Up; do
		run -125 --separate-stderr sh -c \
			"volt-ns $flags console=pty echo x </dev/null >/dev/full"
		[ "$stderr" = "volt-ns: the command's output: No space left on device" ]
		run -3 --separate-stderr sh -c \
			"volt-ns $flags console=pty sh -c 'echo x; exit 3' </dev/null >/dev/full"
		[ "$stderr" = "volt-ns: the command's output: No space left on device" ]
	done
	run -125 bash -c 'volt-ns console=pty status=9 echo x </dev/null >/dev/full 2>/dev/null 9>&2
		exit $?'
	run -125 --separate-stderr bash -c \
		'volt-ns console=pty status=9 echo x </dev/null 9>&1 >/dev/full'
	[ "$output" = "exit 0" ]
	run -0 sh -c 'volt-ns console=pty true </dev/null >/dev/full'
}

@test "console=pty: without a reader, the command gets a SIGHUP" {
	# shellcheck disable=SC2016 # that bash's
	run -129 --separate-stderr bash -c 'volt-ns console=pty yes </dev/null | head -n 1
		exit ${PIPESTATUS[0]}'
	[ "$output" = $'y\r' ]
	[ "$stderr" = "volt-ns: the command's output: Broken pipe" ]
	# shellcheck disable=SC2016 # that bash's
	run -7 --separate-stderr bash -c 'volt-ns console=pty sh -c "
		trap \"\" HUP; while echo y; do :; done; exit 7" </dev/null | head -n 1
		exit ${PIPESTATUS[0]}'
	[ "$stderr" = "volt-ns: the command's output: Broken pipe" ]
}

# This command leaves a process that writes to the terminal without end.
left_behind='trap "" HUP; echo a
while echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; do :; done & sleep 0.1; exit'

@test "console=pty: processes that the command left do not keep a slow reader for ever" {
	need python3 -c 'import pty'
	run -0 --separate-stderr "$TOP/tests/helpers/reader.py" slow volt-ns \
		console=pty sh -c "$left_behind 5"
	[ "$stderr" = "" ]
	[ "${lines[0]}" -gt 1000 ]
	[ "${lines[1]}" = 5 ]
}

@test "console=pty: a stalled reader, and a signal" {
	need python3 -c 'import pty'
	lost="volt-ns: the command's output: not all of it was read"
	for signal in TERM INT HUP USR1; do
		run -0 --separate-stderr "$TOP/tests/helpers/reader.py" stuck $signal volt-ns \
			console=pty sh -c "$left_behind 5"
		[ "$output" = 5 ]
		[ "$stderr" = "$lost" ]
	done
	run -0 --separate-stderr "$TOP/tests/helpers/reader.py" stuck TERM volt-ns \
		console=pty sh -c "$left_behind 0"
	[ "$output" = 125 ]
	# The signal goes to the command. After its end, volt-ns does not wait for the reader.
	for signal in TERM INT HUP QUIT; do
		run -0 --separate-stderr "$TOP/tests/helpers/reader.py" terminal $signal volt-ns \
			console=pty sh -c 'ulimit -c 0; exec yes'
		[ "$output" = $((128 + $(kill -l $signal))) ]
		[ "$stderr" = "$lost" ]
	done
}

@test "console=pty: needs the root's /dev" {
	ends 125 "console=pty needs the root's own /dev" -m root=/ dev=none console=pty true
	ends 125 "console=tty: not pty or pipe" console=tty true
}

@test "console=pty: sent to the background and back, input still arrives" {
	need command -v python3
	run -0 "$TERMINAL" expect='[#$] ' \
		send='volt-ns console=pty sh -c "echo u\\"\\"p; read x; echo got \\$x" &\n' \
		expect='up' \
		send='echo she""ll\n' expect='shell' pause=0.3 send='fg\n' expect='volt-ns' \
		pause=0.3 send='typed\n' expect='got typed' pause=0.5 \
		send='exit\n' -- env PS1='$ ' bash --norc --noediting -i
}

# --- status= stop= time -----------------------------------------------------

status_of() {
	run "$1" --separate-stderr bash -c '"$@" 9>status; s=$?; cat status; exit $s' bash "${@:2}"
}

@test "status=: how the command ended, or that it never ran" {
	for flags in "" -p; do
		set -- volt-ns ${flags:+"$flags"} status=9
		[ "$(id -u)" = 0 ] || set -- volt-ns "-U${flags#-}" status=9
		status_of -0 "$@" true
		[ "$output" = "exit 0" ]
		status_of -125 "$@" sh -c 'exit 125'
		[ "$output" = "exit 125" ]
		status_of -125 "$@" volt-init sh -c 'exit 125'
		[ "$output" = "exit 125" ]
		status_of -127 "$@" /none
		[ "$output" = "failed 127" ]
		status_of -127 "$@" volt-init /none
		[ "$output" = "failed 127" ]
		status_of -126 "$@" /etc
		[ "$output" = "failed 126" ]
		status_of -125 "$@" uid=x true
		[ "$output" = "" ] || [ "$output" = "failed 125" ]
		status_of -125 "$@" chdir=/none true
		[ "$output" = "failed 125" ]
		status_of -125 "$@" volt-init nonsense=1 true
		[ "$output" = "failed 125" ]
	done
	status_of -143 volt-ns status=9 sh -c 'kill $$'
	[ "$output" = "signal 15" ]
	need_root
	status_of -137 volt-ns -p status=9 volt-init sh -c 'kill -9 $$'
	[ "$output" = "signal 9" ]
	status_of -137 volt-ns -p status=9 volt-init sh -c 'exit 137'
	[ "$output" = "exit 137" ]
}

@test "status=: the command cannot write the line itself" {
	status_of -3 volt-ns status=9 sh -c 'echo exit 0 2>/dev/null >&9; exit 3'
	[ "$output" = "exit 3" ]
}

@test "status=: a descriptor that is not open is refused" {
	run -125 --separate-stderr volt-ns status=77 true
	[ "$stderr" = "volt-ns: status=77: Bad file descriptor" ]
	ends 125 "status=x: not a number" status=x true
}

@test "status=: a line that cannot be written is reported, and is no success" {
	local link

	for link in volt-ns volt-init; do
		run -125 --separate-stderr sh -c "$link status=9 true 9>/dev/full"
		[ "$stderr" = "$link: status=9: No space left on device" ]
		run -3 --separate-stderr sh -c "$link status=9 sh -c 'exit 3' 9>/dev/full"
		[ "$stderr" = "$link: status=9: No space left on device" ]
	done
}

@test "stop=: the command gets this signal in place of SIGTERM" {
	for stop in USR1:10 SIGHUP:1 RTMIN+3:37 64:64; do
		start_by as_user volt-ns -Up stop="${stop%:*}" sh -c "
			trap 'echo got ${stop#*:}; exit' ${stop#*:}; trap 'exit 9' TERM
			echo ready; while :; do sleep 0.1; done"
		wait_for grep -q ready out
		kill "$pid"
		wait_for grep -q "^got ${stop#*:}" out
	done
	ends 125 "stop=NONE: not a signal" stop=NONE true
	ends 125 "stop=65: not a signal" stop=65 true
	ends 125 "stop=0: not a signal" stop=0 true
}

# A signal that PID 1 would lose is held back, ten seconds at the most.
@test "a signal that PID 1 cannot lose is passed on at once" {
	need python3 -c 'import signal'
	cat >server.py <<-'EOF2'
		import signal, sys, time
		all = signal.valid_signals()
		signal.pthread_sigmask(signal.SIG_BLOCK, all)
		print("ready", flush=True)
		while sys.argv[1] == "look" and not signal.sigpending():
		    time.sleep(0.1)
		raise SystemExit(signal.sigwait(all))
	EOF2
	start_by as_user volt-ns -Up stop=KILL sh -c 'trap "" TERM; echo ready; sleep 1000; :'
	wait_for grep -q ready out
	SECONDS=0
	kill "$pid"
	ended 137
	[ "$SECONDS" -lt 9 ]
	for wait in sigwait look; do
		start volt-ns -Up python3 server.py $wait
		wait_for grep -q ready out
		SECONDS=0
		kill "$pid"
		ended 15
		[ "$SECONDS" -lt 9 ]
	done
}

@test "monotonic= boottime=: the clocks are ahead" {
	need as_user unshare -UrT true
	run -0 as_user volt-ns -UT monotonic=1000000 boottime=2000000 sh -c \
		'cut -d. -f1 /proc/uptime; tr -s " " </proc/self/timens_offsets'
	[ "${lines[0]}" -ge 2000000 ]
	[[ ${lines[1]} == "monotonic 1000000 0" ]]
	[[ ${lines[2]} == "boottime 2000000 0" ]]
	if [ "$(id -u)" = 0 ]; then
		run -0 volt-ns -UT monotonic=1000000 true
		run -0 volt-ns -A root="$ROOT_BB" monotonic=1000000 true
	fi
	ends 125 "monotonic= needs -T" monotonic=1 true
	ends 125 "monotonic=x: not a number" -T monotonic=x true
	run -125 --separate-stderr as_user volt-ns -UT monotonic=-9999999999 true
	[[ $stderr == "volt-ns: monotonic=-9999999999: "* ]]
}

# --- words ------------------------------------------------------------------

@test "-h, -V" {
	run -0 --separate-stderr volt-ns -h
	[[ ${lines[0]} == "usage: volt-ns [-"*"hV] [key=value ...] [@file ...]\
 [--] [command [arg ...]]" ]]
	[ "$stderr" = "" ]
	run -0 --separate-stderr volt-ns -V
	[[ $output =~ ^volt-ns\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -125 --separate-stderr sh -c 'exec volt-ns -h >/dev/full'
	[ "$stderr" = "volt-ns: standard output: No space left on device" ]
}

@test "-N says what would be done and does nothing; -v says it and does it" {
	places
	r=$USER_DIR/tmp/n$$ && as_user mkdir "$r"
	run -0 --separate-stderr as_user volt-ns -NA root="$r" hostname=x tmpfs=/made \
		mask=/m ro=/ touch "$r/never"
	[ "$output" = "" ]
	[[ $stderr == *"volt-ns: new user namespace"* ]]
	[[ $stderr == *"tmpfs"*"/made"* ]]
	[ "$(ls -A "$r")" = "" ]
	run -0 --separate-stderr as_user volt-ns -N -A
	run -0 --separate-stderr as_user volt-ns -vA root="$ROOT_USER" \
		hostname=x tmpfs=/run hostname
	[ "$output" = x ]
	[[ $stderr == *"/run"* ]]
	[[ $stderr == *"host name x"* ]]
}

@test "bad words: one line each" {
	ends 125 "rot=: unknown word; the nearest is root=" rot=/x true
	for key in volume entrypoint x memory nice; do
		ends 125 "$key=: unknown word; -h lists them" "$key=/x" true
	done
	ends 125 "hostnam=: unknown word; the nearest is hostname=" -u hostnam=x true
	ends 125 "-x: unknown flag; -h lists them" -x true
	ends 125 "--: unknown flag; -h lists them" --root true
	ends 125 "no command; -h shows the words"
	ends 125 "no command; -h shows the words" -A
	ends 125 "no command; -h shows the words" -A --
	ends 125 "root=: no source" -m root= true
	ends 125 "root=/x needs -m" root=/x true
	ends 125 "bind=/a:/b needs -m" bind=/a:/b true
	ends 125 "overlay=tmpfs needs root=, image= or lower=" -m overlay=tmpfs true
	ends 125 "uidmap= needs -U" uidmap=auto true
	ends 125 "hostname=a\\012b\\033[31m: not a name" -u hostname=$'a\nb\033[31m' true
	ends 125 "root=/b: there can be only one root= or image=" -m root=/a root=/b true
	long=$(head -c 5000 /dev/zero | tr '\0' a)
	ends 125 "bind=${long:0:508}...: too long" -m "bind=$long" true
	key=$(head -c 200 /dev/zero | tr '\0' k)
	run -125 --separate-stderr volt-ns "$key=1" true
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "a root and sources that are missing" {
	need_root
	ends 125 "bind=none:/mnt: source none: No such file or directory" -m \
		root="$ROOT_BB" bind=none:/mnt true
	for word in root=none lower=none "root=$ROOT_BB lower=none" "root=$ROOT_BB overlay=none"; do
		# shellcheck disable=SC2086
		ends 125 "${word##* }: No such file or directory" -m $word true
	done
}

@test "a root that is a file is refused with one line, also with layers" {
	need_root
	: >file && mkdir dir
	for words in "root=file" "root=file overlay=tmpfs" "root=dir lower=file" \
		"root=dir overlay=file"; do
		# shellcheck disable=SC2086
		run -125 --separate-stderr volt-ns -m $words true
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == "volt-ns: "*"=file: Not a directory" ]]
	done
}

@test "@file: words, comments, includes; loops and rubbish are refused" {
	printf '# words\n\n  umask=027  \n@./b\n' >a
	printf 'umask=026\n' >b
	run -0 volt-ns @./a sh -c umask
	[ "$output" = 0026 ]
	echo @./loop >loop
	ends 125 "@./loop: includes are more than 8 deep" @./loop true
	echo "rm -rf" >bad
	ends 125 "@./bad:1: not a word: rm -rf" @./bad true
	ends 125 "@./none: No such file or directory" @./none true
	ends 125 "@none-of-that-name: No such file or directory" @none-of-that-name true
	echo umask=0 >web.words
	ends 125 "@web.words: not in ~/.config/volt, /etc/volt or share/volt;\
 the file here is @./web.words" @web.words true
	ends 125 "@: no file name" @ true
	ends 125 "@/: Is a directory" @/ true
	printf 'umask=0\0' >nul
	ends 125 "@./nul: not a text file" @./nul true
	run -125 --separate-stderr volt-ns @/dev/zero true
	[ "$stderr" = "volt-ns: @/dev/zero: File too large" ]
	echo umask=1 >secret && chmod 0 secret
	chmod 711 .
	run -125 --separate-stderr as_user volt-ns "@$PWD/secret" true
	[ "$stderr" = "volt-ns: @$PWD/secret: Permission denied" ]
}

@test "-- and =: the command is a command" {
	run -0 volt-ns -- env a=b sh -c 'echo $a'
	[ "$output" = b ]
	PATH=$O/bin:/usr/bin:/bin run -127 --separate-stderr volt-ns -- umask=0
	[ "$stderr" = "volt-ns: exec umask=0: No such file or directory" ]
	run -0 volt-ns umask=022 echo umask=0 -A @x -- y
	[ "$output" = "umask=0 -A @x -- y" ]
}

@test "exec: not found is 127, not executable is 126" {
	run -127 --separate-stderr volt-ns ./none
	[ "$stderr" = "volt-ns: exec ./none: No such file or directory" ]
	run -126 --separate-stderr volt-ns /etc
	[ "$stderr" = "volt-ns: exec /etc: Permission denied" ]
	run -127 --separate-stderr as_user volt-ns -A root="$ROOT_USER" /none
	[ "$stderr" = "volt-ns: exec /none: No such file or directory" ]
}

@test "set-user-ID and set-group-ID copies refuse to run" {
	need_root
	places
	for mode in 4755 2755; do
		cp "$O/bin/volt-ns" "$USER_DIR/tmp/s$mode"
		chown 0:0 "$USER_DIR/tmp/s$mode" && chmod $mode "$USER_DIR/tmp/s$mode"
		run -125 --separate-stderr as_user "$USER_DIR/tmp/s$mode" id
		[ "$stderr" = "s$mode: refusing to run set-user-ID or set-group-ID" ]
		[ "$output" = "" ]
		rm "$USER_DIR/tmp/s$mode"
	done
}
