#!/usr/bin/env bats
# volt-lock: every right, every word, and the ways around them.

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	helpers deed
	export ABI
	ABI=$("$HELP/deed" abi)
}

setup() {
	load lib
	cd "$BATS_TEST_TMPDIR" || return
	T=$BATS_TEST_TMPDIR/t
	[ "$ABI" -ge 1 ] || lacks Landlock
	leftovers_begin
}

teardown() {
	end_test
}

# locked [WORD ...] -- DEED ...: a deed under these words. It runs in "/", which needs
# no word; volt-lock reports any other working directory that is not granted.
locked() {
	local words=()

	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	(cd / && volt-lock fs.rx="$HELP" "${words[@]}" "$HELP/deed" "$@")
}

# fresh: makes $T anew, with a file, a program and directories.
fresh() {
	rm -rf "$T"
	mkdir -p "$T/a/dir" "$T/b"
	echo data >"$T/a/file"
	cp "$HELP/deed" "$T/a/prog"
}

# serve ADDRESS: a process outside the sandbox listens there; $pid is its PID.
serve() {
	"$HELP/deed" serve "$1" >served 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -q ready served
}

# own_net CMD ...: CMD in a new network namespace with a loopback, in "/".
own_net() {
	# shellcheck disable=SC2016 # expanded by that sh
	unshare -n sh -c 'ip link set lo up && cd / && exec "$@"' sh "$@"
}

# refused WORD ABI LINUX: this kernel does not know the word, and volt-lock says so.
refused() {
	run -125 --separate-stderr volt-lock "$1" true
	[ "$stderr" = "volt-lock: $1: needs Landlock ABI $2 (Linux $3); this kernel has ABI $ABI" ]
}

# --- every right ------------------------------------------------------------

# The columns: the word, its ABI, its Linux, the errno without the word, other words
# that the deed needs, the deed.
rights() {
	cat <<-EOF
		fs.execute 1 5.13 EACCES fs.read_file=$T execute $T/a/prog
		fs.write_file 1 5.13 EACCES - write_file $T/a/file
		fs.read_file 1 5.13 EACCES - read_file $T/a/file
		fs.read_dir 1 5.13 EACCES - read_dir $T/a/dir
		fs.remove_dir 1 5.13 EACCES - remove_dir $T/a/dir
		fs.remove_file 1 5.13 EACCES - remove_file $T/a/file
		fs.make_char 1 5.13 EACCES - make_char $T/a/new
		fs.make_dir 1 5.13 EACCES - make_dir $T/a/new
		fs.make_reg 1 5.13 EACCES - make_reg $T/a/new
		fs.make_sock 1 5.13 EACCES - make_sock $T/a/new
		fs.make_fifo 1 5.13 EACCES - make_fifo $T/a/new
		fs.make_block 1 5.13 EACCES - make_block $T/a/new
		fs.make_sym 1 5.13 EACCES - make_sym $T/a/new
		fs.refer 2 5.19 EXDEV fs.remove_file=$T,fs.make_reg=$T refer $T/a/file $T/b/file
		fs.truncate 3 6.2 EACCES - truncate $T/a/file
		fs.truncate 3 6.2 EACCES fs.write_file=$T otrunc $T/a/file
		fs.ioctl_dev 5 6.10 EACCES fs.read_file=/dev/null ioctl_dev /dev/null
		unix 9 7.1 EACCES - unix $BATS_TEST_TMPDIR/sock
	EOF
}

@test "rights: denied without the word, allowed with it; an error if the kernel has no such right" {
	need_root
	serve "$BATS_TEST_TMPDIR/sock"
	n=0
	while read -r word abi linux errno others deed; do
		n=$((n + 1))
		fresh
		case $deed in
		ioctl_dev*) where=/dev/null ;;
		unix*) where=$BATS_TEST_TMPDIR/sock ;;
		*) where=$T ;;
		esac
		IFS=, read -ra words <<<"${others#-}"
		echo "$word: $deed"
		if [ "$ABI" -lt "$abi" ]; then
			refused "$word=$where" "$abi" "$linux"
			continue
		fi
		# shellcheck disable=SC2086 # a deed and its arguments
		run ! locked "${words[@]}" -- $deed
		[ "$output" = "$errno" ]
		fresh
		# shellcheck disable=SC2086
		run -0 locked "${words[@]}" "$word=$where" -- $deed
		[ "$output" = ok ]
	done < <(rights)
	[ "$n" -eq "$(rights | wc -l)" ]
}

@test "rights: this table and volt-lock have the same ones" {
	rights | cut -d' ' -f1-3 | sort -u >want
	volt-lock | sed -n 's/^kernel\.\(fs\.[a-z_]*\|unix\) .*/\1/p' | sort >have
	cut -d' ' -f1 want | diff - have
}

@test "rights: each group grants what the manual says, and no more" {
	need_root
	ro="read_file read_dir"
	rw="$ro write_file remove_dir remove_file make_dir make_reg make_sock make_fifo make_sym"
	rw+=" truncate refer otrunc"
	for group in "fs.ro $ro" "fs.rx $ro execute" "fs.rw $rw" "fs.rwx $rw execute" \
		"fs.dev $ro write_file truncate otrunc"; do
		read -r word granted <<<"$group"
		while read -r _ abi _ _ _ op args; do
			[ "$op" != ioctl_dev ] && [ "$op" != unix ] && [ "$ABI" -ge "$abi" ] ||
				continue
			fresh
			echo "$word: $op"
			# shellcheck disable=SC2086 # a deed and its arguments
			if [[ " $granted " == *" $op "* ]]; then
				run -0 locked "$word=$T" -- $op $args
			else
				run ! locked "$word=$T" -- $op $args
				[ "$output" = EACCES ]
			fi
		done < <(rights)
	done
}

@test "rights: a file gets the rights that files can have; a directory's right is an error" {
	fresh
	run -0 locked fs.rw="$T/a/file" -- write_file "$T/a/file"
	run ! locked fs.rw="$T/a/file" -- remove_file "$T/a/file"
	[ "$output" = EACCES ]
	run -125 --separate-stderr volt-lock fs.rx=/ fs.make_reg="$T/a/file" true
	[ "$stderr" = "volt-lock: fs.make_reg=$T/a/file: not a directory" ]
}

NO_EXECUTE="volt-lock: no word grants the right to execute anything; fs.rx= does, \
and fs=any leaves files alone"

