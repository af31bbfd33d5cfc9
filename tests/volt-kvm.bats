#!/usr/bin/env bats
# volt-kvm: words and files; guests of a few instructions, on any /dev/kvm; and
# a distribution's kernel, where one can run (the test machine). The tests named
# tiny: and attack: run again with a build that finds data races (tests/run).

setup() {
	load lib
	leftovers_begin
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	if declare -F world_end >/dev/null; then
		world_end
	fi
	end_test
}

# --- guests ---------------------------------------------------------------

need_kvm() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || lacks "/dev/kvm"
}

# Set KERNEL to a stock kernel that this machine can run as a guest.
need_kernel() {
	need_kvm
	KERNEL=/boot/vmlinuz-$(uname -r)
	[ -r "$KERNEL" ] || lacks "$KERNEL"
	# PVM's /dev/kvm emulates ring 0, and cannot run a whole kernel.
	grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo || lacks "nested virtualization"
}

# An initramfs with only busybox, made once in a run.
initrd() {
	local dir=$BATS_RUN_TMPDIR/initrd

	[ -e "$dir.cpio" ] || {
		mkdir -p "$dir/bin" && cp "$(command -v busybox)" "$dir/bin/" &&
			for i in sh cat id ls kill sleep mount head md5sum hostname env stat ps; do
				ln -s busybox "$dir/bin/$i"
			done &&
			(cd "$dir" && find . | cpio -o -H newc --quiet) >"$dir.cpio"
	} >&2
	echo "$dir.cpio"
}

# A guest that runs a command, with limits for slow machines.
guest() {
	timeout -k 1 600 volt-kvm kernel="$KERNEL" boot_timeout=400s "$@"
}

# A command in the guest of control=s.
guest_join() {
	timeout -k 1 500 volt-kvm join=s "$@"
}

# Options for a root that is this machine's own disk, read-only.
machine_root() {
	local disk

	disk=$(findmnt -no SOURCE /) && [ -b "$disk" ] || lacks "a root on a disk"
	ROOT=(disk="$disk:ro" root=vda overlay=tmpfs)
}

# exits N [PID]: the last background process ends with status N.
exits() {
	local status=0

	wait "${2:-$!}" || status=$?
	echo "status $status, not $1"
	[ "$status" = "$1" ]
}

# hanging [WORD ...]: start a guest that does nothing, and wait until it runs.
hanging() {
	local k

	k=$(tiny hang)
	rm -f said # of the last one
	volt-kvm -c kernel="$k" "$@" -- x </dev/null 2>said 3>&- &
	started+=("$!")
	wait_for grep -q hanging said
}

# terminated PID: a SIGTERM ends it, though no reader reads.
terminated() {
	local pid=$1

	kill "$pid"
	wait_for gone || kill -9 "$pid"
	exits 143 "$1"
}

# --- words and files ------------------------------------------------------

@test "words: an error is one line" {
	run -125 --separate-stderr volt-kvm true
	[ "$stderr" = "volt-kvm: no kernel=; -h shows the words" ]
	run -125 --separate-stderr volt-kvm kernel=/none true
	[ "$stderr" = "volt-kvm: kernel=/none: No such file or directory" ]
	run -125 --separate-stderr volt-kvm kernel=/ true
	[ "$stderr" = "volt-kvm: kernel=/: not a regular file" ]
	run -125 --separate-stderr volt-kvm memory=1M kernel=/none true
	[ "$stderr" = "volt-kvm: memory=1M: from 16M to 1T" ]
	run -125 --separate-stderr volt-kvm cpus=0 kernel=/none true
	[ "$stderr" = "volt-kvm: cpus=0: at least 1" ]
	run -125 --separate-stderr volt-kvm cpus=65 kernel=/none true
	[ "$stderr" = "volt-kvm: cpus=65: number too large" ]
	run -125 --separate-stderr volt-kvm disk=x:qcow2 kernel=/none true
	[ "$stderr" = "volt-kvm: disk=x:qcow2: ro, rw, direct, overlay, overlay=DIR, block=SIZE, \
verity=HASH, hashes=OFFSET, sig=FILE or fsverity=DIGEST" ]
	run -125 --separate-stderr volt-kvm hostname=$'a\nroot=vda' kernel=/none true
	[ "${stderr##*: }" = "more than one line" ]
	run -125 --separate-stderr volt-kvm status=99 kernel=/none true
	[ "$stderr" = "volt-kvm: status=99: Bad file descriptor" ]
	run -125 --separate-stderr volt-kvm gw=10.0.0.1 kernel=/none true
	[ "$stderr" = "volt-kvm: gw=: no tap=" ]
	run -125 --separate-stderr volt-kvm dns=10.0.0.1 kernel=/bin/busybox true
	[ "$stderr" = "volt-kvm: dns=: no network" ]
	run -125 --separate-stderr volt-kvm disk=x root=vdb1:ext4 kernel=/none true
	[ "$stderr" = "volt-kvm: root=vdb1:ext4: no disk= or pmem= for it" ]
	run -125 --separate-stderr volt-kvm overlay=/dev/vda kernel=/none true
	[ "$stderr" = "volt-kvm: overlay=/dev/vda: no disk= or pmem= for it" ]
	run -125 --separate-stderr volt-kvm env==x kernel=/none true
	[ "$stderr" = "volt-kvm: env==x: no name" ]
	run -125 --separate-stderr volt-kvm memory=64M balloon=65M kernel=/none true
	[ "$stderr" = "volt-kvm: balloon=: more than memory=64M" ]
	run -125 --separate-stderr volt-kvm vsock= kernel=/none true
	[ "$stderr" = "volt-kvm: vsock=: empty" ]
	long=$(printf '%097d' 0)
	run -125 --separate-stderr volt-kvm vsock="$long" kernel=/none true
	[ "$stderr" = "volt-kvm: vsock=$long: too long; 96 bytes at the most" ]
}

@test "words: a dry run checks the disks and makes no tap" {
	local k

	k=$(tiny pvh)
	run -125 --separate-stderr volt-kvm -N kernel="$k" disk=none -- true
	[ "${stderr_lines[-1]}" = "volt-kvm: disk=none: No such file or directory" ]
	truncate -s 1M disk
	run -0 volt-kvm -N kernel="$k" disk=disk disk=disk:ro tap=voltnone0 -- true
	grep -qx "volt-kvm: network voltnone0" <<<"$output"
	run -125 --separate-stderr volt-kvm kernel="$k" tap=voltnone0 -- true
	[ "$stderr" = "volt-kvm: tap=voltnone0: no such device" ]
	# "@.." is an argument of another program and not a file of words.
	run -0 volt-kvm -N kernel="$k" -- git log @.. @. @
}

@test "kernel: a file that is no kernel is refused" {
	need_kvm
	: >empty
	run -125 --separate-stderr volt-kvm kernel=empty
	[ "$stderr" = "volt-kvm: kernel=empty: the file is empty" ]
	head -c 100000 /dev/zero >zeroes
	run -125 --separate-stderr volt-kvm kernel=zeroes
	[ "$stderr" = "volt-kvm: kernel=zeroes: neither a bzImage nor an ELF file" ]
	head -c 5000 "$(tiny attack_blk)" >short
	run -125 --separate-stderr volt-kvm kernel=short
	[ "$stderr" = "volt-kvm: kernel=short: the file is truncated" ]
	printf '\177ELF' >elf
	run -125 --separate-stderr volt-kvm kernel=elf
	[ "$stderr" = "volt-kvm: kernel=elf: neither a bzImage nor an ELF file" ] ||
		[ "$stderr" = "volt-kvm: kernel=elf: the file is truncated" ]
	run -125 --separate-stderr volt-kvm kernel=/bin/busybox
	[ "${lines[0]:-}" = "" ]
}

