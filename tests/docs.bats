#!/usr/bin/env bats
# The manuals, the usage texts, the README and the Makefile say the same.

bats_require_minimum_version 1.5.0

setup() {
	load lib
	cd "$TOP" || return
}

# Print the list of programs in the Makefile.
programs() {
	sed -n 's/^PROGRAMS = //p' Makefile
	echo volt-image
}

# section FILE NAME: print a section of a manual's source.
section() {
	awk -v want="# $2" '/^# / { on = $0 == want; next } on' "$1"
}

# Remove markup: *bold*, _underline_ and escapes. Between two letters, an underscore is not
# markup.
plain() {
	sed 's/\\\(.\)/\1/g; s/\*//g; s/\([a-z]\)_\([a-z]\)/\1\n\2/g; s/_//g; s/\n/_/g'
}

# listed PROGRAM: print what -h lists, one a line: "-X" for a flag, "key=ARG" for a word.
listed() {
	"$1" -h | awk '/^  -[A-Za-z]  / || /^  [a-z0-9._*-]+=/ { print $1 }' | sort
}

# terms FILE: print the terms of a manual's FLAGS and WORDS, in the same form.
terms() {
	{
		section "$1" FLAGS | grep -E '^\*-[A-Za-z]\*$'
		section "$1" WORDS | grep -E '^\*[a-z0-9._*\-]+=\*' | sed 's/^\*\\\*\.\\\*=/ANY=/'
	} | plain | sed 's/^ANY=/*.*=/' | sort
}

@test "manual: every program has one, and a test, and a line in the README" {
	for p in $(programs); do
		[ -e "man/$p.1.scd" ]
		[ -e "tests/$p.bats" ]
		grep -q "$p" README.md
		grep -q "$p(1)\|$p\*(1)" man/volt.7.scd
	done
}

@test "manual: its SYNOPSIS is the usage line" {
	for p in $(programs); do
		synopsis=$(section "man/$p.1.scd" SYNOPSIS | plain | xargs)
		usage=$("$p" -h | head -n 1)
		echo "$p: $usage"
		[ "usage: $synopsis" = "$usage" ]
	done
}

@test "manual: every flag and word of -h is in it, and no other" {
	for p in $(programs); do
		diff <(listed "$p") <(terms "man/$p.1.scd")
	done
}

@test "manual: each has the required sections" {
	for p in $(programs); do
		for s in NAME SYNOPSIS DESCRIPTION FLAGS "WORDS|VERBS" "EXIT STATUS" \
			ENVIRONMENT EXAMPLES "SEE ALSO" "SECURITY CONSIDERATIONS"; do
			echo "$p: $s"
			grep -qxE "# ($s)" "man/$p.1.scd"
		done
	done
}

@test "manual: scdoc accepts all of them" {
	command -v scdoc || skip "scdoc is not here"
	for f in man/*.scd; do
		run -0 --separate-stderr scdoc <"$f"
		[ -n "$output" ]
		[ -z "$stderr" ]
	done
}

@test "manual: our own pages that are referred to exist" {
	grep -oh 'volt[a-z-]*\*\?([1-8])' man/*.scd | tr -d '*' | sort -u |
		while IFS='()' read -r page part; do
			echo "$page($part)"
			[ -e "man/$page.$part.scd" ]
		done
}

# examples FILE: run the EXAMPLES of a manual. In a block between ```, each line that begins
# with "$ " runs in a shell of its own. All lines of a block run in one new directory. The
# lines below a command are its output. Without such lines, any output is right.
examples() {
	local line number=0 dir='' cmd='' want='' got err status

	judge() {
		[ -n "$cmd" ] || return 0
		echo "\$ $cmd"
		got=$(cd "$dir" && sh -ec "$cmd" 2>../err </dev/null 3>&-) && status=0 || status=$?
		err=$(cat "$dir/../err")
		echo "status $status, stdout: $got, stderr: $err"
		[ "$status" = 0 ] || return 1
		want=${want%$'\n'}
		[ -z "$want" ] || [ "$got" = "$want" ] || [ "$got$err" = "$want" ] || return 1
		cmd='' want=''
	}
	while IFS= read -r line; do
		line=${line#$'\t'}
		case $line in
		'```')
			judge || return 1
			number=$((number + 1))
			dir=$BATS_TEST_TMPDIR/$number
			mkdir "$dir"
			;;
		'$ '*)
			judge || return 1
			cmd=${line#'$ '}
			;;
		*)
			case $cmd in
			'') ;;
			*\\) cmd=${cmd%\\}$line ;;
			*) want+=$line$'\n' ;;
			esac
			;;
		esac
	done < <(section "$1" EXAMPLES | sed 's/\\\\/\\/g')
	judge
}

# Run the examples as root, with a copy of the small root.
run_examples() {
	need_root
	need unshare -Ump true
	ROOT=$(copy_root)
	export ROOT
	leftovers_begin
	examples "$1"
	no_leftovers
}

@test "manual: the examples of volt(7) work" {
	run_examples man/volt.7.scd
}

@test "manual: the examples of volt(1) work" {
	run_examples man/volt.1.scd
}

@test "manual: volt(1) has each verb of -h, and no other" {
	diff <(volt -h | sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p' | sort) \
		<(section man/volt.1.scd VERBS | sed -n 's/^\*\([a-z]*\)\*.*/\1/p' | sort)
	# The example of a file is one that volt reads.
	mkdir -p "$BATS_TEST_TMPDIR/m"
	section man/volt-machines.5.scd DESCRIPTION | awk '/^\t```/ { on = !on; next } on' |
		sed 's/^\t//' >"$BATS_TEST_TMPDIR/m/web"
	chmod 644 "$BATS_TEST_TMPDIR/m/web"
	run -0 volt apply -N "$BATS_TEST_TMPDIR/m"
	[ "$output" = $'create web\nstart web' ]
}