@test "rights: volt-lock reports that no word grants execution" {
	run -126 --separate-stderr volt-lock fs.ro=/ true
	[ "${stderr_lines[0]}" = "$NO_EXECUTE" ]
	[ "${stderr_lines[1]}" = "volt-lock: exec true: Permission denied" ]
	[ "${#stderr_lines[@]}" = 2 ]
	run -126 --separate-stderr volt-lock fs.rx="$HELP" fs.ro=/ /bin/true
	[ "$stderr" = "volt-lock: exec /bin/true: Permission denied
volt-lock: the command, its interpreter and its libraries need fs.rx=; fs=any leaves files alone" ]
	run -127 --separate-stderr volt-lock fs.rx="$HELP" fs.ro=. ./none
	[ "$stderr" = "volt-lock: exec ./none: No such file or directory" ]
}

@test "fs=any: files are not restricted, but all else is" {
	need_root
	serve "$BATS_TEST_TMPDIR/sock"
	while read -r _ abi _ _ _ deed; do
		[[ $deed != unix* && $ABI -ge $abi ]] || continue
		fresh
		echo "$deed"
		# shellcheck disable=SC2086 # a deed and its arguments
		run -0 --separate-stderr volt-lock fs=any "$HELP/deed" $deed
		[ "$output" = ok ]
		[ -z "$stderr" ]
	done < <(rights)
	fresh
	# fs=none ends it.
	run ! locked fs=none fs.rx="$HELP" -- read_file "$T/a/file"
	[ "$output" = EACCES ]
	run ! volt-lock fs.rx=/ fs=none "$HELP/deed" yes
	[ "$ABI" -lt 6 ] || run ! volt-lock fs=any "$HELP/deed" kill "$pid"
	if [ "$ABI" -ge 4 ]; then
		need own_net true
		run ! own_net volt-lock fs=any udp.connect=any tcp.connect=443 \
			"$HELP/deed" tcp.connect 80
		[ "$output" = EACCES ]
		run -0 own_net volt-lock fs=any tcp.connect=443 "$HELP/deed" tcp.connect 443
	fi
	# With nothing left to restrict there is no policy, but no error either.
	run -0 volt-lock fs=any unix=any scope=none tcp.bind=any tcp.connect=any \
		udp.bind=any udp.connect=any "$HELP/deed" kill "$pid"
	for value in some '' /; do
		run -125 --separate-stderr volt-lock "fs=$value" true
		[ "$stderr" = "volt-lock: fs=$value: not any or none" ]
	done
	grep -qx "fs any" < <(volt-lock fs=any)
	grep -qx "fs none" < <(volt-lock fs=any fs=none)
}

@test "none: it revokes what earlier words granted, those of policies too" {
	run -0 volt-lock @server tcp.connect=none udp.connect=none udp.bind=none
	grep -qx "tcp.bind any" <<<"$output"
	grep -qx "tcp.connect none" <<<"$output"
	if [ "$ABI" -ge 4 ]; then
		need own_net true
		for before in any 1-100 80,443; do
			run ! own_net volt-lock fs.rx="$HELP" tcp.connect=$before tcp.connect=none \
				udp.bind=any "$HELP/deed" tcp.connect 80
			[ "$output" = EACCES ]
		done
		run -0 own_net volt-lock @server fs.rx="$HELP" tcp.connect=none tcp.connect=80 \
			"$HELP/deed" tcp.connect 80
		# It changes its own right only.
		run -0 own_net volt-lock @server fs.rx="$HELP" tcp.connect=none \
			"$HELP/deed" tcp.bind 80
	fi
	serve "$BATS_TEST_TMPDIR/sock"
	if [ "$ABI" -ge 9 ]; then
		run ! locked unix=/ unix=none -- unix "$BATS_TEST_TMPDIR/sock"
		[ "$output" = EACCES ]
		run -0 locked unix=any unix=none unix=/ -- unix "$BATS_TEST_TMPDIR/sock"
	fi
	run -0 locked unix=any -- unix "$BATS_TEST_TMPDIR/sock"
	[ "$ABI" -lt 6 ] || run -0 locked scope=signal scope=none -- kill "$pid"
	[ "$ABI" -lt 6 ] || run ! locked scope=none scope=signal -- kill "$pid"
	[ "$ABI" -lt 7 ] || run ! grep "^log" < <(volt-lock log=new-exec-on log=none)
}

@test "rights: that report is omitted before a link of the toolbox, which can run" {
	need volt-ns -Um true
	# The second volt-lock is a link of the toolbox; its own command is not.
	run -126 --separate-stderr volt-ns -Um root="$ROOT_BB" volt-lock fs.ro=/ -- \
		volt-lock fs.rx=/ -- /bin/busybox true
	[ "${stderr_lines[0]}" = "volt-lock: exec /bin/busybox: Permission denied" ]
	# A file of the root with that name is no link of the toolbox.
	run -127 --separate-stderr volt-ns -Um root="$ROOT_BB" volt-lock fs.ro=/ -- \
		/bin/volt-lock true
	[ "${stderr_lines[0]}" = "$NO_EXECUTE" ]
}

@test "none: for a word about paths, it revokes the rights on all paths, also after fs=any" {
	fresh
	for grant in fs=any fs.rwx=/ "fs.rwx=$BATS_TEST_TMPDIR fs.rx=$HELP"; do
		echo "$grant"
		fresh
		# The rights to read and execute stay, whichever word granted them.
		# shellcheck disable=SC2086 # several words, a deed and its arguments
		for deed in "write_file $T/a/file" "read_file $T/a/file" \
			"read_dir $T/a/dir" "execute $T/a/prog"; do
			run -0 volt-lock $grant "$HELP/deed" $deed
			run volt-lock $grant fs.rw=none "$HELP/deed" $deed
			[ "$output" = "$([[ $deed == write* ]] && echo EACCES || echo ok)" ]
		done
	done
	# Later words can grant it anew: the command writes there and nowhere else.
	mkdir "$T/here"
	run -0 volt-lock fs=any fs.rw=none fs.rw="$T/here" "$HELP/deed" make_dir "$T/here/new"
	run ! volt-lock fs=any fs.rw=none fs.rw="$T/here" "$HELP/deed" make_dir "$T/new"
	[ "$output" = EACCES ]
	run -0 volt-lock fs=any fs.rw=none fs.rw="$T/here" "$HELP/deed" read_file "$T/a/file"
	run -126 volt-lock fs=any fs.execute=none true
	run ! volt-lock fs=any fs.ro=none fs.execute=/ "$HELP/deed" read_file "$T/a/file"
	# The rights that are left are shown as the word that grants exactly these.
	run -0 volt-lock fs.rwx=/usr,/lib fs.rw=/tmp fs.dev=/dev fs.rw=none
	[ "$(grep ^fs <<<"$output")" = "fs.rx /usr
fs.rx /lib
fs.ro /tmp
$([ "$ABI" -lt 5 ] || printf 'fs.read_file /dev\nfs.read_dir /dev\nfs.ioctl_dev /dev')" ]
	# "./none" is a path, not the word none.
	run -125 --separate-stderr volt-lock fs.ro=./none true
	[ "$stderr" = "volt-lock: fs.ro=./none: No such file or directory" ]
}

@test "words: one without effect, or one that undoes another, is an error" {
	undoes="it would undo what earlier words restrict"
	local -A because=([undoes]=$undoes
		[nothing]="an earlier any grants all; put none between them to undo that")
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	while IFS='|' read -r words word why; do
		echo "$words $word"
		# shellcheck disable=SC2086 # several words
		run -125 --separate-stderr volt-lock $words $word true
		[ "$stderr" = "volt-lock: $word: ${because[$why]}" ]
	done <<-EOF
		tcp.connect=any|tcp.connect=443|nothing
		@server|tcp.bind=8080|nothing
		tcp.connect=443|tcp.connect=any|undoes
		tcp.connect=none|tcp.connect=any|undoes
		tcp.connect=any tcp.connect=none|tcp.connect=any|undoes
		udp.bind=none|udp.bind=any|undoes
		fs=any|fs.ro=/etc|nothing
		fs=any|fs.execute=/usr|nothing
		fs.rx=/|fs=any|undoes
		fs=none|fs=any|undoes
		fs.rw=none|fs=any|undoes
		unix=none|unix=any|undoes
		unix=any unix=none|unix=any|undoes
		@offline|tcp.bind=any|undoes
	EOF
	# In either order, the network words of one policy do not undo those of the other.
	run -125 --separate-stderr volt-lock @offline @server true
	[ "$stderr" = "volt-lock: tcp.bind=any: $undoes" ]
	for value in any,80 80,any none,80 80,none; do
		run -125 --separate-stderr volt-lock "tcp.bind=$value" true
		[ "$stderr" = "volt-lock: tcp.bind=$value: not a port, a range, any or none" ]
	done
	run -0 volt-lock fs=any fs=any tcp.bind=none tcp.bind=none tcp.connect=any \
		tcp.connect=any udp.bind=any true
	# try=fs=any counts only without another word about files, before it or after it.
	for words in "fs.rx=/usr try=fs=any" "try=fs=any fs.rx=/usr" "fs=none try=fs=any"; do
		# shellcheck disable=SC2086
		run -0 volt-lock $words
		run ! grep -qx "fs any" <<<"$output"
	done
	run -0 volt-lock try=fs=any fs.rw=none fs.rw=/tmp
	grep -qx "fs any" <<<"$output"
}

@test "tcp: a line reports that UDP is not restricted" {
	line="volt-lock: UDP is not restricted: this kernel's Landlock cannot do that; "
	line+="udp.bind=none udp.connect=none denies UDP, any leaves it alone"
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	for word in tcp.connect=443 tcp.bind=none "tcp.bind=any tcp.connect=none"; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr volt-lock fs=any $word true
		if [ "$ABI" -lt 10 ]; then
			[ "$stderr" = "$line" ]
		else
			[ -z "$stderr" ]
		fi
	done
	for words in tcp.connect=any "" "tcp.connect=443 udp.connect=any udp.bind=any" \
		"tcp.connect=443 udp.connect=none udp.bind=none"; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr volt-lock fs=any $words true
		[ -z "$stderr" ]
	done
}

@test "none: for both rights of a protocol, a filter enforces it on any kernel" {
	need own_net true
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	tcp="tcp.bind=none tcp.connect=none" udp="udp.bind=none udp.connect=none"
	while IFS='|' read -r want words call; do
		echo "$want: $words: $call"
		# shellcheck disable=SC2086 # several words
		run own_net volt-lock fs=any $words "$HELP/deed" call $call
		[ "$output" = "$want" ]
	done <<-EOF
		EACCES|$tcp udp.bind=any|41 2 1 0
		EACCES|$tcp udp.bind=any|41 10 0x80801 6
		ok|$tcp udp.bind=any|41 2 2 0
		ok|$tcp udp.bind=any|41 1 1 0
		EACCES|$udp|41 2 2 0
		EACCES|$udp|41 10 0x80802 17
		EACCES|$udp|41 2 2 1
		ok|$udp|41 2 1 0
		ok|$udp|41 1 2 0
		ENOSYS|$udp|425 1 0
		EACCES|$tcp $udp|41 2 1 0
		EACCES|$tcp $udp|41 10 2 0
		EACCES|$tcp $udp|41 2 3 1
		EACCES|$tcp $udp|41 2 10 768
		EACCES|$tcp $udp|41 2 1 132
		EAFNOSUPPORT|$tcp $udp|41 17 3 0
		EAFNOSUPPORT|$tcp $udp|41 40 1 0
		EAFNOSUPPORT|$tcp $udp|41 0x100000028 1 0
		ENOSYS|$tcp $udp|425 1 0
		ok|$tcp $udp|41 1 1 0
		ok|$tcp $udp|41 16 3 0
	EOF
	# Landlock enforces either of them alone.
	if [ "$ABI" -lt 10 ]; then
		refused udp.bind=none 10 7.2
		run -0 volt-lock fs=any try=udp.bind=none true
	fi
	serve "$BATS_TEST_TMPDIR/sock"
	run ! locked unix=none -- unix "$BATS_TEST_TMPDIR/sock"
	[ "$output" = EACCES ]
	if [ "$ABI" -lt 9 ]; then
		grep -qx "filters .*no-unix" < <(volt-lock unix=none)
		# Both ends of a socket pair belong to the command; but a socket of a datagram
		# pair could send to other sockets.
		run ! locked unix=none -- call 53 1 1 0 1
		[ "$output" = EFAULT ]
		for type in 2 3 0x80802 0x100000002; do
			run ! locked unix=none -- call 53 1 $type 0 1
			[ "$output" = EACCES ]
		done
	fi
}

# --- paths ------------------------------------------------------------------

@test "paths: commas separate several; a backslash keeps a comma" {
	mkdir "$T" "$T/a,b" "$T/c" "$T/d"
	touch "$T"/{a,b,c,d}/f "$T/a,b/f" 2>/dev/null || touch "$T/a,b/f" "$T"/{c,d}/f
	for p in 'a,b' c; do
		run -0 locked fs.ro="$T/a\\,b,$T/c" -- read_file "$T/$p/f"
	done
	run ! locked fs.ro="$T/a\\,b,$T/c" -- read_file "$T/d/f"
	run -125 --separate-stderr volt-lock fs.ro=/usr,,/etc true
	[ "$stderr" = "volt-lock: fs.ro=/usr,,/etc: an empty path" ]
}

@test "paths: a missing one is an error, and try= skips it" {
	run -125 --separate-stderr volt-lock fs.rx=/ fs.ro=/none true
	[ "$stderr" = "volt-lock: fs.ro=/none: No such file or directory" ]
	run -0 --separate-stderr volt-lock fs.rx=/ try=fs.ro=/none,/etc true
	[ -z "$stderr" ]
	run -0 --separate-stderr volt-lock -v fs.rx=/ try=fs.ro=/none true
	[[ $stderr == *"volt-lock: passed over: fs.ro=/none: not there"* ]]
	run -125 --separate-stderr volt-lock try=caps=none true
	[ "$stderr" = "volt-lock: try=caps=none: not one of Landlock's words" ]
}

@test "prefix: paths are below it, and symlinks stay there" {
	mkdir -p "$T/root/etc" "$T/root/data" "$T/etc"
	touch "$T/root/data/f" "$T/etc/f"
	ln -s ../../etc "$T/root/up"
	ln -s /data "$T/root/abs"
	ln -s /proc/self/root "$T/root/magic"
	run -0 locked prefix="$T/root" fs.ro=/abs -- read_file "$T/root/data/f"
	run ! locked prefix="$T/root" fs.ro=/up -- read_file "$T/etc/f"
	[ "$output" = EACCES ]
	run -125 --separate-stderr volt-lock prefix="$T/root" fs.ro=data true
	[ "$stderr" = "volt-lock: fs.ro=data: below prefix= a path begins with /" ]
	run -125 --separate-stderr volt-lock prefix="$T/root" fs.ro=/none true
	[ "$stderr" = "volt-lock: fs.ro=$T/root/none: No such file or directory" ]
	run -125 volt-lock prefix="$T/none" fs.ro=/x true
	# An empty prefix= ends it.
	run -0 locked prefix="$T/root" prefix= fs.ro="$T" -- read_file "$T/etc/f"
}

# secrets: makes $T anew, with homes that have secrets, some of them behind symlinks.
secrets() {
	rm -rf "$T"
	mkdir -p "$T"/home/{a,b}/{.ssh,src/deep,.config/{app,browser-1,browser-2}} \
		"$T/data/moved/sub" "$T/dots"
	for f in a/.ssh/key b/.ssh/key a/src/f a/src/deep/f a/.config/app/f a/.config/browser-1/f \
		a/.config/browser-2/f a/.profile b/src/f; do
		echo "$f" >"$T/home/$f"
	done
	for f in data/moved/f data/moved/sub/f data/other dots/netrc dots/vimrc; do
		echo "$f" >"$T/$f"
	done
	ln -s ../../data/link "$T/home/a/.mail"
	ln -s "$T/data/moved" "$T/data/link"
	ln -s ../../dots/netrc "$T/home/a/.netrc"
	ln -s ../../dots/vimrc "$T/home/a/.vimrc"
}

@test "except: later words grant nothing on it, whichever path leads to it" {
	need_root
	except="$T/home/*/.ssh,$T/home/*/.mail,$T/home/*/.netrc"
	except+=",$T/home/*/.config/browser-*,$T/home/*/.gone/x"
	# deeds WORD ...: tries the deeds of its input, each after the output that it must have.
	deeds() {
		while read -r want deed; do
			secrets
			echo "$*: $deed"
			# shellcheck disable=SC2086 # a deed and its arguments
			run locked "$@" -- $deed
			[ "$output" = "$want" ]
		done
	}
	deeds except="$except" fs.rwx="$T" <<-EOF
		ok read_file $T/home/a/src/f
		ok read_file $T/home/a/src/deep/f
		ok make_dir $T/home/a/src/deep/new
		ok refer $T/home/a/src/f $T/home/b/src/g
		ok read_file $T/home/a/.config/app/f
		ok write_file $T/home/a/.profile
		ok read_file $T/data/other
		ok read_file $T/home/a/.vimrc
		EACCES read_file $T/home/a/.ssh/key
		EACCES read_dir $T/home/a/.ssh
		EACCES read_file $T/home/b/.ssh/key
		EACCES make_dir $T/home/b/.ssh/new
		EACCES read_file $T/home/a/.config/browser-1/f
		EACCES read_file $T/home/a/.config/browser-2/f
		EACCES make_dir $T/home/a/.config/browser-3
		EACCES make_dir $T/home/a/.gone
		EACCES make_dir $T/home/c
		EACCES remove_file $T/home/a/.profile
		EACCES read_file $T/home/a/.mail/f
		EACCES read_file $T/data/moved/sub/f
		EACCES read_file $T/home/a/.netrc
		EACCES read_file $T/dots/netrc
		EACCES refer $T/home/a/.ssh $T/home/a/src/taken
		EACCES refer $T/home/a/.config $T/home/a/src/taken
		EACCES read_dir $T/home/a
	EOF
	# The rule is for the root itself, or its path leads through a symlink.
	deeds except="$T/home/a/.ssh" fs.rw=/ <<-EOF
		EACCES read_file $T/home/a/.ssh/key
		ok read_file $T/home/b/.ssh/key
		ok read_file $T/home/a/src/f
		ok read_file /etc/passwd
	EOF
	secrets
	ln -s "$T/home" "$BATS_TEST_TMPDIR/link"
	run ! locked except="$T/home/a/.ssh" fs.rw="$BATS_TEST_TMPDIR/link" -- \
		read_file "$T/home/a/.ssh/key"
	[ "$output" = EACCES ]
	run ! locked except="$BATS_TEST_TMPDIR/link/a/.ssh" fs.rw="$T" -- \
		read_file "$T/home/a/.ssh/key"
	[ "$output" = EACCES ]
	# Several add up, for the words after them, until an empty one.
	run -0 locked fs.rw="$T" except="$T/home/a/.ssh" -- read_file "$T/home/a/.ssh/key"
	run -0 locked except="$T/home/a/.ssh" except= fs.rw="$T" -- read_file "$T/home/a/.ssh/key"
	for path in "$T/home/a/.ssh/key" "$T/dots/vimrc"; do
		run ! locked except="$T/home/a/.ssh" except="$T/dots" \
			fs.rw="$T" -- read_file "$path"
		[ "$output" = EACCES ]
	done
	# Below a prefix, symlinks lead to paths of that root.
	run ! locked prefix="$T" except=/home/a/.ssh fs.rw=/ -- read_file "$T/home/a/.ssh/key"
	[ "$output" = EACCES ]
	run -0 locked prefix="$T" except=/home/a/.ssh fs.rw=/ -- read_file "$T/home/b/.ssh/key"
	ln -sfn /data/moved "$T/home/a/.mail"
	run ! locked prefix="$T" except=/home/a/.mail fs.rw=/ -- read_file "$T/data/moved/f"
	[ "$output" = EACCES ]
	# A right that files cannot have is granted on directories only.
	run -0 locked except="$T/home/a/.ssh" fs.make_dir="$T" -- make_dir "$T/home/a/src/made"
	# Symlinks may lead nowhere, or in a circle.
	ln -sfn loop "$T/home/a/loop"
	run -0 locked except="$T/home/a/loop,$T/home/a/src/f/x,$T/nothing/at/all" fs.rw="$T" -- \
		read_file "$T/home/a/src/f"
	while IFS='|' read -r value why; do
		run -125 --separate-stderr volt-lock "except=$value" fs.rx=/ true
		[ "$stderr" = "volt-lock: except=$value: $why" ]
	done <<-'EOF'
		x/y|not a path below /
		/|not a path below /
		/a,|not a path below /
		/a/../b|a pattern must not contain ..
		/a/..|a pattern must not contain ..
	EOF
	grep -qxF "except $T/home/*/.ssh" < <(volt-lock "except=$T/home/*/.ssh" fs.ro="$T")
}

@test "except: on a directory that the user cannot read, nothing is granted" {
	need_root
	secrets
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	user() {
		(cd / && setpriv --reuid 1000 --clear-groups volt-lock fs.rx="$HELP" "$@")
	}
	chmod 711 "$T/home"
	run ! user except="$T/home/*/.ssh" fs.rw="$T" "$HELP/deed" read_file "$T/home/a/.ssh/key"
	[ "$output" = EACCES ]
	chmod 755 "$T/home" && chmod 700 "$T/home/b"
	run ! user except="$T/home/*/.ssh" fs.rw="$T" "$HELP/deed" read_file "$T/home/a/.ssh/key"
	[ "$output" = EACCES ]
	run -0 user except="$T/home/*/.ssh" fs.rw="$T" "$HELP/deed" read_file "$T/home/a/src/f"
}

@test "except: a directory that cannot be read completely is an error" {
	command -v strace >/dev/null || lacks strace
	secrets
	# The pattern reads home; later ones are directories around which rights are granted.
	for n in 1 2 3 4; do
		run -125 --separate-stderr strace -qq -o /dev/null \
			--inject=getdents64:error=EIO:when=$n \
			volt-lock except="$T/home/*/.ssh" fs.rwx="$T" fs.rx=/ true
		[[ $stderr == "volt-lock: "*": I"*"/"*" error" ]]
	done
}

@test "paths: symlinks, hard links, renames and magic links are no way around a rule" {
	need_root
	fresh
	mkdir "$T/in" && echo secret >"$T/secret"
	ln -s "$T/secret" "$T/in/link"
	ln -s ../secret "$T/in/up"
	words=(fs.rw="$T/in" fs.ro=/proc)
	for path in "$T/in/link" "$T/in/up" "$T/in/../secret" \
		"/proc/self/root$T/secret" "/proc/self/cwd$T/secret" "/proc/1/root$T/secret"; do
		echo "$path"
		run ! locked "${words[@]}" -- read_file "$path"
		[ "$output" = EACCES ]
	done
	run ! locked "${words[@]}" -- link "$T/secret" "$T/in/hard"
	[[ $output == EXDEV || $output == EACCES ]]
	run ! locked "${words[@]}" -- refer "$T/secret" "$T/in/moved"
	[[ $output == EXDEV || $output == EACCES ]]
	[ -f "$T/secret" ] && [ ! -e "$T/in/hard" ]
	# Moving to where more is granted is refused though both ends may move.
	if [ "$ABI" -ge 2 ]; then
		mkdir "$T/ro" && echo x >"$T/ro/f"
		run ! locked fs.rwx="$T/in" fs.refer="$T/ro" fs.remove_file="$T/ro" \
			fs.ro="$T/ro" -- refer "$T/ro/f" "$T/in/f"
		[ "$output" = EXDEV ]
	fi
}

@test "paths: an open descriptor can still be read, but not opened again" {
	fresh
	exec 8<"$T/a/file" 9<"$T/a"
	run -0 locked fs.ro=/proc -- read_fd 8
	run ! locked fs.ro=/proc -- read_file /proc/self/fd/8
	[ "$output" = EACCES ]
	run ! locked fs.ro=/proc -- read_dir /proc/self/fd/9
	[ "$output" = EACCES ]
	run ! locked fs.ro=/proc -- openat_fd 9 file
	[ "$output" = EACCES ]
	run ! locked fds=close -- read_fd 8
	[ "$output" = EBADF ]
	exec 8<&- 9<&-
}

@test "paths: a rule holds for bind mounts made before; none is made after" {
	need_root
	need unshare -m true
	fresh
	mkdir "$T/in" "$T/out" && echo x >"$T/out/f"
	# Landlock grants what is mounted below a granted path.
	run -0 unshare -m sh -ec 'mount --bind "$1/out" "$1/in"; shift; exec "$@"' sh "$T" \
		volt-lock fs.rx="$HELP" fs.ro="$T/in" "$HELP/deed" read_file "$T/in/f"
	# It grants nothing at a path that no rule covers, also if the file has another path.
	run ! unshare -m sh -ec 'mount --bind "$1/out" "$1/b"; shift; exec "$@"' sh "$T" \
		volt-lock fs.rx="$HELP" fs.ro="$T/in" "$HELP/deed" read_file "$T/b/f"
	run ! volt-lock fs.rwx=/ mount -t tmpfs none "$T/in"
	run ! volt-lock fs.rwx=/ unshare -m true
	run ! volt-lock fs.rwx=/ chroot / mount --bind / "$T/in"
}

@test "paths: a file that replaces a granted one is not granted" {
	fresh
	echo other >"$T/other"
	busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1 ||
		lacks "a static busybox"
	ln -s file "$T/a/link"
	for path in "$T/a/file" "$T/a/link"; do
		mkfifo "$T/go"
		# shellcheck disable=SC2016 # expanded by that sh
		volt-lock fs.rx="$busybox" fs.ro="$path" "$busybox" sh -c \
			'read -r x <&7; exec <"$1" && read -r x && echo "$x"' sh "$path" \
			7<>"$T/go" >got 2>&1 3>&- &
		job=$!
		started+=("$job")
		is_sh() { [ "$(cat "/proc/$job/comm")" = busybox ]; }
		wait_for is_sh
		mv "$T/other" "$T/a/file"
		echo >"$T/go"
		wait "$job" && return 1
		grep -q "Permission denied" got
		rm "$T/go" && fresh && echo other >"$T/other" && ln -s file "$T/a/link"
	done
	run -0 --separate-stderr volt-lock fs.rx="$busybox" fs.ro="$T/a/link" \
		"$busybox" cat "$T/a/file"
	[ "$output" = data ]
}

@test "paths: readable files and memory can be executed indirectly, as the manual says" {
	fresh
	need python3 -c 'import os; os.memfd_create'
	need python3 -c 'print(open("/lib64/ld-linux-x86-64.so.2"))'
	cp /bin/true "$T/a/true"
	words=("try=fs.rx=/usr,/bin,/lib,/lib64" fs.ro=/)
	run -126 volt-lock "${words[@]}" "$T/a/true"
	run -0 volt-lock "${words[@]}" seccomp=strict /lib64/ld-linux-x86-64.so.2 "$T/a/true"
	run -0 volt-lock fs.ro=/ \
		fs.rx=/usr,/lib,/lib64,"$(python3 -c 'import sys; print(sys.prefix)')" \
		seccomp=strict \
		"$(python3 -c 'import sys; print(sys.executable)')" -c 'import os, sys
fd = os.memfd_create("x")
os.write(fd, open(sys.argv[1], "rb").read())
os.execve(fd, ["true"], {})' "$T/a/true"
}

@test "mounts: impossible if files are restricted; with fs=any, capabilities decide" {
	need_root
	need unshare -m true
	mkdir "$T"
	run -32 unshare -m volt-lock fs.rwx=/ mount -t tmpfs none "$T"
	[ "$ABI" -lt 9 ] || run -32 unshare -m volt-lock fs=any unix=none mount -t tmpfs none "$T"
	run -0 unshare -m volt-lock fs=any mount -t tmpfs none "$T"
}

# --- network ----------------------------------------------------------------

@test "tcp: bind and connect by port, range, any and none" {
	need own_net true
	if [ "$ABI" -lt 4 ]; then
		refused tcp.bind=80 4 6.7
		refused tcp.connect=none 4 6.7
		run -0 volt-lock fs.rx=/ tcp.bind=any true
		return
	fi
	for word in tcp.bind tcp.connect; do
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any "$HELP/deed" $word 8080
		[ "$output" = EACCES ]
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=none "$HELP/deed" $word 8080
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=8081,80 "$HELP/deed" $word 8080
		run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=80,8080 "$HELP/deed" $word 8080
		run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=8000-8100 "$HELP/deed" $word 8080
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=8000-8079 "$HELP/deed" $word 8080
		run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any \
			$word=any "$HELP/deed" $word 8080
	done
	# Neither right includes the other.
	run ! own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.bind=any \
		"$HELP/deed" tcp.connect 8080
	# UDP is a right of its own, from ABI 10 on.
	[ "$ABI" -ge 10 ] || run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.bind=none \
		"$HELP/deed" udp.connect 53
}

@test "udp: bind and connect by port, from ABI 10 on" {
	if [ "$ABI" -lt 10 ]; then
		refused udp.bind=53 10 7.2
		refused udp.connect=53 10 7.2
		run -0 volt-lock fs.rx=/ udp.bind=any udp.connect=any true
		return
	fi
	need own_net true
	for word in udp.bind udp.connect; do
		run ! own_net volt-lock fs.rx="$HELP" udp.bind=0 "$HELP/deed" $word 5353
		[ "$output" = EACCES ]
		run -0 own_net volt-lock fs.rx="$HELP" udp.bind=0 $word=5353 "$HELP/deed" $word 5353
	done
}

@test "tcp: no way past a port that is not granted" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	need own_net true
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	run -0 own_net "$HELP/deed" call 41 2 1 262 # the kernel has Multipath TCP
	for how in sendto sendmsg sendmmsg; do
		run -0 own_net "$HELP/deed" fastopen $how 8080
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.bind=any \
			"$HELP/deed" fastopen $how 8080
		[ "$output" = EOPNOTSUPP ]
		run ! own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.connect=80 \
			"$HELP/deed" fastopen $how 8080
		[ "$output" = EOPNOTSUPP ]
	done
	# Landlock checks the address of connect(2).
	run -0 own_net "$HELP/deed" fastopen connect 8080
	run ! own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.connect=80 \
		"$HELP/deed" fastopen connect 8080
	[ "$output" = EACCES ]
	run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.connect=8080 \
		"$HELP/deed" fastopen connect 8080
	while read -r want call; do
		for words in tcp.bind=any tcp.connect=any "tcp.bind=80 tcp.connect=80" ""; do
			echo "$want: $call: $words"
			# shellcheck disable=SC2086 # words, and a call's numbers
			run locked udp.connect=any $words -- call $call
			[ "$output" = "$want" ]
		done
	done <<-'EOF'
		EPROTONOSUPPORT 41 2 1 262
		EPROTONOSUPPORT 41 2 0x80801 0x100000106
		EPROTONOSUPPORT 41 10 1 262
		EPROTONOSUPPORT 41 2 1 256
		EAFNOSUPPORT 41 43 1 0
		EAFNOSUPPORT 41 21 5 0
		EAFNOSUPPORT 41 33 2 2
		ENOENT 54 -1 6 31 0 0
		EBADF 54 -1 6 1 0 0
		ENOSYS 425 1 0
		ok 41 2 1 6
		ok 41 10 1 0
		ok 41 1 1 0
	EOF
	# If no port is restricted, nothing changes.
	words=(tcp.bind=any tcp.connect=any)
	[ "$ABI" -lt 10 ] || words+=(udp.bind=any udp.connect=any)
	run -0 locked "${words[@]}" -- call 41 2 1 262
	run -0 own_net volt-lock fs.rx="$HELP" "${words[@]}" "$HELP/deed" fastopen sendto 8080
	# The same holds while volt-lock learns.
	run ! --separate-stderr volt-lock learn=profile fs.rx="$HELP" tcp.connect=80 \
		"$HELP/deed" fastopen sendto 80
	[ "$output" = EOPNOTSUPP ]
}

@test "tcp.bind=none: no TCP socket listens; without TCP, UNIX sockets still do" {
	need own_net true
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	for words in tcp.bind=none "tcp.bind=80 tcp.bind=none tcp.connect=none"; do
		for family in 2 10; do
			# shellcheck disable=SC2086
			run ! locked udp.connect=any $words -- listen $family
			[ "$output" = EACCES ]
		done
		# shellcheck disable=SC2086 # EINVAL: it is not bound
		run ! locked udp.connect=any $words -- listen 1
		[ "$output" = EINVAL ]
		# shellcheck disable=SC2086
		run -0 locked udp.connect=any $words -- call 41 2 2 0
	done
	for family in 1 2 10; do
		run ! locked udp.connect=any tcp.bind=none tcp.connect=80 -- listen $family
		[ "$output" = EACCES ]
	done
	run -0 own_net volt-lock fs.rx="$HELP" udp.connect=any tcp.bind=none tcp.connect=80 \
		"$HELP/deed" tcp.connect 80
	# A later grant ends that; without a word for tcp.bind, listen(2) is not restricted.
	run -0 locked udp.connect=any tcp.bind=none tcp.bind=80 -- listen 2
	run -0 locked udp.connect=any tcp.connect=80 -- listen 2
	grep -qx "tcp.bind none" < <(volt-lock tcp.bind=none)
	run ! grep "tcp.bind none" < <(volt-lock tcp.bind=none tcp.bind=80)
}

@test "ports: a bad port is refused" {
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	for value in 65536 -1 080 80x 9-8 80- '' 1,,2 70000-70001 http any2; do
		run -125 --separate-stderr volt-lock "tcp.bind=$value" true
		[[ $stderr == "volt-lock: tcp.bind=$value: not a "* ]]
	done
}

@test "scope: abstract sockets and signals do not leave the sandbox" {
	name=@volt-test-$RANDOM$RANDOM
	serve "$name"
	if [ "$ABI" -lt 6 ]; then
		refused scope=signal 6 6.12
		refused scope=abstract-unix 6 6.12
		run -0 locked try=scope=signal -- kill "$pid"
		return
	fi
	for words in '' scope=signal,abstract-unix; do
		# shellcheck disable=SC2086 # none, or one
		run ! locked $words -- unix "$name"
		[ "$output" = EPERM ]
		# shellcheck disable=SC2086
		run ! locked $words -- kill "$pid"
		[ "$output" = EPERM ]
	done
	run -0 locked scope=signal -- unix "$name"
	run -0 locked scope=abstract-unix -- kill "$pid"
	run -0 locked scope=none -- unix "$name"
	run -0 locked scope=none -- kill "$pid"
	# Inside the sandbox, signals still work.
	run -0 volt-lock fs.rwx=/ sh -c 'sleep 60 & kill $!; wait $! || test $? = 143'
	run -125 --separate-stderr volt-lock scope=all true
	[ "$stderr" = "volt-lock: scope=all: not abstract-unix, signal or none" ]
}

# --- what the kernel has ----------------------------------------------------

@test "abi: one that the kernel lacks is an error; with -b it is reported" {
	run -125 --separate-stderr volt-lock abi=99 true
	[ "$stderr" = "volt-lock: abi=99: this kernel has Landlock ABI $ABI" ]
	run -0 --separate-stderr volt-lock -b abi=99 fs.rx=/ true
	[ "$stderr" = "volt-lock: lost: abi=99: this kernel has Landlock ABI $ABI" ]
	run -0 volt-lock fs.rx=/ "abi=$ABI" true
	if [ "$ABI" -lt 10 ]; then
		run -0 --separate-stderr volt-lock -b udp.bind=53 fs.rx=/ true
		needs="needs Landlock ABI 10 (Linux 7.2); this kernel has ABI $ABI"
		[ "$stderr" = "volt-lock: lost: udp.bind=53: $needs" ]
		run -0 --separate-stderr volt-lock -v fs.rx=/ true
		[[ $stderr == *"volt-lock: not enforced: udp.bind $needs"* ]]
	fi
}

@test "log: flags of ABI 7" {
	if [ "$ABI" -lt 7 ]; then
		refused log=new-exec-on 7 6.15
		return
	fi
	run -0 volt-lock fs.rx=/ log=new-exec-on,subdomains-off true
	run -0 volt-lock fs.rx=/ log=same-exec-off true
	run -125 --separate-stderr volt-lock log=loud true
	[ "$stderr" = \
		"volt-lock: log=loud: not same-exec-off, new-exec-on, subdomains-off or none" ]
}

@test "layers: a second one only narrows, and the seventeenth is one clear line" {
	fresh
	bin=$O/bin
	cd / # any other working directory would be reported as not granted
	run -0 volt-lock fs.rx="$HELP,$bin" fs.ro="$T/a" volt-lock fs.rx=/ fs.ro=/ \
		"$HELP/deed" read_file "$T/a/file"
	run ! volt-lock fs.rx="$HELP,$bin" volt-lock fs.rwx=/ "$HELP/deed" read_file "$T/a/file"
	[ "$output" = EACCES ]
	run ! volt-lock fs.rwx=/ volt-lock fs.rx="$HELP,$bin" "$HELP/deed" read_file "$T/a/file"
	[ "$output" = EACCES ]
	command=(true)
	for _ in {1..16}; do
		command=(volt-lock fs.rx=/ "${command[@]}")
	done
	run -0 "${command[@]}"
	run -125 --separate-stderr volt-lock fs.rx=/ "${command[@]}"
	[ "$stderr" = "volt-lock: landlock: 16 policies are in force already, \
and the kernel stacks no more" ]
}

@test "rules: ten thousand" {
	mkdir -p "$T" && cd "$T"
	seq -f 'd%.0f' 10001 | xargs mkdir
	touch d10000/f d10001/f
	seq -f "fs.ro=$T/d%.0f" 10000 >words
	run -0 locked @"$T/words" -- read_file "$T/d10000/f"
	run ! locked @"$T/words" -- read_file "$T/d10001/f"
	[ "$output" = EACCES ]
	cd .. && rm -rf "$T"
}

# --- capabilities and identity ----------------------------------------------

# sets CMD ...: prints the capability sets behind CMD, as "Inh Prm Eff Bnd Amb".
sets() {
	"$@" sed -n 's/^Cap...:\t0*//p' /proc/self/status | sed 's/^$/0/' | tr '\n' ' '
}

@test "caps: all five sets are as asked, and locked" {
	need_root
	[ "$(sets volt-lock caps=none)" = "0 0 0 0 0 " ]
	[ "$(sets volt-lock caps=net_bind_service)" = "400 400 400 400 400 " ]
	[ "$(sets volt-lock caps=CAP_KILL,chown,8 uid=1000 gid=1000)" = "121 121 121 121 121 " ]
	[ "$(sets volt-lock caps=+setuid,-sys_admin uid=1000)" != "0 0 0 0 0 " ]
	all=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
	less=$(printf '%x' $((0x$all & ~(1 << 21))))
	[ "$(sets volt-lock caps=-sys_admin)" = "0 $less $less $less 0 " ]
	[ "$(sets volt-lock caps=+kill,-sys_admin uid=1000)" = "20 20 20 $less 20 " ]
	# A second volt-lock regains nothing.
	[ "$(sets volt-lock caps=kill volt-lock caps=kill)" = "20 20 20 20 20 " ]
	run -125 --separate-stderr volt-lock caps=kill volt-lock caps=chown true
	[ "$stderr" = "volt-lock: caps: chown: we do not have that" ]
	[ "$(sets volt-lock caps=kill,setpcap volt-lock caps=none)" = "0 0 0 0 0 " ]
	[ "$(volt-lock caps=kill "$HELP/deed" securebits)" = 0xeb ]
}

@test "caps: the names are exactly those of libcap" {
	command -v capsh >/dev/null || lacks capsh
	for ((i = 0; i <= $(cat /proc/sys/kernel/cap_last_cap); i++)); do
		name=$(capsh --decode="$(printf '%x' $((1 << i)))" | sed 's/.*=//')
		[ "$(volt-lock caps="$name" | sed -n 's/^caps //p')" = "${name#cap_}" ]
		[ "$(volt-lock caps="$i" | sed -n 's/^caps //p')" = "${name#cap_}" ]
	done
	for value in nothing 64 +kill,chown kill,-chown '' +; do
		run -125 --separate-stderr volt-lock "caps=$value" true
		[[ $stderr == "volt-lock: caps=$value: "* ]]
	done
}

@test "caps: an ordinary user can drop capabilities" {
	[ "$(as_user volt-lock caps=none sed -n 's/^CapPrm:\t0*//p' /proc/self/status)" = "" ]
	run -125 --separate-stderr as_user volt-lock caps=kill true
	[ "$stderr" = "volt-lock: caps: kill: we do not have that" ]
}

# suid FILE MODE CMD ...: runs CMD in a mount namespace with a copy of FILE in d, which
# has MODE, on a file system where set-user-ID counts.
suid() {
	need unshare -m true
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	mkdir -p d
	# shellcheck disable=SC2016 # expanded by that sh
	unshare -m sh -ec 'mount -t tmpfs -o mode=755 none d
		cp "$1" d/; chmod "$2" "d/${1##*/}"; shift 2; exec "$@"' sh "$@"
}

@test "no_new_privs: always, and a set-user-ID program gains nothing" {
	need_root
	[ "$(volt-lock sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" = 1 ]
	run -0 suid "$HELP/deed" 4755 setpriv --reuid 1000 --clear-groups ./d/deed euid
	[ "$output" = 0 ]
	run -0 suid "$HELP/deed" 4755 volt-lock uid=1000 gid=1000 ./d/deed euid
	[ "$output" = 1000 ]
}

@test "user=: user, group and groups are those of the root's own files" {
	need_root
	root=$(copy_root)
	printf 'web:x:33:34::/:/bin/sh\n' >>"$root/etc/passwd"
	printf 'ssl:x:50:other,web\nweb:x:34:\n' >>"$root/etc/group"
	within=(volt-ns -m root="$root" volt-lock)
	[ "$("${within[@]}" user=web sh -c 'id -u; id -G')" = $'33\n34 50' ]
	[ "$("${within[@]}" user=web groups= sh -c 'id -u; id -G')" = $'33\n34' ]
	[ "$("${within[@]}" uid=web gid=ssl groups=web sh -c 'id -u; id -G')" = $'33\n50 34' ]
	[[ "$("${within[@]}" -N user=web true 2>&1)" == *"volt-lock: uid=33
volt-lock: gid=34
volt-lock: groups=34,50"* ]]
	run -125 --separate-stderr "${within[@]}" user=wec true
	[ "$stderr" = "volt-lock: user=wec: no user of that name in /etc/passwd" ]
	run -125 --separate-stderr "${within[@]}" gid=wec true
	[ "$stderr" = "volt-lock: gid=wec: no group of that name in /etc/group" ]
}

@test "ids: all IDs change, groups are dropped, the death signal stays" {
	need_root
	[ "$(volt-lock uid=1000 gid=1001 id -u)" = 1000 ]
	[ "$(volt-lock uid=1000 gid=1001 id -G)" = 1001 ]
	[ "$(volt-lock uid=1000 gid=1001 groups=5,6 id -G)" = "1001 5 6" ]
	[ "$(volt-lock uid=4294967294 id -u)" = 4294967294 ]
	run -0 setpriv --pdeathsig TERM volt-lock uid=1000 gid=1000 "$HELP/deed" pdeathsig
	[ "$output" = 15 ]
	for value in 01 -1 4294967295 4294967296 1x '' a:b; do
		run -125 volt-lock "uid=$value" true
	done
	run -125 --separate-stderr as_user volt-lock uid=0 true
	[[ $stderr == "volt-lock: "*": Operation not permitted" ]]
}

@test "volt-lock made set-user-ID refuses to run" {
	need_root
	run -125 --separate-stderr suid "$O/bin/volt-lock" 4755 \
		setpriv --reuid 1000 --clear-groups "$PWD/d/volt-lock" true
	[ "$stderr" = "volt-lock: refusing to run set-user-ID or set-group-ID" ]
}

# --- descriptors, keys, limits ----------------------------------------------

# through_pipes WORD ...: the standard streams of the command are pipes, which it opens
# by their names in /dev.
through_pipes() {
	# shellcheck disable=SC2016 # expanded by that sh
	{ echo in | volt-lock "$@" sh -c 'cat /dev/stdin; echo out >/dev/stdout
		echo err >/dev/stderr' 2>&1 >&3 | sed 's/^/2: /'; } 3>&1 | cat
}

# modes CMD ...: prints the owners and modes of the three standard streams behind CMD.
modes() {
	"$@" stat -L -c %u:%a /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 | tr '\n' ' '
}

@test "stdio: with uid= the command can open its pipes by name" {
	need_root
	run -0 through_pipes uid=1000 gid=1000 caps=none
	[ "$(sort <<<"$output")" = $'2: err\nin\nout' ]
	run through_pipes uid=1000 gid=1000 stdio=keep
	[[ $output == *"2: sh: "*"/dev/stdout: Permission denied"* ]]
	# The command can still read and write the descriptors themselves.
	run -0 bash -c 'echo in | volt-lock uid=1000 stdio=keep sh -c "cat; echo out" | cat'
	[ "$output" = $'in\nout' ]
	run -125 --separate-stderr volt-lock stdio=take true
	[ "$stderr" = "volt-lock: stdio=take: not give or keep" ]
}

# other_pipe CMD ...: the standard output of CMD is a pipe of another user.
other_pipe() {
	python3 -c 'import os, subprocess, sys
r, w = os.pipe()
os.fchown(w, 1001, -1)
status = subprocess.run(sys.argv[1:], stdout=w).returncode
os.close(w)
sys.stdout.write(os.read(r, 4096).decode())
sys.exit(status)' "$@"
}

@test "stdio: root and the pipe of another user, as after sudo" {
	need_root
	need python3 -c pass
	run -0 other_pipe volt-lock uid=1000 caps=none sh -c 'echo out >/dev/stdout
		stat -L -c %u:%a /dev/stdout'
	[ "$output" = $'out\n1001:666' ]
	# Without capabilities, root is an ordinary user.
	run -0 other_pipe volt-lock caps=none sh -c 'echo out >/dev/stdout'
	[ "$output" = out ]
	# Without the privilege, volt-lock leaves the pipe as it is, and says so under -v.
	run -0 --separate-stderr other_pipe setpriv --reuid 1002 --clear-groups \
		volt-lock -v caps=none stat -L -c %u:%a /dev/stdout
	[ "$output" = 1001:600 ]
	[[ $stderr == *"volt-lock: a standard stream is a pipe that only its owner can open:\
 Operation not permitted"* ]]
}

@test "stdio: at both ends of a pipe, and one user after the other" {
	need_root
	run -0 bash -c 'for i in 1000 1001 $UID; do
		volt-lock uid=$i bash -c "exec 3<>/dev/stdout; echo $i >&3"
	done | cat'
	[ "$output" = $'1000\n1001\n0' ]
	run -0 bash -c 'echo in | volt-lock uid=1000 cat /dev/stdin |
		volt-lock uid=1001 tee /dev/stderr'
	[ "$output" = $'in\nin' ]
	# Without uid= and caps= nothing is changed.
	[ "$(echo | modes volt-lock gid=1000 2>&1)" = "0:600 0:600 0:600 " ]
}

@test "stdio: no owner changes; files, terminals and descriptors above 2 keep their modes" {
	need_root
	need python3 -c 'import pty'
	mkfifo -m 600 fifo && exec 7<>fifo
	(umask 077 && : >file)
	[ "$(modes volt-lock uid=1000 <&7 2>file)" = "0:600 0:666 0:600 " ]
	[ "$(stat -c %u:%a fifo file | tr '\n' ' ')" = "0:600 0:600 " ]
	exec 7>&-
	run -0 python3 -c 'import os, pty, subprocess
above, _ = os.pipe()
_, terminal = pty.openpty()
before = os.fstat(terminal)
subprocess.run(["volt-lock", "uid=1000", "true"], stdout=terminal, pass_fds=[above], check=True)
after = os.fstat(terminal)
print(after.st_uid - before.st_uid, after.st_mode - before.st_mode,
    oct(os.fstat(above).st_mode & 0o777))'
	[ "$output" = "0 0 0o600" ]
	# The manual names /dev/tty as the way to the terminal.
	run -0 script -qec "volt-lock uid=1000 gid=1000 sh -c 'echo told >/dev/tty'" /dev/null \
		</dev/null
	[ "${output%$'\r'}" = told ]
	run ! python3 -c 'import socket, subprocess, sys
a, b = socket.socketpair()
sys.exit(subprocess.run(["volt-lock", "uid=1000", sys.argv[1], "write_file", "/proc/self/fd/0"],
    stdin=a).returncode)' "$HELP/deed"
	[ "$output" = ENXIO ]
}

@test "fds: close leaves three open, keep leaves all open" {
	run -0 volt-lock fds=close "$HELP/deed" fds 7</dev/null 8</dev/null
	[ -z "$output" ]
	run -0 volt-lock fds=keep "$HELP/deed" fds 7</dev/null
	[[ $output == *7* ]]
	# A variable of the chain does not keep the descriptor open.
	for name in VOLT_ANY VOLT_TOOLBOX VOLT_STATUS VOLT_PLUG; do
		run -0 env $name=7 volt-lock fds=close volt-lock "$HELP/deed" fds 7</dev/null
		[ -z "$output" ]
	done
	run -125 --separate-stderr volt-lock fds=some true
	[ "$stderr" = "volt-lock: fds=some: not close or keep" ]
}

@test "keyring: the command has a session of its own" {
	before=$("$HELP/deed" keyring)
	run -0 volt-lock "$HELP/deed" keyring
	[ "$output" != "$before" ] && [ "$output" -gt 0 ]
	run -0 volt-lock keyring=keep "$HELP/deed" keyring
	[ "$output" = "$before" ]
}

@test "rlimit: soft and hard, sizes and numbers" {
	[ "$(volt-lock rlimit.nofile=64 sh -c 'ulimit -Sn; ulimit -Hn' | tr '\n' ' ')" = "64 64 " ]
	[ "$(volt-lock rlimit.nofile=32:64 sh -c 'ulimit -Sn; ulimit -Hn' | tr '\n' ' ')" = \
		"32 64 " ]
	[ "$(volt-lock rlimit.fsize=1M sh -c 'ulimit -f')" = 2048 ]
	[ "$(volt-lock rlimit.nofile=64 rlimit.nofile=65 sh -c 'ulimit -Sn')" = 65 ]
	for value in 64:32 x 1:2:3 '' -1 unlimited:5; do
		run -125 volt-lock "rlimit.nofile=$value" true
	done
	run -125 --separate-stderr volt-lock rlimit.files=1 true
	[ "$stderr" = "volt-lock: rlimit.files=: unknown word; the nearest is rlimit.fsize=" ] ||
		[[ $stderr == "volt-lock: rlimit.files=: unknown word; the nearest is rlimit."* ]]
}

@test "dumpable: no core dump, neither to a file nor to a pipe" {
	[ "$(volt-lock dumpable=no "$HELP/deed" core)" = "1 1" ]
	mkdir "$T" && cd "$T"
	ulimit -c unlimited 2>/dev/null || true
	run -134 volt-lock dumpable=no "$HELP/deed" crash
	[ -z "$(ls)" ]
}

@test "spec: known names; -b accepts what the machine lacks" {
	run volt-lock -b spec=store-bypass,indirect-branch,l1d-flush true
	[ "$status" -eq 0 ]
	run -125 --separate-stderr volt-lock spec=all true
	[ "$stderr" = "volt-lock: spec=all: not store-bypass, indirect-branch or l1d-flush" ]
}

@test "working directory: one outside the root is refused" {
	need_root
	need python3 -c 'import os'
	mkdir -p root/bin out && cp "$O/bin/volt-lock" "$HELP/deed" root/bin/
	cd out
	run -125 --separate-stderr python3 -c 'import os
os.chroot("../root")
os.execv("/bin/volt-lock", ["volt-lock", "/bin/deed", "yes"])'
	[ "$stderr" = "volt-lock: the working directory is outside the root" ]
}

@test "working directory: a removed one, or one too deep for getcwd, is refused outside the root" {
	need_root
	need python3 -c 'import os'
	mkdir -p root/bin root/in out && cp "$O/bin/volt-lock" "$HELP/deed" root/bin/
	cat >there.py <<-'EOF'
		import os, sys
		where, what = sys.argv[1:]
		os.chdir(where)
		if what == "removed":
		    os.mkdir("gone")
		    os.chdir("gone")
		    os.rmdir("../gone")
		else:
		    for i in range(25):
		        if not os.path.isdir("d" * 200):
		            os.mkdir("d" * 200)
		        os.chdir("d" * 200)
		os.chroot(os.environ["ROOT"])
		os.execv("/bin/volt-lock", ["volt-lock", "/bin/deed", "yes"])
	EOF
	export ROOT=$PWD/root
	for what in removed deep; do
		run -125 --separate-stderr python3 there.py out $what
		[ "$stderr" = "volt-lock: the working directory is outside the root" ]
		run -0 --separate-stderr python3 there.py root/in $what
		[ "$output" = ok ]
	done
	rm -rf out root
}

@test "working directory: one that is not granted is reported" {
	mkdir "$T" && cd "$T"
	run -0 --separate-stderr volt-lock fs.rx="$HELP" "$HELP/deed" yes
	[ "$stderr" = "volt-lock: no word grants reading the working directory" ]
	for words in "fs.rx=$HELP fs.ro=." "fs.rx=$HELP fs.read_dir=.." fs=any; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr volt-lock $words "$HELP/deed" yes
		[ -z "$stderr" ]
	done
	# "/" is never reported, nor is a directory that its mode already closes to the user.
	run -0 --separate-stderr locked -- yes
	[ -z "$stderr" ]
	if [ "$(id -u)" = 0 ]; then
		chmod 711 "$BATS_TEST_TMPDIR" && chmod 700 "$T"
		run -0 --separate-stderr setpriv --reuid 1000 --clear-groups volt-lock \
			fs.rx="$HELP" "$HELP/deed" yes
		[ -z "$stderr" ]
	fi
}

# If volt-lock cannot find something out, it does not assume the answer that needs less
# work. Here an outer volt-lock refuses the calls by its profile.
@test "caps, landlock, keyring: a query that fails is an error" {
	need_root
	local -A text=([EPERM]="Operation not permitted" [EACCES]="Permission denied"
		[EINVAL]="Invalid argument" [ENOSYS]="Function not implemented")
	while IFS='|' read -r rules words message; do
		printf '%b\n* = allow\n' "$rules" >outer
		echo "$rules: $words"
		[[ $rules != seccomp* || $ABI -ge 4 ]] || continue
		# shellcheck disable=SC2086 # several words
		run -125 --separate-stderr volt-lock seccomp=./outer \
			volt-lock $words "$HELP/deed" yes
		errno=${rules##* = }
		[ "$stderr" = "volt-lock: $message: ${text[$errno]}" ]
		[ -z "$output" ]
	done <<-'EOF'
		prctl if a0:32==23 = EACCES|caps=none|caps: bounding set
		prctl if a0:32==23 a1:32>5 = EPERM|caps=kill|caps: bounding set
		prctl if a0:32==23 = EINVAL|caps=none|caps: bounding set
		prctl if a0:32==24 = EPERM|caps=none|caps: bounding set
		prctl if a0:32==24 a1:32==7 = EINVAL|-b caps=none|caps: bounding set
		landlock_create_ruleset = EPERM|fs.rwx=/|landlock
		landlock_create_ruleset = EACCES|-b try=fs.rwx=/|landlock
		keyctl if a0:32==1 = EPERM||session keyring (keyring=keep leaves it)
		keyctl if a0:32==1 = ENOSYS|caps=none|session keyring (keyring=keep leaves it)
		seccomp = EPERM|fs.rx=/|ports: no filter for what Landlock does not see
		getcwd = EPERM|caps=none|the working directory
	EOF
	# If all of keyctl(2) is refused, the command cannot use keys: no new session is needed.
	printf 'keyctl = EPERM\n* = allow\n' >outer
	run -0 volt-lock seccomp=./outer volt-lock "$HELP/deed" yes
}

# --- system calls -----------------------------------------------------------

PROFILES="strict default"

# answers PROFILE NR [ARG ...]: makes the call, prints the name of its errno, or ok.
answers() {
	volt-lock seccomp="$1" "$HELP/deed" call "${@:2}" || true
}

@test "seccomp: namespaces, keys, rings, terminals and sockets" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	for p in $PROFILES; do
		echo "$p"
		[ "$(answers $p 435 0 0)" = ENOSYS ] # clone3
		for flag in 0x20000 0x2000000 0x4000000 0x8000000 \
			0x10000000 0x20000000 0x40000000; do
			[ "$(answers $p 272 $flag)" = EPERM ] # unshare
			[ "$(answers $p 56 $flag)" = EPERM ]  # clone
			[ "$(answers $p 56 $((flag | 0x100)))" = EPERM ]
		done
		[ "$(answers $p 272 0x80)" = EPERM ]
		[ "$(answers $p 308 3 0)" = EPERM ]     # setns
		[ "$(answers $p 425 1 0)" = ENOSYS ]    # io_uring_setup
		[ "$(answers $p 250 0 -3 0)" = EPERM ]  # keyctl
		[ "$(answers $p 248)" = EPERM ]         # add_key
		[ "$(answers $p 321 0)" = EPERM ]       # bpf
		[ "$(answers $p 298)" = EPERM ]         # perf_event_open
		[ "$(answers $p 323 0)" = EPERM ]       # userfaultfd
		[ "$(answers $p 438 3 0 0)" = EPERM ]   # pidfd_getfd
		[ "$(answers $p 304)" = EPERM ]         # open_by_handle_at
		[ "$(answers $p 103 3 0 0)" = EPERM ]   # syslog
		[ "$(answers $p 135 0x40000)" = EPERM ] # personality
		[ "$(answers $p 135 0xffffffff)" = ok ]
		for request in 0x5412 0x541c; do # TIOCSTI, TIOCLINUX
			for high in 0 0x100000000 0xffffffff00000000; do
				[ "$(answers $p 16 0 $((high | request)) 0)" = EPERM ]
			done
		done
		[ "$(answers $p 16 0 0x5413 0)" != EPERM ]
		for family in 17 38 40 44 3; do # packet, alg, vsock, xdp, ax25
			[ "$(answers $p 41 $family 3 0)" = EAFNOSUPPORT ]
			[ "$(answers $p 41 $((family | 1 << 32)) 3 0)" = EAFNOSUPPORT ]
		done
		[ "$(answers $p 41 2 1 0)" = ok ]
		[ "$(answers $p 41 1 1 0)" = ok ]
		[ "$(answers $p 999)" = ENOSYS ]
		[ "$(answers $p 165)" = EPERM ] # mount
		[ "$(answers $p 428)" = EPERM ] # open_tree
	done
	[ "$(answers strict 41 2 3 1)" = EPERM ] # raw
	[ "$(answers strict 41 10 0x80003 1)" = EPERM ]
	[ "$(answers strict 41 16 3 0)" = EAFNOSUPPORT ] # netlink
	[ "$(answers default 41 16 3 0)" = ok ]
	[ "$(answers strict 101 0 0 0)" = EPERM ] # ptrace
	[ "$(answers strict 310 1)" = EPERM ]     # process_vm_readv
	[ "$(answers strict 272 0x400)" = EPERM ]
	[ "$(answers default 272 0x400)" = ok ]
}

# The lists have a family, a type and protocols on each line.
@test "seccomp: the sockets of each profile" {
	command -v python3 >/dev/null || lacks python3
	unix=$(printf '1 %d 0-299\n' {0..15})
	local -A want
	want[strict]="$unix
2 1 0,6
2 2 0,17
10 1 0,6
10 2 0,17"
	want[default]="$unix
2 1 0,6,262
2 2 0-1,17,58
2 3 0-299
10 1 0,6,262
10 2 0-1,17,58
10 3 0-299
$(printf '16 %d 0,4,15-16\n' {0..15})"
	for p in $PROFILES; do
		volt-seccomp profile="$TOP/share/$p.seccomp" \
			groups="$TOP/share/seccomp.groups" >filter
		diff <(python3 "$TOP/tests/helpers/filter.py" sockets filter) <(echo "${want[$p]}")
	done
}

@test "seccomp: no packet socket through AF_INET, and no raw socket through flags" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	need_root
	"$HELP/deed" call 41 2 10 768 || lacks CAP_NET_RAW
	for p in $PROFILES; do
		for type in 10 0x8000a 0x80a 0x10000000a; do # SOCK_PACKET
			[ "$(answers $p 41 2 $type 768)" = EPERM ]
			[ "$(answers $p 41 10 $type 768)" = EPERM ]
		done
		[ "$(answers $p 41 2 1 256)" = EPROTONOSUPPORT ] # SMC
		[ "$(answers $p 41 2 1 132)" = EPROTONOSUPPORT ] # SCTP
		[ "$(answers $p 41 2 2 136)" = EPROTONOSUPPORT ] # UDP-Lite
		[ "$(answers $p 41 2 5 132)" = EPERM ]           # SOCK_SEQPACKET
		[ "$(answers $p 53 2 1 0)" = EAFNOSUPPORT ]      # socketpair
		# A program to which a protocol is unsupported falls back to another.
		[ "$(volt-lock seccomp=$p seccomp.action=kill "$HELP/deed" call 41 2 1 256)" = \
			EPROTONOSUPPORT ]
	done
	[ "$(answers strict 41 2 1 262)" = EPROTONOSUPPORT ] # MPTCP
	[ "$(answers strict 41 2 2 1)" = EPROTONOSUPPORT ]   # ping
	# XFRM, audit, netfilter
	for protocol in 6 9 12; do
		[ "$(answers default 41 16 3 $protocol)" = EPROTONOSUPPORT ]
	done
	[ "$(answers default 41 2 3 1)" = ok ]
}

@test "seccomp=strict: no call reads or traces another process" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	# ptrace, process_vm_readv and _writev, kcmp, pidfd_getfd, process_madvise,
	# process_mrelease, perf_event_open, userfaultfd, move_pages, bpf
	for nr in 101 310 311 312 438 440 448 298 323 279 321; do
		echo "$nr"
		[ "$(answers strict $nr $$ 0 0 0 0 0)" = EPERM ]
		run -159 volt-lock seccomp=strict seccomp.action=kill \
			"$HELP/deed" call $nr $$ 0 0 0 0 0
	done
	[ "$(answers strict 101 0 0 0 0)" = EPERM ] # PTRACE_TRACEME
}

@test "scope: the memory of processes outside is denied, if Landlock is in force" {
	serve "$T.sock"
	for words in "" "scope=none tcp.bind=any tcp.connect=any" \
		"seccomp=default" "seccomp=strict"; do
		for file in mem root cwd fd/0; do
			echo "$words: $file"
			# shellcheck disable=SC2086 # words
			run ! locked fs.rw=/proc $words -- write_file "/proc/$pid/$file"
			[ "$output" = EACCES ]
		done
		# Root with CAP_PERFMON may read some of these; without capabilities, no user may.
		for file in environ maps auxv; do
			# shellcheck disable=SC2086
			run ! locked caps=none fs.rw=/proc $words -- read_file "/proc/$pid/$file"
			[ "$output" = EACCES ]
		done
	done
	[ "$(uname -m)" = x86_64 ] || return 0
	run ! locked seccomp=default -- call 101 16 "$pid" 0 0 # PTRACE_ATTACH
	[ "$output" = EPERM ]
	# The command may access the processes of its own sandbox.
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 volt-lock fs.rwx=/ sh -c '"$1/deed" write_file /proc/$$/mem; exit $?' sh "$HELP"
	# A filter alone does not prevent it, as the manual says.
	run -0 volt-lock seccomp=strict "$HELP/deed" write_file "/proc/$pid/mem"
}

@test "ports: if any port is restricted, 32-bit x86 has no sockets, and x32 no calls" {
	[ "$(uname -m)" = x86_64 ] || skip "x86-64's"
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	tcp="tcp.bind=none tcp.connect=none" udp="udp.bind=none udp.connect=none"
	for words in "" "udp.connect=any tcp.connect=80" "$tcp udp.bind=any" \
		"$udp" "$tcp $udp" unix=none; do
		echo "$words"
		# getpid; other calls, with no bad address in their first two arguments; a call
		# with a bad descriptor; an unknown number
		for nr in 20 344 346 358 374 424; do
			# shellcheck disable=SC2086 # several words
			run locked $words -- int80 $nr
			[ "$output" != ENOSYS ]
			[ "$status" -lt 2 ]
		done
		# socketcall, sendmmsg, socket and its kin, io_uring
		for nr in 102 345 {359..373} 425 426 427; do
			# shellcheck disable=SC2086
			run ! locked $words -- int80 "$nr"
			[ "$output" = ENOSYS ]
		done
		# shellcheck disable=SC2086
		run -159 locked $words -- x32 39
	done
	# A profile allows its own architecture only.
	run -159 locked seccomp=default -- int80 20
	# Without a restriction, nothing changes.
	words=(tcp.bind=any tcp.connect=any)
	[ "$ABI" -lt 10 ] || words+=(udp.bind=any udp.connect=any)
	run -0 locked "${words[@]}" -- int80 20
}

@test "seccomp: int 0x80 and x32 are killed" {
	[ "$(uname -m)" = x86_64 ] || skip "x86-64's"
	for p in $PROFILES; do
		for action in errno kill log; do
			run -159 volt-lock seccomp=$p seccomp.action=$action "$HELP/deed" int80 20
			run -159 volt-lock seccomp=$p seccomp.action=$action "$HELP/deed" x32 39
		done
	done
}

@test "seccomp: root gets EPERM for each call that a profile denies" {
	need_root
	volt-seccomp -n >names
	for p in $PROFILES; do
		# The calls and groups of the profile that have "= deny" and no condition; then
		# the groups are resolved.
		sed -n 's/^\([^#]*\)= deny$/\1/p' "$TOP/share/$p.seccomp" | grep -v ' if ' |
			tr ' ' '\n' >words
		sed -n 's/^\(@[a-z-]*\):\(.*\)/\1\2/p' "$TOP/share/seccomp.groups" |
			while read -r group calls; do
				! grep -qxe "$group" words || tr ' ' '\n' <<<"$calls"
			done >calls
		# A call with conditions in earlier lines depends on its arguments: leave it out.
		sed -n 's/^\([a-z0-9_]*\) if .*/\1/p' "$TOP/share/$p.seccomp" >depends
		grep -v @ words | grep -vxFf depends >>calls
		awk 'NR == FNR { want[$1]; next } $2 in want' calls names >list
		[ "$(wc -l <list)" -gt 40 ]
		run -0 volt-lock caps=none seccomp=$p "$HELP/deed" calls <list
		[ "${#lines[@]}" -gt 40 ]
		run -1 grep -v ' EPERM$' <<<"$output"
	done
}

@test "seccomp.action: kill and log" {
	run -159 volt-lock seccomp=strict seccomp.action=kill unshare -U true
	run -0 volt-lock seccomp=strict seccomp.action=log "$HELP/deed" call 135 0x40000
	# An unknown call, and one with an errno of its own in the profile, keep their errno.
	[ "$(volt-lock seccomp=strict seccomp.action=kill "$HELP/deed" call 999)" = ENOSYS ]
	[ "$(volt-lock seccomp=strict seccomp.action=kill "$HELP/deed" call 435 0 0)" = ENOSYS ]
	run -125 --separate-stderr volt-lock seccomp.action=warn true
	[ "$stderr" = "volt-lock: seccomp.action=warn: not errno, kill or log" ]
}

@test "seccomp=FILE: compiled when it runs; errors name the line" {
	cat >ok.seccomp <<-'EOF'
		# Everything but one.
		@io @file @memory @process @signal @time @ipc @ids   # most
		ioctl
		getppid = EACCES
	EOF
	sed -i '2i getppid = EACCES' ok.seccomp
	run -1 volt-lock seccomp=./ok.seccomp "$HELP/deed" call 110
	[ "$output" = EACCES ]
	while IFS='|' read -r text message; do
		printf 'read\n%b\n' "$text" >bad
		run -125 --separate-stderr volt-lock seccomp=./bad true
		echo "$stderr"
		[[ ${stderr_lines[0]} == "volt-seccomp: ./bad:"[23]": $message" ]]
		[ "${stderr_lines[1]}" = "volt-lock: seccomp=./bad: no filter" ]
	done <<-'EOF'
		raed|unknown system call: raed
		@none|unknown group: @none
		write = maybe|unknown action: maybe
		write =|one action must follow: =
		write = deny deny|one action must follow: =
		= deny|no system call: =
		write if|no condition follows: if
		write if a6==1|a condition begins with a0 to a5: a6==1
		write if a0=1|no comparison: a0=1
		write if a0==|not a number or constant: a0==
		write if a0==AF_NONE|not a number or constant: a0==AF_NONE
		write if a0==1x|not a number or constant: a0==1x
		write if a0==99999999999999999999|not a number or constant: a0==99999999999999999999
		write if a0:32==0x100000000|the mask hides a part of the value: a0:32==0x100000000
		* if a0==1|takes no condition: *
		* = deny\n* = kill|was decided before: *
		@a: @a\n@a|groups are too deep: @a
	EOF
	run -125 --separate-stderr volt-lock seccomp=none.seccomp true
	[ "${stderr_lines[0]}" = "volt-seccomp: none.seccomp: No such file or directory" ]
	# A line may end in CR LF; a CR inside a line is not skipped.
	printf 'read if a0==1\r= deny\n' >bad
	run -125 volt-lock seccomp=./bad true
	printf 'read\r\n@io @file @memory @process @signal # x\r\nioctl\r\n' >ok.seccomp
	run -0 volt-lock seccomp=./ok.seccomp "$HELP/deed" fds
	printf 'read\0write\n' >bad
	run -125 volt-lock seccomp=./bad true
	head -c 2000000 /dev/zero | tr '\0' '#' >bad
	run -125 volt-lock seccomp=./bad true
}

@test "seccomp: starting the command needs only the calls that the manual lists" {
	[ "$(uname -m)" = x86_64 ] || skip "x86-64's"
	printf 'execve read write writev exit_group\n' >few
	volt-lock learn=learnt "$HELP/deed" yes
	run -127 --separate-stderr volt-lock seccomp=./learnt ./none
	[ "$stderr" = "volt-lock: exec ./none: No such file or directory" ]
	run -127 --separate-stderr volt-lock seccomp=./few ./none
	[ "$stderr" = "volt-lock: exec ./none: No such file or directory" ]
	run -126 --separate-stderr volt-lock fs.rx="$HELP" fs.ro=. seccomp=./few /bin/true
	[ "${stderr_lines[0]}" = "volt-lock: exec /bin/true: Permission denied" ]
	[ "${#stderr_lines[@]}" = 2 ]
}

@test "seccomp: built-in profiles are found by name as files, too" {
	run -0 volt-lock seccomp=strict.seccomp true
	run -0 volt-lock seccomp=none unshare --help
}

# --- learning ---------------------------------------------------------------

@test "learn: the profile is sorted, and lets the same command run" {
	# The standard output is the command's alone.
	run -0 --separate-stderr volt-lock -l "$HELP/deed" yes
	[ "$output" = ok ]
	[[ $stderr == *$'\nexecve\n'* ]]
	sort -c <<<"$stderr"
	command=(sh -c 'ls / | sort | while read -r x; do :; done; (exit 3) & wait $!; sleep 0.1
		test $? = 0')
	run -0 volt-lock learn=profile "${command[@]}"
	sort -c profile
	grep -qx execve profile
	grep -q '^clone if a0&0x7e020000==0$\|^vfork$\|^fork$' profile
	run -0 volt-lock seccomp=./profile "${command[@]}"
	# The profile is for that command, not for others.
	run ! volt-lock seccomp=./profile mkdir "$T"
	[ ! -e "$T" ]
}

@test "learn: statuses, signals and failures are passed on" {
	run -7 volt-lock -l sh -c 'exit 7'
	run -143 volt-lock -l sh -c 'kill -TERM $$'
	run -127 volt-lock -l none
	run -126 volt-lock -l /etc
	# Other restrictions hold while volt-lock learns.
	fresh
	run ! --separate-stderr volt-lock -l fs.rx="$HELP" "$HELP/deed" read_file "$T/a/file"
	[[ $output == EACCES* ]]
}

@test "learn: sockets by family, type and protocol" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	run -0 volt-lock learn=profile "$HELP/deed" call 41 2 0x80801 6
	[ "$(grep socket profile)" = "socket if a0:32==AF_INET a1:32&0xf==1 a2:32==6" ]
	[ "$(answers ./profile 41 2 1 6)" = ok ]
	for other in "1 1 6" "2 2 6" "2 10 6" "2 1 0" "2 1 262"; do
		# shellcheck disable=SC2086 # three arguments
		[ "$(answers ./profile 41 $other)" = ENOSYS ]
	done
	for n in 64 65; do
		rm profile
		# shellcheck disable=SC2016 # expanded by that sh
		volt-lock learn=profile sh -c 'i=0; while [ $i -lt $1 ]; do
			"$2" call 41 2 1 $((300 + i)); i=$((i + 1)); done' sh $n "$HELP/deed"
		[ "$(grep -c '^socket if ' profile)" = $((n == 64 ? 64 : 0)) ]
		[ "$(grep -cx socket profile)" = $((n == 64 ? 0 : 1)) ]
	done
}

@test "learn: several runs add up, also in a file outside a new root" {
	run -0 volt-lock learn=profile "$HELP/deed" yes
	cp profile first
	run -0 volt-lock learn=profile "$HELP/deed" yes
	cmp profile first
	printf '# mine\nsync' >profile
	run -0 volt-lock learn=profile mkdir new
	[ "$(head -n 2 profile)" = $'# mine\nsync' ]
	grep -qx mkdir profile
	run -0 volt-lock learn=profile rmdir new
	[ "$(grep -cx mkdir profile)" = 1 ]
	grep -qx rmdir profile
	run -0 volt-lock seccomp=./profile sh -c 'exec mkdir new'
	# Through a descriptor, which the command does not get.
	need as_user unshare -U true
	run -0 --separate-stderr volt-ns -Ump root="$ROOT_BB" volt-init volt-lock learn=3 \
		sh -c '! echo >&3' 3<>host
	[ "$output" = "" ]
	[[ $stderr == *"3: Bad file descriptor" ]]
	sort -c host
	grep -qx execve host
	run -0 volt-ns -Ump root="$ROOT_BB" volt-init volt-lock learn=3 sync 3<>host
	[ "$(grep -cx execve host)" = 1 ]
	grep -qx sync host
	# volt-lock appends to a file that it cannot read.
	run -0 volt-lock learn=3 true 3>>host
	[ "$(grep -cx execve host)" = 2 ]
	# A file that cannot be opened is an error, and the command does not run.
	run -125 --separate-stderr volt-lock learn=/nil/x touch ran
	[ "$stderr" = "volt-lock: learn=/nil/x: No such file or directory" ]
	run -125 --separate-stderr volt-lock learn=33 touch ran
	[ "$stderr" = "volt-lock: learn=33: Bad file descriptor" ]
	[ ! -e ran ]
	truncate -s 70000 long
	run -125 --separate-stderr volt-lock learn=long true
	[ "$stderr" = "volt-lock: learn: the file is too long" ]
	[ "$(stat -c %s long)" = 70000 ]
}

@test "learn: a program with threads" {
	command -v python3 >/dev/null || lacks python3
	cat >threads.py <<-'EOF'
		import threading
		t = [threading.Thread(target=lambda: sum(range(1000))) for _ in range(4)]
		[x.start() for x in t]
		[x.join() for x in t]
		print("done")
	EOF
	run -0 volt-lock learn=profile python3 threads.py
	run ! grep -qx clone3 profile
	run -0 volt-lock seccomp=./profile python3 threads.py
	[ "$output" = "done" ]
}

@test "learn: for each right that Landlock refused there is a word, which then allows it" {
	need_root
	n=0
	while read -r word abi _ _ others deed; do
		[ "$ABI" -ge "$abi" ] && [ "$word" != unix ] || continue
		n=$((n + 1))
		echo "$word: $deed"
		IFS=, read -ra words <<<"${others#-}"
		fresh
		rm -f words profile
		# shellcheck disable=SC2086 # a deed and its arguments
		run ! --separate-stderr locked "${words[@]}" learn.words="$PWD/words" \
			learn="$PWD/profile" -- $deed
		[[ $output == E* ]]
		[ -z "$stderr" ]
		[ -s words ]
		# volt-lock does not write a word for what is granted already.
		fresh
		# shellcheck disable=SC2086
		run -0 locked "${words[@]}" @"$PWD/words" learn.words="$PWD/more" -- $deed
		[ "$output" = ok ]
		[ ! -s more ]
	done < <(rights)
	[ "$n" -gt 10 ]
	# These are the words for each deed.
	fresh
	rm -f words
	run ! locked learn.words="$PWD/words" -- read_file "$T/a/file"
	run ! locked learn.words="$PWD/words" -- write_file "$T/a/file"
	run ! locked learn.words="$PWD/words" -- make_dir "$T/b/new"
	run ! locked learn.words="$PWD/words" -- read_dir "$T/b/"
	run ! locked learn.words="$PWD/words" -- execute "$T/a/prog"
	run ! locked learn.words="$PWD/words" -- make_char "$T/b/new"
	run ! locked learn.words="$PWD/words" fs.ro="$T/b" -- remove_file "$T/a/../a/file"
	run ! locked learn.words="$PWD/words" -- read_file "$T/a/file"
	[ "$(cat words)" = "fs.ro=$T/a/file
fs.rw=$T/a/file
fs.rw=$T/b
fs.read_dir=$T/b
fs.rx=$T/a/prog
fs.make_char=$T/b
fs.rw=$T/a" ]
}

@test "learn: words are comments in the profile, or in another file; several runs add up" {
	fresh
	local deed=("$HELP/deed" read_file "$T/a/file")
	printf '# mine\n' >profile
	run ! --separate-stderr volt-lock fs.rx="$HELP" learn=profile "${deed[@]}"
	[ "$output" = EACCES ]
	grep -qx openat profile
	grep -qxF "# fs.ro=$T/a/file" profile
	cp profile first
	run ! volt-lock fs.rx="$HELP" learn=profile "${deed[@]}"
	cmp profile first
	run ! volt-lock fs.rx="$HELP" learn=profile "$HELP/deed" read_dir "$T/a/dir"
	[ "$(grep '^# ' profile)" = "# mine
# fs.ro=$T/a/file
# fs.read_dir=$T/a/dir" ]
	# It is still a profile.
	run -0 volt-lock seccomp=./profile "${deed[@]}"
	# With -l, the words are on standard error.
	run ! --separate-stderr volt-lock -l fs.rx="$HELP" "${deed[@]}"
	[ "$output" = EACCES ]
	[[ $stderr == *$'\n'"# fs.ro=$T/a/file" ]]
	# With learn.words=, they are only in that file. Without -l, there is no profile.
	run ! --separate-stderr volt-lock -l learn.words=words fs.rx="$HELP" "${deed[@]}"
	[[ $stderr != *"#"* && $stderr == *$'\nexecve\n'* ]]
	[ "$(cat words)" = "fs.ro=$T/a/file" ]
	for other in "read_file $T/b/nil" "read_dir $T"; do
		# shellcheck disable=SC2086 # a deed and its argument
		(cd / && run ! --separate-stderr volt-lock learn.words=3 fs.rx="$HELP" \
			"$HELP/deed" $other && [ -z "$stderr" ]) 3<>words
	done
	[ "$(cat words)" = "fs.ro=$T/a/file
fs.read_dir=$T" ]
	# In several runs, volt-lock learns all that a program with libraries needs.
	: >words
	for n in 1 2 3 4 5 6; do
		volt-lock fs=none @./words learn.words=words cat "$T/a/file" && break
	done
	[ "$n" -gt 1 ] && [ "$n" -lt 6 ]
	grep -qx "fs.rx=$(readlink -f "$(command -v cat)")" words
	grep -qxF "fs.ro=$T/a/file" words
	# Without a Landlock policy, there is nothing to learn.
	run -125 --separate-stderr volt-lock learn.words=words true
	[ "$stderr" = "volt-lock: learn.words=words: needs one of Landlock's words; \
start with fs=none" ]
	for word in learn.words=/nil/x:"No such file or directory" \
		learn.words=33:"Bad file descriptor"; do
		run -125 --separate-stderr volt-lock fs.rx=/ "${word%%:*}" touch ran
		[ "$stderr" = "volt-lock: ${word%%:*}: ${word#*:}" ]
	done
	[ ! -e ran ]
}

@test "learn: programs, their interpreters, and unusual paths" {
	fresh
	cp /bin/true "$T/b/interp" # dynamic
	printf '#!%s\n' "$T/b/interp" >"$T/a/script"
	chmod +x "$T/a/script"
	run -126 --separate-stderr volt-lock fs.ro="$T" learn.words=words "$T/a/script"
	grep -qx "fs.rx=$T/a/script" words
	grep -qx "fs.rx=$T/b/interp" words
	grep -qx "fs.rx=/.*/ld-.*" words
	# Some names need backslashes. A process's directory in /proc has another name in the
	# next run.
	local lock=(volt-lock fs.rx="$HELP" learn.words=names "$HELP/deed")
	mkdir "$T/a,b\\c" "$T/a blank "
	echo x >"$T/a,b\\c/x"
	touch "$T/a blank /end "
	run ! "${lock[@]}" read_file "$T/a,b\\c/x"
	run -0 volt-lock fs.rx="$HELP" @./names "$HELP/deed" read_file "$T/a,b\\c/x"
	[ "$(cat names)" = "fs.ro=$T/a\\,b\\\\c/x" ]
	run ! --separate-stderr "${lock[@]}" read_file "$T/a blank /end "
	[[ $stderr == *"volt-lock: learn: 1 paths have a newline, or a blank at the end, \
and cannot be in a file of words" ]]
	run ! "${lock[@]}" read_file /proc/self/status
	run ! "${lock[@]}" read_file /proc/$$/status
	run ! "${lock[@]}" read_file /proc/meminfo
	[ "$(tail -n +2 names)" = "fs.ro=/proc
fs.ro=/proc/meminfo" ]
	# For a symlink, the word names its target.
	ln -s ../a/file "$T/b/link"
	run ! volt-lock fs.rx="$HELP" fs.ro="$T/b" learn.words=links \
		"$HELP/deed" read_file "$T/b/link"
	[ "$(cat links)" = "fs.ro=$T/a/file" ]
}

@test "learn: no word for what file modes refuse" {
	need_root
	fresh
	chmod 755 "$BATS_TEST_TMPDIR" "$T" "$T/a"
	echo secret >"$T/a/secret"
	chmod 640 "$T/a/secret" && chgrp 4321 "$T/a/secret"
	mkdir -m 700 "$T/closed" && echo x >"$T/closed/x"
	for who in uid=12345,gid=12345 uid=12345,gid=4321 uid=12345,gid=1,groups=4321 \
		uid=0,caps=none; do
		rm -f words
		IFS=, read -ra ids <<<"$who"
		for path in "$T/a/secret" "$T/a/file" "$T/closed/x"; do
			run ! --separate-stderr volt-lock fs.rx="$HELP" "${ids[@]}" \
				learn.words=words "$HELP/deed" read_file "$path"
			[ "$output" = EACCES ]
		done
		echo "$who"
		case $who in
		*=12345) [ "$(cat words)" = "fs.ro=$T/a/file" ] ;;
		*4321) [ "$(cat words)" = "fs.ro=$T/a/secret"$'\n'"fs.ro=$T/a/file" ] ;;
		*) [ "$(wc -l <words)" = 3 ] ;;
		esac
	done
	# It also works for an ordinary user, who cannot read the audit log.
	user_dir
	mkdir -m 777 "$USER_DIR/learn"
	file=$USER_DIR/learn/words
	local lock=(volt-lock fs.rx="$HELP" learn.words="$file" "$HELP/deed")
	run ! as_user "${lock[@]}" read_file "$T/a/file"
	run ! as_user "${lock[@]}" read_file "$T/a/secret"
	run ! as_user "${lock[@]}" write_file "$T/a/file"
	[ "$(cat "$file")" = "fs.ro=$T/a/file" ]
}

@test "learn: ports" {
	[ "$ABI" -ge 4 ] || skip "needs Landlock ABI 4"
	need own_net true
	local any=(fs=any udp.bind=any udp.connect=any)
	for deed in "tcp.connect 80" "tcp.bind 8080" "tcp.connect 443" "tcp.connect 80"; do
		# shellcheck disable=SC2086 # a deed and its argument
		run ! own_net volt-lock "${any[@]}" tcp.connect=1-79 \
			learn.words="$PWD/words" "$HELP/deed" $deed
		[ "$output" = EACCES ]
	done
	[ "$(cat words)" = $'tcp.connect=80\ntcp.bind=8080\ntcp.connect=443' ]
	local lock=(volt-lock "${any[@]}" @"$PWD/words" learn.words="$PWD/more")
	run -0 own_net "${lock[@]}" "$HELP/deed" tcp.bind 8080
	run own_net "${lock[@]}" "$HELP/deed" tcp.connect 443
	[ ! -s more ]
}

# --- policies ---------------------------------------------------------------

# policy NAME CMD ...: runs CMD with the policy, and with all that a service gets here.
policy() {
	volt-lock "@$1" seccomp=strict caps=none "${@:2}"
}

# work: goes to a new directory $W in /tmp, where the policies allow writing.
work() {
	W=$(mktemp -d /tmp/volt-lock.XXXXXX)
	cd "$W" || return
}

@test "policies: what they grant, and what they deny" {
	need_root
	work
	secret=$(mktemp /root/volt-lock.XXXXXX 2>/dev/null || mktemp -p "$HOME")
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 policy server sh -euc '
		echo x >x; cat x >/dev/null; rm x; cat /etc/passwd >/dev/null
		head -c 8 /dev/urandom >/dev/null; cat /proc/self/status >/dev/null
		: >/dev/null; : >/var/tmp/volt-lock.$$; rm /var/tmp/volt-lock.$$
		! cat "$1"; ! true >/etc/volt-lock.new; ! true >/usr/volt-lock.new; ! ls /root
		cp /bin/true here; ! ./here
	' sh "$secret"
	rm -f "$secret" /etc/volt-lock.new
	rm -rf "$W"
	mkdir -p /home && home=$(mktemp -d /home/volt-lock.XXXXXX)
	cp "$HELP/deed" "$home/" && chmod 755 "$home"
	run -0 policy desktop "$home/deed" yes
	run ! policy server "$home/deed" yes
	run -0 policy desktop sh -c ": >/etc/volt-lock.new && rm /etc/volt-lock.new"
	rm -rf "$home"
}

@test "policies: python3" {
	command -v python3 >/dev/null || skip "no python3"
	work
	for p in server desktop; do
		run -0 policy $p python3 -c 'import os, random, sys, threading, time
t = threading.Thread(target=time.sleep, args=(0.01,)); t.start(); t.join()
open("f", "w").write("x"); os.rename("f", "g"); os.unlink("g")
pid = os.fork() or os._exit(0)
os.waitpid(pid, 0); print(len(os.urandom(8)), os.cpu_count() > 0)'
		[ "$output" = "8 True" ]
	done
	rm -rf "$W"
}

@test "policies: node" {
	command -v node >/dev/null || skip "no node"
	work
	for p in server desktop; do
		run -0 policy $p node -e '
const fs = require("fs"), http = require("http"), cp = require("child_process");
fs.writeFileSync("f", "x");
const s = http.createServer((q, r) => r.end("hello")).listen(0, "127.0.0.1", () =>
  http.get({ port: s.address().port }, r => { r.on("data", d => {
    console.log(String(d), String(cp.execSync("echo child")).trim()); s.close(); }); }));'
		[ "$output" = "hello child" ]
	done
	rm -rf "$W"
}

@test "policies: git" {
	command -v git >/dev/null || skip "no git"
	work
	for p in server desktop; do
		HOME=$W run -0 policy $p sh -ec 'git init -q r && cd r && echo x >f && git add f &&
			git -c user.name=a -c user.email=a@b commit -qm one && cd .. &&
			git clone -q r s && git -C s gc -q && git -C s log --oneline | wc -l
			rm -rf r s'
		[ "${lines[-1]}" = 1 ]
	done
	rm -rf "$W"
}

@test "policies: gcc" {
	command -v gcc >/dev/null || skip "no gcc"
	work
	echo 'int main(void) { return 0; }' >x.c
	run -0 policy server gcc -O2 -o x x.c
	[ -x x ]
	rm -rf "$W"
	mkdir -p /home && [ -w /home ] || skip "/home is not ours to write"
	home=$(mktemp -d /home/volt-lock.XXXXXX) && mkdir "$home/src" && cd "$home/src"
	echo 'int main(void) { return 0; }' >x.c
	run -0 policy desktop sh -c 'gcc -o x x.c && ./x'
	rm -rf "$home"
}

@test "policies: nginx" {
	command -v nginx >/dev/null || skip "no nginx"
	need_root
	need own_net true
	work
	chmod 755 "$W"
	echo hello >index.html
	cat >nginx.conf <<-EOF
		daemon off; pid $W/pid; error_log stderr;
		events {} http { access_log off; client_body_temp_path $W/1; proxy_temp_path $W/2;
		fastcgi_temp_path $W/3; uwsgi_temp_path $W/4; scgi_temp_path $W/5;
		server { listen 127.0.0.1:80; root $W; } }
	EOF
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 own_net sh -c '
		volt-lock @server seccomp=strict caps=net_bind_service,setuid,setgid,chown,kill \
			nginx -c "$PWD/nginx.conf" 3>&- & pid=$!
		for i in 1 2 3 4 5 6 7 8 9 10; do
			sleep 0.2; curl -s http://127.0.0.1/ && break
		done
		grep -c "^Seccomp:.2" /proc/$pid/status
		kill $pid; wait $pid'
	[ "${lines[0]}" = hello ]
	[ "${lines[1]}" = 1 ]
	rm -rf "$W"
}

@test "policies: @desktop keeps secrets, and what the next login runs" {
	need_root
	mkdir -p /home && home=$(mktemp -d /home/volt-lock.XXXXXX)
	mkdir -p "$home"/{.ssh,.gnupg,.mozilla/firefox,.aws} \
		"$home"/.config/{google-chrome,chromium,app,autostart,systemd/user} \
		"$home"/{src,.local/share/{keyrings,app},.local/bin}
	for f in .ssh/key .gnupg/key .mozilla/firefox/db \
		.config/google-chrome/db .config/chromium/db \
		.config/app/f .config/autostart/f src/f .local/share/keyrings/f \
		.local/share/app/f .local/bin/f \
		.aws/credentials .netrc .git-credentials .bash_history .bashrc \
		.profile .gitconfig notes; do
		echo x >"$home/$f"
	done
	cd / && desktop() {
		volt-lock @desktop fs.rx="$HELP" "$HELP/deed" "$@"
	}
	for f in .ssh/key .gnupg/key .mozilla/firefox/db \
		.config/google-chrome/db .config/chromium/db \
		.local/share/keyrings/f .aws/credentials .netrc .git-credentials .bash_history; do
		echo "$f"
		for deed in read_file write_file remove_file; do
			run ! desktop $deed "$home/$f"
			[ "$output" = EACCES ]
		done
	done
	for f in .bashrc .profile .config/autostart/f .local/bin/f .gitconfig; do
		echo "$f"
		run -0 desktop read_file "$home/$f"
		for deed in write_file remove_file; do
			run ! desktop $deed "$home/$f"
			[ "$output" = EACCES ]
		done
	done
	for f in .config/app/f src/f .local/share/app/f notes; do
		echo "$f"
		run -0 desktop write_file "$home/$f"
	done
	run -0 desktop make_dir "$home/src/new"
	# The command cannot make one that is missing, nor rename the directory of one.
	rm -r "$home/.ssh" "$home/.bashrc" "$home/.config/systemd"
	for f in .ssh .bashrc .zshrc .config/systemd .config/mozilla .new; do
		run ! desktop make_dir "$home/$f"
		[ "$output" = EACCES ]
	done
	run ! desktop refer "$home/.config" "$home/src/config"
	[[ $output == EXDEV || $output == EACCES ]]
	# A later word still grants what the policy keeps back.
	run -0 volt-lock @desktop fs.rx="$HELP" fs.ro="$home/.gnupg" "$HELP/deed" \
		read_file "$home/.gnupg/key"
	rm -rf "$home"
}

@test "policies: @desktop keeps secrets where /home is a link into /var" {
	need_root
	root=$(copy_root)
	cp "$HELP/deed" "$root/bin/"
	mkdir -p "$root"/var/home/me/{.ssh,.librewolf,src} "$root/var/lib"
	rm -rf "${root:?}/home" && ln -s var/home "$root/home"
	for f in home/me/.ssh/key home/me/.librewolf/db home/me/.bashrc home/me/src/f lib/f; do
		echo x >"$root/var/$f"
	done
	for where in /home /var/home; do
		for f in .ssh/key .librewolf/db; do
			run ! volt-ns -m root="$root" \
				volt-lock @desktop deed read_file "$where/me/$f"
			[ "$output" = EACCES ]
		done
		run ! volt-ns -m root="$root" volt-lock @desktop deed write_file "$where/me/.bashrc"
		[ "$output" = EACCES ]
		run -0 volt-ns -m root="$root" volt-lock @desktop deed write_file "$where/me/src/f"
	done
	run -0 volt-ns -m root="$root" volt-lock @desktop deed write_file /var/lib/f
}

# service [WORD ...] -- LINK ...: starts a container of a Debian with services, in which
# the rest of the chain runs; $pid is its volt-ns. Its output is a pipe, as in a unit
# with console=pipe.
service() {
	local -a words=()

	need_root
	need unshare -Ump true
	root=$("$TOP/tests/roots" services 2>roots) ||
		skip "there is no Debian with services: $(tail -n 1 roots)"
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	exec {log}> >(exec cat >log)
	(exec env --default-signal volt-ns -UmpniuC root="$root" overlay=tmpfs \
		hostname=box "${words[@]}" \
		volt-init grace=60s "$@" >&"$log" 2>&1 </dev/null 3>&-) &
	pid=$!
	job=$pid
	exec {log}>&-
	started+=("$pid")
}

# inside [WORD ...] CMD ...: runs CMD in the container.
inside() {
	volt-ns join="$pid" "$@"
}

# ends_with STATUS: a SIGTERM to volt-ns ends the service with that status.
ends_with() {
	local status=0

	kill "$pid"
	wait "$job" || status=$?
	[ "$status" = "$1" ] || {
		cat log
		return 1
	}
}

# get PORT: prints the first line of the answer of a web server there.
get() {
	# shellcheck disable=SC2016 # that bash's
	inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1 && printf "GET / HTTP/1.0\r\n\r\n" >&3 &&
		head -n 1 <&3' bash "$1" 2>/dev/null
}

@test "policies: @daemon runs Debian's nginx, which reloads and stops" {
	service -- volt-lock @daemon nginx -g 'daemon off; error_log /dev/stderr;'
	wait_for get 80
	[ "$(get 80)" = $'HTTP/1.1 200 OK\r' ]
	[ "$(inside bash -c 'cat /proc/[0-9]*/status' |
		awk '/^Name:/ { nginx = $2 == "nginx" } /^Uid:/ && nginx { print $2 }' | sort -u |
		tr '\n' ' ')" = "0 33 " ]
	before=$(inside bash -c 'for p in /proc/[0-9]*; do grep -qx nginx $p/comm &&
		echo $p; done' | tr '\n' ' ')
	inside bash -c 'kill -HUP $(cat /run/nginx.pid)'
	other() { [ \
		"$(inside bash -c 'for p in /proc/[0-9]*; do grep -qx nginx $p/comm &&
		echo $p; done' | tr '\n' ' ')" != "$before" ]; }
	wait_for other
	wait_for get 80
	ends_with 0
	run ! grep -i 'not permitted\|denied' log
}

@test "policies: @server runs redis, PostgreSQL and python3, each started as its own user" {
	service -- volt-lock @server seccomp=strict caps=none user=redis \
		redis-server --dir /var/lib/redis
	wait_for inside redis-cli set key value
	[ "$(inside redis-cli get key)" = value ]
	[ "$(inside redis-cli save)" = OK ]
	ends_with 0
	service dir=/run/postgresql:mode=1777 -- volt-lock @server \
		seccomp=strict caps=none user=postgres \
		/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main \
		-c config_file=/etc/postgresql/15/main/postgresql.conf
	wait_for inside user=postgres psql -qc 'create table t (n int); insert into t values (42)'
	[ "$(inside user=postgres psql -Atc 'select n from t')" = 42 ]
	ends_with 0
	service -- volt-lock @server seccomp=strict caps=none user=nobody python3 -c 'import socket
s = socket.create_server(("", 8000))
while True:
    c, a = s.accept()
    c.recv(100)
    c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    c.close()'
	wait_for get 8000
	ends_with 143
}

@test "policies: @offline does not restrict files, and leaves no way to the network" {
	need own_net true
	[ "$(uname -m)" = x86_64 ] || skip "the numbers are x86-64's"
	serve "$BATS_TEST_TMPDIR/sock"
	# Once alone, and once after a policy about files.
	echo data >file
	run -0 --separate-stderr volt-lock @offline cat file
	[ "$output" = data ]
	[ -z "$stderr" ]
	for words in @offline "@server fs.rx=$HELP @offline"; do
		while read -r want call; do
			echo "$words: $call"
			# shellcheck disable=SC2086 # several words
			run own_net volt-lock $words "$HELP/deed" $call
			[ "$output" = "$want" ]
		done <<-EOF
			EACCES tcp.connect 80
			EACCES tcp.bind 80
			EACCES udp.connect 53
			EACCES call 41 10 2 58
			EACCES call 41 2 3 1
			EACCES call 41 2 1 262
			EAFNOSUPPORT call 41 17 3 0
			EAFNOSUPPORT call 41 40 1 0
			EACCES unix $BATS_TEST_TMPDIR/sock
		EOF
	done
	run ! volt-lock @server fs.rx="$HELP" @offline "$HELP/deed" write_file /etc/passwd
	[ "$output" = EACCES ]
	[ "$ABI" -lt 6 ] || run ! volt-lock @offline "$HELP/deed" kill "$pid"
	# The command does not get a descriptor that was open.
	run -0 volt-lock @offline "$HELP/deed" fds 7</dev/null
	[ -z "$output" ]
	# It works together with a profile.
	for p in $PROFILES; do
		run -0 volt-lock @offline seccomp=$p cat file
		run ! own_net volt-lock @offline seccomp=$p "$HELP/deed" udp.connect 53
		[ "$output" = EACCES ]
	done
}

# --- in the chain -----------------------------------------------------------

@test "chain: after volt-ns, before or after volt-init, and none of our descriptors is left" {
	need_root
	need unshare -mp true
	root=$(copy_root)
	cp "$HELP/deed" "$root/bin/"
	run -0 volt-ns -mpui root="$root" volt-lock @server seccomp=strict caps=none \
		volt-init sh -c 'env | grep -c VOLT; deed fds; echo $$
		sed -n "s/^CapBnd:.//p" /proc/self/status'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" != 1 ]
	[ "${lines[2]}" = 0000000000000000 ]
	run -0 volt-ns -mpui root="$root" volt-init volt-lock @server seccomp=strict caps=none \
		sh -c 'env | grep -c VOLT; deed fds; ls /root 2>&1; true'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = "ls: can't open '/root': Permission denied" ]
	# The command has no descriptor of the chain even if a filter forbids closing it.
	volt-lock learn="$root/few" "$HELP/deed" fds
	fds=$(volt-ns -mpui root="$root" volt-init deed fds)
	run -0 volt-ns -mpui root="$root" volt-init volt-lock fds=keep seccomp=/few deed fds
	[ "$output" = "$fds" ]
	grep -vxE 'fcntl|fstat|fstatfs|newfstatat' "$root/few" >"$root/fewer"
	echo 'fcntl if a1:32==1' >>"$root/fewer" # F_GETFD
	run -0 volt-ns -mpui root="$root" volt-init volt-lock fds=keep seccomp=/fewer deed fds
	[ "$output" = "$fds" ]
	# status= still tells whether the command began.
	exec 7>status
	run -2 volt-ns -mpui root="$root" status=7 volt-init volt-lock seccomp=/fewer deed none
	run -127 volt-ns -mpui root="$root" status=7 volt-init volt-lock seccomp=/fewer none
	exec 7>&-
	[ "$(cat status)" = "exit 2
failed 127" ]
	# In the container too, the toolbox's volt-seccomp compiles a profile.
	run -0 volt-ns -mpui root="$root" volt-lock seccomp=default.seccomp true
	# Policies come from the host, not from the root.
	mkdir -p "$root/etc/volt" && echo 'fs.rwx=/' >"$root/etc/volt/server"
	run ! volt-ns -mpui root="$root" volt-lock @server ls /root
}

# Landlock's rules belong to inodes, at whatever path these appear.
@test "chain: links can use the toolbox and the command cannot, though its root shows it" {
	[ "$(id -u)" = 0 ] || local user=U
	need unshare "-${user:-}mp" true
	mapfile -t rx < <(printf 'fs.rx=%s\n' /bin /lib /lib64 /usr)
	busybox=$(command -v busybox)
	for lock in "volt-lock ${rx[*]}" "volt-lock ${rx[*]} volt-lock ${rx[*]}"; do
		for command in "ls $O/bin" "head -c 1 $O/bin/volt-ns" "$O/bin/volt-ns -V"; do
			# shellcheck disable=SC2086 # of several words
			run volt-ns "-${user:-}mp" root=/ ro=/ $lock $busybox env $command
			[ "$status" != 0 ]
			[[ $output == *"Permission denied" ]]
		done
	done
}

@test "an ordinary user can use it without privileges" {
	run -0 as_user volt-lock @server seccomp=strict caps=none sh -c 'id -u'
	[ "$output" = "$TEST_UID" ]
}

@test "exec: each link names a missing interpreter" {
	printf '#!/none/python9 -E\n' >a-script
	printf '#! \t/none/awk\n' >spaced
	printf '#!/none/sh' >short
	printf '#!/none/\033[31mred\r\n' >colour
	printf '#!\n' >empty
	chmod 755 a-script spaced short colour empty
	while read -r file interp; do
		for link in "volt-lock" "volt-lock seccomp=strict seccomp.action=kill" volt-ns \
			volt-init; do
			echo "$link ./$file"
			# shellcheck disable=SC2086 # a link and its words
			run -126 --separate-stderr $link "./$file"
			[ "$stderr" = \
				"${link%% *}: exec ./$file: its interpreter is missing: $interp" ]
		done
		run -126 --separate-stderr env PATH="/none:$PWD:$PATH" volt-lock "$file"
		[ "$stderr" = "volt-lock: exec $file: its interpreter is missing: $interp" ]
	done <<-'EOF'
		a-script /none/python9
		spaced /none/awk
		short /none/sh
		colour /none/\033[31mred\015
	EOF
	run -127 --separate-stderr volt-lock ./none
	[ "$stderr" = "volt-lock: exec ./none: No such file or directory" ]
	# volt-lock does not try what the user's profile forbids: the profile may kill it.
	printf 'execve read write writev exit_group\n* = kill\n' >few
	run -127 --separate-stderr volt-lock seccomp=./few ./a-script
	[ "$stderr" = "volt-lock: exec ./a-script: No such file or directory" ]
	run volt-lock ./empty
	[ "$status" -ge 126 ]
	# A missing dynamic loader is named; damaged files are handled too.
	command -v python3 >/dev/null || lacks python3
	grep -q /lib64/ld-linux /bin/true || lacks "a program that /lib64 loads"
	sed 's,/lib64/ld-linux,/none4/ld-linux,' /bin/true >x
	chmod 755 x
	run -126 --separate-stderr volt-lock ./x
	[[ $stderr == "volt-lock: exec ./x: its interpreter is missing: /none4/ld-linux"* ]]
	run -0 python3 - "$O/bin/volt-lock" <<-'EOF'
		import random, subprocess, sys
		whole = open("x", "rb").read()
		draw = random.Random(1)
		for i in range(60):
		    data = bytearray(whole[:draw.choice([5, 30, 63, 64, 65, 200, 800, len(whole)])])
		    for _ in range(draw.randrange(6)):
		        data[draw.randrange(min(len(data), 900))] = draw.choice([0, 1, 127, 255])
		    data[:4] = whole[:4]
		    open("y", "wb").write(data)
		    subprocess.run(["chmod", "755", "y"])
		    got = subprocess.run([sys.argv[1], "./y"], capture_output=True)
		    # 139: the kernel ran it.
		    assert got.returncode in (0, 126, 127, -11, -4, -7, -5), (i, got)
	EOF
}

# --- showing ----------------------------------------------------------------

@test "without a command: it prints the policy and the kernel's rights, as text or JSON" {
	run -0 volt-lock @server caps=kill seccomp=default uid=5 rlimit.nofile=9
	for line in "fs.rx /usr" "fs.ro /etc" "tcp.bind any" "caps kill" "seccomp default" \
		"uid 5" "rlimit.nofile 9:9" "fds close" "keyring new" "kernel.fs.execute yes"; do
		grep -qxF "$line" <<<"$output"
	done
	grep -q "^kernel.landlock ABI $ABI, Linux " <<<"$output"
	mkdir "$T" "$T/"$'a\nb"'
	command -v jq >/dev/null || lacks jq
	run -0 volt-lock -j @server fs.ro="$T/"$'a\nb"'
	jq -e --arg p "$T/"$'a\nb"' '.policy[] | select(.key == "fs.ro" and .value == $p)' \
		<<<"$output"
	jq -e '.kernel[] | select(.key == "kernel.landlock")' <<<"$output"
	run -125 volt-lock fs.ro=/none
	run -125 volt-lock seccomp=./none
}

@test "-N: says it and does nothing" {
	run -0 --separate-stderr volt-lock -N fs.rx=/usr caps=none seccomp=strict sh -c 'echo ran'
	[ -z "$output" ]
	for word in fs.rx=/usr seccomp=strict caps=none; do
		[[ $stderr == *"volt-lock: $word"* ]]
	done
}

@test "words: unknown ones name the nearest" {
	run -125 --separate-stderr volt-lock fs.rox=/ true
	[ "$stderr" = "volt-lock: fs.rox=: unknown word; the nearest is fs.ro=" ]
	run -125 --separate-stderr volt-lock keyring=old true
	[ "$stderr" = "volt-lock: keyring=old: not new or keep" ]
	run -127 volt-lock none
}

@test "filter=: compiled filters, by descriptor, in their order" {
	[ "$(uname -m)" = x86_64 ] || skip "the filter is one for x86-64"
	# chroot(2) is ENOSYS; all else is allowed.
	printf '\x20\0\0\0\0\0\0\0\x15\0\0\x01\xa1\0\0\0' >filter
	printf '\x06\0\0\0\x26\0\x05\0\x06\0\0\0\0\0\xff\x7f' >>filter
	run -0 --separate-stderr volt-lock keyring=keep filter=7 filter=8 \
		grep Seccomp_filters /proc/self/status 7<filter 8<filter
	[ "$(tr -dc 0-9 <<<"$output")" = 2 ]
	run -0 --separate-stderr volt-lock keyring=keep seccomp=default filter=7 \
		grep Seccomp_filters /proc/self/status 7<filter
	[ "$(tr -dc 0-9 <<<"$output")" = 2 ]
	if [ "$(id -u)" = 0 ]; then
		run --separate-stderr volt-lock keyring=keep filter=7 chroot / true 7<filter
		[[ $stderr == *"Function not implemented" ]]
	fi
	# A filter can come from a pipe; bytes that are no filter are an error.
	run -0 volt-lock keyring=keep filter=7 true 7< <(cat filter)
	printf x >>filter
	run -125 --separate-stderr volt-lock filter=7 true 7<filter
	[ "$stderr" = "volt-lock: filter=7: not a filter: its instructions have 8 bytes" ]
	run -125 --separate-stderr volt-lock filter=7 true 7</dev/null
	[ "$stderr" = "volt-lock: filter=7: not a filter: its instructions have 8 bytes" ]
	run -125 --separate-stderr volt-lock filter=7 true 7< <(head -c 40000 /dev/zero)
	[ "$stderr" = "volt-lock: filter=7: File too large" ]
	run -125 --separate-stderr volt-lock keyring=keep filter=7 true 7< <(head -c 16 /dev/zero)
	[[ $stderr == "volt-lock: filter=: Invalid argument" ]]
	run -125 --separate-stderr volt-lock filter=77 true
	[ "$stderr" = "volt-lock: filter=77: Bad file descriptor" ]
}

@test "argv0=: the command's argument 0" {
	run -0 --separate-stderr volt-lock keyring=keep argv0=other bash -c 'echo "$0"'
	[ "$output" = other ]
	run -127 --separate-stderr volt-lock keyring=keep argv0=other /none
	[ "$stderr" = "volt-lock: exec /none: No such file or directory" ]
}