@test "kernel: a file cut off at any byte is refused, also by a dry run" {
	local k n size

	# A bzImage: its header, its setup, and its kernel.
	python3 -c '
import struct, sys
h = bytearray(3 * 512)
h[0x1f1] = 2
h[0x1f4:0x1f8] = struct.pack("<I", 1000)
h[0x1fe:0x200] = b"\x55\xaa"
h[0x202:0x206] = b"HdrS"
h[0x206:0x208] = struct.pack("<H", 0x20f)
h[0x234] = 1
h[0x236:0x238] = struct.pack("<H", 1)
h[0x258:0x260] = struct.pack("<Q", 0x100000)
sys.stdout.buffer.write(h + b"\xf4" * 16000)' >bzimage
	run -0 volt-kvm -N kernel=bzimage
	for n in 5000 10000 17535; do
		head -c "$n" bzimage >short
		run -125 volt-kvm -N kernel=short
		[ "${lines[-1]}" = "volt-kvm: kernel=short: the file is truncated" ]
	done
	echo "a signature" >>bzimage
	run -0 volt-kvm -N kernel=bzimage

	# An ELF file: its headers, and its segments.
	k=$(tiny attack_blk)
	size=$(python3 -c '
import struct, sys
d = open(sys.argv[1], "rb").read()
at, n = struct.unpack_from("<Q", d, 32)[0], struct.unpack_from("<H", d, 56)[0]
h = [struct.unpack_from("<IIQQQQ", d, at + 56 * i) for i in range(n)]
print(max(p[2] + p[5] for p in h if p[0] == 1))' "$k")
	for n in 5 64 100 5000 $((size - 1)); do
		head -c "$n" "$k" >short
		run -125 volt-kvm -N kernel=short
		[ "${lines[-1]}" = "volt-kvm: kernel=short: the file is truncated" ]
	done
	head -c "$size" "$k" >short
	run -0 volt-kvm -N kernel=short
}

@test "initrd: a file that is no archive is refused; the contents of an archive are not checked" {
	local k f how

	k=$(tiny pvh)
	for f in "$k" /bin/busybox "$BATS_TEST_FILENAME"; do
		run -125 --separate-stderr volt-kvm -N kernel="$k" initrd="$f"
		[ "${stderr_lines[-1]}" = "volt-kvm: initrd=$f: not an initramfs:\
 a cpio archive, as it is or by gzip, bzip2, lzma, xz, lzo, lz4 or zstd" ]
	done
	head -c 10000 /dev/zero >zeroes
	run -125 --separate-stderr volt-kvm -N kernel="$k" initrd=zeroes
	mkdir d
	(cd d && find . | cpio -o -H newc --quiet) >newc
	(cd d && find . | cpio -o -H crc --quiet) >crc
	cat zeroes newc >behind
	for f in newc crc behind; do
		run -0 volt-kvm -N kernel="$k" initrd="$f"
	done
	for how in "gzip" "bzip2" "xz --check=crc32" "xz --format=lzma" "lz4 -l" "zstd"; do
		type "${how%% *}" || continue
		$how -c <newc >packed
		run -0 volt-kvm -N kernel="$k" initrd=packed
	done
}

@test "memory: a warning for more than the host has; an error for more than it can address" {
	need_kvm
	local k free bits

	k=$(tiny pvh)
	free=$(awk '$1 == "MemAvailable:" || $1 == "SwapFree:" { n += $2 }
		END { print int(n / 1024) }' /proc/meminfo)
	run -0 --separate-stderr timeout 300 volt-kvm \
		memory=$((free + 4096))M kernel="$k" </dev/null
	[ "$output" = "pvh ok" ]
	message="volt-kvm: memory=$((free + 4096))M: this host has [0-9]+ MiB free;"
	[[ $stderr =~ ^$message" a guest that uses more is killed"$ ]]
	bits=$(sed -n 's/^address sizes.*: \([0-9]*\) bits physical.*/\1/p' /proc/cpuinfo |
		head -n 1)
	run --separate-stderr timeout 300 volt-kvm memory=1T kernel="$k" </dev/null
	if [ "$bits" = 40 ]; then
		[ "$status ${stderr_lines[-1]}" = "125 volt-kvm: memory=1T:\
 this processor has addresses for 1047552M (40 bits)" ]
	else
		[ "$status $output" = "0 pvh ok" ]
	fi
	run -125 --separate-stderr sh -c 'ulimit -v 1000000; exec "$@"' sh \
		volt-kvm memory=2G kernel="$k"
	message="volt-kvm: memory=2G (a limit, as ulimit -v or vm.overcommit_memory=2?):"
	[[ $stderr == "$message"* ]]
}

@test "memory: a warning for more than the control group's limit" {
	need_kvm
	need volt-cg memory.max=64M true
	local k

	k=$(tiny pvh)
	run -0 --separate-stderr timeout 300 volt-cg memory.max=64M memory.swap.max=0 \
		volt-kvm memory=128M kernel="$k" </dev/null
	[ "$output" = "pvh ok" ]
	[ "$stderr" = "volt-kvm: memory=128M: the control group's limit is 64 MiB;\
 a guest that uses more is killed" ]
	# The limit of a parent group counts, too.
	run -0 --separate-stderr timeout 300 volt-cg -d memory.max=64M memory.swap.max=0 \
		volt-cg memory.max=1G volt-kvm memory=128M kernel="$k" </dev/null
	[ "$stderr" = "volt-kvm: memory=128M: the control group's limit is 64 MiB;\
 a guest that uses more is killed" ]
	run -0 --separate-stderr timeout 300 volt-cg memory.max=64M volt-kvm \
		memory=32M kernel="$k" </dev/null
	[ -z "$stderr" ]
}

@test "kernel: random bytes after a good header do no harm" {
	need_kvm
	local i guest

	guest=$(tiny pvh)
	for i in $(seq 1 60); do
		cp "$guest" broken
		head -c 3 /dev/urandom | dd of=broken bs=1 conv=notrunc status=none \
			seek=$((RANDOM % 240))
		timeout 2 volt-kvm memory=16M kernel=broken </dev/null >out 2>err ||
			[ $? -le 125 ]
	done
}

@test "disk: a file that is no disk is refused" {
	need_kvm
	local k

	k=$(tiny attack_blk)
	run -125 --separate-stderr volt-kvm kernel="$k" disk=none
	[ "$stderr" = "volt-kvm: disk=none: No such file or directory" ]
	run -125 --separate-stderr volt-kvm kernel="$k" disk=/dev/null
	[ "$stderr" = "volt-kvm: disk=/dev/null: neither a file nor a block device" ]
	head -c 1000 /dev/zero >odd
	run -125 --separate-stderr volt-kvm kernel="$k" disk=odd
	[ "$stderr" = "volt-kvm: disk=odd: the size is no multiple of 512 bytes" ]
	head -c 1024 /dev/zero >even
	run -125 --separate-stderr volt-kvm kernel="$k" disk=even:overlay=/none
	[ "$stderr" = "volt-kvm: disk=even: overlay=/none: No such file or directory" ]
}

@test "words: verity=, hashes= and fsverity= of files" {
	local k h=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff w

	k=$(tiny pvh)
	head -c 8192 /dev/zero >i
	while IFS='|' read -r w why; do
		run -125 --separate-stderr volt-kvm -N kernel="$k" $w -- true
		[ "$stderr" = "volt-kvm: $w: $why" ]
	done <<-EOF
		disk=i:ro:verity=|verity: not 64 or 128 hexadecimal digits
		disk=i:ro:verity=${h}0|verity: not 64 or 128 hexadecimal digits
		disk=i:ro:fsverity=x|fsverity: not 64 or 128 hexadecimal digits
		disk=i:ro:hashes=x|hashes: not a size
		disk=i:ro:hashes=1|hashes needs verity
		disk=i:ro:sig=s|sig needs verity
		disk=i:ro:verity=$h:sig=|sig: no file
		disk=i:verity=$h|verity needs ro
		disk=i:rw:fsverity=$h|fsverity needs ro
		disk=i:overlay:verity=$h|verity and overlay do not go together
		disk=i:ro:direct:verity=$h|verity and direct do not go together
		kernel=i:fsverity=0|fsverity: not 64 or 128 hexadecimal digits
		initrd=i:fsverity=|fsverity: not 64 or 128 hexadecimal digits
	EOF
	run -125 --separate-stderr volt-kvm -N kernel="$k" disk=i:ro:verity=$h
	[ "${stderr_lines[-1]}" = "volt-kvm: disk=i: verity needs a command" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" disk=i:ro:verity=$h -- true
	[ "${stderr_lines[-1]}" = \
		"volt-kvm: disk=i: verity: no superblock; hashes=OFFSET says where it is" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" disk=i:ro:verity=$h root=vda1 -- true
	[ "$stderr" = "volt-kvm: root=vda1: verity= is of the whole disk" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" disk=i disk=i:ro:verity=$h \
		overlay=vdb -- true
	[ "$stderr" = "volt-kvm: overlay=vdb: a disk with verity= is not written" ]
	# A path may have a colon.
	cp "$k" a:b
	run -0 volt-kvm -N kernel=a:b -- true
	run -0 volt-kvm -N kernel="$k" disk=i:overlay:fsverity=$h disk=i:ro -- true ||
		[[ ${lines[-1]} == "volt-kvm: disk=i: fsverity: "* ]]
}

@test "host: fsverity= of a kernel, an initrd and a disk" {
	local k d bad archive

	need_kvm
	k=$(tiny pvh)
	need_fsverity
	d=$(prove "$k")
	k=proved/${k##*/}
	bad=$(another "$d")
	mkdir e && (cd e && find . | cpio -o -H newc --quiet) >initrd
	archive=$(prove initrd)
	run -0 volt-kvm -N kernel="$k:fsverity=$d" initrd=proved/initrd:fsverity=$archive \
		disk=proved/initrd:ro:fsverity=$archive -- true
	run -125 --separate-stderr volt-kvm -N kernel="$k:fsverity=$bad" -- true
	[ "$stderr" = "volt-kvm: kernel=$k: fsverity: the file has another digest" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" initrd=initrd:fsverity=$archive -- true
	[[ $stderr == "volt-kvm: initrd=initrd: fsverity: "* ]]
	run -125 --separate-stderr volt-kvm -N kernel="$k" \
		disk=proved/initrd:ro:fsverity=$bad -- true
	[ "${stderr_lines[-1]}" = \
		"volt-kvm: disk=proved/initrd: fsverity: the file has another digest" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" pmem=proved/initrd:fsverity=$bad -- true
	[ "${stderr_lines[-1]}" = \
		"volt-kvm: pmem=proved/initrd: fsverity: the file has another digest" ]
}

@test "initrd: an initrd or a kernel that does not fit is refused" {
	need_kvm
	python3 -c '
import struct, sys
sys.stdout.buffer.write(b"\x7fELF\2\1\1" + b"\0" * 9 + struct.pack("<HHIQQQIHHHHHH",
    2, 62, 1, 1 << 21, 64, 0, 0, 64, 56, 1, 0, 0, 0) + struct.pack("<IIQQQQQQ",
    1, 7, 0, 1 << 21, 1 << 21, 120, 1 << 30, 4096))' >huge
	run -125 --separate-stderr volt-kvm memory=32M kernel=huge
	[ "$stderr" = "volt-kvm: kernel=huge: no room in the guest's memory; memory= gives more" ]
	truncate -s 64M large
	run -125 --separate-stderr volt-kvm memory=32M kernel="$(tiny pvh)" initrd=large
	[ "$stderr" = "volt-kvm: initrd: no room in the guest's memory; memory= gives more" ]
}

@test "modules: dependencies, soft dependencies, and file systems" {
	local k i

	k=$(tiny pvh)
	magic disk 1080 '\x53\xef'
	truncate -s 1M xfs
	mkdir mods
	for i in virtio pvpanic-mmio virtio_pci virtio_console virtio-rng \
		virtio_blk overlay jbd2 ext4 \
		libxfs xfs crc32c_generic crc32c-intel other; do
		echo "$i" >"mods/$i.ko"
		echo "$i.ko:"
	done >mods/modules.dep
	sed -i 's/^virtio_pci.ko:/& virtio.ko/; s/^ext4.ko:/& jbd2.ko/; s/^xfs.ko:/& libxfs.ko/
		s/^other.ko:/& a/' mods/modules.dep
	printf '%s\n' '# comment' 'softdep xfs_not pre: other' \
		'softdep ext4 pre: crypto-crc32c none post: other' \
		'softdep crc32c_intel pre: ext4' >mods/modules.softdep
	printf '%s\n' 'alias crypto-crc32c crc32c_intel' 'alias crypto-crc32c crc32c_generic' \
		'alias crypto-crc32c-none other' >mods/modules.alias
	run -0 volt-kvm -N kernel="$k" modules=mods disk=disk root=vda -- true
	echo "$output"
	common="pvpanic-mmio.ko virtio.ko virtio_pci.ko virtio_console.ko virtio-rng.ko"
	common+=" virtio_blk.ko"
	[ "$(sed -n 's/.*: module //p' <<<"$output" | tr '\n' ' ')" = \
		"$common jbd2.ko crc32c-intel.ko crc32c_generic.ko ext4.ko " ]
	run -0 volt-kvm -N kernel="$k" modules=mods disk=xfs disk=xfs root=vda:xfs:ro \
		overlay=vdb:xfs:rw -- true
	[ "$(sed -n 's/.*: module //p' <<<"$output" | tr '\n' ' ')" = \
		"$common libxfs.ko xfs.ko overlay.ko " ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" modules=mods \
		disk=disk root=vda:other -- true
	[ "${stderr_lines[-1]}" = "volt-kvm: modules=mods: a: No such file or directory" ]
}

# root_of WORD ...: prints the root= that results from these words.
root_of() {
	volt-kvm -N kernel="$(tiny pvh)" "$@" -- true 2>&1 | sed -n 's/^volt-kvm: root //p'
}

# magic FILE [OFFSET BYTES]: makes a disk of zeroes with only these bytes, in printf's form.
magic() {
	truncate -s 0 "$1" && truncate -s 1M "$1"
	# shellcheck disable=SC2059 # the bytes have escapes
	printf "${3:-}" | dd of="$1" bs=1 seek="${2:-0}" conv=notrunc status=none
}

# parted KIND DISK [BLOCK]: makes a disk with a small ext4 in one partition, nothing in the
# next and erofs in the last. The partitions of a GPT and of an MBR are 1, 3 and 4; the
# logical ones are 5, 6 and 7.
parted() {
	local second=()

	command -v python3 >/dev/null || lacks python3
	magic small 1080 '\x53\xef'
	magic erofs 1024 '\xe2\xe1\xf5\xe0'
	magic zeroes
	[ "$1" = logical ] || second=("")
	python3 "$TOP/tests/helpers/parted.py" "$1" "$2" "${3:-512}" \
		small "${second[@]}" zeroes erofs
}

@test "root=: the file system of a disk is detected" {
	local type at

	while read -r type at bytes; do
		magic disk "$at" "$bytes"
		[ "$(root_of disk=disk)" = "vda:$type" ]
	done <<-'EOF'
		ext4 1080 \x53\xef
		erofs 1024 \xe2\xe1\xf5\xe0
		squashfs 0 hsqs
		xfs 0 XFSB
		btrfs 65600 _BHRfS_M
	EOF
	mkdir tree && echo x >tree/x
	if command -v mke2fs >/dev/null; then
		mke2fs -q -t ext4 -d tree real 4M
		[ "$(root_of disk=real root=/dev/vda:ro)" = "/dev/vda:ro:ext4" ]
	fi
	if command -v mkfs.erofs >/dev/null; then
		mkfs.erofs real.erofs tree >/dev/null 2>&1
		[ "$(root_of disk=disk disk=real.erofs root=vdb)" = "vdb:erofs" ]
	fi
	if command -v mksquashfs >/dev/null; then
		mksquashfs tree real.sqsh -quiet >/dev/null
		[ "$(root_of disk=real.sqsh root=vda)" = "vda:squashfs" ]
	fi
	# A type that is given is used, also an unknown one.
	[ "$(root_of disk=disk root=vda:btrfs:ro)" = "vda:btrfs:ro" ]
	[ "$(root_of disk=disk root=vda:minix)" = "vda:minix" ]
	magic disk 1080 '\x53\xef'
	[ "$(root_of disk=disk root=vda:ext2)" = "vda:ext2" ]
	# Without root=, nothing is an error: the guest may not be Linux.
	truncate -s 512 small && truncate -s 1M zeroes
	for disk in small zeroes; do
		[ "$(root_of disk=$disk)" = vda ]
	done
	[ "$(root_of disk=zeroes root=vda:xfs)" = "vda:xfs" ]
	# Only the guest knows other devices.
	[ "$(root_of disk=zeroes root=ram0)" = ram0 ]
}

@test "root=: the file system of a partition is detected" {
	local kind n m block

	for block in 512 4096; do
		for kind in gpt:1:4 mbr:1:4 logical:5:7; do
			IFS=: read -r kind n m <<<"$kind"
			parted "$kind" disk $block
			[ "$(root_of disk=disk:block=$block root=vda$n:ro)" = "vda$n:ro:ext4" ]
			[ "$(root_of disk=disk disk=disk:block=$block root=/dev/vdb$m)" = \
				"/dev/vdb$m:erofs" ]
			[ "$(root_of disk=disk:block=$block root=vda$n overlay=vda$n)" = \
				"vda$n:ext4" ]
		done
	done
}

@test "root=: one line says what a disk holds that is no root" {
	local k

	k=$(tiny pvh)
	refused() {
		run -125 --separate-stderr volt-kvm kernel="$k" "${@:2}" -- true
		[ "$stderr" = "volt-kvm: $1" ]
	}
	parted gpt disk
	list="vda1 ext4, vda3 (unknown), vda4 erofs"
	refused "root=vda: disk has partitions; name one of them: $list" disk=disk
	refused "root=vda:xfs: disk has partitions; name one of them: $list" \
		disk=disk root=vda:xfs
	for n in 2 128 255; do
		refused "root=vda$n: disk has no such partition; it has $list" \
			disk=disk root=vda$n
	done
	refused "root=vda4:xfs: disk holds erofs" disk=disk root=vda4:xfs
	unknown="no known file system (ext2, ext3, ext4, erofs, squashfs, xfs, btrfs)"
	refused "overlay=vdb3: disk holds $unknown; to try another, say overlay=vdb3:TYPE" \
		disk=small disk=disk overlay=vdb3
	for n in 0 256 x 1x -1 01 1p1; do
		refused "root=vda$n: no disk= or pmem= for it" disk=disk root=vda$n
	done
	parted logical disk
	list="vda5 ext4, vda6 (unknown), vda7 erofs"
	refused "root=vda1: disk has no such partition; it has $list" disk=disk root=vda1
	refused "root=vda1: small has no partitions; all of it is ext4 (vda)" disk=small root=vda1
	refused "root=vda1: zeroes has no partitions" disk=zeroes root=vda1
	refused "root=vda: zeroes holds $unknown; to try another, say root=vda:TYPE" \
		disk=zeroes root=vda
	refused "root=vda:ext4: erofs holds erofs" disk=erofs root=vda:ext4
	magic disk 0 'LUKS\xba\xbe'
	refused "root=vda: disk holds LUKS, which is no file system" disk=disk
	magic disk 0 'QFI\xfb'
	refused "root=vda: disk is a qcow2 image; disk= takes a raw image" disk=disk
	magic disk 82 'FAT32   '
	refused "root=vda: disk holds vfat; to mount that, say root=vda:vfat" disk=disk
	[ "$(root_of disk=disk root=vda:vfat)" = vda:vfat ]
	# Random bytes, and zeroes, do no harm.
	for n in 1 2 3; do
		head -c 1M /dev/urandom >disk
		printf '\x55\xaa' | dd of=disk bs=1 seek=510 conv=notrunc status=none
		run -125 volt-kvm kernel="$k" disk=disk root=vda7 -- true
		run -125 volt-kvm kernel="$k" disk=disk root=vda1 -- true
	done
	refused "disk=/dev/null: neither a file nor a block device" disk=/dev/null root=vda1
	refused "disk=/nil: No such file or directory" disk=/nil root=vda1
}

@test "modules: compressed modules, also with SIGCHLD ignored" {
	local k

	k=$(tiny pvh)
	mkdir mods
	echo module | gzip >mods/virtio_pci.ko.gz
	echo virtio_pci.ko.gz: >mods/modules.dep
	run -0 sh -c 'trap "" CHLD; exec "$@"' sh volt-kvm -N kernel="$k" modules=mods -- true
	[ "${lines[-1]}" = "volt-kvm: module virtio_pci.ko.gz" ]
}

# --- guests of a few instructions -----------------------------------------

@test "tiny: the entry of PVH; the guest powers off" {
	need_kvm
	run -0 --separate-stderr timeout 300 volt-kvm memory=16M kernel="$(tiny pvh)" </dev/null
	[ "$output" = "pvh ok" ]
	[ -z "$stderr" ]
}

@test "tiny: a reset, a triple fault and a hang are 125, with the last lines" {
	need_kvm
	run -125 --separate-stderr timeout 300 volt-kvm kernel="$(tiny reset)" -- x
	[ "$stderr" = "volt-kvm: the guest reset itself" ]
	run -125 --separate-stderr timeout 300 volt-kvm kernel="$(tiny fault)" -- x
	[ "${stderr_lines[0]}" = "last words?[31m" ]
	[ "${stderr_lines[1]}" = "volt-kvm: the guest crashed: triple fault" ]
	run -125 --separate-stderr timeout 300 volt-kvm boot_timeout=200ms \
		kernel="$(tiny hang)" -- x
	[ "$(grep -vx hanging <<<"$stderr")" = "volt-kvm: the guest did not start in time" ]
	run -0 cat <(timeout 300 volt-kvm kernel="$(tiny reset)" status=3 -- x 3>&1 2>/dev/null)
	[ "$output" = "failed 125" ]
}

@test "guest: the kernel's command line is that of the manual, plus cmdline=" {
	need_kvm
	local manual

	manual=$(tr '\n\t' '  ' <"$TOP/man/volt-kvm.1.scd" |
		sed 's/.*command line, which is "\([^"]*\)".*/\1/' | tr -s ' ')
	run -0 timeout 300 volt-kvm memory=64M kernel="$(tiny attack_cmdline)" cmdline=a=b \
		cmdline='c "d e"' </dev/null
	[ "${lines[0]}" = "$manual a=b c \"d e\"" ]
}

@test "guest: memory around the hole below 4 GiB" {
	need_kvm
	local k low="0000000000000000 00000000000a0000"

	k=$(tiny attack_memory)
	while read -r size ends; do
		run -0 --separate-stderr timeout 300 volt-kvm "memory=$size" kernel="$k" </dev/null
		echo "$size $output" "$stderr"
		[ "$output" = "$low
0000000000100000 ${ends// /$'\n'0000000100000000 }
ok all of it is there, once
all ok" ]
	done <<-'EOF'
		64M 0000000004000000
		3070M 00000000bfe00000
		3071M 00000000bfe00000
		3072M 00000000c0000000
		3074M 00000000c0000000 0000000100200000
		4G 00000000c0000000 0000000140000000
		5G 00000000c0000000 0000000180000000
	EOF
}

@test "guest: volt-kvm ends with the command's exit status, 0 to 255, or signal, 1 to 64" {
	need_kvm
	local k n

	k=$(tiny attack_exit)
	for n in {0..3} 63 64 100 {123..130} 137 143 160 191 192 {253..255}; do
		run -"$n" timeout 300 volt-kvm memory=16M kernel="$k" \
			cmdline="end=exit $n" status=4 -- x \
			4>status </dev/null
		[ -z "$output" ]
		[ "$(cat status)" = "exit $n" ]
	done
	for n in 1 2 3 6 9 11 13 15 19 31 34 64; do
		run -$((128 + n)) timeout 300 volt-kvm memory=16M \
			kernel="$k" cmdline="end=signal $n" \
			status=4 -- x 4>status </dev/null
		[ -z "$output" ]
		[ "$(cat status)" = "signal $n" ]
	done
	for n in 125 126; do
		run -"$n" timeout 300 volt-kvm memory=16M kernel="$k" \
			cmdline="end=failed $n" status=4 -- x \
			4>status </dev/null
		[ -z "$output" ]
		[ "$(cat status)" = "failed $n" ]
	done
}

@test "guest: the processors are the cores of one package" {
	need_kvm
	run -0 --separate-stderr timeout 300 volt-kvm cpus=3 memory=64M \
		kernel="$(tiny attack_cpuid)" </dev/null
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
}

@test "guest: only with nested=yes can a guest run guests" {
	need_kvm
	local k

	k=$(tiny attack_cpuid)
	run -0 timeout 300 volt-kvm cpus=3 memory=64M kernel="$k" </dev/null
	[ "${lines[-2]}" = "does not nest" ]
	run -0 timeout 300 volt-kvm cpus=3 memory=64M nested=no kernel="$k" </dev/null
	[ "${lines[-2]}" = "does not nest" ]
	run --separate-stderr timeout 300 volt-kvm cpus=3 memory=64M \
		nested=yes kernel="$k" </dev/null
	echo "$output" "$stderr"
	if grep -qE '^flags.* (svm|vmx) ' /proc/cpuinfo && grep -qE '^(1|Y)$' \
		/sys/module/kvm_*/parameters/nested; then
		[ "$status ${lines[-2]}" = "0 nests" ]
	else
		[ "$status $stderr" = "125 volt-kvm: nested=yes: this host's KVM cannot do that" ]
	fi
	run -125 --separate-stderr volt-kvm nested=1 kernel=/none true
	[ "$stderr" = "volt-kvm: nested=1: not yes or no" ]
}

@test "tiny: kvm-clock tells the guest of a pause" {
	need_kvm
	local k pid

	k=$(tiny attack_paused)
	volt-kvm memory=16M kernel="$k" </dev/null >out 3>&- &
	pid=$!
	started+=("$pid")
	for where in inside outside; do
		wait_for grep -q "$where" out
		kill -STOP "$pid"
		wait_for grep -q '^State:	T' "/proc/$pid/status"
		sleep 1.5 # a shorter pause is told only if it interrupts KVM_RUN
		kill -CONT "$pid"
	done
	wait_for gone || kill -9 "$pid"
	exits 0 "$pid"
	[ "$(cat out)" = "ok not stopped yet
inside
ok not stopped yet
outside
all ok" ]
}

@test "tiny: the last lines have room for a panic with its call traces" {
	need_kvm
	run -125 --separate-stderr timeout 300 volt-kvm kernel="$(tiny attack_panic)" -- x
	[ "${#stderr_lines[@]}" = 129 ]
	[ "${stderr_lines[0]}" = "073  ? filemap_map_pages+0x150/0x710" ]
	[ "${stderr_lines[127]}" = "200  ? filemap_map_pages+0x150/0x710" ]
	[ "${stderr_lines[128]}" = "volt-kvm: the guest reset itself" ]
}

@test "tiny: a SIGTERM before the command has started ends volt-kvm" {
	need_kvm
	hanging status=4 4>status
	terminated "$!"
	[ "$(cat status)" = "failed 143" ]
	[ "$(cat said)" = "hanging
volt-kvm: SIGTERM: the command had not started" ]
}

# silent [WORD ...]: in a directory of its own, start a guest that is up and then
# reads nothing.
silent() {
	local k

	k=$(tiny attack_silent)
	rm -rf silent
	mkdir silent
	volt-kvm kernel="$k" status=4 "$@" -- x </dev/null >silent/out \
		2>silent/err 4>silent/status 3>&- &
	started+=("$!")
	wait_for grep -q ready silent/out
}

@test "tiny: two SIGTERMs end a guest that hangs, and its last lines are shown" {
	need_kvm
	local signo pid signals=(TERM INT HUP QUIT) pids=()

	for signo in "${signals[@]}"; do
		silent
		pids+=("$!")
		mv silent "$signo"
	done
	# One SIGTERM does not end it, but there is a warning.
	silent
	kill "$!"
	pids+=("$!")
	for pid in 0 1 2 3; do
		kill -USR1 "${pids[pid]}" # that is not to end it
		kill -"${signals[pid]}" "${pids[pid]}"
	done
	sleep 1
	for signo in "${signals[@]}"; do
		pid=${pids[0]}
		pids=("${pids[@]:1}")
		kill -"$signo" "$pid"
		wait_for gone || kill -9 "$pid"
		exits $((128 + $(kill -l "$signo"))) "$pid"
		[ "$(cat "$signo/err")" = "last words
volt-kvm: SIG$signo: the guest did not answer" ]
		[ "$(cat "$signo/status")" = "signal $(kill -l "$signo")" ]
	done
	wait_for grep -q answer silent/err
	[ "$(cat silent/err)" = \
		"volt-kvm: SIGTERM: the guest does not answer; the next one ends it" ]
	terminated "${pids[0]}"
}

@test "tiny: stop_timeout= ends a guest that hangs or is slow" {
	need_kvm
	silent stop_timeout=1s
	kill "$!"
	wait_for gone "$!" || kill -9 "$!"
	exits 143
	[ "$(cat silent/err)" = "last words
volt-kvm: SIGTERM: the guest did not end by stop_timeout=" ]
	[ "$(cat silent/status)" = "signal 15" ]
	# A guest that has acknowledged the signal.
	truncate -s 1M disk
	volt-kvm kernel="$(tiny attack_told)" disk=disk stop_timeout=1s status=4 -- x \
		</dev/null 2>err 4>status 3>&- &
	started+=("$!")
	wait_for grep -q ready err
	kill "$!"
	wait_for gone "$!" || kill -9 "$!"
	exits 143
	[ "$(cat err)" = "ready
volt-kvm: SIGTERM: the guest did not end by stop_timeout=" ]
	[ "$(cat status)" = "signal 15" ]
	run -125 --separate-stderr volt-kvm stop_timeout=x kernel=/none true
	[ "$stderr" = "volt-kvm: stop_timeout=x: not a time (500ms, 10s, 2m)" ]
}

@test "tiny: no signal to a guest is lost" {
	need_kvm
	local k i

	k=$(tiny attack_signals)
	mkfifo typed
	exec {typed}<>typed
	volt-kvm kernel="$k" -- x <typed >out 2>err 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -q ready out
	# More signals than it has room for, while it reads none.
	for ((i = 0; i < 100; i++)); do
		kill -40 "$pid"
	done
	kill -USR1 "$pid"
	kill -USR1 "$pid"
	kill -ALRM "$pid"
	wait_for grep -q '^ShdPnd:	0*$' "/proc/$pid/status"
	echo >&"$typed"
	# A guest that acknowledges signals is not ended by the next one.
	for i in 1 2 3; do
		wait_for grep -q 'signal 40' out
		kill "$pid"
		sleep 1
	done
	kill -64 "$pid"
	wait_for gone || kill -9 "$pid"
	exits 0 "$pid"
	exec {typed}>&-
	[ ! -s err ]
	[ "$(grep -c '^signal 40$' out)" = 100 ]
	[ "$(grep -c '^signal 15$' out)" = 3 ]
	[ "$(grep -c '^signal 10$' out)" = 1 ] || [ "$(grep -c '^signal 10$' out)" = 2 ]
	[ "$(grep -c '^signal 14$' out)" = 1 ]
}

@test "tiny: a kernel that panics need not reset itself" {
	need_kvm
	local k

	k=$(tiny attack_pvpanic)
	volt-kvm kernel="$k" >out 2>err </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	run -125 --separate-stderr timeout 300 volt-kvm kernel="$k" -- x
	[ "$stderr" = "ok a panic is heard, and no other event
Kernel panic
volt-kvm: the guest's kernel panicked" ]
	wait_for gone || kill -9 "$pid"
	exits 125 "$pid"
	[ "$(tail -n 1 out)" = "Kernel panic" ]
	[ "$(cat err)" = "volt-kvm: the guest's kernel panicked" ]
}

# unread: a full FIFO that no one reads, on descriptor $unread.
unread() {
	rm -f unread
	mkfifo unread
	exec {unread}<>unread
	python3 -c 'import os
os.set_blocking(1, False)
try:
    while True: os.write(1, b"x" * 4096)
except BlockingIOError: os.set_blocking(1, True)' >unread
}

@test "tiny: 24 MiB of binary, in and out" {
	need_kvm
	local k

	k=$(tiny attack_echo)
	head -c 24M /dev/urandom >in
	timeout -s KILL 300 volt-kvm memory=64M kernel="$k" -- x <in >out
	cmp in out
	timeout -s KILL 300 sh -c 'cat in | "$@" | cat >out' sh \
		volt-kvm memory=64M kernel="$k" -- x
	cmp in out
}

@test "tiny: a stalled reader of any output stops neither the guest nor the end of volt-kvm" {
	need_kvm
	local k pids=()

	truncate -s 1M disk
	unread
	# -c: the guest goes on without the reader.
	k=$(tiny attack_silent)
	volt-kvm -c kernel="$k" disk=disk status=4 -- x </dev/null >out 2>unread 4>status 3>&- &
	pid=$!
	started+=("$pid")
	wait_for gone || kill -9 "$pid"
	exits 5 "$pid"
	[ "$(cat status)" = "exit 5" ]
	# The same with a guest that hangs.
	rm out
	volt-kvm -c kernel="$k" -- x </dev/null >out 2>unread 3>&- &
	started+=("$!")
	wait_for grep -q ready out
	kill "$!"
	sleep 1
	terminated "$!"
	# The last messages; the line of status=.
	for k in "$(tiny fault)" "$(tiny attack_panic)"; do
		volt-kvm kernel="$k" -- x </dev/null 2>unread 3>&- &
		pids+=("$!")
		volt-kvm -s kernel="$k" </dev/null >out 2>unread 3>&- &
		pids+=("$!")
		volt-kvm kernel="$k" status=4 -- x </dev/null 4>unread 2>err 3>&- &
		pids+=("$!")
	done
	started+=("${pids[@]}")
	for pid in "${pids[@]}"; do
		wait_for gone || kill -9 "$pid"
		exits 125 "$pid"
	done
	exec {unread}>&-
}

@test "tiny: -c: a reader gets all messages, or a note in place of what is lost" {
	need_kvm
	local k

	k=$(tiny attack_silent)
	truncate -s 1M disk
	run -5 timeout -s KILL 120 sh -c '"$@" 2>&1 >/dev/null | cat >copy; exit "$(cat code)"' sh \
		sh -c '"$@"; echo $? >code' sh volt-kvm -c kernel="$k" disk=disk -- x </dev/null
	[ "$(grep -c '^talk talk talk talk talk$' copy)" = 6000 ]

	mkfifo shown typed
	exec {shown}<>shown {typed}<>typed
	volt-kvm -c kernel="$k" disk=disk:ro disk=disk:ro -- x <typed >out 2>shown 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -q talked out
	cat <&"$shown" >copy 3>&- &
	reader=$!
	started+=("$reader")
	wait_for grep -qx '\[[1-9][0-9]* bytes of the console are lost\]' copy
	echo >&"$typed"
	wait_for gone || kill -9 "$pid"
	exits 5 "$pid"
	ends_in_last_words() { [ "$(tail -n 1 copy)" = "last words" ]; }
	wait_for ends_in_last_words
	kill "$reader"
	exec {shown}>&- {typed}>&-
}

@test "tiny: COM1: more input than it has room for, and a slow reader" {
	need_kvm
	local k

	k=$(tiny attack_uart)
	head -c 1000 /dev/zero | tr '\0' a >in
	run -0 --separate-stderr timeout 300 sh -c \
		'(cat in; echo q) | volt-kvm memory=16M kernel="$1"' sh "$k"
	[ "$output" = "ready
$(cat in)all ok" ]

	# A stalled reader stops the guest, and not volt-kvm.
	mkfifo typed shown
	exec {typed}<>typed {shown}<>shown
	volt-kvm memory=16M kernel="$k" <typed >shown 3>&- &
	echo f >&"$typed"
	sleep 2
	echo more >&"$typed"
	sleep 0.5
	terminated "$!"
	exec {typed}>&- {shown}>&-
}

@test "tiny: COM1 on a terminal that another process made non-blocking" {
	need_kvm
	run -0 --separate-stderr timeout 300 python3 -c '
import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
p = subprocess.Popen(["volt-kvm", "memory=16M", "kernel=" + sys.argv[1]],
    stdin=subprocess.PIPE, stdout=w)
os.close(w)
p.stdin.write(b"f"); p.stdin.flush()
time.sleep(1) # it is full
n = 0
while n < 150000: # more than a pipe and we hold
    n += len(os.read(r, 65536))
p.kill()' "$(tiny attack_uart)"
}

@test "host: in a jail that has only its files" {
	need_kvm
	need_root
	need volt-ns -mpniuC true
	mkdir -p jail/dev
	cp "$(tiny pvh)" jail/kernel
	run -0 --separate-stderr timeout 300 volt-ns -mpniuC root=jail ro=/ \
		bind=/dev/kvm:/dev/kvm:dev volt-init volt-kvm memory=16M kernel=/kernel
	echo "$stderr"
	[ "$output" = "pvh ok" ]
}

@test "attack: a disk's queues, registers and configuration, also with direct" {
	need_kvm
	local opt

	for opt in "" :direct; do
		head -c 4096 /dev/zero >disk
		printf V | dd of=disk conv=notrunc status=none
		[ -z "$opt" ] || can_direct disk || continue
		run -0 timeout 300 volt-kvm memory=64M kernel="$(tiny attack_blk)" \
			disk=disk$opt </dev/null
		echo "$output"
		[ "${lines[-1]}" = "all ok" ]
		run ! grep -q '^not ok' <<<"$output"
		# Only what it wrote has changed.
		[ "$(head -c 513 disk | tail -c 1)" = W ]
		[ "$(stat -c %s disk)" = 4096 ]
	done
}

# two_queues WORD [COMMAND ...]: a disk=WORD with two queues, in a guest that the command runs.
two_queues() {
	head -c 2M /dev/zero | tr '\0' V >disk
	run -0 timeout 300 "${@:2}" volt-kvm memory=64M cpus=2 \
		kernel="$(tiny attack_queues)" disk="$1" </dev/null
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

@test "attack: a disk with two queues, used at once, also with direct" {
	need_kvm
	two_queues disk
	! can_direct disk || two_queues disk:direct
}

@test "attack: two queues write the halves of a block, which an overlay copies first" {
	need_kvm
	need strace -qq -o /dev/null true
	# Each worker has read the first blocks, but not written them, when the other reads.
	two_queues disk:overlay strace -f --seccomp-bpf -qq -o trace -e trace=preadv \
		-e inject=preadv:delay_exit=20000:when=1..16
	grep -q DELAYED trace
}

# can_direct FILE: does its file system take O_DIRECT, with 512 bytes at a time?
can_direct() {
	dd if="$1" of=/dev/null bs=512 count=1 iflag=direct status=none
}

@test "disk: with direct the host keeps no copy; where it cannot do that, an error" {
	need_kvm
	need command -v fincore
	local k cached

	k=$(tiny attack_zero)
	head -c 64M /dev/zero | tr '\0' x >disk
	run -125 --separate-stderr volt-kvm kernel="$k" disk=disk:direct:overlay
	[ "$stderr" = "volt-kvm: disk=disk:direct:overlay: direct and overlay do not go together" ]
	can_direct disk || lacks "a file system with O_DIRECT"
	sync disk
	dd of=disk oflag=nocache conv=notrunc,fdatasync count=0 status=none
	run -0 timeout 300 volt-kvm memory=64M kernel="$k" disk=disk:direct </dev/null
	[ "${lines[-1]}" = "all ok" ]
	cached=$(fincore -nb -o RES disk)
	[ "$cached" -lt 1000000 ]
	# A file system that has no O_DIRECT.
	run -125 --separate-stderr volt-kvm kernel="$k" disk=/proc/version:direct:ro root=none
	[ "$stderr" = "volt-kvm: disk=/proc/version: its file system has no direct I/O" ]
}

@test "attack: PCI configuration space: the window, BARs that move, bus mastering" {
	need_kvm
	head -c 4096 /dev/zero | tr '\0' V >disk
	run -0 timeout 300 volt-kvm memory=64M kernel="$(tiny attack_pci)" disk=disk </dev/null
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

@test "disk: 26 disks, vda to vdz, and a network card; no more" {
	need_kvm
	local k c disks=() net=()

	k=$(tiny attack_first)
	for c in {a..z}; do
		head -c 512 /dev/zero | tr '\0' "$c" >"$c"
		disks+=("disk=$c:ro")
	done
	if [ "$(id -u)" = 0 ] && [ -e /dev/net/tun ]; then
		net=(unshare -n sh -c 'ip tuntap add dev kvm0 mode tap vnet_hdr &&
			exec "$@" tap=kvm0' sh)
	fi
	run -0 timeout 300 "${net[@]}" volt-kvm kernel="$k" "${disks[@]}" </dev/null
	[ "$output" = "abcdefghijklmnopqrstuvwxyz
all ok" ]
	run -0 volt-kvm -N kernel="$k" "${disks[@]}" root=vdz:ext4 -- x
	run -125 --separate-stderr volt-kvm kernel="$k" "${disks[@]}" disk=a:ro </dev/null
	[ "$stderr" = "volt-kvm: disk=a:ro: too many disks; 26 at the most, vda to vdz" ]
	run -125 --separate-stderr volt-kvm -N kernel="$k" "${disks[@]}" root=vdaa -- x
	[ "$stderr" = "volt-kvm: root=vdaa: no disk= or pmem= for it" ]
}

@test "attack: a disk with an overlay is not changed" {
	need_kvm
	head -c 4096 /dev/zero >disk
	printf V | dd of=disk conv=notrunc status=none
	sum=$(md5sum <disk)
	mkdir scratch
	for overlay in overlay "overlay=$PWD/scratch"; do
		run -0 timeout 300 volt-kvm memory=64M kernel="$(tiny attack_blk)" \
			"disk=disk:$overlay" </dev/null
		echo "$output"
		[ "${lines[-1]}" = "all ok" ]
	done
	[ "$(md5sum <disk)" = "$sum" ]
	[ -z "$(ls scratch)" ]
}

@test "attack: a disk's discards and zeroes; in an overlay they free space" {
	need_kvm
	local k

	k=$(tiny attack_zero)
	head -c 64M /dev/zero | tr '\0' x >disk
	sum=$(md5sum <disk)
	if [ "$(id -u)" = 0 ]; then
		mkdir scratch
		run -0 timeout 300 unshare -m sh -ec 'mount -t tmpfs -o size=1M none scratch
			exec "$@"' sh volt-kvm memory=64M kernel="$k" \
			disk=disk:overlay=scratch </dev/null
	else
		run -0 timeout 300 volt-kvm memory=64M kernel="$k" disk=disk:overlay </dev/null
	fi
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
	[ "$(md5sum <disk)" = "$sum" ]
	run -0 timeout 300 volt-kvm memory=64M kernel="$k" disk=disk </dev/null
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
	[ "$(stat -c %s disk)" = 67108864 ]
}

@test "host: a write is an error if the host has no space for the disk or its overlay" {
	need_kvm
	need_root
	local k disk

	k=$(tiny attack_full)
	mkdir full
	for disk in full/disk disk:overlay=full; do
		run -0 timeout 300 unshare -m sh -ec 'mount -t tmpfs -o size=1M none full
			truncate -s 8M "${1%%:*}"
			shift
			exec "$@"' sh "$disk" \
			volt-kvm memory=64M kernel="$k" disk="$disk" </dev/null
		echo "$output"
		[ "${lines[-1]}" = "all ok" ]
	done
}

@test "attack: the ports and the control queues; a malformed report is ignored" {
	need_kvm
	run -42 --separate-stderr timeout 300 volt-kvm -c memory=64M \
		kernel="$(tiny attack_console)" -- x </dev/null
	echo "$stderr"
	[ "$output" = "to stdout" ]
	[ "${stderr_lines[-1]}" = "to stderr" ]
	run ! grep -q '^not ok' <<<"$stderr"
}

@test "attack: a network card's queues, and random numbers" {
	need_kvm
	need_root
	need test -e /dev/net/tun
	run -0 --separate-stderr timeout 300 unshare -n -m sh -ec '
		[ ! -e /dev/vhost-net ] || mount --bind /dev/null /dev/vhost-net
		ip tuntap add dev kvm0 mode tap vnet_hdr
		ip link set kvm0 up
		exec "$@"' sh volt-kvm memory=64M kernel="$(tiny attack_net)" tap=kvm0 </dev/null
	echo "$output" "$stderr"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

@test "attack: pmem=: its queue, and writes to the file" {
	need_kvm
	local sum

	{
		printf 'the file'
		head -c 100000 /dev/urandom
	} >file
	truncate -s 102400 file
	sum=$(md5sum <file)
	truncate -s 4096 disk
	run -0 --separate-stderr timeout 300 volt-kvm memory=64M kernel="$(tiny attack_pmem)" \
		pmem=file disk=disk </dev/null
	echo "$output" "$stderr"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
	[ "$(md5sum <file)" = "$sum" ]
	cmp disk <(head -c 4096 file)
}

@test "pmem=: no file, no size, a file that another guest writes, too many" {
	need_kvm
	local k pid n many=()

	k=$(tiny pvh)
	truncate -s 1M file
	: >empty
	no_pmem() { # MESSAGE WORD...
		run -125 --separate-stderr volt-kvm kernel="$k" "${@:2}" </dev/null
		[ "$stderr" = "volt-kvm: $1" ]
	}
	no_pmem "pmem=none: No such file or directory" pmem=none
	no_pmem "pmem=/dev/null: neither a file nor a block device" pmem=/dev/null
	no_pmem "pmem=empty: the size is no multiple of 512 bytes" pmem=empty
	no_pmem "pmem=: no file" pmem=
	for n in {0..8}; do
		many+=(pmem=file)
	done
	no_pmem "pmem=file: too many files; 8 at the most, pmem0 to pmem7" "${many[@]}"
	no_pmem "root=pmem1: no disk= or pmem= for it" pmem=file root=pmem1 -- true
	no_pmem "root=pmem0p1: file has no partitions" pmem=file root=pmem0p1 -- true
	run -0 --separate-stderr volt-kvm kernel="$k" "${many[@]:1}" </dev/null
	[ "$output" = "pvh ok" ]
	hanging disk=file
	pid=$!
	no_pmem "pmem=file: in use by another guest" pmem=file
	kill "$pid"
	exits 143 "$pid"
	hanging pmem=file
	pid=$!
	run -0 volt-kvm kernel="$k" pmem=file </dev/null # several may read it
	no_pmem "disk=file: in use by another guest" disk=file
	kill "$pid"
	exits 143 "$pid"
}

@test "attack: with vhost-net a bad queue breaks the card until it is reset" {
	need_kvm
	need_root
	need sh -c '[ -c /dev/vhost-net ] && : </dev/vhost-net'
	run --separate-stderr timeout 300 unshare -n sh -ec '
		ip tuntap add dev kvm0 mode tap vnet_hdr
		ip link set kvm0 up
		exec "$@"' sh \
		volt-kvm -v memory=64M kernel="$(tiny attack_vhost)" tap=kvm0 </dev/null
	echo "$output" "$stderr"
	grep -qx 'volt-kvm: packets by vhost-net' <<<"$stderr"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

@test "tiny: at the end, output that is not read or cannot be written" {
	need_kvm
	local k

	k=$(tiny attack_end)
	run -0 timeout -s KILL 120 volt-kvm kernel="$k" status=4 -- x 4>status </dev/null
	[ "$(cat status)" = "exit 0" ]

	truncate -s 1M disk
	mkfifo shown
	exec {shown}<>shown
	volt-kvm kernel="$k" disk=disk status=4 -- x >shown 4>status </dev/null 3>&- &
	read -r -N 1 <&"$shown" # there is more than a pipe holds
	sleep 2
	terminated "$!"
	exec {shown}>&-
	[ "$(cat status)" = "exit 0" ]

	run -125 --separate-stderr timeout 120 sh -c '"$@" >/dev/full' sh volt-kvm kernel="$k" \
		disk=disk status=4 -- x 4>status </dev/null
	[ "$stderr" = "volt-kvm: the command's output: No space left on device" ]
	[ "$(cat status)" = "exit 0" ]
}

@test "tiny: after a SIGTERM a slow reader gets all output, and a stalled one is an error" {
	need_kvm
	local k reader

	k=$(tiny attack_told)
	mkfifo shown
	exec {shown}<>shown
	for reader in slow none; do
		rm -f err
		volt-kvm kernel="$k" status=4 -- x >shown 2>err 4>status </dev/null 3>&- &
		pid=$!
		started+=("$pid")
		wait_for grep -q ready err
		kill "$pid"
		if [ "$reader" = none ]; then
			exits 125 "$pid"
			break
		fi
		for n in 1 2 3 4 5 6 7 8; do
			sleep 0.3
			timeout 300 head -c 65536 <&"$shown" | cmp - <(head -c 65536 /dev/zero)
		done
		exits 0 "$pid"
		[ "$(cat err)" = ready ]
		[ "$(cat status)" = "exit 0" ]
	done
	exec {shown}>&-
	[ "$(cat err)" = "ready
volt-kvm: the command's output: not all of it was read" ]
	[ "$(cat status)" = "exit 0" ]
}

# rivalled CMD ...: run CMD, with a poll(2) that returns late.
rivalled() {
	rm -f pid
	strace -f --seccomp-bpf -qq -o trace -e trace=poll -e \
		inject=poll:delay_exit=20000 -e signal=none \
		sh -c 'echo $$ >pid; exec "$@"' sh "$@" <&0 3>&- &
	tracer=$!
	wait_for test -s pid
	pid=$(cat pid)
	started+=("$pid")
}

@test "tiny: a pipe that others fill or empty after poll(2) does not delay signals" {
	need_kvm
	need strace -qq -o /dev/null true
	local k

	truncate -s 1M disk
	mkfifo shown typed
	exec {shown}<>shown {typed}<>typed
	k=$(tiny attack_end)
	rivalled volt-kvm kernel="$k" disk=disk -- x >shown </dev/null
	python3 -c 'import os
os.set_blocking(1, False)
for i in range(20):
    try:
        while True: os.write(1, b"y" * 4096)
    except BlockingIOError: os.read(1, 4096)
    try: os.write(1, b"y" * 4096)
    except BlockingIOError: pass' 1<>shown
	kill "$pid"
	wait_for gone || kill -9 "$pid"
	exits 143 "$tracer"

	k=$(tiny attack_uart)
	rivalled volt-kvm memory=16M kernel="$k" <typed >out
	wait_for grep -q ready out
	# Without the timer it would block in readv(2).
	python3 -c 'import os, sys, time
os.set_blocking(0, False)
for i in range(20):
    os.write(0, b"z")
    time.sleep(0.02 + i * 0.001)
    try: os.read(0, 1)
    except BlockingIOError: pass
    time.sleep(0.15) # until it waits in poll(2) again
    if open("/proc/" + sys.argv[1] + "/syscall").read().startswith("19 "): break' "$pid" 0<>typed
	kill "$pid"
	wait_for gone || kill -9 "$pid"
	exits 143 "$tracer"
	exec {shown}>&- {typed}>&-
}

@test "tiny: a report counts even if the guest has powered off before it is read" {
	need_kvm
	need strace -qq -o /dev/null true
	local k

	k=$(tiny attack_leave)
	# Each write after the reader's first read is slow.
	run -0 --separate-stderr sh -c 'strace -f --seccomp-bpf -qq -o trace -e trace=write \
		-e inject=write:delay_exit=200000:when=25+ volt-kvm kernel="$1" status=4 -- x \
		4>status </dev/null | (sleep 1; wc -c)' sh "$k"
	[ "$output" = 131072 ]
	[ "$stderr" = "" ]
	[ "$(cat status)" = "exit 0" ]
	grep -q DELAYED trace
}

@test "attack: a packet without enough buffers waits until there are more" {
	need_kvm
	need_root
	need test -e /dev/net/tun
	cat >host.sh <<-'EOF'
		[ ! -e /dev/vhost-net ] || mount --bind /dev/null /dev/vhost-net
		ip tuntap add dev kvm0 mode tap vnet_hdr
		echo 1 >/proc/sys/net/ipv6/conf/kvm0/disable_ipv6 || true
		ip addr add 10.199.0.1/24 dev kvm0
		ip link set kvm0 up
		ip neigh add 10.199.0.2 lladdr 02:00:00:00:00:02 dev kvm0 nud permanent
		taken() { awk '$1 == "kvm0:" { print $11 }' /proc/net/dev; }
		send() {
			before=$(taken)
			head -c "$1" /dev/zero >/dev/udp/10.199.0.2/9
			until [ "$(taken)" -gt "$before" ]; do sleep 0.05; done
		}
		mkfifo typed
		exec 8<>typed
		"$@" tap=kvm0 <&8 | while read -r line; do
			echo "$line"
			case $line in
			waiting) send 1000 && echo >&8 ;;
			small) send 100 ;;
			esac
		done
	EOF
	run -0 timeout 120 unshare -n -m bash host.sh volt-kvm memory=64M \
		kernel="$(tiny attack_room)"
	echo "$output"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

# Run volt-kvm with a tap of several queues, to which the guest of attack_pairs is connected.
two_pairs() {
	cat >host.sh <<-'EOF'
		ip tuntap add dev kvm0 mode tap vnet_hdr multi_queue
		echo 1 >/proc/sys/net/ipv6/conf/kvm0/disable_ipv6 || true
		ip addr add 10.199.0.1/24 dev kvm0
		ip link set kvm0 up
		ip neigh add 10.199.0.2 lladdr 02:00:00:00:00:02 dev kvm0 nud permanent
		"$@" tap=kvm0 </dev/null | while read -r line; do
			echo "$line"
			[ "$line" != send ] ||
				for ((i = 0; i < 16; i++)); do echo x >/dev/udp/10.199.0.2/9; done
		done
	EOF
	run -0 --separate-stderr timeout 120 unshare -n "$@" volt-kvm -v memory=64M cpus=2 \
		kernel="$(tiny attack_pairs)"
	echo "$output" "$stderr"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
}

@test "attack: a network card with two pairs of queues, and the control queue" {
	need_kvm
	need_root
	need test -e /dev/net/tun
	two_pairs -m bash -c '[ ! -e /dev/vhost-net ] || mount --bind /dev/null /dev/vhost-net
		. ./host.sh' sh
	run ! grep -q vhost-net <<<"$stderr"
}

@test "attack: with vhost-net, two pairs of queues, and the control queue" {
	need_kvm
	need_root
	need sh -c '[ -c /dev/vhost-net ] && : </dev/vhost-net'
	two_pairs bash host.sh
	grep -qx 'volt-kvm: packets by vhost-net' <<<"$stderr"
}

@test "host: a tap that is deleted breaks the card, and is not polled any more" {
	need_kvm
	need_root
	need test -e /dev/net/tun
	cat >host.sh <<-'EOF'
		[ ! -e /dev/vhost-net ] || mount --bind /dev/null /dev/vhost-net
		ip tuntap add dev kvm0 mode tap vnet_hdr
		"$@" tap=kvm0 </dev/null >out &
		until grep -q waiting out; do sleep 0.1; done
		ip link del kvm0
		wait "$!"
	EOF
	run -0 timeout 300 unshare -n -m sh -e host.sh volt-kvm memory=64M \
		kernel="$(tiny attack_gone)"
	[ "$(cat out)" = "waiting
ok the card is broken
all ok" ]
}

# vsock CMD ...: one of the ends of a vsock device.
vsock() {
	python3 "$TOP/tests/helpers/vsock.py" "$@"
}

# Start the servers of the host for the socket v.
vsock_servers() {
	need python3 -c 'import socket; socket.AF_UNIX'
	python3 "$TOP/tests/helpers/vsock.py" serve v >servers 3>&- &
	started+=("$!")
	wait_for grep -q ready servers
}

# rss PID: the memory in use, in MiB.
rss() {
	echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status") / 1024))
}

rss_below() {
	[ "$(rss "$1")" -lt "$2" ]
}

@test "attack: a balloon's queues; the host gets the memory that the guest gives back" {
	need_kvm
	local k pid in n

	k=$(tiny attack_balloon)
	mkfifo fifo
	volt-kvm memory=64M balloon=8M kernel="$k" <fifo >out 2>err 3>&- &
	pid=$!
	started+=("$pid")
	exec {in}>fifo
	for n in 1 2; do
		wait_for eval "[ \"\$(grep -c ^full out)\" = $n ]"
		[ "$(rss "$pid")" -gt 32 ]
		echo -n x >&"$in"
		wait_for eval "[ \"\$(grep -c ^empty out)\" = $n ]"
		# A sanitizer's own memory comes on top.
		[[ $O = *san ]] || [ "$(rss "$pid")" -lt 16 ]
		echo -n x >&"$in"
	done
	exec {in}>&-
	exits 0 "$pid"
	cat out err
	[ "$(tail -n 1 out)" = "all ok" ]
	run ! grep -q '^not ok' out
}

no_socket() {
	[ ! -e v ]
}

@test "attack: a vsock device's queues, addresses, credit and connections" {
	need_kvm
	local k

	k=$(tiny attack_vsock)
	vsock_servers
	timeout 600 volt-kvm memory=64M kernel="$k" vsock=v >out 2>err </dev/null 3>&- &
	started+=("$!")
	pid=$!
	wait_for grep -q '^waiting' out
	run -0 vsock ask v 52 "from the host"
	[ "${lines[1]}" = "from the guest" ]
	[[ ${lines[0]} == "OK "[0-9]* ]]
	run -0 vsock ask v 53 x
	[ "$output" = "" ]
	exits 0 "$pid"
	cat out err
	[ "$(tail -n 1 out)" = "all ok" ]
	run ! grep -q '^not ok' out
	[ ! -s err ]
	[ ! -e v ]
}

@test "host: the socket of vsock= is private, not taken from another guest, and removed" {
	need_kvm
	need python3 -c 'import socket; socket.AF_UNIX'
	local k first signal

	k=$(tiny hang)
	hanging vsock=v
	first=$!
	[ "$(stat -c '%F %a' v)" = "socket 600" ]
	run -125 --separate-stderr volt-kvm kernel="$k" vsock=v -- x </dev/null
	[ "$stderr" = "volt-kvm: vsock=v: in use by another guest or program" ]
	# If another file has taken the place of the socket, it is not removed.
	mv v w
	echo text >v
	kill "$first"
	exits 143 "$first"
	[ "$(cat v)" = text ]
	run -125 --separate-stderr volt-kvm kernel="$k" vsock=v -- x </dev/null
	[ "$stderr" = "volt-kvm: vsock=v: there is a file that is no socket" ]
	[ "$(cat v)" = text ]
	# A socket without a listener is replaced.
	mv w v
	hanging vsock=v
	kill "$!"
	exits 143
	[ ! -e v ]
	for signal in KILL SEGV INT; do
		hanging vsock=v
		kill -s "$signal" "$!"
		exits $((128 + $(kill -l "$signal")))
		wait_for no_socket
	done
	run -125 --separate-stderr volt-kvm kernel="$k" vsock=none/v -- x </dev/null
	[ "$stderr" = "volt-kvm: vsock=none/v: No such file or directory" ]
	run -0 volt-kvm -N kernel="$k" vsock=v -- x
	[ ! -e v ]
}

# socket_goes PATH CMD ...: a guest that hangs has a socket there, until SIGTERM.
socket_goes() {
	local path=$1 pid

	shift
	rm -f said
	"$@" </dev/null >said 2>&1 3>&- &
	pid=$!
	started+=("$pid")
	wait_for test -S "$path"
	wait_for grep -q hanging said
	kill "$pid"
	exits 143 "$pid"
	[ ! -e "$path" ]
}

@test "host: vsock= in a jail, with and without volt-init, and under volt-lock" {
	need_kvm
	need_root
	need unshare -Ump true
	local k jail

	k=$(tiny hang)
	mkdir -p jail/dev jail/run run
	cp "$k" jail/kernel
	jail=(volt-ns -mpniuC root=jail ro=/ bind=/dev/kvm:/dev/kvm:dev bind="$PWD/run:/run:rw")
	socket_goes run/v "${jail[@]}" volt-init \
		volt-kvm -c memory=16M kernel=/kernel vsock=/run/v -- x
	socket_goes run/v "${jail[@]}" volt-kvm -c memory=16M kernel=/kernel vsock=/run/v -- x
	need volt-lock fs.rx=/ true
	socket_goes run/v volt-lock @server seccomp=strict caps=none try=fs.rx="$O" fs.ro="$k" \
		fs.dev=/dev/kvm fs.make_sock="$PWD/run" fs.remove_file="$PWD/run" -- \
		volt-kvm -c memory=16M kernel="$k" vsock="$PWD/run/v" -- x
}

@test "host: clients of vsock= that say nothing, or something wrong" {
	need_kvm
	need python3 -c 'import socket; socket.AF_UNIX'
	local pid fd

	hanging vsock=v
	pid=$!
	run -0 vsock lines v
	echo "$output"
	[ "$(grep -c " b''$" <<<"$output")" = 12 ]
	# A thousand of them: the oldest make room for the new ones.
	mkfifo end
	vsock silent v 1000 <end >silent 3>&- &
	exec {fd}>end
	wait_for grep -q connected silent
	run -0 vsock lines v
	[ "$(grep -c " b''$" <<<"$output")" = 12 ]
	[ "$(find "/proc/$pid/fd" | wc -l)" -lt 160 ]
	exec {fd}>&-
	wait_for grep -q '^8[78][0-9] were closed' silent
	kill "$pid"
	exits 143 "$pid"
}

@test "attack: endless requests delay neither timeouts nor signals" {
	need_kvm
	local k

	k=$(tiny attack_flood)
	truncate -s 200G disk
	for disk in "" disk=disk disk=disk:overlay; do
		run -125 --separate-stderr timeout -s KILL 120 volt-kvm memory=512M \
			boot_timeout=1s kernel="$k" $disk -- x
		[ "$stderr" = "volt-kvm: the guest did not start in time" ]
	done
}

@test "tiny: a flush that never ends delays no other device and no signal" {
	need_kvm
	need strace -qq -o /dev/null true
	local k

	k=$(tiny attack_slow)
	truncate -s 4096 slow
	printf V | cat - slow >fast
	truncate -s 4096 fast
	strace -f --seccomp-bpf -qq -o trace -e trace=fdatasync -e \
		inject=fdatasync:delay_enter=600s \
		volt-kvm -c memory=64M kernel="$k" disk=slow disk=fast status=4 -- x \
		4>status 2>out </dev/null 3>&- &
	started+=("$!")
	wait_for grep -q waiting out
	run ! grep '^not ok' out
	pid=$(pgrep -P "$!" -x volt-kvm)
	started+=("$pid")
	kill "$pid"
	wait_for gone
	[ "$(cat status)" = "failed 143" ]
}

@test "attack: a reset waits for a slow read, and nothing is written after it" {
	need_kvm
	need strace -qq -o /dev/null true
	local delay
	truncate -s 4096 slow
	printf V | dd of=slow conv=notrunc status=none
	mkfifo typed
	exec {typed}<>typed
	# Of two workers one is slow, and the other is even slower.
	delay=(-e inject=fdatasync:delay_enter=1s:when=1 -e inject=preadv:delay_enter=3s:when=1)
	strace -f --seccomp-bpf -qq -o trace -e trace=preadv,fdatasync "${delay[@]}" \
		volt-kvm memory=64M cpus=2 kernel="$(tiny attack_late)" disk=slow \
		<typed >out 3>&- &
	started+=("$!")
	wait_for pgrep -P "$!" -x volt-kvm
	pid=$(pgrep -P "$!" -x volt-kvm)
	started+=("$pid")
	wait_for grep -q 'wait for the read' out
	wait_for grep -q 'preadv.*DELAYED' trace
	echo >&"$typed"
	wait_for gone || kill -9 "$pid"
	exits 0
	exec {typed}>&-
	cat out
	[ "$(tail -n 1 out)" = "all ok" ]
	run ! grep -q '^not ok' out
}

@test "host: a kernel that is cut off while it is read is an error" {
	need_kvm
	need strace -qq -o /dev/null true
	cp "$(tiny pvh)" kernel
	strace -qq -o trace -P /dev/kvm -e inject=open,openat:signal=SIGSTOP:when=1 \
		volt-kvm memory=16M kernel=kernel >out 2>said </dev/null 3>&- &
	started+=("$!")
	wait_for pgrep -P "$!" -x volt-kvm
	pid=$(pgrep -P "$!" -x volt-kvm)
	started+=("$pid")
	wait_for grep -q 'stopped by SIGSTOP' trace
	grep -q "$PWD/kernel" "/proc/$pid/maps"
	: >kernel
	kill -CONT "$pid"
	exits 125
	[ "$(cat said)" = "volt-kvm: kernel=kernel: the file was cut off" ]
	[ ! -s out ]
}

@test "host: reads and writes of a disk that shrank are errors, and it does not grow again" {
	need_kvm
	local k disk

	k=$(tiny attack_shrink)
	mkfifo typed
	for disk in disk=disk disk=disk:ro disk=disk:overlay; do
		rm -f out
		head -c 64K /dev/zero | tr '\0' x >disk
		exec {typed}<>typed
		volt-kvm memory=64M kernel="$k" "$disk" <typed >out 3>&- {typed}>&- &
		pid=$!
		started+=("$pid")
		wait_for grep -qx shrink out
		truncate -s 32K disk
		echo >&"$typed"
		wait_for gone || kill -9 "$pid"
		exits 0 "$pid"
		exec {typed}>&-
		cat out
		[ "$(tail -n 1 out)" = "all ok" ]
		[ "$(stat -c %s disk)" = 32768 ]
	done
}

@test "tiny: each disk has its own serial number and block size" {
	need_kvm
	local k given

	k=$(tiny attack_disks)
	truncate -s 64K a b
	given=$(($(stat -c %o a) / 512))
	run -0 timeout 300 volt-kvm memory=64M kernel="$k" disk=a disk=b:ro disk=b:ro:block=4096 \
		disk=b:overlay:block=1024 </dev/null
	echo "$output"
	[ "$(grep -v ^ok <<<"$output")" = "volt-vda sectors 128 block 512 discard $given
volt-vdb sectors 128 block 512
volt-vdc sectors 128 block 4096
volt-vdd sectors 128 block 1024 discard 8
all ok" ]
	truncate -s 65024 a
	run -125 --separate-stderr volt-kvm kernel="$k" disk=a:block=4096
	[ "$stderr" = "volt-kvm: disk=a: the size is no multiple of 4096 bytes" ]
	for given in 0 256 1000 8192 x ""; do
		run -125 --separate-stderr volt-kvm kernel="$k" disk=a:block=$given
		[ "$stderr" = "volt-kvm: disk=a:block=$given: block: 512, 1024, 2048 or 4096" ]
	done
}

@test "host: a block device's block size, or that of block=" {
	need_kvm
	need_root
	local k loop queue

	k=$(tiny attack_disks)
	truncate -s 64M disk
	loop=$(losetup -f --show --sector-size 4096 disk) || lacks "a loop device"
	queue=/sys/class/block/${loop#/dev/}/queue
	give=$(($(cat "$queue/discard_granularity") / 512))
	run timeout 300 volt-kvm memory=64M kernel="$k" disk="$loop" </dev/null
	whole=$output
	run timeout 300 volt-kvm memory=64M kernel="$k" disk="$loop:block=512" </dev/null
	small=$output
	# Without sysfs, as in a jail, the granularity of a discard is the block size.
	run timeout 300 unshare -m sh -ec 'mount -t tmpfs none /sys; exec "$@"' sh \
		volt-kvm memory=64M kernel="$k" disk="$loop" </dev/null
	jailed=$output
	losetup -d "$loop"
	printf '%s\n' "$whole" "$small" "$jailed"
	[ "$(grep ^volt <<<"$whole")" = "volt-vda sectors 131072 block 4096 physical 2^0\
 offset 0 least 1 best 0 discard $give" ]
	[ "$(grep ^volt <<<"$small")" = "volt-vda sectors 131072 block 512 physical 2^3\
 offset 0 least 8 best 0 discard $give" ]
	[ "$(grep ^volt <<<"$jailed")" = "volt-vda sectors 131072 block 4096 physical 2^0\
 offset 0 least 1 best 0 discard 8" ]
	for output in "$whole" "$small" "$jailed"; do
		[ "$(tail -n 1 <<<"$output")" = "all ok" ]
	done
}

@test "host: two guests cannot share a disk that one of them writes" {
	need_kvm
	truncate -s 1M disk
	hanging disk=disk
	run -125 --separate-stderr timeout 300 volt-kvm kernel="$O/guest/hang" disk=disk:ro -- x
	[ "$stderr" = "volt-kvm: disk=disk: in use by another guest" ]
	terminated "$!"
}

@test "host: a block device, unless it is mounted" {
	need_kvm
	need_root
	local k loop

	k=$(tiny attack_zero)
	head -c 64M /dev/zero | tr '\0' x >disk
	loop=$(losetup -f --show disk) || lacks "a loop device"
	run timeout 300 volt-kvm memory=64M kernel="$k" disk="$loop" </dev/null
	echo "$output"
	ok=$status${lines[-1]}
	mke2fs -q -t ext4 "$loop"
	mkdir mnt
	mount "$loop" mnt
	run --separate-stderr volt-kvm memory=64M kernel="$k" disk="$loop" </dev/null
	refused=$status$stderr
	run timeout 300 volt-kvm memory=64M kernel="$(tiny pvh)" disk="$loop:ro" </dev/null
	read_only=$status
	umount mnt
	losetup -d "$loop"
	[ "$ok" = "0all ok" ]
	[ "$refused" = "125volt-kvm: disk=$loop: mounted, or in use otherwise" ]
	[ "$read_only" = 0 ]
}

@test "host: one thread for each vCPU and each queue of a disk, and one more" {
	need_kvm
	local cpus queues threads

	truncate -s 1M disk
	while read -r cpus queues; do
		hanging cpus="$cpus" disk=disk:ro disk=disk:overlay >/dev/null
		# Newer kernels show a thread of KVM's among them.
		run -0 sh -c "grep -l '^volt-kvm' /proc/$!/task/*/comm | wc -l"
		threads=$output
		kill -9 "$!"
		exits 137
		[ "$threads" = $((cpus + 2 * queues + 1)) ]
	done <<<$'1 1\n3 3\n6 4'
}

# kvm_calls KIND: prints the calls that a thread of that kind may make, in one line.
kvm_calls() {
	volt-seccomp profile="$TOP/share/kvm-$1.seccomp" groups="$TOP/share/seccomp.groups" >filter
	python3 "$TOP/tests/helpers/filter.py" calls filter "$TOP/share/kvm-$1.seccomp" \
		"$TOP/share/seccomp.groups" names | tr '\n' ' '
}

@test "lock: the calls that each thread may make" {
	command -v python3 >/dev/null || lacks python3
	volt-seccomp -n >names
	[ "$(kvm_calls vcpu)" = "clock_gettime exit exit_group futex ioctl madvise read \
restart_syscall rt_sigpending rt_sigprocmask rt_sigreturn write " ]
	[ "$(kvm_calls disk)" = "clock_gettime exit exit_group fallocate fdatasync fstat futex \
ioctl madvise newfstatat preadv preadv2 pwritev pwritev2 read restart_syscall rt_sigprocmask \
statx write " ]
	[ "$(kvm_calls io)" = "accept4 clock_gettime close exit exit_group fcntl fstat futex \
getrandom getsockopt ioctl lseek madvise newfstatat pidfd_send_signal poll ppoll read readv \
recvfrom recvmsg restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sendto shutdown \
statx timer_settime write writev " ]
}

# need_filters: skips the test in a build with a sanitizer, which has no filters.
need_filters() {
	[[ $O != *san ]] || skip "a build with a sanitizer"
}

# volt_threads PID: prints the threads of volt-kvm: the main one, those of disks, the
# vCPUs. It leaves out a thread of KVM itself, which newer kernels show among them.
volt_threads() {
	grep -l '^volt-kvm' "/proc/$1"/task/*/comm | cut -d/ -f5 | sort -n
}

@test "host: each thread has a filter, no new privileges, and Landlock" {
	need_kvm
	need_filters
	local k pid n mine

	mine=$(sed -n 's/^Seccomp_filters:[^0-9]*//p' /proc/self/status)
	truncate -s 1M disk disk.2
	hanging cpus=2 disk=disk disk=disk.2 vsock=v
	pid=$!
	[ "$(volt_threads "$pid" | wc -l)" = 7 ]
	for n in $(volt_threads "$pid"); do
		grep -x $'NoNewPrivs:\t1' "/proc/$pid/task/$n/status"
		grep -x $'Seccomp:\t2' "/proc/$pid/task/$n/status"
		grep -x $'Seccomp_filters:\t'$((mine + 1)) "/proc/$pid/task/$n/status"
	done
	kill "$pid"
	exits 143 "$pid"
	need volt-lock fs.rx=/ true
	need strace -f true
	k=$(tiny pvh)
	# A file for each thread, as lines of two threads in one file are cut into each other.
	strace -ff -qq -o log -e trace=landlock_restrict_self,seccomp volt-kvm memory=16M \
		cpus=3 disk=disk kernel="$k" </dev/null
	cat log.* | tee log
	[ "$(grep -c 'landlock_restrict_self([0-9]*, 0) *= 0' log)" = 7 ]
	[ "$(grep -c 'seccomp(SECCOMP_SET_MODE_FILTER, 0, .*) *= 0' log)" = 7 ]
}

@test "host: volt-kvm ends if one of its threads makes another call" {
	need_kvm
	need_root
	need_filters
	local pid which call inject

	inject=$(helper inject)
	volt-seccomp -n >names
	truncate -s 1M disk
	for which in 1 2 3; do # the main thread, the disk's, the vCPU
		for call in open openat openat2 socket connect bind execve execveat mmap mprotect \
			clone clone3 fork ptrace unlink rename kill tgkill bpf io_uring_setup \
			seccomp prctl setns memfd_create process_vm_writev pidfd_getfd \
			io_setup getpid; do
			hanging disk=disk
			pid=$!
			run -0 "$inject" "$(volt_threads "$pid" | sed -n "${which}p")" \
				"$(sed -n "s/^\([0-9]*\) $call\$/\1/p" names)"
			echo "thread $which: $call: $output"
			[ "$output" = "killed 31" ]
			exits 159 "$pid"
		done
		# KVM_CREATE_VM, and a call that is allowed.
		hanging disk=disk
		pid=$!
		run -0 "$inject" "$(volt_threads "$pid" | sed -n "${which}p")" 16 3 0xae01
		[ "$output" = "killed 31" ]
		exits 159 "$pid"
		hanging disk=disk
		pid=$!
		run -0 "$inject" "$(volt_threads "$pid" | sed -n "${which}p")" 228 9999
		[ "$output" = "returned -22" ]
		exits 137 "$pid"
	done
}

@test "host: under volt-lock, which must allow /dev/kvm as a device" {
	need_kvm
	need volt-lock fs.rx=/ true
	local k profile

	k=$(tiny pvh)
	for profile in strict default; do
		run -0 --separate-stderr timeout 300 volt-lock @server seccomp=$profile caps=none \
			try=fs.rx="$O" fs.ro="$k" fs.dev=/dev/kvm -- volt-kvm memory=16M kernel="$k"
		[ "$output" = "pvh ok" ]
	done
	run --separate-stderr timeout 300 volt-lock @server try=fs.rx="$O" fs.ro="$k" \
		fs.rw=/dev/kvm -- volt-kvm memory=16M kernel="$k"
	# Kernels before 6.10 do not have this right, and allow it.
	[ "$status" = 0 ] || [ "$stderr" = "volt-kvm: /dev/kvm: ioctl: Permission denied" ]
}

@test "host: as an ordinary user who may use /dev/kvm" {
	need_kvm
	need_root
	local k

	k=$(tiny pvh)
	user_dir
	cp "$k" "$USER_DIR/pvh"
	chmod 644 "$USER_DIR/pvh"
	as_user test -w /dev/kvm || {
		run -125 --separate-stderr as_user volt-kvm kernel="$USER_DIR/pvh"
		[ "$stderr" = "volt-kvm: /dev/kvm (the group kvm may use it): Permission denied" ]
		skip "an ordinary user may not open /dev/kvm here"
	}
	run -0 as_user timeout 300 volt-kvm memory=16M kernel="$USER_DIR/pvh" </dev/null
	[ "$output" = "pvh ok" ]
}

@test "host: closed standard descriptors do not become a disk" {
	need_kvm
	head -c 4096 /dev/zero >disk
	run -42 timeout 300 sh -c 'exec "$@" <&- >&- 2>&-' sh volt-kvm memory=64M \
		kernel="$(tiny attack_console)" disk=disk -- x
	[ "$(tr -d '\0' <disk | wc -c)" = 0 ]
}

# --- a distribution's kernel ----------------------------------------------

@test "tiny: sixteen guests at once" {
	need_kvm
	local k n pids=()

	k=$(tiny attack_exit)
	for n in {1..16}; do
		volt-kvm memory=16M kernel="$k" cmdline="end=exit $n" -- x \
			</dev/null 2>"err$n" 3>&- &
		pids+=("$!")
	done
	started+=("${pids[@]}")
	for n in {1..16}; do
		exits "$n" "${pids[n - 1]}"
		[ ! -s "err$n" ]
	done
}

# --- control= and join= -----------------------------------------------------

# controlled GUEST [WORD ...]: start a tiny guest with control=s, and wait until it is ready.
controlled() {
	local k

	k=$(tiny "$1")
	shift
	: >said # what an earlier one said is not this one's
	volt-kvm kernel="$k" control=s "$@" -- x </dev/null >said 2>err 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -q ready said
}

join() {
	timeout -k 1 120 volt-kvm join=s "$@"
}

# state KEY: the value that control= prints.
state() {
	volt-kvm control=s | sed -n "s/^$1 //p"
}

state_is() {
	[ "$(state "$1")" = "$2" ]
}

@test "words: control= and join= of a living guest go with few other words" {
	run -125 --separate-stderr volt-kvm join=/none true
	[ "$stderr" = "volt-kvm: join=/none: No such file or directory" ]
	run -125 --separate-stderr volt-kvm control=/none
	[ "$stderr" = "volt-kvm: control=/none: No such file or directory" ]
	run -125 --separate-stderr volt-kvm join=s
	[ "$stderr" = "volt-kvm: join=s: no command" ]
	run -125 --separate-stderr volt-kvm join=s cpus=2 true
	[ "$stderr" = "volt-kvm: cpus= and join= do not go together" ]
	run -125 --separate-stderr volt-kvm join=s control=s true
	[ "$stderr" = "volt-kvm: control= and join= do not go together" ]
	run -125 --separate-stderr volt-kvm control=s memory=1G
	[ "$stderr" = "volt-kvm: memory=: no kernel= of a guest to start" ]
	run -125 --separate-stderr volt-kvm control=s true
	[ "$stderr" = "volt-kvm: control=: no kernel=; join= runs a command in a guest" ]
	run -125 --separate-stderr volt-kvm signal=TERM kernel=/none true
	[ "$stderr" = "volt-kvm: signal= is for a guest that runs: control= and no kernel=" ]
	run -125 --separate-stderr volt-kvm signal=KILL control=s
	[ "$stderr" = "volt-kvm: signal=KILL: volt-kvm does not pass this one on" ]
	long=$(printf '%0200d' 0)
	run -125 --separate-stderr volt-kvm control="$long"
	[ "$stderr" = "volt-kvm: control=$long: too long; 107 bytes at the most" ]
	# A socket that nobody listens at.
	python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("s")'
	run -125 --separate-stderr volt-kvm join=s true
	[ "$stderr" = "volt-kvm: join=s: no guest listens there" ]
	run -0 volt-kvm -N control=s signal=TERM
	[ "$output" = "volt-kvm: s: signal 15" ]
}

@test "tiny: control=: the socket is its guest's alone, and goes with it" {
	need_kvm
	controlled attack_join
	[ "$(stat -c %a s)" = 600 ]
	run -125 --separate-stderr volt-kvm kernel="$(tiny hang)" control=s -- x
	[ "$stderr" = "volt-kvm: control=s: in use by another guest or program" ]
	run -125 --separate-stderr volt-kvm kernel="$(tiny hang)" vsock=s -- x
	[ "$stderr" = "volt-kvm: vsock=s: in use by another guest or program" ]
	state_is state runs
	state_is pid "$pid"
	state_is cpus 1
	state_is memory 268435456
	run -0 sh -c 'volt-kvm -j control=s |
		python3 -c "import json, sys; print(json.load(sys.stdin)[\"state\"])"'
	[ "$output" = runs ]
	kill -9 "$pid"
	exits 137 "$pid"
	wait_for test ! -e s
	# One that is left is replaced.
	python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("s")'
	controlled attack_join
	run -0 volt-kvm control=s signal=TERM
	exits 0 "$pid"
	[ ! -e s ]
	[ "$(cat said)" = "ready
signal 15" ]
	echo text >s
	run -125 --separate-stderr volt-kvm kernel="$(tiny hang)" control=s -- x
	[ "$stderr" = "volt-kvm: control=s: there is a file that is no socket" ]
}

@test "attack: join=: all bytes arrive; lies, and ports that are closed or never read" {
	need_kvm
	local i client

	controlled attack_join
	for i in 1 2 3; do
		head -c 3M /dev/urandom >in
		run -7 sh -c 'timeout 120 volt-kvm join=s echo a "b c" <in >out'
		cmp in out
	done
	exec {fd}>ended
	run -7 sh -c "echo text | timeout 120 volt-kvm join=s status=$fd echo"
	exec {fd}>&-
	[ "$output" = text ]
	[ "$(cat ended)" = "exit 7" ]
	# The first report counts, and "lost" is one of them.
	run -7 --separate-stderr join lies <<<text
	[ "$output" = text ]
	[ "$stderr" = "volt-kvm: the command's output: not all of it was read" ]
	run -125 --separate-stderr join mute </dev/null
	[ "$stderr" = "volt-kvm: join=s: the guest did not say how the command ended" ]
	run -7 join deaf <in
	# A signal that the client gets is the command's.
	volt-kvm join=s wait </dev/null 3>&- &
	client=$!
	wait_for state_is joins 1
	sleep 0.5
	kill -USR1 "$client"
	exits 138 "$client"
	# A client that goes ends its command.
	wait_for state_is joins 0
	volt-kvm join=s wait </dev/null 3>&- &
	client=$!
	wait_for state_is joins 1
	kill -9 "$client"
	exits 137 "$client"
	wait_for state_is joins 0
	# A device that the guest breaks has no commands any more.
	run -125 --separate-stderr join break </dev/null
	[ "$stderr" = "volt-kvm: join=s: the guest did not say how the command ended" ]
	run -125 --separate-stderr join echo </dev/null
	[ "$stderr" = "volt-kvm: join=s: the guest did not say how the command ended" ]
	run -0 volt-kvm control=s signal=TERM
	exits 0 "$pid"
	[ ! -s err ]
}

@test "tiny: join=: the end of the guest is one line, and there are eight places" {
	need_kvm
	local i clients=()

	controlled attack_join
	for i in 1 2 3 4 5 6 7 8; do
		volt-kvm join=s wait </dev/null 2>"err$i" 3>&- &
		clients+=("$!")
		started+=("$!")
		wait_for state_is joins "$i"
	done
	run -125 --separate-stderr join wait </dev/null
	[ "$stderr" = "volt-kvm: join=s: there is no room for another command" ]
	kill -9 "$pid"
	for i in 1 2 3 4 5 6 7 8; do
		exits 125 "${clients[i - 1]}"
		[ "$(cat "err$i")" = "volt-kvm: join=s: the guest has ended" ]
	done
	# A guest that has no volt-guest.
	volt-kvm kernel="$(tiny hang)" control=s </dev/null >plain 2>&1 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -q hanging plain
	run -125 --separate-stderr join true </dev/null
	[[ $stderr == "volt-kvm: join=s: the guest was started without a command, "* ]]
	run -0 volt-kvm control=s signal=TERM
	exits 143 "$pid"
	# A guest that has not started yet, and a client that does not wait.
	hanging control=s
	run -125 --separate-stderr join boot_timeout=300ms true </dev/null
	[ "$stderr" = "volt-kvm: join=s: the command did not start in time" ]
}

@test "tiny: pause= and balloon= of a guest that runs" {
	need_kvm
	local before cpus

	for cpus in 1 4; do
		controlled attack_join cpus=$cpus
		run -0 volt-kvm control=s pause=yes balloon=16M
		[ -z "$output" ]
		wait_for state_is state paused
		state_is balloon 16777216
		before=$(state exits.pio)
		sleep 0.5
		state_is exits.pio "$before"
		# Its signals wait, and so do commands.
		volt-kvm join=s echo <<<text >out 3>&- &
		wait_for state_is joins 1
		run -0 volt-kvm control=s pause=no
		exits 7
		[ "$(cat out)" = text ]
		state_is state runs
		run -0 volt-kvm control=s pause=yes pause=no pause=yes
		wait_for state_is state paused
		run -125 --separate-stderr volt-kvm control=s balloon=1G
		[ "$stderr" = "volt-kvm: control=s: balloon=: more than memory=" ]
		# A paused guest does not hear signals: the second one ends it.
		run -0 volt-kvm control=s signal=TERM
		sleep 0.6
		kill "$pid"
		exits 143 "$pid"
	done
	run -125 --separate-stderr volt-kvm pause=yes kernel=/none true
	[ "$stderr" = "volt-kvm: pause= is for a guest that runs: control= and no kernel=" ]
}

@test "tiny: grow= and rate= of a guest that runs, and the counters of its disks" {
	need_kvm
	local start

	truncate -s 4M disk other
	controlled attack_join disk=disk disk=other:overlay rate=vda:bytes=1M:ops=100
	state_is vda.size 4194304
	state_is vdb.reads 0
	truncate -s 8M disk
	state_is vda.size 4194304
	run -0 volt-kvm control=s grow=vda
	state_is vda.size 8388608
	truncate -s 4M disk
	run -125 --separate-stderr volt-kvm control=s grow=vda
	[ "$stderr" = "volt-kvm: control=s: grow=: it has become smaller" ]
	run -125 --separate-stderr volt-kvm control=s grow=vdb
	[ "$stderr" = "volt-kvm: control=s: grow=: it has an overlay" ]
	run -125 --separate-stderr volt-kvm control=s grow=vdc
	[ "$stderr" = "volt-kvm: control=s: grow=: no such disk" ]
	run -0 volt-kvm control=s rate=vda rate=vdb:ops=1
	run -125 --separate-stderr volt-kvm control=s rate=net:ops=1
	[ "$stderr" = "volt-kvm: control=s: rate=: no such device" ]
	run -125 --separate-stderr volt-kvm control=s rate=vda:speed=1
	[ "$stderr" = "volt-kvm: rate=vda:speed=1: not of the form DEVICE[:bytes=SIZE][:ops=N]" ]
	run -125 --separate-stderr volt-kvm rate=vdb:ops=1 disk=other:ro kernel="$(tiny pvh)"
	[ "$stderr" = "volt-kvm: rate=vdb: no such device" ]
	run -0 volt-kvm control=s signal=TERM
	exits 0 "$pid"
	# A limited disk does all that another does, later. A reset does not wait.
	head -c 4096 /dev/zero >disk
	printf V | dd of=disk conv=notrunc status=none
	start=$SECONDS
	run -0 timeout 300 volt-kvm memory=64M kernel="$(tiny attack_blk)" disk=disk \
		rate=vda:bytes=1G:ops=10 </dev/null
	[ "${lines[-1]}" = "all ok" ]
	[ "$((SECONDS - start))" -ge 3 ]
}

@test "attack: clients of control= that send nonsense, too much, or do not read" {
	need_kvm
	controlled attack_join
	run -0 timeout 300 "$TOP/tests/helpers/control.py" s
	echo "$output"
	[ "$output" = "survived" ]
	run -7 join echo <<<text
	[ "$output" = text ]
	run -0 volt-kvm control=s signal=TERM
	exits 0 "$pid"
	[ ! -s err ]
}

@test "linux: streams, status, arguments, environment, host name" {
	need_kernel
	echo input >in
	export VOLT_KVM_TEST="a value"
	run -7 --separate-stderr guest initrd="$(initrd)" hostname=guest \
		env=VOLT_KVM_TEST env=MY=own env=TERM=dumb chdir=/proc status=4 -- \
		sh -c 'cat; echo err >&2; hostname; pwd; echo "$MY $TERM [$1] [$2]"; id -u
			env | grep -c ^VOLT_; ls /proc/self/fd; exit 7' sh 'a  b' $'c\nd' \
		<in 4>status
	[ "${stderr_lines[*]}" = err ]
	[ "${output%%$'\n0\n'*}" = "input
guest
/proc
own dumb [a  b] [c
d]" ]
	# The command gets no VOLT_ variable, and only its own descriptors.
	[ "${output#*$'d]\n'}" = "0
0
0
1
2
3" ]
	[ "$(cat status)" = "exit 7" ]
}

@test "linux: a command that is not executable, and one that is killed" {
	need_kernel
	run -126 --separate-stderr guest initrd="$(initrd)" -- /bin
	[ "$stderr" = "volt-guest: exec /bin: Permission denied" ]
	run -137 --separate-stderr guest initrd="$(initrd)" status=4 -- \
		sh -c 'kill -9 $$' 4>status
	[ "$(cat status)" = "signal 9" ]
}

@test "linux: a command that is not found, because there is no root" {
	need_kernel
	run -127 --separate-stderr guest status=4 -- true 4>status
	[ "${stderr_lines[0]}" = "volt-guest: exec true: No such file or directory" ]
	[ "${stderr_lines[1]}" = \
		"volt-kvm: neither root= nor initrd=: only volt's own programs are in the guest" ]
	[ "$(cat status)" = "failed 127" ]
}

@test "linux: signals reach the command, and a second one does not end the guest" {
	need_kernel
	initrd=$(initrd)
	volt-kvm kernel="$KERNEL" initrd="$initrd" -- sh -c 'trap "n=\$((n + 1)); echo got \$n" TERM
		echo ready; n=0; while [ $n -lt 3 ]; do sleep 0.1; done; exit 7' \
		>out 2>err </dev/null 3>&- &
	pid=$!
	wait_for grep -q ready out
	for n in 1 2 3; do
		kill "$pid"
		wait_for grep -q "got $n" out
		sleep 1
	done
	exits 7 "$pid"
	[ ! -s err ]
	[ "$(cat out)" = "ready
got 1
got 2
got 3" ]
	# Also if no one reads the command's output.
	mkfifo fifo
	exec 8<>fifo
	volt-kvm kernel="$KERNEL" initrd="$initrd" -- sh -c 'echo ready >&2
		while :; do echo line; done' >fifo 2>err </dev/null 3>&- 8>&- &
	wait_for grep -q ready err
	sleep 1
	kill -TERM "$!"
	exits 143
	exec 8>&-
}

@test "linux: few exits until the command runs; random numbers from the host" {
	need_kernel
	run -0 --separate-stderr guest -s initrd="$(initrd)" -- sh -c '
		cat /sys/class/misc/hw_random/rng_current; head -c 16 /dev/hwrng | busybox wc -c'
	echo "$output" "$stderr"
	[ "$output" = "virtio_rng.0
16" ]
	n=$(sed -n 's/^exits //p' <<<"$stderr")
	[ "$n" -gt 0 ]
	[ "$n" -le 4000 ]
}

@test "linux: what the kernel sees: eleven disks, their blocks and queues; no virtualization" {
	need_kernel
	need_root
	local disks=(disk=d:ro disk=d:ro:block=4096) k loop

	truncate -s 1M d big
	for ((k = 0; k < 8; k++)); do
		disks+=(disk=d:overlay)
	done
	loop=$(losetup -f --show --sector-size 4096 big) || lacks "a loop device"
	disks+=(disk="$loop")
	run --separate-stderr guest initrd="$(initrd)" cpus=2 "${disks[@]}" -- sh -c 'cd /sys/block
		for d in vd*; do
			echo $d $(cat $d/serial) $(cat $d/ro $d/size $d/queue/logical_block_size)
		done
		busybox blkdiscard -o 4096 -l 8192 /dev/vdk && echo discarded
		head -c 1048576 /dev/vdk | busybox wc -c
		grep -c -w -e svm -e vmx /proc/cpuinfo
		cat vdk/queue/discard_granularity
		ls vda/mq'
	losetup -d "$loop"
	echo "$output" "$stderr"
	[ "$output" = "vda volt-vda 1 2048 512
vdb volt-vdb 1 2048 4096
vdc volt-vdc 0 2048 512
vdd volt-vdd 0 2048 512
vde volt-vde 0 2048 512
vdf volt-vdf 0 2048 512
vdg volt-vdg 0 2048 512
vdh volt-vdh 0 2048 512
vdi volt-vdi 0 2048 512
vdj volt-vdj 0 2048 512
vdk volt-vdk 0 2048 4096
discarded
1048576
0
4096
0
1" ]
}

@test "linux: sixteen processors on one CPU" {
	need_kernel
	need taskset -c 0 true
	run -0 --separate-stderr taskset -c 0 timeout -k 1 600 volt-kvm kernel="$KERNEL" \
		initrd="$(initrd)" cpus=16 memory=512M boot_timeout=500s -- busybox nproc
	echo "$output" "$stderr"
	[ "$output" = 16 ]
}

@test "linux: the end of input, and of the command" {
	need_kernel
	mkfifo fifo
	exec 8<>fifo
	# Input after the command has closed it is lost. A process that still
	# writes when the command has ended is killed with it.
	volt-kvm kernel="$KERNEL" initrd="$(initrd)" cpus=2 -- sh -c 'exec </dev/null
		echo ready; sleep 3; echo over; while :; do echo line >&2; done & exit 3' \
		<fifo >out 2>/dev/null 3>&- 8>&- &
	wait_for grep -q ready out
	echo x >&8
	exits 3
	exec 8>&-
	grep -qx over out
}

@test "linux: bytes pass unchanged, and the command notices a reader that leaves" {
	need_kernel
	head -c 6M /dev/urandom >in
	cat in | guest initrd="$(initrd)" -- busybox tee /proc/self/fd/2 2>err | cat >out
	cmp in out
	cmp in err
	guest initrd="$(initrd)" -- sh -c 'cat; while :; do echo line; done' <in |
		{ head -c 6M >out && head -n 1 >line; }
	[ "${PIPESTATUS[0]}" = 141 ]
	cmp in out
	[ "$(cat line)" = line ]
}

@test "linux: a Debian root from a disk, four CPUs, changes in memory" {
	need_kernel
	machine_root
	run -0 --separate-stderr guest cpus=4 memory=384M "${ROOT[@]}" -- bash -c '
		nproc; cat /etc/debian_version; dpkg-query -W -f "\${Status}\n" bash
		echo x >/root/kvm-test; cat /root/kvm-test
		[ -c /dev/null ] && [ -d /proc/1 ] && [ -w /run ] && echo mounts'
	echo "$stderr"
	[ "$output" = "4
$(cat /etc/debian_version)
install ok installed
x
mounts" ]
	[ ! -e /root/kvm-test ]
}

@test "linux: a disk survives fsync and a kill" {
	need_kernel
	truncate -s 64M disk
	mke2fs -q -t ext4 disk
	initrd=$(initrd)
	volt-kvm kernel="$KERNEL" initrd="$initrd" disk=disk -- sh -c '
		mkdir -p /mnt; busybox mount -t ext4 /dev/vda /mnt || exit
		echo kept >/mnt/f; busybox sync; echo synced
		while :; do echo more >>/mnt/g; done' >out </dev/null 3>&- &
	wait_for grep -q synced out
	kill -9 "$!"
	wait "$!" || true
	run e2fsck -fp disk # the journal
	[ "$status" -le 1 ]
	run -0 e2fsck -fn disk
	[ "$(debugfs -R 'cat f' disk 2>/dev/null)" = kept ]
}

@test "linux: root= and overlay= on disks keep what is written" {
	need_kernel
	local dir=root

	mkdir -p $dir/bin $dir/dev $dir/proc $dir/sys $dir/etc
	cp "$(command -v busybox)" $dir/bin/busybox
	ln -s busybox $dir/bin/sh
	mke2fs -q -t ext4 -d $dir lower 32M
	truncate -s 32M upper
	mke2fs -q -t ext4 upper
	sum=$(md5sum <lower)
	run -0 guest disk=lower:ro disk=upper root=vda overlay=vdb -- sh -c 'echo new >/etc/new'
	run -0 guest disk=lower:ro disk=upper root=vda overlay=vdb -- busybox cat /etc/new
	echo "$output"
	[ "$output" = new ]
	run -0 e2fsck -fn upper
	run -0 guest disk=lower:overlay -- sh -c 'echo x >/etc/rw; busybox cat /etc/rw'
	[ "$output" = x ]
	[ "$(md5sum <lower)" = "$sum" ]
	run -0 guest disk=lower -- sh -c 'echo rw >/etc/rw'
	run -0 e2fsck -fn lower
	[ "$(debugfs -R 'cat etc/rw' lower 2>/dev/null)" = rw ]
	# Another file system, without a type in the words.
	mksquashfs $dir packed.sqsh -quiet >/dev/null
	run -0 guest disk=packed.sqsh root=vda overlay=tmpfs -- sh -c \
		'echo x >/etc/x; busybox cat /etc/x'
	[ "$output" = x ]
	# The root may be a partition, by the number that the guest's kernel gives it.
	"$TOP/tests/helpers/parted.py" logical disk 512 packed.sqsh lower
	run -0 guest disk=disk root=vda6 overlay=tmpfs -- busybox cat /etc/rw
	[ "$output" = rw ]
	run -125 --separate-stderr guest disk=upper root=vda:minix -- true
	[ "$stderr" = "volt-guest: root=vda: mount as minix: No such device" ]
	truncate -s 1M zeroes
	run -125 --separate-stderr guest disk=zeroes -- true
	[ "$stderr" = "volt-guest: root=vda: mount as ext4, the file system is unknown: \
Invalid argument" ]
}

@test "linux: verity=: the guest of an ordinary user reads nothing that was changed" {
	need_kernel
	need command -v veritysetup
	need command -v openssl
	local dir=root h

	mkdir -p $dir/bin $dir/dev $dir/proc $dir/sys $dir/tmp
	cp "$(command -v busybox)" $dir/bin/busybox
	ln -s busybox $dir/bin/sh
	head -c 65536 /dev/zero | tr '\0' Q >$dir/large
	h=$(verified_image $dir v)
	cp v w && flip w $(($(place_of v QQQQQQQQ) + 8192))
	chmod o+rx . && chmod o+r v w
	as_user test -w /dev/kvm || chmod 666 /dev/kvm
	run -0 --separate-stderr as_user timeout -k 1 600 volt-kvm kernel="$KERNEL" \
		boot_timeout=400s disk=v:ro:verity=$h disk=w:ro:verity=$h -- sh -c '
		busybox md5sum </large
		busybox mkdir /tmp/w
		busybox mount -t erofs -o ro /dev/vdb /tmp/w
		busybox cat /tmp/w/large 2>/tmp/why | busybox tr -d Q | busybox wc -c
		busybox cat /tmp/why; echo >/dev/vda || echo not written'
	echo "$stderr"
	[ "${lines[0]}" = "$(md5sum <$dir/large)" ]
	[ "${lines[1]}" = 0 ]
	[ "${lines[2]}" = "cat: read error: Input/output error" ]
	[ "${lines[3]}" = "not written" ]
	run -125 --separate-stderr as_user timeout -k 1 600 volt-kvm kernel="$KERNEL" \
		boot_timeout=400s disk=v:ro:verity="$(another "$h")" -- true
	[ "$stderr" = "volt-guest: disk vda: verity: the hash is not that of the data, \
or the data changed" ]
	# A signature by a key that the guest's kernel does not know.
	sign "$h" sig
	run -125 --separate-stderr timeout -k 1 600 volt-kvm kernel="$KERNEL" boot_timeout=400s \
		disk=v:ro:verity=$h:sig=sig -- true
	[ "$stderr" = "volt-guest: disk vda: sig: the kernel trusts no key that made it" ]
}

@test "linux: the kernel and the modules of a package, by volt-image" {
	need_kernel
	need command -v dpkg-deb
	local module version

	version=$(uname -r)
	mkdir -p deb/DEBIAN deb/boot
	cp "$KERNEL" deb/boot/
	for module in virtio_pci virtio_console; do
		modprobe -S "$version" --show-depends $module
	done | awk '$1 == "insmod" { print $2 }' | xargs -I{} cp --parents {} deb/
	printf '%s: x\n' Package Maintainer Description >deb/DEBIAN/control
	printf 'Version: 1\nArchitecture: all\n' >>deb/DEBIAN/control
	dpkg-deb -Znone -b deb x.deb >/dev/null
	run -0 volt-image store="$PWD/store" kernel x.deb x
	[ "$output" = "x $version" ]
	volt-image store="$PWD/store" words x kernel >words
	run -0 timeout -k 1 600 volt-kvm @./words initrd="$(initrd)" boot_timeout=400s -- \
		busybox uname -r
	[ "$output" = "$version" ]
}

@test "linux: pmem=: a root by DAX, of which the guest has no copy" {
	need_kernel
	mkdir -p root/{bin,dev,proc,sys,etc,tmp,run}
	cp "$(command -v busybox)" root/bin/busybox
	ln -s busybox root/bin/sh
	head -c 40M /dev/urandom >root/big
	truncate -s 64M disk
	mkfs.erofs packed.erofs root >/dev/null 2>&1
	mke2fs -q -t ext4 -d root lower 64M
	md5sum packed.erofs lower >sums
	run -0 guest memory=96M disk=disk pmem=packed.erofs root=pmem0 -- sh -c '
		busybox grep " / " /proc/mounts
		busybox md5sum <big
		busybox awk "/^Cached/ { print (\$2 < 20000) ? \"no copy\" : \$0 }" /proc/meminfo
		echo x 2>/dev/null >/etc/x || echo read-only
		busybox dd if=/dev/zero of=/dev/pmem0 bs=4096 count=1 2>/dev/null || echo refused
		busybox dd if=/big of=/dev/vda bs=1M oflag=direct 2>/dev/null'
	echo "$output"
	[[ "${lines[0]}" = *"erofs ro,"*dax=always* ]]
	[ "${lines[1]}" = "$(md5sum <root/big)" ]
	[ "${lines[2]}" = "no copy" ]
	[ "${lines[3]}" = read-only ]
	[ "${lines[4]}" = refused ]
	cmp -n $((40 << 20)) disk root/big # the disk was given what is in the file
	# Another file system; a layer over it; a second file.
	run -0 guest pmem=lower pmem=lower overlay=tmpfs -- sh -c '
		echo x >/etc/x; busybox cat /etc/x
		busybox mount -t ext4 -o ro /dev/pmem1 /tmp; busybox md5sum </tmp/big'
	[ "$output" = "x
$(md5sum <root/big)" ]
	md5sum -c --quiet sums
	# The file is cut off.
	guest pmem=packed.erofs -- sh -c 'echo up; while busybox md5sum <big; do :; done' \
		>out 2>err </dev/null 3>&- &
	wait_for grep -q up out
	truncate -s 8192 packed.erofs
	exits 125 "$!"
	cat err
	grep -q '^volt-kvm: the guest.*or a file of pmem= has become shorter$' err
}

@test "linux: a panic is 125, and the last lines of the console are shown" {
	need_kernel
	run -125 --separate-stderr guest initrd="$(initrd)" cmdline=panic=0 -- \
		sh -c 'echo c >/proc/sysrq-trigger'
	grep -q 'Kernel panic' <<<"$stderr"
	[ "${stderr_lines[-1]}" = "volt-kvm: the guest's kernel panicked" ]
	run -125 --separate-stderr guest initrd="$(initrd)" -- busybox poweroff -f
	[ "${stderr_lines[-1]}" = "volt-kvm: the guest powered off before the command ended" ]
	run -125 --separate-stderr guest modules=/none -- true
	[ "$stderr" = "volt-kvm: modules=/none: No such file or directory" ]
}

@test "linux: a chain goes on in the guest" {
	need_kernel
	machine_root
	run -5 --separate-stderr guest "${ROOT[@]}" -- \
		volt-ns -UmpniuC hostname=inner volt-init sh -c 'hostname; echo $$; exit 5'
	echo "$stderr"
	[ "$output" = "inner
2" ]
}

@test "linux: three guests at once" {
	need_kernel
	local i pids=() initrd

	initrd=$(initrd)
	for i in 1 2 3; do
		volt-kvm memory=128M kernel="$KERNEL" initrd="$initrd" -- \
			sh -c "echo guest $i; exit $i" >"out$i" 2>"err$i" </dev/null 3>&- &
		pids+=("$!")
	done
	for i in 1 2 3; do
		exits "$i" "${pids[i - 1]}"
		[ "$(cat "out$i")" = "guest $i" ]
	done
}

@test "linux: console=pty is a terminal in the guest with the size of ours" {
	need_kernel
	need script -V
	: >in
	run -0 timeout 300 script -qefc "stty rows 33 cols 77
		volt-kvm kernel=$KERNEL initrd=$(initrd) console=pty -- sh -c 'busybox stty size
		busybox tty; test -t 0 && test -t 1 && test -t 2 && echo all'" typescript <in
	echo "$output"
	tr -d '\r' <typescript | grep -qx '33 77'
	tr -d '\r' <typescript | grep -qx '/dev/pts/0'
	tr -d '\r' <typescript | grep -qx all
	# At the end of input the command reads an end of file.
	printf 'line\nend' >in
	guest initrd="$(initrd)" console=pty -- sh -c 'cat; echo; echo over
		while :; do echo again; done' <in | tr -d '\r' | sed '/^over/q' >out
	grep -qx 'line' out
	[ "$(grep -o end out | wc -l)" = 2 ] # one is the echo
}

@test "linux: join=: commands in a living guest, with streams, signals and status of their own" {
	need_kernel
	local i client pids=()

	volt-kvm kernel="$KERNEL" initrd="$(initrd)" control=s boot_timeout=400s -- sh -c '
		trap "exit 4" TERM; mkdir -p /tmp/copy; echo ready; while :; do sleep 1; done' \
		>out 2>err </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	wait_for test -S s
	# It waits until the guest has started.
	run -3 --separate-stderr guest_join chdir=/bin env=A="b c" -- \
		sh -c 'pwd; echo "$A" "$HOME"; cat; echo error >&2; exit 3' <<<input
	echo "$output" "$stderr"
	[ "$output" = "/bin
b c /root
input" ]
	[ "$stderr" = error ]
	run -127 --separate-stderr guest_join none
	[ "$stderr" = "volt-guest: exec none: No such file or directory" ]
	run -125 --separate-stderr guest_join chdir=/none true
	[ "$stderr" = "volt-guest: chdir=/none: No such file or directory" ]
	exec {fd}>ended
	run -137 guest_join status="$fd" sh -c 'kill -9 $$'
	exec {fd}>&-
	[ "$(cat ended)" = "signal 9" ]
	# Copies, in and out.
	mkdir -p from to
	head -c 3M /dev/urandom >from/bytes
	ln -s bytes from/link
	tar -C from -c . | guest_join busybox tar x -C /tmp/copy
	guest_join busybox tar c -C /tmp/copy . | tar -C to -x
	diff -r from to
	[ "$(readlink to/link)" = bytes ]
	# Several at once.
	for i in 1 2 3; do
		guest_join sh -c "cat >/tmp/$i; sleep 1; cat /tmp/$i /tmp/$i >&2; exit $i" \
			<<<"input $i" 2>"err$i" 3>&- &
		pids+=("$!")
	done
	for i in 1 2 3; do
		exits "$i" "${pids[i - 1]}"
		[ "$(cat "err$i")" = "input $i
input $i" ]
	done
	# A signal; a reader that leaves; a client that is killed.
	volt-kvm join=s sh -c 'trap "echo got it; exit 9" USR1; echo set
		while :; do sleep 1; done' >heard </dev/null 3>&- &
	client=$!
	started+=("$client")
	wait_for grep -q set heard
	kill -USR1 "$client"
	exits 9 "$client"
	grep -qx 'got it' heard
	guest_join sh -c 'while :; do echo line; done' </dev/null | head -n 1 >line
	[ "${PIPESTATUS[0]}" = 141 ]
	volt-kvm join=s sh -c 'trap "" HUP; echo on; sleep 4711' >killed </dev/null 3>&- &
	client=$!
	wait_for grep -q on killed
	kill -9 "$client"
	exits 137 "$client"
	wait_for state_is joins 0
	# What a command leaves behind goes on, and its place is free.
	run -0 guest_join sh -c '(trap "" HUP; sleep 4712) </dev/null >/dev/null 2>&1 &'
	run -0 guest_join ps
	grep -q 'sleep 4712' <<<"$output"
	# A terminal.
	run -0 timeout 300 script -qefc "stty rows 33 cols 77
		volt-kvm join=s console=pty -- sh -c 'busybox stty size; busybox tty'" \
		typescript </dev/null
	tr -d '\r' <typescript | grep -qx '33 77'
	tr -d '\r' <typescript | grep -qx '/dev/pts/0'
	# The end of the first command is the guest's.
	guest_join sleep 1000 2>last </dev/null 3>&- &
	client=$!
	wait_for state_is joins 1
	sleep 2
	run -0 volt-kvm control=s signal=TERM
	exits 4 "$pid"
	exits 125 "$client"
	cat last
	grep -qE '^volt-kvm: join=s: the guest (has ended|did not say how the command ended)$' last
	[ ! -e s ]
}

@test "linux: a disk that grows, and a disk with a limit, while the guest runs" {
	need_kernel
	truncate -s 8M disk
	volt-kvm kernel="$KERNEL" initrd="$(initrd)" disk=disk control=s -- sh -c '
		trap "exit 4" TERM; while :; do sleep 1; done' >out 2>err </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	wait_for test -S s
	run -0 guest_join cat /sys/block/vda/size
	[ "$output" = 16384 ]
	truncate -s 16M disk
	run -0 volt-kvm control=s grow=vda
	run -0 guest_join sh -c 'while [ "$(cat /sys/block/vda/size)" != 32768 ]; do sleep 1; done
		busybox dd if=/dev/vda bs=1M skip=15 2>/dev/null | busybox wc -c'
	[ "$output" = 1048576 ]
	[ "$(state vda.reads)" -gt 0 ]
	# 4 MiB at 1 MiB each second, of which the first is free.
	run -0 volt-kvm control=s rate=vda:bytes=1M
	run -0 guest_join sh -c 'echo 3 >/proc/sys/vm/drop_caches
		a=$(busybox cut -d. -f1 /proc/uptime)
		busybox dd if=/dev/vda of=/dev/null bs=64k count=64
		b=$(busybox cut -d. -f1 /proc/uptime); echo $((b - a))'
	echo "$output"
	[ "${lines[-1]}" -ge 2 ]
	run -0 volt-kvm control=s rate=vda signal=TERM
	exits 4 "$pid"
}

@test "linux: a guest takes memory from the balloon, and the host gets back what it has freed" {
	need_kernel
	local pid in full

	initrd=$(initrd)
	mkfifo fifo
	# The file has more room than the balloon leaves: no process is killed for that.
	volt-kvm kernel="$KERNEL" memory=256M balloon=160M initrd="$initrd" -- sh -c '
		head -c 100000000 /dev/zero >/tmp/x; echo full; read line
		rm /tmp/x; echo empty; read line' <fifo >out 2>err 3>&- &
	pid=$!
	started+=("$pid")
	exec {in}>fifo
	wait_for grep -q ^full out || wait_for grep -q ^full out
	full=$(rss "$pid")
	[ "$full" -gt 100 ]
	echo >&"$in"
	wait_for grep -q ^empty out
	wait_for rss_below "$pid" $((full - 50))
	echo >&"$in"
	exec {in}>&-
	exits 0 "$pid"
	cat out err
}

@test "linux: vsock= connects both ways, all bytes arrive, and ends are noticed" {
	need_kernel
	machine_root
	vsock_servers
	guest vsock=v memory=384M "${ROOT[@]}" -- \
		python3 -c "$(cat "$TOP/tests/helpers/vsock.py")" guest >out 2>err </dev/null 3>&- &
	started+=("$!")
	pid=$!
	wait_for grep -q listening out || wait_for grep -q listening out
	run -0 vsock send v 52 3000000
	echo "$output"
	cat out err
	[ "${lines[1]}" = "3000000 bytes, right" ]
	exits 0 "$pid"
	[ "$(cat out)" = "echoed
two hundred
ConnectionResetError
listening
2" ]
	[ ! -e v ]
}

# alone CMD ...: run CMD in a network namespace of its own.
alone() {
	timeout -k 1 400 unshare -n sh -c 'ip link set lo up && "$@"' sh "$@"
}

@test "linux: a tap: addresses, gateway and resolvers in the guest" {
	need_kernel
	need_root
	need test -e /dev/net/tun
	head -c 1500000 /dev/urandom >data
	# As in many images: a symlink to a file that only a running system has.
	mkdir etc
	ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
	{ cat "$(initrd)" && find etc | cpio -o -H newc --quiet; } >linked.cpio
	cat >guest.sh <<-'EOF'
		busybox ip route; cat /etc/resolv.conf
		cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range
		busybox ping -c 2 -W 30 10.199.0.1 >/dev/null && echo four
		busybox ping6 -c 2 -W 30 fd00:199::1 >/dev/null && echo six
		ls /sys/class/net/eth0/queues
		busybox nc 10.199.0.1 7000 </dev/null >/one &
		busybox nc 10.199.0.1 7000 </dev/null >/two
		wait
		cat /one /two | md5sum
	EOF
	cat >host.sh <<-'EOF'
		set -e
		ip tuntap add dev kvm0 mode tap vnet_hdr multi_queue
		ip addr add 10.199.0.1/24 dev kvm0
		ip addr add fd00:199::1/64 dev kvm0 nodad
		ip link set kvm0 up
		timeout 300 socat -U TCP-LISTEN:7000,fork OPEN:data,rdonly &
		"$@" cpus=2 tap=kvm0 ip=10.199.0.2/24 gw=10.199.0.1 ip=fd00:199::2/64 \
			gw=fd00:199::1 dns=10.199.0.1,10.199.0.3 -- sh -c "$(cat guest.sh)"
		kill $! || true
	EOF
	run -0 --separate-stderr alone sh host.sh volt-kvm -v kernel="$KERNEL" initrd=linked.cpio
	echo "$output" "$stderr"
	# The test in a jail, below, is the one without vhost-net.
	: </dev/vhost-net
	grep -qx 'volt-kvm: packets by vhost-net' <<<"$stderr"
	grep -q '^default via 10.199.0.1' <<<"$output"
	grep -qx 'nameserver 10.199.0.3' <<<"$output"
	[[ $output == *"
0
0	2147483647
"* ]]
	grep -qx four <<<"$output"
	grep -qx six <<<"$output"
	[[ $output == *$'\nrx-0\nrx-1\ntx-0\ntx-1\n'* ]]
	[ "${lines[-1]}" = "$(cat data data | md5sum)" ]
	run -125 --separate-stderr volt-kvm kernel="$KERNEL" ip=10.0.0.1/24 -- true
	[ "$stderr" = "volt-kvm: ip=: no tap=" ]
}

@test "linux: behind volt-net -t, volt-cg and a jail the guest reaches the host and beyond" {
	need_kernel
	need_root
	need test -e /dev/net/tun
	# shellcheck source=tests/helpers/net.bash
	. "$TOP/tests/helpers/net.bash"
	world_begin
	serve "$INET" TCP4 80
	mkdir -p jail/dev
	cp "$KERNEL" jail/kernel
	cp "$(initrd)" jail/initrd
	cp -a "/lib/modules/$(uname -r)" jail/modules
	# shellcheck disable=SC2016 # the guest's shell expands it
	run --separate-stderr h timeout -k 1 400 volt-net -t queues=4 dns=192.0.2.53 \
		volt-cg memory.max=1G pids.max=64 \
		volt-ns -mpiuC root=jail ro=/ bind=/dev/kvm:/dev/kvm:dev volt-init \
		volt-lock fs.ro=/kernel,/initrd,/modules fs.dev=/dev/kvm seccomp=strict caps=none \
		volt-kvm cpus=2 kernel=/kernel initrd=/initrd modules=/modules -- sh -c '
			gw=$(busybox ip route | busybox sed -n "s/^default via \([^ ]*\).*/\1/p")
			busybox ping -c 2 -W 30 "$gw" >/dev/null && echo "reached the gateway"
			echo hello | busybox timeout 300 busybox nc 192.0.2.2 80
			cat /etc/resolv.conf; ls /sys/class/net/eth0/queues; exit 9'
	echo "$status $output" "$stderr"
	[ "$status" = 9 ]
	[ "$output" = "reached the gateway
192.0.2.1
nameserver 192.0.2.53
rx-0
rx-1
tx-0
tx-1" ]
}

# --- shares -----------------------------------------------------------------

need_virtiofsd() {
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || lacks virtiofsd
	need volt-ns -U true
}

# no_daemon: no process serves a share any more.
no_daemon() {
	! pgrep -f '^/virtiofsd --fd='
}

@test "words: share= and root=DIR" {
	local k word shares=() i

	k=$(tiny pvh)
	mkdir -p src 'a:b' root
	: >file
	for word in share=src share=src: share=src:x share=:/x; do
		run -125 --separate-stderr volt-kvm kernel=/none "$word" true
		[ "$stderr" = "volt-kvm: $word: not SRC:DST, with DST from the guest's /" ]
	done
	for word in share=src:/x:rx share=src:/x:ro:rw share=src:/x:: root=./src:ext4; do
		run -125 --separate-stderr volt-kvm kernel=/none "$word" true
		[ "$stderr" = "volt-kvm: $word: ro, rw or suid" ]
	done
	for i in {1..8}; do
		shares+=("share=src:/$i")
	done
	run -125 --separate-stderr volt-kvm kernel=/none "${shares[@]}" share=src:/9 true
	[ "$stderr" = "volt-kvm: share=src:/9: too many; 8 at the most" ]
	run -125 --separate-stderr volt-kvm kernel="$k" virtiofsd=/bin/true share=none:/x
	[ "$stderr" = "volt-kvm: share=none: No such file or directory" ]
	run -125 --separate-stderr volt-kvm kernel="$k" virtiofsd=/bin/true share=file:/x
	[ "$stderr" = "volt-kvm: share=file: Not a directory" ]
	run -125 --separate-stderr volt-kvm kernel="$k" virtiofsd=./none share=src:/x
	[ "$stderr" = "volt-kvm: virtiofsd=./none: No such file or directory" ]
	run -0 volt-kvm -N kernel="$k" virtiofsd=/bin/true "${shares[@]}" root=./root -- true
	described() {
		volt-kvm -N kernel="$k" virtiofsd=/bin/true "$@" -- true 2>&1 |
			sed -n 's/^volt-kvm: \(share\|root\) //p'
	}
	[ "$(described 'share=a\:b:/c\:d:ro' share=src:/x)" = "a:b, read-only
src
the initramfs" ]
	[ "$(described root=./root)" = "./root, read-only" ]
	[ "$(described root=./root:rw)" = ./root ]
}

@test "linux: shares are read and written, and their owners are right" {
	need_kernel
	need_virtiofsd
	need_root
	mkdir -p rw 'r:o/deep' home
	echo input >rw/in
	echo kept >'r:o/deep/kept'
	chown 1000:1001 home
	head -c 3M /dev/urandom >rw/large
	# shellcheck disable=SC2016 # the guest's sh expands it
	run -0 --separate-stderr guest initrd="$(initrd)" share="rw:/mnt/a/b" 'share=r\:o:/ro:ro' \
		share="$PWD/home:/home" -- busybox sh -c '
			for i in grep cp mv ln chmod chown mkdir touch tar find wc sync; do
				ln -s busybox /bin/$i; done
			cat /mnt/a/b/in /ro/deep/kept; md5sum /mnt/a/b/large
			cp /mnt/a/b/large /mnt/a/b/copy; echo out >/mnt/a/b/out
			touch /ro/x 2>&1; echo x >/ro/deep/kept
			stat -c "%u:%g %n" /home; touch /home/root /home/user
			chown 1000:1001 /home/user; chmod 640 /home/user
			ln -s /etc/shadow /home/link; mv /home/root /home/moved
			mkdir -p /etc; echo "user:x:1000:1000::/:/bin/sh" >/etc/passwd
			busybox su user -c "echo mine >/home/mine"
			chmod 4755 /home/user; busybox mknod /home/node c 1 3
			grep virtiofs /proc/mounts'
	echo "$output" "$stderr"
	[ "$output" = "input
kept
$(md5sum <rw/large | sed 's,-,/mnt/a/b/large,')
touch: /ro/x: Read-only file system
1000:1001 /home
share0 /mnt/a/b virtiofs rw,nosuid,nodev,relatime 0 0
share1 /ro virtiofs ro,nosuid,nodev,relatime 0 0
share2 /home virtiofs rw,nosuid,nodev,relatime 0 0" ]
	cmp rw/large rw/copy
	[ "$(cat rw/out 'r:o/deep/kept')" = "out
kept" ]
	[ "$(cd home && stat -c '%u:%g %a %n' moved user mine)" = "0:0 644 moved
1000:1001 640 user
1000:1000 644 mine" ]
	[ "$(readlink home/link)" = /etc/shadow ]
	[ ! -e home/node ]
	wait_for no_daemon
}

@test "linux: many small files in a share, as of a checkout" {
	need_kernel
	need_virtiofsd
	local i

	mkdir -p src out
	for i in {1..24}; do
		mkdir -p "src/d$((i % 8))/e$((i % 3))"
		head -c $((RANDOM % 9000)) /dev/urandom >"src/d$((i % 8))/e$((i % 3))/f$i"
		ln -s "f$i" "src/d$((i % 8))/e$((i % 3))/l$i"
	done
	run -0 --separate-stderr guest initrd="$(initrd)" share=src:/src:ro share=out:/out -- \
		busybox sh -c '
		cd /out && busybox tar -C /src -cf - . | busybox tar -xf - &&
		busybox find . -type f ! -name sums | busybox sort |
		busybox xargs busybox md5sum >sums &&
		for i in 1 2 3; do busybox mv d$i g$i && busybox rm -r g$i || exit; done
		busybox find . -type l | busybox wc -l
		cd /src; busybox md5sum -c /out/sums | busybox grep -vc OK\$ || :'
	echo "$output" "$stderr"
	[ "$output" = "15
0" ]
	diff -r src out | sort >differ
	[ "$(cat differ)" = "Only in out: sums
Only in src: d1
Only in src: d2
Only in src: d3" ]
}

@test "linux: shares of an ordinary user, with and without subordinate IDs" {
	need_kernel
	need_virtiofsd
	need_root
	as_user test -w /dev/kvm || chmod 666 /dev/kvm
	user_dir
	local by command

	cp "$(initrd)" "$USER_DIR/initrd"
	cp "$KERNEL" "$USER_DIR/kernel"
	chmod 644 "$USER_DIR/initrd" "$USER_DIR/kernel"
	mkdir "$USER_DIR/shared"
	command='cd /s; id -u; cat in; echo root >root
		busybox mkdir -p /etc; echo "user:x:1000:1000::/:/bin/sh" >/etc/passwd
		busybox chmod 777 .; busybox su user -c "echo user >user; busybox mkdir dir"
		stat -c "%u:%g %n" in root user dir'
	for by in as_user as_subid_user; do
		rm -rf "$USER_DIR/shared"
		mkdir "$USER_DIR/shared"
		echo "$by" >"$USER_DIR/shared/in"
		chown -R "$TEST_UID:$TEST_UID" "$USER_DIR/shared"
		run -0 --separate-stderr "$by" timeout -k 1 600 volt-kvm kernel="$USER_DIR/kernel" \
			modules="/lib/modules/$(uname -r)" initrd="$USER_DIR/initrd" \
			boot_timeout=400s share="$USER_DIR/shared:/s" -- busybox sh -c "$command"
		echo "$output" "$stderr"
		if [ "$by" = as_user ]; then
			[ "$output" = "0
as_user
0:0 in
0:0 root
0:0 user
0:0 dir" ]
			[ "$(stat -c %u "$USER_DIR"/shared/*)" = \
				"$(printf '%s\n' "$TEST_UID"{,,,})" ]
		else
			[ "$output" = "0
as_subid_user
0:0 in
0:0 root
1000:1000 user
1000:1000 dir" ]
			[ "$(stat -c %u "$USER_DIR"/shared/*)" = "1000000999
$TEST_UID
$TEST_UID
1000000999" ]
		fi
	done
}

@test "linux: a directory as the root: changes in memory, to it, or none" {
	need_kernel
	need_virtiofsd
	local root

	root=$(copy_root)
	run -0 --separate-stderr guest root="$root" -- sh -c 'echo x >/etc/new && cat /etc/new
		rm /etc/passwd; busybox grep " / " /proc/mounts'
	echo "$output" "$stderr"
	[ "${lines[0]}" = x ]
	[[ ${lines[1]} == "overlay / overlay "* ]]
	[ -e "$root/etc/passwd" ]
	[ ! -e "$root/etc/new" ]
	run -0 --separate-stderr guest root="$root:ro" -- sh -c 'echo x >/etc/new || exit 0'
	[ "$stderr" = "sh: can't create /etc/new: Read-only file system" ]
	run -0 --separate-stderr guest root="$root:rw" -- sh -c 'echo x >/etc/new'
	[ -z "$stderr" ]
	[ "$(cat "$root/etc/new")" = x ]
	wait_for no_daemon
}

@test "linux: a Debian root from a directory" {
	need_kernel
	need_virtiofsd
	need_root_deb
	run -0 --separate-stderr guest memory=384M root="$ROOT_DEB" -- bash -c '
		cat /etc/debian_version; dpkg-query -W -f "\${Status}\n" bash
		echo x >/root/kvm-test
		stat -c "%u:%g %a" /etc/shadow /usr/bin/passwd; su -s /bin/sh nobody -c "id -un"
		md5sum </usr/bin/dpkg'
	echo "$output" "$stderr"
	[ "$output" = "$(cat "$ROOT_DEB/etc/debian_version")
install ok installed
0:42 640
0:0 4755
nobody
$(md5sum <"$ROOT_DEB/usr/bin/dpkg")" ]
	[ ! -e "$ROOT_DEB/root/kvm-test" ]
}

@test "attack: a share: hostile FUSE messages" {
	need_kvm
	need_virtiofsd
	mkdir shared
	printf content >shared/file
	echo canary >canary
	ln -s "$PWD/canary" shared/link
	mkfifo shared/fifo
	mknod shared/null c 1 3 2>/dev/null || true
	run -0 --separate-stderr timeout 300 volt-kvm memory=64M kernel="$(tiny attack_fs)" \
		share=shared:/x </dev/null
	echo "$output" "$stderr"
	[ "${lines[-1]}" = "all ok" ]
	run ! grep -q '^not ok' <<<"$output"
	[ -z "$stderr" ]
	[ "$(cat canary)" = canary ]
	[ "$(stat -c %a canary)" = 644 ]
	[ "$(cd shared && echo *)" = "fifo file group link made new null" ] || [ ! -e shared/null ]
	[ "$(stat -c '%a %F' shared/new shared/made)" = "755 regular empty file
777 symbolic link" ]
	[ -z "$(find . -perm /6000 ! -name group)" ]
}

@test "host: shares of a guest in a jail" {
	need_kvm
	need_virtiofsd
	need_root
	local flags idmap usr=("bind=/usr:/usr:ro,rec" "bind=/lib:/lib:ro,rec"
		"bind=/lib64:/lib64:ro,rec,try")

	mkdir -p shared jail/{dev,proc,sys,usr,lib,lib64,shared}
	printf content >shared/file
	echo canary >canary
	cp "$(tiny attack_fs)" jail/kernel
	for flags in -mpniuC -UmpniuC; do
		idmap=
		[ "$flags" = -mpniuC ] || idmap=:idmap
		rm -rf shared
		mkdir shared
		printf content >shared/file
		ln -s "$PWD/canary" shared/link
		mkfifo shared/fifo
		run --separate-stderr timeout 300 volt-ns "$flags" root=jail ro=/ "${usr[@]}" \
			bind=/dev/kvm:/dev/kvm:dev bind="shared:/shared$idmap" volt-init \
			volt-kvm memory=64M kernel=/kernel share=/shared:/x
		echo "$flags $output" "$stderr"
		# With -U, the container's root may lack the right to open the host's /dev/kvm.
		[ "${output##*$'\n'}" = "all ok" ] ||
			[[ "$flags $stderr" == -U*"/dev/kvm (the group"* ]]
	done
}

@test "attack: a daemon that lies" {
	need_kvm
	need volt-ns -U true
	local k lie share="volt-kvm: share=shared" now="each access is an I/O error now"

	k=$(tiny attack_lie)
	mkdir shared
	lied() {
		echo "$1" >shared/lie
		run --separate-stderr timeout 300 volt-kvm memory=64M virtiofsd="$(helper lie)" \
			kernel="$k" share=shared:/x </dev/null
		echo "$1: $status" "$output" "$stderr"
	}
	for lie in exit close; do
		lied "$lie"
		[ "$status $stderr" = "125 volt-kvm: share=shared: the daemon did not start" ]
	done
	for lie in short huge other features; do
		lied "$lie"
		[ "$status $stderr" = "125 volt-kvm: share=shared: the daemon: Protocol error" ]
	done
	lied refuse
	[ "$status $stderr" = "125 volt-kvm: share=shared: the daemon: Remote I/O error" ]
	for lie in none descriptors acks truncate; do
		lied "$lie"
		[ "$status$stderr $output" = "0 an answer
an answer
all ok" ]
	done
	for lie in id middle idle long many little twice unique length error low; do
		lied "$lie"
		[ "$status $output" = "0 an I/O error
an I/O error
all ok" ]
		[ "$stderr" = "$share: an answer of the daemon makes no sense; $now" ]
	done
	for lie in scribble die; do
		lied "$lie"
		[ "$status $output" = "0 an I/O error
an I/O error
all ok" ]
		[ "$stderr" = "$share: the daemon has ended; $now" ]
	done
	lied nothing
	[ "$status$stderr $output" = "0 an I/O error
an I/O error
all ok" ]
}

@test "linux: a daemon that is killed: one line, I/O errors, and nothing is left" {
	need_kernel
	need_virtiofsd
	mkdir shared
	echo x >shared/file
	volt-kvm kernel="$KERNEL" initrd="$(initrd)" share=shared:/s -- busybox sh -c '
		cat /s/file; while cat /s/file >/dev/null; do sleep 0.1; done; ls /s; echo end' \
		>out 2>err </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -qx x out
	kill -9 "$(pgrep -nf "^/virtiofsd --fd")"
	wait_for gone || kill -9 "$pid"
	exits 0 "$pid"
	cat err
	[ "$(cat out)" = "x
end" ]
	sed 's,^ls: .*: Input/,ls: Input/,' err | sort -u >lines
	[ "$(cat lines)" = "cat: can't open '/s/file': Input/output error
ls: Input/output error
volt-kvm: share=shared: the daemon has ended; each access is an I/O error now" ]
	wait_for no_daemon
	# If volt-kvm is killed, its daemons end too.
	volt-kvm kernel="$KERNEL" initrd="$(initrd)" share=shared:/s -- busybox sh -c \
		'cat /s/file; sleep 1000' >out 2>err </dev/null 3>&- &
	pid=$!
	started+=("$pid")
	wait_for grep -qx x out
	kill -9 "$pid"
	wait_for no_daemon
}