@test "manual: the examples of volt-ns(1) work" {
	run_examples man/volt-ns.1.scd
}

@test "manual: the examples of volt-lock(1) work" {
	run_examples man/volt-lock.1.scd
}

@test "manual: the examples of volt-bwrap(1) work" {
	run_examples man/volt-bwrap.1.scd
}

@test "manual: the examples of volt-seccomp(1) work" {
	run_examples man/volt-seccomp.1.scd
}

@test "manual: the examples of volt-init(1) work" {
	run_examples man/volt-init.1.scd
}

@test "manual: the examples of volt-cg(1) work" {
	need_root
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$top" ] || lacks "cgroup v2"
	echo 0 >"$top/cgroup.procs" # the manual shows them at the top of the tree
	run_examples man/volt-cg.1.scd
}

# root_lines FILE: print the command lines that are for root and are not run. They begin with
# "# ", and continue after a backslash.
root_lines() {
	awk '/^\t# volt-/ { on = 1 }
	on {
		line = $0
		sub(/^\t(# |  *)?/, "", line)
		more = sub(/\\\\$/, "", line)
		all = all line
		if (!more) {
			print all
			all = ""
			on = 0
		}
	}' "$1"
}

@test "manual: a dry run accepts the lines for root" {
	need_root
	load helpers/net
	world_begin
	leftovers_begin
	cd "$BATS_TEST_TMPDIR"
	: >untrusted.tar
	n=0
	for page in "$TOP"/man/*.scd; do
		while IFS= read -r line; do
			n=$((n + 1))
			run h sh -c "$(sed 's/^volt-[a-z]*/& -N/' <<<"$line")" </dev/null
			echo "${page##*/}: $line: status $status: $output"
			# The kernel may be missing here. The words have been read before.
			missing="volt-kvm: kernel=*: No such file or directory"
			# shellcheck disable=SC2053 # a pattern
			[ "$status" = 0 ] || [[ $output == *$missing ]] ||
				[[ $output == *"volt-cg: "*[Cc]group* ]] ||
				[[ $output == *"volt-cg: "*controller* ]]
		done < <(root_lines "$page")
	done
	[ "$n" -ge 15 ]
	no_leftovers
	world_end
}

@test "README: make demo and make check exist" {
	for target in demo check; do
		grep -q "make $target" README.md
		grep -q "^$target:" Makefile
	done
}

# block INFO: print the block of the README that begins with ```INFO.
block() {
	awk -v want="\`\`\`$1" '/^```/ { on = $0 == want; next } on' README.md
}

# Make a world that plays the host. /srv is ours, and mmdebstrap only unpacks a Debian that
# was made before.
readme_begin() {
	need_root
	need_root_deb
	load helpers/net
	world_begin
	leftovers_begin
	mkdir "$BATS_TEST_TMPDIR/srv" "$BATS_TEST_TMPDIR/shims"
	h mount --bind "$BATS_TEST_TMPDIR/srv" /srv
	cat >"$BATS_TEST_TMPDIR/shims/mmdebstrap" <<-EOF
		#!/bin/sh -e
		for to; do :; done
		case \$to in
		*.tar) cat "$BATS_TEST_TMPDIR/deb.tar" >"\$to" ;;
		*) cp -a "$ROOT_DEB" "\$to"; cp "$(command -v busybox)" "\$to/usr/bin/" ;;
		esac
	EOF
	chmod 755 "$BATS_TEST_TMPDIR/shims/mmdebstrap"
	PATH=$BATS_TEST_TMPDIR/shims:$PATH
}

readme_root() {
	h sh -ec "$(block sh)" || return
	[ -x "$BATS_TEST_TMPDIR/srv/web/usr/bin/busybox" ]
}

# Is the page of the README served?
served() {
	[ "$(h curl -sS -m 20 http://127.0.0.1:8080/ 2>/dev/null)" = hello ]
}

@test "README: each example block has a test here" {
	[ "$(sed -n 's/^```\(.\+\)/\1/p' README.md | tr '\n' ,)" = \
		"sh,sh user,sh shell,sh serve,ini,sh guest," ]
}

@test "README: the root and the shell in it" {
	readme_begin
	need unshare -Ump true
	readme_root
	run -0 h sh -ec "$(block 'sh shell')" < <(echo 'hostname; id -u; echo $0; exit')
	[[ $output == *$'\ntry\r\n0\r\n'* ]]
	no_leftovers
	world_end
}

@test "README: the root of an ordinary user" {
	readme_begin
	need as_subid_user unshare -U --map-auto true
	user_dir
	chmod 711 "$BATS_TEST_TMPDIR"
	cp "$(tests/roots deb-tar)" "$BATS_TEST_TMPDIR/deb.tar"
	chmod 644 "$BATS_TEST_TMPDIR/deb.tar"
	mkdir "$BATS_TEST_TMPDIR/home" && chown "$TEST_UID" "$BATS_TEST_TMPDIR/home" &&
		cd "$BATS_TEST_TMPDIR/home"
	run -0 --separate-stderr as_subid_user env \
		PATH="$BATS_TEST_TMPDIR/shims:$USER_DIR/bin:$PATH" sh -ec \
		"$(cd "$TOP" && block 'sh user')"
	run -0 as_subid_user volt-ns -UmpniuC root=web overlay=tmpfs hostname=try \
		volt-init bash -c 'hostname; id -u'
	[ "$output" = $'try\n0' ]
	as_subid_user volt-ns -U rm -r web
	no_leftovers
	world_end
}

@test "README: the web server" {
	readme_begin
	need volt-cg memory.max=1G pids.max=100 true
	readme_root
	h env --default-signal sh -ec "$(block 'sh serve')" 3>&- </dev/null &
	pid=$!
	wait_for served
	# The shell of the block waits for the chain, whose parent that waits is volt-cg.
	kill "$(pgrep -x volt-cg -P "$(pgrep -P "$pid" | paste -sd ,),$pid")"
	wait "$pid" && status=0 || status=$?
	[ "$status" = 143 ]
	no_leftovers
	world_end
}

@test "systemd: the unit of the README" {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	readme_begin
	readme_root
	h sh -ec 'mkdir -p /srv/pages && echo hello >/srv/pages/index.html'
	unit=test-pages-$BASHPID
	block ini | sed "s,/usr/local/bin/,$O/bin/,; s,/srv/,$BATS_TEST_TMPDIR/srv/,g
		\$a NetworkNamespacePath=/proc/$HOST/ns/net" >"/run/systemd/system/$unit.service"
	systemctl daemon-reload
	systemctl start "$unit"
	wait_for served
	run -0 sh examples/enter "$unit" hostname
	[ "$output" = pages ]
	volt-cg | grep -q "^pages [0-9]* pid [0-9]* unit $unit.service "
	h volt-net | grep -q " unit $unit.service "
	systemctl stop "$unit"
	run -0 systemctl show -P Result "$unit"
	[ "$output" = success ]
	rm "/run/systemd/system/$unit.service"
	systemctl daemon-reload
	no_leftovers
	world_end
}

@test "README: the guest" {
	readme_begin
	[ -r "/boot/vmlinuz-$(uname -r)" ] || lacks "a kernel"
	[ -w /dev/kvm ] && grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo ||
		lacks "nested virtualization"
	readme_root
	run -0 h sh -ec "$(block 'sh guest')"
	[[ $output == *Linux*GNU/Linux* ]]
	no_leftovers
	world_end
}

# --- examples -----------------------------------------------------------------

# ci_job WHO ROOT DIR
ci_job() {
	local who=$1 root=$2 dir=$3

	run -0 --separate-stderr "$who" env \
		CI_PREPARE='echo tool >/tool; chown 1 /tool 2>/dev/null; :' \
		CI_CACHE="$dir/cache" sh -ec 'cd "$1"
		mkdir source && echo text >source/file && exec sh "$2" "$3" source sh -c "$4"' sh \
		"$dir" "$TOP/examples/ci-job" "$root" 'cat /tool file; cp file /out/result
		touch /tmp/x /x; ! touch /src/x 2>/dev/null; ls /sys/class/net; id -u'
	[ "$output" = $'tool\ntext\nlo\n0' ]
	[ "$(tail -n 1 <<<"$stderr")" = "ci-job: exit 0" ]
	[ "$(cat "$dir/out/result")" = text ]
	[ "$(stat -c %u "$dir/out/result")" = "$(stat -c %u "$dir/source")" ]
	# The tools stay, and everything else is removed. A message says how the job ended.
	run -125 --separate-stderr "$who" env CI_PREPARE=false CI_CACHE="$dir/cache" sh -c \
		'cd "$1"; exec sh "$2" "$3" source sh -c "exit 125"' sh "$dir" \
		"$TOP/examples/ci-job" "$root"
	[ "$(tail -n 1 <<<"$stderr")" = "ci-job: exit 125" ]
	run -124 --separate-stderr "$who" env CI_TIME=200ms CI_CACHE="$dir/cache" sh -c \
		'cd "$1"; exec sh "$2" "$3" source sleep 1000' sh "$dir" \
		"$TOP/examples/ci-job" "$root"
	[ "$(tail -n 1 <<<"$stderr")" = "ci-job: timeout 124" ]
	[ "$(ls "$dir/cache")" = tools ]
	[ ! -e "$root/tool" ] && [ ! -e "$root/x" ]
}

as_root() {
	"$@"
}

@test "examples: ci-job, as root and as an ordinary user" {
	leftovers_begin
	if [ "$(id -u)" = 0 ]; then
		need unshare -Ump true
		mkdir "$BATS_TEST_TMPDIR/root"
		ci_job as_root "$ROOT_BB" "$BATS_TEST_TMPDIR/root"
	fi
	need as_subid_user unshare -U --map-auto true
	user_dir
	mkdir "$USER_DIR/job" && chown "$TEST_UID" "$USER_DIR/job"
	ci_job as_subid_user "$ROOT_USER" "$USER_DIR/job"
	as_subid_user volt-ns -U rm -r "$USER_DIR/job/cache" \
		"$USER_DIR/job/out" "$USER_DIR/job/source"
	no_leftovers
}

@test "examples: here-only" {
	leftovers_begin
	user_dir
	mkdir -p "$USER_DIR/here" && chown "$TEST_UID" "$USER_DIR/here"
	cp examples/here-only "$USER_DIR/here/script"
	cd "$USER_DIR/here"
	need as_user volt-lock fs.rx=/ true
	run -0 --separate-stderr as_user sh script sh -c \
		'echo x >made; ! echo x 2>/dev/null >"$0/tmp/x"; echo $HOME
		cat /etc/hostname >/dev/null; exec 3>"$TMPDIR/x"' "$USER_DIR"
	[[ $output == */home ]]
	[ "$(cat made)" = x ]
	[ ! -e "$USER_DIR/tmp/x" ]
	[ ! -e "${output%/home}" ]
	run as_user sh script python3 -c 'import socket; socket.socket()'
	[[ $output == *"not supported by protocol"* ]]
	run -0 as_user sh script -n python3 -c 'import socket; socket.socket()'
	no_leftovers
}

@test "examples: untrusted" {
	need_root_deb
	leftovers_begin
	need as_subid_user unshare -U --map-auto true
	user_dir
	mkdir -p "$USER_DIR/shims" "$USER_DIR/mine"
	cp examples/untrusted "$USER_DIR/shims/"
	cp "$(tests/roots deb-tar)" "$USER_DIR/deb.tar"
	printf '#!/bin/sh\nexec cat "%s"\n' "$USER_DIR/deb.tar" >"$USER_DIR/shims/mmdebstrap"
	echo text >"$USER_DIR/mine/file"
	chmod -R a+rX "$USER_DIR/shims" "$USER_DIR/mine" "$USER_DIR/deb.tar"
	chmod 755 "$USER_DIR/shims/"*
	cd "$USER_DIR/mine"
	run -0 --separate-stderr as_subid_user env PATH="$USER_DIR/shims:$USER_DIR/bin:$PATH" \
		XDG_CACHE_HOME="$USER_DIR/tmp/cache" \
		untrusted sh -c 'cat file; id -u; ls /sys/class/net; ! touch file 2>/dev/null
		ls -d /root/.. >/dev/null; env | cut -d= -f1 | sort | tr "\n" " "' A=B
	[ "$output" = $'text\n65534\nlo\nPATH PWD TERM ' ] ||
		[ "$output" = $'text\n65534\nlo\nOLDPWD PATH PWD TERM ' ]
	as_subid_user volt-ns -U rm -r "$USER_DIR/tmp/cache"
	no_leftovers
}

@test "examples: limited-build" {
	need_root
	need volt-cg memory.max=1G cpu.weight=20 pids.max=100 true
	mkdir "$BATS_TEST_TMPDIR/project" "$BATS_TEST_TMPDIR/shims"
	printf '#!/bin/sh\ncat /proc/self/cgroup\n' >"$BATS_TEST_TMPDIR/shims/make"
	chmod 755 "$BATS_TEST_TMPDIR/shims/make"
	PATH=$BATS_TEST_TMPDIR/shims:$PATH run -0 --separate-stderr sh examples/limited-build \
		"$BATS_TEST_TMPDIR/project"
	[[ $output == 0::/*run-* ]]
	[[ $stderr == *"volt-cg: memory.oom_kill 0"* ]]
}

@test "examples: guest" {
	need_root
	[ -r "/boot/vmlinuz-$(uname -r)" ] || lacks "a kernel"
	[ -w /dev/kvm ] && grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo ||
		lacks "nested virtualization"
	leftovers_begin
	mke2fs -q -t ext4 -d "$ROOT_BB" "$BATS_TEST_TMPDIR/image" 64M
	run -3 --separate-stderr sh examples/guest "$BATS_TEST_TMPDIR/image" sh -c \
		'echo x >/new && cat /new; exit 3'
	[ "$output" = x ]
	no_leftovers
}

@test "examples: agent" {
	need_root
	KERNEL=/boot/vmlinuz-$(uname -r)
	[ -r "$KERNEL" ] || lacks "a kernel"
	[ -w /dev/kvm ] && grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo ||
		lacks "nested virtualization"
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || lacks virtiofsd
	leftovers_begin
	ROOT=$(copy_root)
	export ROOT
	mkdir -p "$BATS_TEST_TMPDIR/source/.git/hooks" "$BATS_TEST_TMPDIR/out"
	echo text >"$BATS_TEST_TMPDIR/source/file"
	run -3 --separate-stderr env MEMORY=256M CPUS=1 sh examples/agent \
		"$BATS_TEST_TMPDIR/source" "$BATS_TEST_TMPDIR/out" sh -c '
			cat file; echo more >>file; cp file /out/new
			echo x >.git/hooks/post-checkout
			echo x >/source/.git/hooks/post-checkout; exit 3'
	[ "$output" = text ]
	[ "$(cat "$BATS_TEST_TMPDIR/out/new")" = "text
more" ]
	[ "$(cat "$BATS_TEST_TMPDIR/source/file")" = text ]
	[ -z "$(ls "$BATS_TEST_TMPDIR/source/.git/hooks")" ]
	no_leftovers
}

# A dry run checks that each link knows the words of the examples.
@test "examples: the programs accept all lines of the units" {
	need_root
	local unit line

	for unit in $(grep -l '^ExecStart=/usr/local/bin/volt-' examples/*.service); do
		sed -e ':a; /\\$/ { N; s/\\\n//; ba' -e '}' "$unit" | sed -n 's/^ExecStart=//p' |
			sed "s,/usr/local/bin/,,; s,/var/lib/machines/[^: ]*,$ROOT_BB,g
				s,/srv/w[ew][bw],$ROOT_BB,g; s,/var/lib/volt/%i,$BATS_TEST_TMPDIR,
				s/%i/box/g; s/volt-net -d/volt-net -N -d/
				s/^volt-cg/volt-cg -N parent=\//; s/^volt-ns/volt-ns -N/
				s/ volt-cg / volt-cg parent=\/ /" >"$BATS_TEST_TMPDIR/line"
		line=$(cat "$BATS_TEST_TMPDIR/line")
		echo "$unit: $line"
		[ -n "$line" ]
		run sh -c "$line"
		echo "$output"
		# This host may have no cgroup v2 with these controllers.
		[ "$status" = 0 ] || [[ $output == *"volt-cg: "*controller* ]] ||
			[[ $output == *"volt-cg: "*"cgroup"* ]]
		[[ $output != *"unknown"* ]]
	done
}

@test "README: its relative links lead somewhere" {
	grep -oh '](\([^)#:]*\)[^):]*)' README.md CONTRIBUTING.md ARCHITECTURE.md |
		sed 's/^](//; s/[#)].*//' | sort -u | while read -r path; do
		echo "$path"
		[ -z "$path" ] || [ -e "$path" ]
	done
}

@test "SECURITY: each test that it names exists" {
	local file name n=0

	while IFS=: read -r file name; do
		n=$((n + 1))
		grep -qF "@test \"${name# }\" {" "tests/$file" || {
			echo "$file: no test \"${name# }\""
			return 1
		}
	done < <(sed -n 's/^|.*| \([a-z-]*\.bats: .*\) |$/\1/p' SECURITY.md)
	[ "$n" -ge 40 ]
}

@test "Makefile: help names every target that people call" {
	for target in all install demo check random faults fuzz lint bench deps dist tags; do
		grep -q "^$target:" Makefile
		grep -q "make \[*$target" Makefile
	done
}

@test "ARCHITECTURE: the files, functions and words that it names exist" {
	local name

	while read -r name; do
		echo "$name"
		case $name in
		*/*) [ -e "${name%/}" ] ;;
		*'()') grep -rqE "^${name%??}\(" cmd lib ;;
		*) find cmd lib man tests -name "$name" | grep -q . ;;
		esac
	done < <(grep -oE '`[a-z_/-]+(\.[chd]+|\(\)|/[a-z_.-]+)`' ARCHITECTURE.md | tr -d '`' |
		grep -v 'volt-[xX]\|_x\.' | sort -u)
	# No program includes a header of another, and lib includes no header of a program.
	run ! grep -rnE '#include "(\.\./|cmd/)' cmd lib
}

@test "completion: flags, words, values, files of words, and what follows" {
	# completed LINE: print what bash would offer, one a line.
	completed() {
		bash -c 'source share/completion.bash; COMP_LINE=$1 COMP_POINT=${#1}; _volt
			printf "%s\n" "${COMPREPLY[@]}"' sh "$1"
	}
	cd "$TOP"
	completed 'volt-ns -Um hostn' | grep -qx hostname=
	completed 'sudo volt-cg name=x volt-ns -U console=' | grep -qx pty
	[ "$(completed 'volt-net isolate=')" = "yes
no" ]
	completed 'volt-init -' | grep -qx -- -g
	run ! grep -qx -- -g <<<"$(completed 'volt-ns -')"
	[ "$(completed 'volt-ns root=shar')" = share ]
	[ "$(completed 'volt-lock @serv')" = server ]
	[ "$(completed 'volt-ns -U -- hostn')" = "" ]
	[ "$(completed 'volt-ns -U cat shar')" = share ]
	# machine WORD ...: print what bash would offer for the last word of a line of volt.
	machine() {
		bash -c 'source share/completion.bash; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_volt_machines "$1"; printf "%s\n" "${COMPREPLY[@]}"' sh "$@"
	}
	[ "$(machine volt des)" = destroy ]
	machine volt create x hostn | grep -qx hostname=
	machine volt apply exam | grep -qx examples
}

@test "manual: the examples of volt-net(1) work" {
	need_root
	load helpers/net
	world_begin
	# Run the examples in a namespace that plays the host.
	sh() {
		h sh "$@"
	}
	ROOT=$(copy_root)
	export ROOT
	leftovers_begin
	examples man/volt-net.1.scd
	no_leftovers
	world_end
}
