#!/usr/bin/env bats
# What volt-net does and must not do: addresses, NAT, forwards, isolation, the plug,
# taps. Each test has its own namespaces for all of this; see helpers/net.bash.

bats_require_minimum_version 1.5.0

setup() {
	load lib
	load helpers/net
	cd "$BATS_TEST_TMPDIR" || return
	leftovers_begin
	need_root
}

teardown() {
	world_end
	end_test
}

# nothing_left: waits until the host has no interface of a lease, and no table but the
# bridge's.
nothing_left() {
	wait_for no_lease && wait_for no_forward
}

no_lease() {
	! h ip -br link | grep -q '^volt[0-9a-f]\{8\}'
}

no_forward() {
	! h nft list tables | grep -q 'volt[0-9a-f]\{8\}'
}

no_helper() {
	! marked_helpers | grep -q .
}

# marked_helpers: prints the PIDs of the helpers of this test's chains.
marked_helpers() {
	local pid

	for pid in $(marked); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != volt-net-helper ] ||
			echo "$pid"
	done
}

# --- words ----------------------------------------------------------------

@test "words: a wrong one is refused, with the word and the reason" {
	while IFS='|' read -r words message; do
		# shellcheck disable=SC2086 # several words
		run -125 --separate-stderr volt-net $words true
		echo "$words: $stderr"
		[ "$stderr" = "volt-net: $message" ]
	done <<-'EOF'
		mode=bridge|mode=bridge: not private, host or none
		subnet=10.88.0.0|subnet=10.88.0.0: not an IPv4 network from /8 to /30
		subnet=10.88.0.0/31|subnet=10.88.0.0/31: not an IPv4 network from /8 to /30
		subnet=10.88.0.0/7|subnet=10.88.0.0/7: not an IPv4 network from /8 to /30
		subnet=10.88.0.0/016|subnet=10.88.0.0/016: not an IPv4 network from /8 to /30
		subnet=10.88.0.1/16|subnet=10.88.0.1/16: bits are set after the prefix
		subnet=127.0.0.0/8|subnet=127.0.0.0/8: not a network for hosts
		subnet=224.0.0.0/8|subnet=224.0.0.0/8: not a network for hosts
		subnet6=fd00::/97|subnet6=fd00::/97: not an IPv6 network from /8 to /96
		subnet6=fd00::1/64|subnet6=fd00::1/64: bits are set after the prefix
		subnet6=fe80::/64|subnet6=fe80::/64: not a network for hosts
		ip=10.88.0|ip=10.88.0: not an IPv4 address
		port=80|port=80: [IP:]HOST:GUEST[/tcp|udp]
		port=0:80|port=0:80: ports are 1 to 65535, or a range
		port=80:65536|port=80:65536: ports are 1 to 65535, or a range
		port=080:80|port=080:80: ports are 1 to 65535, or a range
		port=90-80:90-80|port=90-80:90-80: ports are 1 to 65535, or a range
		port=80-90:80|port=80-90:80: the ranges differ in size
		port=80:80/sctp|port=80:80/sctp: the protocol is tcp or udp
		port=1.2.3:80:80|port=1.2.3:80:80: not an IPv4 address
		port=[::1:80:80|port=[::1:80:80: no address in [ ]
		port=[1.2.3.4]:80:80|port=[1.2.3.4]:80:80: no IPv6 address in [ ]
		port=[::1]:80:80|port=[::1]:80:80: nothing can be forwarded from ::1
		dns=one.one.one.one|dns=one.one.one.one: not an IP address
		dns=1.1.1.1,|dns=1.1.1.1,: not an IP address
		search=a/b|search=a/b: not a domain
		hosts=db|hosts=db: NAME:IP
		hosts=d/b:10.0.0.1|hosts=d/b:10.0.0.1: NAME:IP
		isolate=maybe|isolate=maybe: not yes or no
		mtu=1279|mtu=1279: at least 1280, for IPv6
		mtu=65536|mtu=65536: number too large
		rate=10M|rate=10M: in:SIZE, out:SIZE or both
		rate=up:10M|rate=up:10M: in:SIZE, out:SIZE or both
		rate=in:999|rate=in:999: 1000 bytes a second to 4G
		rate=in:4G|rate=in:4G: 1000 bytes a second to 4G
		-t queues=17|queues=17: number too large
		queues=2|queues= needs -t
		-td|-t and -d do not go together: a tap needs no namespace
		-t hosts=a:1.1.1.1|hosts= cannot be passed on with -t
		-r|-r takes no command
		mode=none port=80:80|port= needs mode=private
		mode=host subnet=10.0.0.0/8|subnet= needs mode=private
		mode=host -t|-t needs mode=private
	EOF
	range=port=1000-2000:3000-4000
	run -125 --separate-stderr volt-net $range true
	[ "$stderr" = "volt-net: $range: a range to other numbers has at most 256 ports" ]
	run -125 --separate-stderr volt-net mode=none -d true
	[ "$stderr" = "volt-net: -d needs mode=private; \
a volt-ns -n alone makes a namespace with loopback" ]
	for name in "" all default ../../x br.5 sixteen-letters- volt0a580002; do
		run -125 --separate-stderr volt-net "bridge=$name" true
		[ "$stderr" = "volt-net: bridge=$name: not the name of a bridge: \
1 to 15 of a-z A-Z 0-9 _ -" ]
	done
}

@test "words: a newline or a very long value is refused" {
	run -125 volt-net search=$'a\nnameserver 6.6.6.6' true
	run -125 volt-net hosts=$'a\nb:1.1.1.1' true
	run -125 volt-net hosts=$'a:1.1.1.1\n' true
	run -125 volt-net bridge=$'a\nb' true
	long=$(head -c 60000 /dev/zero | tr '\0' a)
	for word in bridge= search= "hosts=" dns= port= subnet= ip= rate=; do
		run -125 volt-net "$word$long" true
	done
	words=()
	for i in {1..65}; do words+=("port=$i:$i"); done
	run -125 --separate-stderr volt-net "${words[@]}" true
	[ "$stderr" = "volt-net: port=65:65: too many forwards" ]
}

@test "dry run: says what would be done, and does nothing" {
	world_begin
	run -0 --separate-stderr h volt-net -N port=8080:80 rate=out:1M false
	[[ $stderr == *"bridge voltbr0 10.88.0.1/16 fd76:6f6c:a58::1, mtu 1500"* ]]
	[[ $stderr == *"a veth pair, address the next free one, isolated"*"forward 8080:80"* ]]
	[[ $stderr == *"forward 8080:80"*"1048576 bytes a second out" ]]
	[ -z "$(h ip link show type bridge)" ]
	[ -z "$(h nft list tables)" ]
}

# --- the network ----------------------------------------------------------

@test "private: an address and a way out; the outside sees the host's address" {
	world_begin
	chain
	[[ $ip == 10.88.* ]]
	at "$pid" ip -br addr | grep -q "^lo .*127.0.0.1/8 ::1/128"
	at "$pid" ip -4 addr show dev eth0 | grep -q "inet $ip/16 brd 10.88.255.255"
	[ "$(at "$pid" ip route show default)" = "default via 10.88.0.1 dev eth0 " ]
	reach "$pid" 10.88.0.1
	reach "$pid" 192.0.2.2
	serve "$INET" TCP4 80
	serve "$INET" UDP4 53
	[ "$(ask "$pid" TCP4 192.0.2.2 80)" = 192.0.2.1 ]
	[ "$(ask "$pid" UDP4 192.0.2.2 53)" = 192.0.2.1 ]
}

@test "private: IPv6 too; the name of the interface encodes the address" {
	world_begin
	chain ip=10.88.1.2
	[ "$ip" = 10.88.1.2 ]
	[ "$iface" = volt0a580102 ]
	at "$pid" ip -6 addr show dev eth0 | grep -q "inet6 fd76:6f6c:a58::102/64"
	[ "$(at "$pid" cat /sys/class/net/eth0/address)" != 02:76:0a:58:01:02 ] # our /sys
	at "$pid" ip -br link show eth0 | grep -q 02:76:0a:58:01:02
	reach "$pid" fd76:6f6c:a58::1
	reach "$pid" 2001:db8:2::2
	serve "$INET" TCP6 80
	[ "$(ask "$pid" TCP6 '[2001:db8:2::2]' 80)" = "[2001:0db8:0002:0000:0000:0000:0000:0001]" ]
	reach "$HOST" "$ip"
	reach "$HOST" fd76:6f6c:a58::102
}

@test "private: the command is in the same process, and there is no other process" {
	world_begin
	# shellcheck disable=SC2016 # expanded by those sh
	run -0 h sh -c \
		'echo $$; exec volt-net sh -c "echo \$\$; env | grep VOLT_; ls /proc/self/fd"'
	[ "${lines[0]}" = "${lines[1]}" ]
	inside=${lines[*]:2}
	run -0 h sh -c 'ls /proc/self/fd' # the descriptors that bats leaves open
	[ "$inside" = "${lines[*]}" ]
	run -7 h volt-net sh -c 'exit 7'
	run -127 h volt-net ./none
	chain
	no_helper
}

@test "private: ports below 1024 are free, all groups may ping, and routers are ignored" {
	world_begin
	chain
	[ "$(at "$pid" cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 0 ]
	[ "$(at "$pid" cat /proc/sys/net/ipv4/ping_group_range)" = "0	2147483647" ]
	[ "$(at "$pid" cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" = 0 ]
	[ "$(h cat /proc/sys/net/ipv6/conf/voltbr0/accept_ra)" = 0 ]
}

# The user namespace has one group; all groups; a map in pieces; a map with its pieces
# in another order, of which only the larger one can be set.
@test "private: an ordinary user in the chain can ping" {
	world_begin
	user=(setpriv --reuid 33 --regid 33 --clear-groups --inh-caps=-all --no-new-privs)
	[ "$(h sh -c 'cat /proc/sys/net/ipv4/ping_group_range')" = "1	0" ]
	run -0 h volt-net "${user[@]}" ping -n -c 1 -W 5 10.88.0.1
	run -0 h volt-net mode=none "${user[@]}" ping -n -c 1 -W 5 127.0.0.1
	while read -r range map; do
		echo "$map"
		words=()
		for piece in $map; do words+=("gidmap=$piece"); done
		run -0 h volt-net -d volt-ns -Un uidmap=0:100000:65536 "${words[@]}" \
			sh -c 'cat /proc/sys/net/ipv4/ping_group_range'
		[ "$output" = "${range/-/	}" ]
		[[ $map != *:65536 && $map != *" "* ]] || run -0 h volt-net -d volt-ns -Un \
			uidmap=0:100000:65536 "${words[@]}" "${user[@]}" ping -n -c 1 -W 5 10.88.0.1
	done <<-'EOF'
		0-0 0:1000:1
		0-65535 0:100000:65536
		1000-65535 0:100000:1000 1000:1000:1 1001:101000:64535
		1-100 0:200000:1 1:100000:100
	EOF
}

@test "private: a setting that cannot be made in the new namespace is reported" {
	world_begin
	run -0 h volt-net true
	for form in "volt-net mode=none" "volt-net" "volt-net -d volt-ns -n"; do
		run -0 --separate-stderr h unshare -m sh -ec '
			mount --bind /proc/sys /proc/sys
			mount -o remount,bind,ro /proc/sys
			exec $1 echo fine' sh "$form"
		[ "$output" = fine ]
		case $form in *volt-ns*) name=volt-ns ;; *) name=volt-net ;; esac
		[ "$stderr" = "$name: /proc/sys/net/ipv4/ping_group_range stays as it is: \
Read-only file system" ]
	done
}

@test "loopback that cannot be brought up is an error" {
	need strace -qq -o /dev/null true
	world_begin
	run -125 --separate-stderr h strace -qq -o /dev/null \
		--inject=ioctl:error=EPERM:when=1 volt-net mode=none true
	[ "$stderr" = "volt-net: loopback: Operation not permitted" ]
	for call in socket ioctl; do
		run -125 --separate-stderr h strace -qq -o /dev/null \
			"--inject=$call:error=EPERM" volt-ns -n true
		[ "$stderr" = "volt-ns: loopback: Operation not permitted" ]
	done
}

@test "private: the host still accepts router advertisements where it did" {
	world_begin
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra
		echo 0 >/proc/sys/net/ipv6/conf/up1/accept_ra'
	run -0 h volt-net true
	[ "$(h cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
	[ "$(h cat /proc/sys/net/ipv6/conf/up0/accept_ra)" = 2 ]
	[ "$(h cat /proc/sys/net/ipv6/conf/up1/accept_ra)" = 0 ]
}

@test "private: the MTU is that of the uplink, or of mtu=" {
	world_begin
	h ip link set up0 mtu 1400
	chain
	at "$pid" ip link show eth0 | grep -q "mtu 1400"
	h ip link show "$iface" | grep -q "mtu 1400"
	h ip link show voltbr0 | grep -q "mtu 1400"
	at "$pid" ping -n -c 1 -W 5 -M "do" -s 1372 10.88.0.1
	chain mtu=9000
	at "$pid" ip link show eth0 | grep -q "mtu 9000"
}

@test "private: another subnet, without IPv6; later chains take it from the bridge" {
	world_begin
	chain bridge=apps subnet=10.7.0.0/24 subnet6=none
	[[ $ip == 10.7.0.* ]]
	run -0 at "$pid" ip -6 addr show dev eth0 scope global
	[ -z "$output" ]
	reach "$pid" 192.0.2.2
	chain bridge=apps
	[[ $ip == 10.7.0.* ]]
	run -125 --separate-stderr h volt-net bridge=apps subnet=10.8.0.0/24 true
	[ "$stderr" = "volt-net: subnet=: bridge apps has 10.7.0.1/24 already" ]
	run -125 --separate-stderr h volt-net bridge=apps subnet6=fd00:1::/64 true
	[ "$stderr" = "volt-net: subnet6=: bridge apps has no IPv6" ]
	chain bridge=six subnet=10.9.0.0/24 subnet6=fd00:9::/64
	reach "$pid" fd00:9::1
	at "$pid" ip -6 addr show dev eth0 | grep -q "inet6 fd00:9::"
	run -125 --separate-stderr h volt-net bridge=six subnet6=none true
	[ "$stderr" = "volt-net: subnet6=: bridge six has fd00:9::1/64 already" ]
}

@test "private: an existing bridge is used as it is" {
	world_begin
	h ip link add br7 type bridge
	h ip addr add 10.70.0.254/24 dev br7
	h ip link set br7 up
	chain bridge=br7
	[[ $ip == 10.70.0.* ]]
	[ "$(at "$pid" ip route show default)" = "default via 10.70.0.254 dev eth0 " ]
	reach "$pid" 192.0.2.2
	run -125 --separate-stderr h volt-net -r bridge=br7
	[ "$stderr" = "volt-net: bridge br7: not made by volt-net" ]
	run -125 --separate-stderr h volt-net bridge=up0 true
	[ "$stderr" = "volt-net: bridge=up0: an interface that is no bridge" ]
}

@test "private: if the host or its new interfaces have no IPv6, the chain has none" {
	world_begin
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	chain port=8080:80
	serve "$pid" TCP4 80
	reach "$pid" 192.0.2.2
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 8080)" = 198.51.100.2 ]
	run -0 at "$pid" ip -6 addr show dev eth0 scope global
	[ -z "$output" ]
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
	chain bridge=apps subnet=10.9.0.0/24
	reach "$pid" 192.0.2.2
	run -125 --separate-stderr h volt-net bridge=b6 subnet=10.10.0.0/24 subnet6=fd00::/64 true
	[ "$stderr" = "volt-net: subnet6=: the host has no IPv6" ]
}

@test "private: two give a bridge different subnets at once, and the loser leaves nothing" {
	world_begin
	for i in {1..8}; do
		run h sh -c "volt-net bridge=r$i subnet=10.20.$i.0/24 true &
			volt-net bridge=r$i subnet=10.21.$i.0/24 true & wait"
		echo "$output"
		h ip -o addr show dev "r$i" scope global
		[ "$(h ip -4 -o addr show dev "r$i" | wc -l)" = 1 ]
		[ "$(h ip -6 -o addr show dev "r$i" scope global | wc -l)" = 1 ]
	done
}

@test "private: a subnet that the host has a route to is refused" {
	world_begin
	chain
	run -125 --separate-stderr h volt-net bridge=apps true
	[ "$stderr" = "volt-net: subnet=10.88.0.0/16: \
the host has a route to 10.88.0.0/16 by voltbr0; name another by subnet=" ]
	run -125 --separate-stderr h volt-net bridge=apps subnet=192.0.0.0/16 true
	[ "$stderr" = "volt-net: subnet=192.0.0.0/16: \
the host has a route to 192.0.2.0/24 by up0; name another by subnet=" ]
	run -125 --separate-stderr h volt-net bridge=apps subnet=10.9.0.0/24 \
		subnet6=2001:db8:3::/64 true
	[ "$stderr" = "volt-net: subnet6=2001:db8:3::/64: \
the host has a route to 2001:db8:3::/64 by up1; name another by subnet6=" ]
	run ! h ip link show apps
	# A part of a wider network may be taken.
	h ip route add 10.0.0.0/8 via 192.0.2.2
	chain bridge=apps subnet=10.9.0.0/24
	reach "$pid" 192.0.2.2
}

@test "mode=none: loopback only; mode=host: nothing changes" {
	world_begin
	run -0 h volt-net mode=none ip -br addr
	[ "${#lines[@]}" = 1 ]
	[[ ${lines[0]} == "lo "*127.0.0.1/8* ]]
	before=$(h ip -br link)
	run -0 h volt-net mode=host readlink /proc/self/ns/net
	[ "$output" = "$(h readlink /proc/self/ns/net)" ]
	run -0 --separate-stderr h volt-net -v mode=host true
	[[ $stderr == *"mode=host: the network is the host's"* ]]
	[ "$(h ip -br link)" = "$before" ]
}

# --- leases ---------------------------------------------------------------

@test "leases: ip= takes the address, once" {
	world_begin
	chain ip=10.88.0.9
	run -125 --separate-stderr h volt-net ip=10.88.0.9 true
	[ "$stderr" = "volt-net: ip=10.88.0.9: in use" ]
	for bad in 10.88.0.0 10.88.0.1 10.88.255.255 10.89.0.2; do
		run -125 --separate-stderr h volt-net "ip=$bad" true
		[ "$stderr" = "volt-net: ip=$bad: no address for a chain in 10.88.0.0/16" ]
	done
}

@test "leases: a /30 has one address, and then is full" {
	world_begin
	chain subnet=10.30.0.0/30
	[ "$ip" = 10.30.0.2 ]
	reach "$pid" 192.0.2.2
	run -125 --separate-stderr h volt-net true
	[ "$stderr" = "volt-net: subnet 10.30.0.0/30 is full: addresses in use: 1" ]
	kill -KILL "$pid"
	wait_for h volt-net true
}

@test "leases: the next chain can have the address and ports of one that just ended; -r works" {
	world_begin
	root=$(copy_root)
	users_tun
	for form in "ip=10.88.0.9" "ip=10.88.0.9 port=8080:80 port=8080:80/udp" \
		"-t ip=10.88.0.9 port=8080:80" \
		"-d ip=10.88.0.9 port=8080:80 volt-ns -Umpn root=$root volt-init" \
		"bridge=small subnet=10.30.0.0/30 port=53:53/udp"; do
		for i in {1..10}; do
			echo "$form: $i"
			# shellcheck disable=SC2086 # several words
			run -0 h volt-net $form true
			[ -z "$output" ]
		done
	done
	# The old helper keeps the table, for its own port, a moment longer.
	for i in {1..10}; do
		run -0 h volt-net ip=10.88.0.9 "port=$((8000 + i)):80" true
		[ -z "$output" ]
	done
	for i in {1..10}; do
		run -0 h sh -c 'volt-net bridge=gone subnet=10.9.0.0/24 true &&
			volt-net -r bridge=gone'
		[ -z "$output" ]
	done
}

@test "leases: an address is in use while any process is in the namespace" {
	world_begin
	chain ip=10.88.0.9
	nsenter -t "$pid" -n sleep 3600 3>&- </dev/null &
	world+=("$!")
	wait_for same_network "$pid" "$!"
	kill -KILL "$pid"
	run -125 --separate-stderr h volt-net ip=10.88.0.9 true
	[ "$stderr" = "volt-net: ip=10.88.0.9: in use" ]
	run -125 --separate-stderr h volt-net -r
	[ "$stderr" = "volt-net: bridge voltbr0: in use by 1" ]
}

# same_network PID PID: are these two processes in the same network namespace?
same_network() {
	[ "$(readlink "/proc/$1/ns/net")" = "$(readlink "/proc/$2/ns/net")" ]
}

@test "leases: a /28 gives thirteen different ones" {
	world_begin
	for i in {1..13}; do
		chain subnet=10.28.0.0/28
		echo "$ip" >>ips
	done
	[ "$(sort -u ips | wc -l)" = 13 ]
}

@test "leases: an address whose name another interface has is skipped" {
	world_begin
	h ip link add volt0a1e0002 type veth peer name other
	run -125 --separate-stderr h volt-net subnet=10.30.0.0/30 true
	[ "$stderr" = "volt-net: subnet 10.30.0.0/30 is full: addresses in use: 1" ]
	run -125 --separate-stderr h volt-net -t true
	[ "$stderr" = "volt-net: subnet 10.30.0.0/30 is full: addresses in use: 1" ]
	h ip link del other
	run -0 h volt-net true
}

@test "leases: a hundred at once have a hundred addresses" {
	world_begin
	mkdir out
	# shellcheck disable=SC2016 # expanded by those sh
	h sh -c '
		for i in $(seq 100); do
			volt-net sh -c "ip -4 -o addr show dev eth0 >out/$i.new
				mv out/$i.new out/$i
				until [ -e go ]; do sleep 0.3; done" &
		done
		n=0
		until [ $(ls out | grep -vc new) = 100 ] || [ $n = 600 ]; do
			sleep 0.1; n=$((n + 1))
		done
		volt-net >list
		touch go
		wait' 3>&-
	[ "$(awk '{ print $4 }' out/* | sort -u | wc -l)" = 100 ]
	[ "$(grep -c '^lease' list)" = 100 ]
	[ "$(grep -c '^bridge' list)" = 1 ]
	[ "$(h nft list tables | wc -l)" = 1 ]
	[ "$(h nft list ruleset | grep -c masquerade)" = 5 ]
	nothing_left
}

# --- forwards -------------------------------------------------------------

@test "forwards: TCP from outside, from the host, from other chains and from the chain itself" {
	world_begin
	chain port=8080:80
	a=$pid a_ip=$ip
	serve "$a" TCP4 80
	# The server sees the client's own address.
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 8080)" = 198.51.100.2 ]
	[ "$(ask "$INET" TCP4 192.0.2.1 8080)" = 192.0.2.2 ]
	[ "$(ask "$HOST" TCP4 127.0.0.1 8080)" = 10.88.0.1 ]
	[ "$(ask "$HOST" TCP4 192.0.2.1 8080)" = 192.0.2.1 ]
	[ "$(ask "$HOST" TCP4 "$a_ip" 80)" = 10.88.0.1 ]
	[ "$(ask "$a" TCP4 192.0.2.1 8080)" = 10.88.0.1 ]
	chain
	[ "$(ask "$pid" TCP4 192.0.2.1 8080)" = 10.88.0.1 ]
	[ "$(ask "$pid" TCP4 10.88.0.1 8080)" = 10.88.0.1 ]
	# The other chain does not reach the port directly.
	[[ $(ask "$pid" TCP4 "$a_ip" 80) == *connect* ]] # an error
}

@test "forwards: UDP, IPv6, several" {
	world_begin
	chain port=53:5353/udp port=8080:80 port=9000-9002:7000-7002 port=6000-6999:6000-6999
	serve "$pid" UDP4 5353
	serve "$pid" TCP6 80
	serve "$pid" TCP4 7002
	serve "$pid" TCP4 6543
	[ "$(ask "$CLIENT" UDP4 198.51.100.1 53)" = 198.51.100.2 ]
	[ "$(ask "$HOST" UDP4 127.0.0.1 53)" = 10.88.0.1 ]
	[ "$(ask "$CLIENT" TCP6 '[2001:db8:3::1]' 8080)" = \
		"[2001:0db8:0003:0000:0000:0000:0000:0002]" ]
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 9002)" = 198.51.100.2 ]
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 6543)" = 198.51.100.2 ]
	[ "$(h volt-net | awk '/^lease/ { print $12 }')" = \
		53:5353/udp,8080:80,9000-9002:7000-7002,6000-6999:6000-6999 ]
}

# from_host4: the forwards 8080:80 and 5300:53/udp work from the host, by each of its IPv4
# addresses. The servers use IPv6, and see mapped addresses.
from_host4() {
	local addr gw="[0000:0000:0000:0000:0000:ffff:0a58:0001]"

	for addr in 127.0.0.1 127.0.0.2 10.88.0.1; do
		[ "$(ask "$HOST" TCP4 "$addr" 8080)" = "$gw" ]
		[ "$(ask "$HOST" UDP4 "$addr" 5300)" = "$gw" ]
	done
	[ "$(ask "$HOST" TCP4 192.0.2.1 8080)" = "[0000:0000:0000:0000:0000:ffff:c000:0201]" ]
	[ "$(ask "$HOST" TCP4 192.0.2.1 8080,bind=127.0.0.1)" = "$gw" ]
	[ "$(ask "$HOST" UDP4 192.0.2.1 5300)" = "[0000:0000:0000:0000:0000:ffff:c000:0201]" ]
}

@test "forwards: from each address of the host, or refused at once" {
	world_begin
	chain port=8080:80 port=5300:53/udp port=0.0.0.0:81:80 port=192.0.2.1:82:80
	serve "$pid" TCP6 80
	serve "$pid" UDP6 53
	from_host4
	for addr in 2001:db8:2::1 fd76:6f6c:a58::1; do
		[[ $(ask "$HOST" TCP6 "[$addr]" 8080) == "["*:0001] ]]
		[[ $(ask "$HOST" UDP6 "[$addr]" 5300) == "["*:0001] ]]
	done
	[[ $(ask "$HOST" TCP6 '[::1]' 8080) == *"Connection refused" ]]
	[[ $(ask "$HOST" UDP6 '[::1]' 5300) == *"Connection refused" ]]
	[[ $(ask "$HOST" TCP6 '[::1]' 8080,bind=[2001:db8:2::1]) == *"Connection refused" ]]
	[[ $(ask "$HOST" TCP6 '[2001:db8:2::1]' 81) == *"Connection refused" ]]
	[[ $(ask "$HOST" TCP4 127.0.0.1 82) == *"Connection refused" ]]
	# From outside, and from a chain, by a link-local address.
	local=$(h ip -6 -o addr show dev up1 scope link | awk '{ sub("/.*", "", $4); print $4 }')
	[[ $(ask "$CLIENT" TCP6 "[$local%eth0]" 8080) == *"Connection refused" ]]
	[[ $(ask "$CLIENT" UDP6 "[$local%eth0]" 5300) == *"Connection refused" ]]
	[[ $(ask "$pid" TCP6 '[fe80::76:aff:fe58:1%eth0]' 8080) == *"Connection refused" ]]
}

@test "forwards: from each IPv4 address if the chain or the host has no IPv6" {
	world_begin
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	chain port=8080:80 port=5300:53/udp
	serve "$pid" TCP6 80
	serve "$pid" UDP6 53
	from_host4
	[[ $(ask "$HOST" TCP6 '[::1]' 8080) == *"Connection refused" ]]
	[[ $(ask "$HOST" UDP6 '[::1]' 5300) == *"Connection refused" ]]
	[[ $(ask "$HOST" TCP6 '[2001:db8:2::1]' 8080) == *"Connection refused" ]]
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
	from_host4
}

@test "forwards: from one address of the host only" {
	world_begin
	chain port=127.0.0.1:8080:80 port=198.51.100.1:81:80 port=[2001:db8:3::1]:82:80
	serve "$pid" TCP4 80
	[ "$(ask "$HOST" TCP4 127.0.0.1 8080)" = 10.88.0.1 ]
	[[ $(ask "$CLIENT" TCP4 198.51.100.1 8080) == *refused* ]]
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 81)" = 198.51.100.2 ]
	[[ $(ask "$INET" TCP4 192.0.2.1 81) == *refused* ]]
	chain port=0.0.0.0:83:80 'port=[::]:84:81'
	serve "$pid" TCP4 80
	serve "$pid" TCP6 81
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 83)" = 198.51.100.2 ]
	[ "$(ask "$HOST" TCP4 127.0.0.1 83)" = 10.88.0.1 ]
	[[ $(ask "$CLIENT" TCP6 '[2001:db8:3::1]' 83) == *refused* ]]
	[ "$(ask "$CLIENT" TCP6 '[2001:db8:3::1]' 84)" = \
		"[2001:0db8:0003:0000:0000:0000:0000:0002]" ]
	[[ $(ask "$CLIENT" TCP4 198.51.100.1 84) == *refused* ]]
	run -125 --separate-stderr h volt-net port=203.0.113.1:80:80 true
	[ "$stderr" = "volt-net: port=203.0.113.1:80:80: the host has no such address" ]
}

@test "forwards: a port in use or forwarded is an error; no server can take a forwarded port" {
	world_begin
	serve "$HOST" TCP4 8080
	run -125 --separate-stderr h volt-net port=8080:80 true
	[ "$stderr" = \
		"volt-net: port=8080:80: port 8080 of the host is in use or forwarded already" ]
	run -125 h volt-net port=8000-8100:8000-8100 true
	run -0 h volt-net port=8080:80/udp true
	chain port=8081:80
	run -125 --separate-stderr h volt-net port=8081:80 true
	[ "$stderr" = \
		"volt-net: port=8081:80: port 8081 of the host is in use or forwarded already" ]
	run -125 h volt-net port=127.0.0.1:8081:80 true
	run ask "$HOST" TCP4-LISTEN 8081 # another server
	run -1 h socat -u TCP4-LISTEN:8081 /dev/null
	[[ $output == *"Address already in use"* ]]
	kill -KILL "$pid"
	wait_for h volt-net port=8081:80 true
}

@test "forwards: a port that is in use is refused, for each address, family and protocol" {
	world_begin
	taken() {
		run -125 --separate-stderr h volt-net "port=$1" true
		echo "$stderr"
		[ "$stderr" = \
			"volt-net: port=$1: port $2 of the host is in use or forwarded already" ]
	}
	serve "$HOST" UDP4 5300
	serve "$HOST" UDP6 5301,ipv6only
	serve "$HOST" TCP6 8081,ipv6only
	serve "$HOST" TCP4 8082 192.0.2.1
	serve "$HOST" TCP4 8083 127.0.0.1
	taken 5300:53/udp 5300
	taken 5301:53/udp 5301
	taken 8081:80 8081
	taken 8082:80 8082
	taken 0.0.0.0:8082:80 8082
	taken 192.0.2.1:8082:80 8082
	taken 8083:80 8083
	taken 8079-8083:8079-8083 8081
	# The port is free at another address. The same holds for another chain's ports.
	chain port=198.51.100.1:8082:80 port=192.0.2.1:8084:80 port=8085:80/udp \
		'port=[2001:db8:2::1]:8086:80'
	taken 8084:80 8084
	taken 192.0.2.1:8084:80 8084
	taken 0.0.0.0:8085:80/udp 8085
	taken '[::]:8085:80/udp' 8085
	taken 8086:80 8086
	run -0 h volt-net port=8085:80 port=198.51.100.1:8084:80 port=0.0.0.0:8086:80 true
	# No socket can bind one of ours, whatever its options.
	for listen in UDP4-LISTEN:8085,reuseaddr,reuseport UDP6-LISTEN:8085,reuseaddr,reuseport \
		TCP4-LISTEN:8084,reuseaddr,reuseport TCP6-LISTEN:8086,ipv6only,reuseaddr,reuseport \
		TCP4-LISTEN:8084,bind=192.0.2.1,reuseaddr \
		UDP4-RECV:8085,bind=127.0.0.1,reuseaddr; do
		run -1 h socat -u "$listen" /dev/null
		echo "$output"
		[[ $output == *"Address already in use"* ]]
	done
}

@test "forwards: they end with the command, and nothing waits for the helper" {
	world_begin
	out=$(h timeout 60 volt-net port=8080:80 echo ended)
	[ "$out" = ended ]
	# The helper closes the caller's descriptors, whatever their numbers.
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 h bash -c 'ulimit -n 6000 && exec 5000>/dev/full &&
		exec volt-net port=8080:80 sh -c "
			helper=\$(pgrep --ns $1 --nslist net volt-net-helper)
			ls -l /proc/\$helper/fd"' bash "$HOST" 3>&-
	[[ $output == *socket:* ]]
	[[ $output != */dev/full* ]]
	nothing_left
	wait_for no_helper
}

# talk OUT PID udp|tcp ADDR PORT: keeps sending from one socket, writes the answers to OUT.
talk() {
	nsenter -t "$2" -n -- python3 "$TOP/tests/helpers/talk.py" "${@:3}" 3>&- </dev/null >>"$1" &
	world+=("$!")
}

# answered FILE ...: waits for a new answer in each file.
answered() {
	local file

	for file; do
		: >"$file"
		wait_for grep -qv ^error: "$file"
	done
}

# tracked PATTERN: prints the connections that the host tracks, as
# "PROTO TO:PORT FROM:PORT ID".
tracked() {
	h python3 "$TOP/tests/helpers/track.py" | grep -E "$1"
}

untracked() {
	! tracked "$1"
}

@test "forwards: a client that keeps sending reaches the next chain; others do not change" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	chain port=5301:53/udp
	serve "$pid" UDP4 53
	first=$(marked_helpers)
	serve "$INET" UDP4 5300
	at "$INET" ip route add 198.51.100.0/24 via 192.0.2.1
	talk other "$CLIENT" udp 198.51.100.1 5301
	talk through "$CLIENT" udp 192.0.2.2 5300
	answered other through
	others=$(tracked '^udp (198.51.100.1:5301|192.0.2.2:5300) ')
	[ "$(wc -l <<<"$others")" = 2 ]
	for i in 1 2 3; do
		chain "ip=10.88.0.1$i" port=5300:53/udp
		serve "$pid" UDP6 53
		server=${world[-1]}
		[ "$i" != 1 ] || {
			talk udp4 "$CLIENT" udp 198.51.100.1 5300
			talk udp6 "$CLIENT" udp 2001:db8:3::1 5300
			talk host "$HOST" udp 127.0.0.1 5300
		}
		answered udp4 udp6 host
		# A helper that is killed forgets nothing, but the next one does.
		[ "$i" != 2 ] || kill -KILL "$(marked_helpers | grep -vx "$first")"
		v4=" $ip:53 " v6=" $(six "$pid"):53 "
		tracked "$v4" && tracked "$v6"
		kill -KILL "$pid" "$server"
		[ "$i" = 2 ] || wait_for untracked "$v4|$v6"
	done
	[ "$(tracked '^udp (198.51.100.1:5301|192.0.2.2:5300) ')" = "$others" ]
}

@test "forwards: a connection to a chain that has ended is reset" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	chain ip=10.88.0.11 port=8080:80
	for listen in TCP4-LISTEN:80 TCP6-LISTEN:80,ipv6only; do
		nsenter -t "$pid" -n socat "$listen,reuseaddr" PIPE 3>&- </dev/null &
		world+=("$!")
	done
	wait_for at "$pid" sh -c '[ "$(ss -Hltn | grep -c :80)" = 2 ]'
	talk tcp4 "$CLIENT" tcp 198.51.100.1 8080
	talk tcp6 "$CLIENT" tcp 2001:db8:3::1 8080
	answered tcp4 tcp6
	# Now no packet can tell the clients that the chain has ended.
	at "$pid" ip link set eth0 down
	kill -KILL "$pid"
	wait_for grep -q "Connection reset by peer" tcp4
	wait_for grep -q "Connection reset by peer" tcp6
}

@test "forwards: the host's loopback is not reached through them" {
	world_begin
	serve "$HOST" TCP4 9090 127.0.0.1
	chain port=8080:80
	[ "$(h cat /proc/sys/net/ipv4/conf/voltbr0/route_localnet)" = 1 ]
	at "$pid" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'
	at "$pid" ip addr del 127.0.0.1/8 dev lo
	at "$pid" ip route add 127.0.0.1 via 10.88.0.1 dev eth0
	[[ $(ask "$pid" TCP4 127.0.0.1 9090) == *connect* ]] # an error
	[ "$(ask "$HOST" TCP4 127.0.0.1 9090)" = 127.0.0.1 ]
	# The host's ::1 is not reached either.
	serve "$HOST" TCP6 9090 '[::1]'
	at "$pid" ip addr del ::1/128 dev lo
	at "$pid" ip -6 route add ::1 via fd76:6f6c:a58::1 dev eth0
	[[ $(ask "$pid" TCP6 '[::1]' 9090) == *connect* ]]
	[ "$(ask "$HOST" TCP6 '[::1]' 9090)" = "[0000:0000:0000:0000:0000:0000:0000:0001]" ]
	# Nor does it help that a restarting firewall has flushed all rules.
	h nft flush ruleset
	[[ $(ask "$pid" TCP4 127.0.0.1 9090) == *connect* ]]
}

@test "forwards: more ports than the caller may have descriptors" {
	world_begin
	for form in "" "-d port=5000:5000 volt-ns -n"; do
		# shellcheck disable=SC2086 # several words
		run -0 h sh -c 'ulimit -Sn 64; exec volt-net port=6000-6199:6000-6199 "$@"' sh \
			$form sh -c 'ulimit -Sn'
		[ "$output" = 64 ]
	done
	nothing_left
	wait_for no_helper
	run -125 --separate-stderr h sh -c \
		'ulimit -n 64; exec volt-net port=6000-6199:6000-6199 true'
	[ "$stderr" = "volt-net: port=6000-6199:6000-6199: Too many open files" ]
}

@test "forwards: without a helper to hold them the command does not start" {
	world_begin
	run -0 h volt-net true
	user_dir
	users_tun
	# Making a tap needs no other privilege. The second fork(2) exceeds the limit.
	run -125 h prlimit --nproc=2 setpriv --reuid 64321 --regid 64321 --clear-groups \
		--inh-caps=+net_admin,+bpf --ambient-caps=+net_admin,+bpf -- \
		"$USER_DIR/bin/volt-net" -t port=8080:80 echo started
	echo "$output"
	[[ ${lines[0]} == "volt-net: helper: "* ]]
	[[ $output != *started* ]]
	nothing_left
}

@test "forwards: without port= there is no route_localnet and no helper" {
	world_begin
	chain
	[ "$(h cat /proc/sys/net/ipv4/conf/voltbr0/route_localnet)" = 0 ]
	no_forward
}

# --- who reaches whom -----------------------------------------------------

@test "isolation: chains do not reach each other unless both have isolate=no" {
	world_begin
	chain
	a=$pid a_ip=$ip
	chain
	b=$pid b_ip=$ip
	refused "$a" "$b_ip"
	# Nor through the host, which could route.
	mac=$(h ip -br link show voltbr0 | awk '{ print $3 }')
	at "$a" ip neigh replace "$b_ip" lladdr "$mac" dev eth0
	refused "$a" "$b_ip"
	refused "$a" "$(six "$b")"
	chain isolate=no
	c=$pid c_ip=$ip
	refused "$c" "$a_ip"
	refused "$a" "$c_ip"
	chain isolate=no
	reach "$pid" "$c_ip"
	reach "$c" "$ip"
	for p in "$a" "$b" "$c"; do
		reach "$p" 10.88.0.1
		reach "$p" 192.0.2.2
	done
}

@test "isolation: with one isolate=no, not by link-local addresses or multicast either" {
	world_begin
	chain
	a=$pid
	chain isolate=no
	c=$pid
	# The host is still reached by these.
	reach "$a" fe80::76:aff:fe58:1%eth0
	reach "$c" fe80::76:aff:fe58:1%eth0
	refused "$a" "$(six "$c" link)%eth0"
	refused "$c" "$(six "$a" link)%eth0"
	# The bridge looks at the hardware address only, whatever IP address is in the frame.
	mac=$(at "$c" ip -br link show eth0 | awk '{ print $3 }')
	at "$c" ip addr add 169.254.1.1/16 dev eth0
	at "$a" ip route add 169.254.1.1 dev eth0
	at "$a" ip neigh replace 169.254.1.1 lladdr "$mac" dev eth0
	nsenter -t "$c" -n socat -u UDP4-RECV:7000 OPEN:one,creat 3>&- </dev/null &
	world+=("$!")
	nsenter -t "$c" -n socat -u UDP4-RECV:7001,ip-add-membership=224.0.0.251:eth0 \
		OPEN:many,creat 3>&- </dev/null &
	world+=("$!")
	nsenter -t "$HOST" -n socat -u UDP4-RECV:7002,ip-add-membership=224.0.0.251:voltbr0 \
		OPEN:host,creat 3>&- </dev/null &
	world+=("$!")
	wait_for at "$c" sh -c 'ss -Hlun | grep -q :7000 && ss -Hlun | grep -q :7001'
	wait_for at "$HOST" sh -c 'ss -Hlun | grep -q :7002'
	at "$a" ip route add 224.0.0.0/4 dev eth0
	echo x | at "$a" socat -u - UDP4-DATAGRAM:169.254.1.1:7000
	echo x | at "$a" socat -u - UDP4-DATAGRAM:224.0.0.251:7001
	echo x | at "$a" socat -u - \
		UDP4-DATAGRAM:255.255.255.255:7000,broadcast,so-bindtodevice=eth0
	echo x | at "$a" socat -u - UDP4-DATAGRAM:224.0.0.251:7002
	wait_for test -s host
	[ ! -s one ] && [ ! -s many ]
}

@test "isolation: not between bridges, and not from outside by a route" {
	world_begin
	chain
	a=$pid a_ip=$ip
	chain bridge=other subnet=10.99.0.0/24 isolate=no
	refused "$pid" "$a_ip"
	refused "$a" "$ip"
	at "$INET" ip route add 10.88.0.0/16 via 192.0.2.1
	at "$INET" ip -6 route add fd76:6f6c:a58::/64 via 2001:db8:2::1
	refused "$INET" "$a_ip"
	refused "$INET" "$(six "$a")"
	reach "$a" 192.0.2.2
}

@test "host: a chain reaches only the bridge's addresses of the host" {
	world_begin
	chain bridge=other subnet=10.99.0.0/24
	o=$pid
	chain port=8080:80
	a=$pid a_ip=$ip
	chain isolate=no
	serve "$HOST" TCP4 9090
	serve "$HOST" TCP6 9091
	serve "$HOST" UDP4 9092
	serve "$HOST" UDP6 9093
	for p in "$a" "$pid"; do
		for addr in 192.0.2.1 10.99.0.1 10.99.0.255 2001:db8:2::1 \
			2001:db8:2:: fd76:6f6c:a63::1; do
			refused "$p" "$addr"
		done
		[ "$(ask "$p" TCP4 10.88.0.1 9090)" = "$(four "$p")" ]
		[[ $(ask "$p" TCP6 '[fd76:6f6c:a58::1]' 9091) == "[fd76:6f6c:0a58:"* ]]
	done
	[ "$(ask "$a" UDP4 10.88.0.1 9092)" = "$a_ip" ]
	[[ $(ask "$a" UDP6 '[fe80::76:aff:fe58:1%eth0]' 9093) == "[fe80:"* ]]
	[[ $(ask "$a" TCP4 192.0.2.1 9090) == *"Connection timed out" ]]
	[[ $(ask "$a" TCP6 '[2001:db8:2::1]' 9091) == *"Connection timed out" ]]
	[ -z "$(ask "$a" UDP4 192.0.2.1 9092)" ]
	[ -z "$(ask "$a" UDP6 '[2001:db8:2::1]' 9093)" ]
	# The other bridge's chain reaches its own; all others reach what they did before.
	reach "$o" 10.99.0.1
	refused "$o" 10.88.0.1
	[ "$(ask "$CLIENT" TCP4 192.0.2.1 9090)" = 198.51.100.2 ]
	[ "$(ask "$HOST" TCP4 10.88.0.1 9090)" = 10.88.0.1 ]
	# Connections from the host are answered, from any address; so are forwards.
	serve "$a" TCP4 80
	serve "$a" UDP6 81
	[ "$(ask "$HOST" TCP4 "$a_ip" "80,bind=192.0.2.1")" = 192.0.2.1 ]
	[[ $(ask "$HOST" UDP6 "[$(six "$a")]" "81,bind=[2001:db8:2::1]") == "[2001:0db8:0002:"* ]]
	[ "$(ask "$o" TCP4 192.0.2.1 8080)" = 10.88.0.1 ]
	[ "$(ask "$a" TCP4 192.0.2.1 8080)" = 10.88.0.1 ]
	# Another address of the bridge is reached too.
	h ip addr add 169.254.20.10/32 dev voltbr0
	reach "$a" 169.254.20.10
}

@test "host: the rules of an older volt-net are replaced" {
	world_begin
	h nft add table inet volt-voltbr0 '{ comment "volt-net 10.88.0.0/16 fd76:6f6c:a58::/64"; }'
	chain
	refused "$pid" 192.0.2.1
	reach "$pid" 10.88.0.1
}

@test "host: other ports of an existing bridge reach what they did before" {
	world_begin
	h ip link add br7 type bridge
	h ip addr add 10.70.0.254/24 dev br7
	h ip link set br7 up
	cable "$HOST" port7 10.71.0.1/24 fd71::1/64 "$INET" eth7 10.70.0.9/24 fd71::2/64
	h ip link set port7 master br7
	chain bridge=br7
	at "$INET" ip route add 198.51.100.1 via 10.70.0.254
	reach "$INET" 198.51.100.1
	refused "$pid" 198.51.100.1
}

@test "spoofing: no other address and no other MAC gets out" {
	world_begin
	chain isolate=no
	a=$pid
	reach "$a" 10.88.0.1
	at "$a" ip addr add 10.88.77.77/16 dev eth0
	run -1 at "$a" ping -n -c 1 -W 1 -I 10.88.77.77 10.88.0.1
	at "$a" ip addr add fd76:6f6c:a58::7777/64 dev eth0 nodad
	run -1 at "$a" ping -n -c 1 -W 1 -I fd76:6f6c:a58::7777 fd76:6f6c:a58::1
	# Its own addresses still work.
	at "$a" ip addr del 10.88.77.77/16 dev eth0
	at "$a" ip addr del fd76:6f6c:a58::7777/64 dev eth0
	reach "$a" 10.88.0.1
	reach "$a" fd76:6f6c:a58::1
	at "$a" ip link set eth0 address 02:76:0a:58:77:77
	refused "$a" 10.88.0.1
}

@test "spoofing: ARP, neighbour and router messages for others, and odd frames" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	chain isolate=no
	# Each line says what was sent, and whether it arrived at the host.
	run -0 at "$pid" python3 "$TOP/tests/helpers/spoof.py" "$ip" "$pid" "$HOST" "$iface"
	echo "$output"
	[ "$output" = "own ip4: passed
other ip4: dropped
other mac: dropped
own arp: passed
arp for the gateway: dropped
arp of another mac: dropped
own ip6: passed
other ip6: dropped
router advertisement: dropped
redirect: dropped
own neighbour: passed
neighbour for the gateway: dropped
hop-by-hop: dropped
a fragment: passed
echo in a fragment: passed
a later fragment: passed
router advertisement in a fragment: dropped
neighbour in a fragment: dropped
hop-by-hop in a fragment: dropped
fragment in a fragment: dropped
vlan: dropped
unknown type: dropped
short: dropped" ]
}

# --- behind volt-ns -------------------------------------------------------

@test "short form: volt-ns with a root has the resolvers, and the root is not written to" {
	world_begin
	world_resolv "nameserver 127.0.0.53" "nameserver 192.0.2.53" \
		"search example.org lan" "options edns0"
	root=$(copy_root)
	echo old >"$root/etc/resolv.conf"
	echo old >"$root/etc/hosts"
	run -0 h volt-net volt-ns -Umpu root="$root" cat /etc/resolv.conf /etc/hosts
	[ "$output" = "nameserver 192.0.2.53
search example.org lan
options edns0
old" ]
	run -0 h volt-net dns=1.1.1.1,2001:db8::53 search=a.example hosts=db:10.0.0.7 \
		hosts=db6:fd00::7 volt-ns -mpu root="$root" cat /etc/resolv.conf /etc/hosts
	[ "$output" = "nameserver 1.1.1.1
nameserver 2001:db8::53
search a.example
127.0.0.1	localhost
::1	localhost
10.0.0.7	db
fd00::7	db6" ]
	[ "$(cat "$root/etc/resolv.conf" "$root/etc/hosts")" = "old
old" ]
	run -0 h volt-net dns=1.1.1.1 volt-ns -m root="$root" sh -c '! echo x >/etc/resolv.conf'
	# The user's own bind is on top.
	echo mine >mine
	run -0 h volt-net volt-ns -m root="$root" \
		bind="$PWD/mine:/etc/resolv.conf" cat /etc/resolv.conf
	[ "$output" = mine ]
}

# linked DIR: makes its /etc/resolv.conf the symlink that images have.
linked() {
	mkdir -p "$1/run" "$1/tmp"
	rm -f "$1/etc/resolv.conf"
	ln -s ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
}

@test "resolvers: a dangling symlink is covered itself, and nothing is written" {
	world_begin
	world_resolv "nameserver 192.0.2.53"
	root=$(copy_root)
	linked "$root"
	before=$(cd "$root" && find . -printf '%p %y %l %s %T@\n' | sort)
	# shellcheck disable=SC2016 # expanded by that sh
	show='cat /etc/resolv.conf
		mkdir -p /run/systemd/resolve && echo other >/run/systemd/resolve/stub-resolv.conf
		cat /etc/resolv.conf; ! echo x >/etc/resolv.conf'
	for form in "volt-ns -m" "volt-ns -Um" "volt-ns -Ump" "-d volt-ns -UmpniuC" \
		"mode=host volt-ns -m"; do
		for words in "tmpfs=/run" "overlay=tmpfs" "overlay=tmpfs tmpfs=/run"; do
			echo "$form $words"
			# shellcheck disable=SC2086 # several words
			run -0 --separate-stderr h volt-net $form root="$root" $words sh -c "$show"
			[ "$output" = "nameserver 192.0.2.53
nameserver 192.0.2.53" ]
		done
	done
	# A full init system: volt-init mounts /run itself.
	for form in "volt-ns -mpnuiC" "volt-ns -UmpniuC"; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr h volt-net -d $form root="$root" volt-init -b sh -c "$show"
		[ "$output" = "nameserver 192.0.2.53
nameserver 192.0.2.53" ]
	done
	# The user's own bind is on top.
	echo mine >mine
	run -0 h volt-net volt-ns -m root="$root" tmpfs=/run \
		bind="$PWD/mine:/etc/resolv.conf" cat /etc/resolv.conf
	[ "$output" = mine ]
	[ "$(cd "$root" && find . -printf '%p %y %l %s %T@\n' | sort)" = "$before" ]
	ln -sfn "$PWD/canary" "$root/etc/resolv.conf"
	run -0 h volt-net volt-ns -m root="$root" cat /etc/resolv.conf
	[ "$output" = "nameserver 192.0.2.53" ]
	[ ! -e canary ] && [ ! -e "$root$PWD/canary" ]
}

@test "resolvers: a symlink is covered, for an ordinary user too" {
	user_dir
	cp -a "$ROOT_USER" "$USER_DIR/linked"
	linked "$USER_DIR/linked"
	for words in "tmpfs=/run" "tmpfs=/run volt-init" ""; do
		# shellcheck disable=SC2086 # several words
		run -0 as_user volt-net mode=host dns=192.0.2.53 volt-ns -Ump \
			root="$USER_DIR/linked" $words \
			cat /etc/resolv.conf
		[ "$output" = "nameserver 192.0.2.53" ]
	done
	rm -r "$USER_DIR/linked"
}

@test "resolvers: if the chain can reach none, that is reported, and none is invented" {
	world_begin
	world_resolv "nameserver 127.0.0.53" "search example.org"
	h mount -t tmpfs none /run
	root=$(copy_root)
	for form in "volt-net volt-ns -m" "volt-net -d volt-ns -Un -m"; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr h $form root="$root" cat /etc/resolv.conf
		[ "$stderr" = "volt-net: the chain can reach no resolver: name one by dns=" ]
		[ "$output" = "# no resolver is known
search example.org" ]
	done
	# Nothing is reported if no link uses the files, or if there is no network.
	for form in "volt-net cat /dev/null" "volt-net mode=none volt-ns -m root=$root true" \
		"volt-net dns=192.0.2.53 volt-ns -m root=$root true"; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr h $form
		[ -z "$output$stderr" ]
	done
	world_resolv "nameserver 127.0.0.53" "options edns0 trust-ad"
	h mkdir -p /run/systemd/resolve
	h sh -c 'echo nameserver 192.0.2.53 >/run/systemd/resolve/resolv.conf'
	run -0 h volt-net volt-ns -m root="$root" cat /etc/resolv.conf
	[ "$output" = "nameserver 192.0.2.53
options edns0" ]
	run -0 h volt-net mode=host volt-ns -m root="$root" cat /etc/resolv.conf
	[ "$output" = "nameserver 127.0.0.53
options edns0 trust-ad" ]
}

@test "resolvers: all that the host's file may contain" {
	world_begin
	h mount -t tmpfs none /run
	h mkdir -p /run/systemd/resolve
	root=$(copy_root)
	# resolv EXPECTED [WORD ...]: checks the chain's resolv.conf.
	resolv() {
		run -0 --separate-stderr h volt-net "${@:2}" volt-ns -m \
			root="$root" cat /etc/resolv.conf
		echo "$output" "$stderr"
		[ "$output" = "$1" ] && [ -z "$stderr" ]
	}
	world_resolv "# comment" "; another" "" "nameserver" "nameserver x" \
		"nameserver 192.0.2.300" \
		" nameserver 192.0.2.1" "nameservers 192.0.2.2" "#nameserver 192.0.2.3" \
		$'nameserver\t \t192.0.2.4 # the one\r' "search old.example" \
		"domain new.example and.more" \
		"options ndots:2 timeout:1" "options rotate ndots:2 ba/d" \
		"sortlist 10.0.0.0" "options trust-ad"
	resolv "nameserver 192.0.2.4
search new.example
options ndots:2 timeout:1 rotate trust-ad"
	# More than three, one of them twice, and a last line without a newline.
	printf 'nameserver 192.0.2.4\r\nnameserver 192.0.2.4\r\nsearch a b\r\n' >resolv.conf
	printf 'nameserver 2001:db8::%d\n' 5 6 7 8 >>resolv.conf
	printf 'domain x\nsearch .\noptions edns0' >>resolv.conf
	resolv "nameserver 192.0.2.4
nameserver 2001:db8::5
nameserver 2001:db8::6
nameserver 2001:db8::7
nameserver 2001:db8::8
search .
options edns0"
	# Without IPv6, the chain gets no IPv6 resolver. A word replaces the host's value.
	resolv "nameserver 192.0.2.4
search .
options edns0" bridge=four subnet=10.4.0.0/24 subnet6=none
	resolv "nameserver 192.0.2.9" dns=192.0.2.9
	resolv "nameserver 192.0.2.4
search my.example
options edns0" bridge=four search=my.example
	# The chain cannot reach some of these, and others only at the gateway.
	world_resolv "nameserver 127.0.0.1" "nameserver 0.0.0.0" "nameserver ::1" "nameserver ::" \
		"nameserver ::ffff:127.0.0.53" "nameserver fe80::1" "nameserver fe80::1%up0" \
		"nameserver 198.51.100.1" "nameserver 192.0.2.1" "nameserver 10.88.0.1" \
		"nameserver 2001:db8:3::1" \
		"nameserver 169.254.169.253" "search x" "options trust-ad"
	resolv "nameserver 10.88.0.1
nameserver fd76:6f6c:a58::1
nameserver 169.254.169.253
search x
options trust-ad"
	run -0 --separate-stderr h volt-net -v true
	[[ $stderr == *"volt-net: resolver 198.51.100.1 is the host itself: 10.88.0.1"* ]]
	serve "$HOST" UDP4 53
	[ "$(h volt-net sh -c 'echo x | socat -t 3 - UDP4:10.88.0.1:53')" != "" ]
	# With mode=host nothing changes.
	resolv "nameserver 127.0.0.1
nameserver 0.0.0.0
nameserver ::1
nameserver ::
nameserver ::ffff:127.0.0.53
nameserver fe80::1
nameserver fe80::1%up0
nameserver 198.51.100.1
nameserver 192.0.2.1
nameserver 10.88.0.1
nameserver 2001:db8:3::1
nameserver 169.254.169.253
search x
options trust-ad" mode=host
	# The host uses a stub: its options stay, but trust-ad was for the stub.
	world_resolv "nameserver 127.0.0.53" "options edns0 trust-ad ndots:1" "search stub.example"
	h sh -c 'echo "nameserver 192.0.2.7" >/run/systemd/resolve/resolv.conf'
	resolv "nameserver 192.0.2.7
search stub.example
options edns0 ndots:1"
	# A line that is too long, too many domains, a file that is too large.
	long=$(printf '%0300d' 7)
	world_resolv "nameserver $long" "search $long short.example" \
		"options $long" "nameserver 192.0.2.4"
	resolv "nameserver 192.0.2.4
search short.example"
	long=$(printf 'd%0120d.example ' 1 2 3 4 5)
	world_resolv "search $long" "nameserver 192.0.2.4"
	run -0 --separate-stderr h volt-net volt-ns -m root="$root" cat /etc/resolv.conf
	[ "$stderr" = "volt-net: search=: not all of the host's domains fit" ]
	[ "$(wc -w <<<"${lines[1]}")" = 4 ]
	head -c 70000 /dev/zero | tr '\0' '#' >resolv.conf
	run -0 --separate-stderr h volt-net volt-ns -m root="$root" cat /etc/resolv.conf
	[ "$stderr" = "volt-net: /etc/resolv.conf: File too large" ]
	[ "$output" = "nameserver 192.0.2.7" ]
}

@test "deferred: the namespace belongs to the container's root" {
	world_begin
	world_resolv "nameserver 192.0.2.53"
	root=$(copy_root)
	# shellcheck disable=SC2016 # expanded by that sh
	run -0 h volt-net -d ip=10.88.3.4 volt-ns -UmpniuC root="$root" volt-init \
		sh -ec 'ip addr show dev eth0; cat /etc/resolv.conf
			ping -c 1 -W 5 192.0.2.2 >/dev/null
			ip link add br9 type bridge && echo mine
			cat /proc/sys/net/ipv4/ip_unprivileged_port_start
			ls /sys/class/net; ls /proc/self/fd; env | grep VOLT_ || true'
	echo "$output"
	[[ $output == *"inet 10.88.3.4/16"* ]]
	[[ $output == *"nameserver 192.0.2.53"* ]]
	[[ $output == *mine* ]]
	[[ $output != *VOLT_* ]]
	nothing_left
	wait_for no_helper
}

@test "deferred: forwards, without -U, without a root" {
	world_begin
	chain -d port=8080:80 volt-ns -n
	serve "$pid" TCP4 80
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 8080)" = 198.51.100.2 ]
	helper=$(marked_helpers)
	[ -n "$helper" ]
	grep -q '^CapEff:	0*$' "/proc/$helper/status"
	grep -q '^CapPrm:	0*1000$' "/proc/$helper/status" # CAP_NET_ADMIN
	kill -KILL "${world[-1]}" "$pid"                  # the server keeps the namespace, too
	nothing_left
	wait_for no_helper
}

@test "deferred: an error is one line, exits 125 and leaves nothing" {
	world_begin
	root=$(copy_root)
	run -125 --separate-stderr h volt-net -d true
	[ "$stderr" = "volt-net: no volt-ns -n took the network of volt-net -d" ]
	run -125 --separate-stderr h volt-net -d volt-ns -mu root="$root" true
	[ "$stderr" = "volt-ns: no volt-ns -n took the network of volt-net -d" ]
	run -125 --separate-stderr h volt-net -d volt-ns -Umu root="$root" true
	[ "$stderr" = "volt-ns: no volt-ns -n took the network of volt-net -d" ]
	for form in volt-net "volt-net mode=host"; do
		# shellcheck disable=SC2086 # several words
		run -125 --separate-stderr h $form volt-ns -n true
		[ "$stderr" = "volt-ns: -n: volt-net has made the network already; \
leave -n out, or defer it: volt-net -d" ]
	done
	run -125 --separate-stderr h volt-net dns=1.1.1.1 true
	[ "$stderr" = "volt-net: dns=, search= and hosts= of volt-net need a volt-ns with a root" ]
	run -125 --separate-stderr h volt-net -d dns=1.1.1.1 volt-ns -n true
	[ "$stderr" = "volt-ns: dns=, search= and hosts= of volt-net need a root" ]
	for words in -d dns=1.1.1.1; do
		run -125 --separate-stderr h volt-net "$words" volt-net mode=none true
		[ "$stderr" = "volt-net: an earlier volt-net left a network or files \
that no link has used" ]
	done
	run -0 h volt-net volt-net mode=none sh -c 'ls /proc/self/fd'
	inside=$output
	run -0 h sh -c 'ls /proc/self/fd'
	[ "$inside" = "$output" ]
	run -127 --separate-stderr h volt-net -d volt-nonesuch
	run -1 h volt-net -d ip=10.88.0.9 port=80:80 volt-ns -n false
	nothing_left
	wait_for no_helper
}

@test "deferred: an error of the helper ends the chain, and is reported" {
	world_begin
	chain ip=10.88.0.9
	run -125 --separate-stderr h volt-net -d ip=10.88.0.9 volt-ns -Un true
	[ "${stderr_lines[0]}" = "volt-net: ip=10.88.0.9: in use" ]
	[ "${stderr_lines[1]}" = "volt-ns: the network of volt-net: Connection reset by peer" ]
	wait_for no_helper
}

@test "deferred: directly before volt-kvm it is an error" {
	world_begin
	k=$(tiny pvh)
	run -125 --separate-stderr h volt-net -d volt-kvm memory=16M kernel="$k"
	[ "$stderr" = "volt-kvm: no volt-ns -n took the network of volt-net -d" ]
	run -125 --separate-stderr h volt-net dns=192.0.2.53 volt-kvm memory=16M kernel="$k"
	[[ $stderr == "volt-kvm: dns=, search= and hosts= of volt-net need a volt-ns"* ]]
	wait_for no_helper
}

@test "deferred: a plug that lies gets nothing" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	cat >volt-liar <<-'EOF'
		#!/usr/bin/env python3
		import array, ctypes, os, socket, struct, sys
		s = socket.socket(fileno=int(os.environ["VOLT_PLUG"]))
		ask = struct.pack("=IHHII", 0x67756c70, 3, 0, 0, 0)
		netlink = lambda kind: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, kind)
		route = lambda: netlink(0)
		def send(data, *fds):
		    a = array.array("i", fds)
		    s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, a)] if fds else [])
		how = sys.argv[1]
		if how == "home": send(ask, route().detach())
		if how == "file": send(ask, os.open("/etc/passwd", 0))
		if how == "nfnl": send(ask, netlink(12).detach())
		if how == "inet": send(ask, socket.socket().detach())
		if how == "none": send(ask)
		if how == "many": send(ask, *[route().detach() for i in range(1)] * 250)
		if how == "junk": send(b"x" * 100000, route().detach())
		kind = struct.pack("=IHHII", 0x67756c70, 4, 0, 0, 0)
		if how == "kind": send(kind, route().detach())
		if how == "quit": sys.exit(0)
		s.recv(1 << 16) # the offer
		try:
		    print("answer", s.recv(1 << 16))
		except ConnectionResetError:
		    print("answer", b"")
	EOF
	chmod +x volt-liar
	for how in home file nfnl inet none many junk kind quit; do
		echo "$how"
		run h timeout 120 volt-net -d ./volt-liar "$how"
		echo "$output"
		[ "$how" = quit ] || [[ $output == *"volt-net: plug: "*"answer b''"* ]]
		wait_for no_helper
	done
	no_lease
	[ "$(h ip -br link | grep -c eth0)" = 0 ]
	# volt-ns accepts only a plug's descriptor.
	exec 9</dev/null
	VOLT_PLUG=9 run -125 --separate-stderr volt-ns -n true
	[[ $stderr == "volt-ns: VOLT_PLUG: "* ]]
	VOLT_PLUG=x run -125 volt-ns -n true
	exec 9<&-
}

# --- death ----------------------------------------------------------------

@test "SIGKILL: of the chain, of each process in it, of the helper" {
	world_begin
	root=$(copy_root)
	for form in "port=8080:80 volt-ns -Ump root=$root volt-init" \
		"-d port=8080:80 volt-ns -Umpn root=$root volt-init"; do
		for which in helper command init outer; do
			# shellcheck disable=SC2086 # several words
			nsenter -t "$HOST" -n -m -- volt-net $form sleep 4321 3>&- </dev/null &
			pid=$!
			wait_for has_all
			case $which in
			helper) victim=$(marked_helpers) ;;
			command) victim=$(pgrep -xf "sleep 4321") ;;
			init) victim=$(pgrep -P "$pid") ;;
			outer) victim=$pid ;;
			esac
			echo "$form: $which $victim"
			kill -KILL "$victim"
			if [ "$which" = helper ]; then
				wait_for no_forward
				kill -KILL "$pid"
			fi
			wait "$pid" || true
			nothing_left
			wait_for no_helper
		done
	done
	[ "$(h nft list tables)" = "table inet volt-voltbr0" ]
}

@test "SIGTERM: ends the helper cleanly; connections go on" {
	command -v python3 >/dev/null || lacks python3
	need strace -qq -o /dev/null true
	world_begin
	ends_by_term() {
		helper=$(marked_helpers)
		strace -q -e trace=none -o ended -p "$helper" 3>&- &
		tracer=$!
		wait_for grep -q "^TracerPid:	[1-9]" "/proc/$helper/status"
		kill -TERM "$helper"
		wait "$tracer"
		grep -q "exited with 0" ended
		wait_for no_helper
		no_forward
	}
	for form in "" "-d port=81:80 volt-ns -n"; do
		# shellcheck disable=SC2086 # several words
		chain ip=10.88.0.9 port=8080:80 $form
		nsenter -t "$pid" -n socat TCP4-LISTEN:80,reuseaddr PIPE 3>&- </dev/null &
		server=$!
		world+=("$server")
		wait_for at "$pid" sh -c 'ss -Hltn | grep -q :80'
		talk tcp "$CLIENT" tcp 198.51.100.1 8080
		answered tcp
		ends_by_term
		answered tcp
		[[ $(ask "$CLIENT" TCP4 198.51.100.1 8080) == *"Connection refused" ]]
		kill -0 "$pid"
		kill -KILL "$pid" "$server"
	done
	# The signal arrives before volt-ns asks for the network.
	printf '#!/bin/sh\necho started >started\nexec sleep 3600\n' >volt-wait
	chmod +x volt-wait
	nsenter -t "$HOST" -n -m --wdns="$PWD" -- volt-net -d port=8080:80 \
		./volt-wait 3>&- </dev/null &
	world+=("$!")
	wait_for test -s started
	ends_by_term
	run -0 h volt-net port=8080:80 true
}

# killed STATUS: the check of kill_at_every_call. After every second kill, it removes the
# bridge: the next chain starts as on a new machine.
killed() {
	no_hang "$1"
	nothing_left
	wait_for no_helper
	[ $((++kills % 2)) = 0 ] || h volt-net -r >/dev/null 2>&1 || true
}

@test "SIGKILL at every step: nothing is left, nothing hangs, the next run works" {
	need strace -qq -o /dev/null true
	world_begin
	kills=0
	calls='send.*|bind|clone.*|.*fork|setns|unshare|ioctl|execve|pidfd.*'
	for form in "port=8080:80 port=443:443/udp rate=out:1M" \
		"-d port=8080:80 volt-ns -Umpn root=$ROOT_BB overlay=tmpfs" mode=none; do
		# shellcheck disable=SC2086 # several words
		kill_at_every_call -w "nsenter -t $HOST -n -m --" -c "$calls" \
			killed volt-net $form true
		# The next run completes what was left unfinished.
		# shellcheck disable=SC2086
		h volt-net $form true
		nothing_left
	done
}

has_all() {
	h volt-net | grep -q "^lease.*forwards" && pgrep -xf "sleep 4321" >/dev/null
}

# --- in a unit of systemd ---------------------------------------------------

need_systemd() {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	UNIT=test-net-$BASHPID
	systemd_args=(systemd-run -q -u "$UNIT" -p "NetworkNamespacePath=/proc/$HOST/ns/net"
		-E "TEST_MARK=$TEST_MARK" -E "PATH=$PATH")
}

@test "systemd: a unit stops without SIGKILL and without delay" {
	world_begin
	need_systemd
	printf '#!/bin/sh\ntrap "exit 0" TERM\nwhile :; do sleep 0.1; done\n' >server
	chmod 755 server
	delegate=yes
	for form in "port=8080:80" "-d port=8080:80 volt-ns -n"; do
		for mode in control-group mixed process; do
			echo "$mode $delegate $form"
			# shellcheck disable=SC2086 # several words
			"${systemd_args[@]}" -p KillMode="$mode" -p Delegate="$delegate" \
				"$O/bin/volt-net" $form "$PWD/server"
			wait_for has_forward
			systemctl stop "$UNIT.service"
			nothing_left
			wait_for no_helper
			run journalctl -o cat -u "$UNIT" --no-pager
			echo "$output"
			[[ $output != *SIGKILL* ]]
			[[ $output == *"Deactivated successfully"* ]]
			# Each mode once with either: three modes, and so the next form differs.
			[ "$delegate" = yes ] && delegate=no || delegate=yes
		done
	done
}

has_forward() {
	h volt-net | grep -q "^lease.*forwards"
}

@test "systemd: volt-net and volt-cg in either order, in a unit with Delegate=yes" {
	world_begin
	need_systemd
	# shellcheck disable=SC2016 # expanded by that sh
	show='cat /proc/self/cgroup; for p in $(pgrep volt-net-helper); do
		grep -qsaF "$TEST_MARK" /proc/$p/environ && echo "helper $(cat /proc/$p/cgroup)"
		done'
	for form in "volt-net -d port=8080:80 volt-cg name=web pids.max=77 volt-ns -n" \
		"volt-net port=8080:80 volt-cg name=web pids.max=77"; do
		echo "$form"
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr "${systemd_args[@]}" --wait --pipe -p Delegate=yes \
			"$O/bin/"$form sh -c "$show"
		[ "$output" = "0::/system.slice/$UNIT.service/web
helper 0::/" ]
		wait_for no_helper
	done
	for form in "volt-cg name=web pids.max=77 volt-net port=8080:80" \
		"volt-cg name=web pids.max=77 volt-net -d port=8080:80 volt-ns -n"; do
		echo "$form"
		# shellcheck disable=SC2086
		run -0 --separate-stderr "${systemd_args[@]}" --wait --pipe -p Delegate=yes \
			"$O/bin/"$form sh -c "$show"
		[ "$output" = "0::/system.slice/$UNIT.service/web
helper 0::/system.slice/$UNIT.service/web" ]
		wait_for no_helper
	done
}

# --- looking and removing -------------------------------------------------

@test "print: bridges and leases, one a line, or as JSON" {
	world_begin
	run -0 h volt-net
	[ -z "$output" ]
	run -0 h volt-net -j
	[ "$output" = '{"bridges":[],"leases":[]}' ]
	chain ip=10.88.0.9 port=8080:80 port=53:53/udp
	run -0 h volt-net
	[ "${lines[0]}" = "bridge voltbr0 address 10.88.0.1/16 address6 fd76:6f6c:a58::1/64" ]
	lease="lease 10.88.0.9 bridge voltbr0 interface volt0a580009 kind veth pid $pid"
	lease+=" forwards 8080:80,53:53/udp unit "
	[[ ${lines[1]} == "$lease"*" received "*" sent "* ]]
	[ "${#lines[@]}" = 2 ]
	run -0 h volt-net -j
	jq -e . <<<"$output"
	json='{"bridges":[{"name":"voltbr0","address":"10.88.0.1/16",'
	json+='"address6":"fd76:6f6c:a58::1/64"}],'
	json+='"leases":[{"address":"10.88.0.9","bridge":"voltbr0","interface":"volt0a580009",'
	json+='"kind":"veth","pid":'"$pid"',"forwards":["8080:80","53:53/udp"],"unit":"'
	[[ $output == "$json"*'","received":'*',"sent":'*'}]}' ]]
}

@test "print: what a chain has received and sent" {
	world_begin
	chain ip=10.88.0.9
	number() { h volt-net -j | jq ".leases[0].$1"; }
	[ "$(number unit)" = '""' ] || [[ $(number unit) == *.service\" ||
	$(number unit) == *.scope\" ]]
	before=$(number received)
	h ping -q -c 1 -s 1000 -W 60 10.88.0.9
	[ "$(number received)" -ge $((before + 1000)) ]
	[ "$(number sent)" -ge 1000 ]
}

@test "print: a user who may not see the forwards is not told that there are none" {
	world_begin
	user_dir
	chain ip=10.88.0.9 port=8080:80
	run -0 h setpriv --reuid 12345 --clear-groups --inh-caps=-all "$USER_DIR/bin/volt-net"
	lease="lease 10.88.0.9 bridge voltbr0 interface volt0a580009 kind veth pid $pid"
	[[ ${lines[1]} == "$lease forwards ? unit "* ]]
	run -0 h setpriv --reuid 12345 --clear-groups --inh-caps=-all "$USER_DIR/bin/volt-net" -j
	[[ $output == *',"forwards":null,"unit":'* ]]
	chain ip=10.88.0.10
	run -0 h volt-net -j
	[[ $output == *',"forwards":["8080:80"],'*',"forwards":[],'* ]]
}

@test "a dump that changes meanwhile is repeated" {
	world_begin
	chain ip=10.88.0.9 port=8080:80
	complete=$(h volt-net | sed 's/ received .*//')
	so=$(helper interrupt.so)
	interrupted() {
		h env ASAN_OPTIONS=verify_asan_link_order=0 "LD_PRELOAD=$so" \
			"INTERRUPT=$1" volt-net "${@:2}"
	}
	while IFS='|' read -r words message; do
		echo "$words"
		# shellcheck disable=SC2086 # several words
		run -125 --separate-stderr interrupted 1000000 $words
		[ "$stderr" = "volt-net: $message: Resource temporarily unavailable" ]
		# shellcheck disable=SC2086
		run -0 interrupted 3 $words
		[ -n "$words" ] || [ "${output% received *}" = "$complete" ]
	done <<-'EOF'
		|interfaces
		ip=10.88.0.8 true|bridge voltbr0: addresses
		bridge=b9 subnet=10.9.0.0/24 true|routes
		bridge=b9 -r|bridge b9: addresses
	EOF
}

@test "host: a setting that cannot be read or made is an error" {
	world_begin
	h sh -c 'echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra'
	# fails MESSAGE FILE OVER OPTIONS: with OVER mounted on FILE, volt-net fails with
	# MESSAGE. (/proc/self/mem is that of mount(8), which has ended: it cannot be read.)
	fails() {
		run -125 --separate-stderr h unshare -m sh -ec '
			mount --bind "$2" "$1"
			mount -o "remount,bind$3" "$1"
			exec volt-net true' sh "/proc/sys/net/$2" "$3" "$4"
		[ "$stderr" = "volt-net: $1" ]
	}
	fails "/proc/sys/net/ipv6/conf/up0/accept_ra: Read-only file system" \
		ipv6/conf/up0/accept_ra /proc/sys/net/ipv6/conf/up0/accept_ra ,ro
	fails "/proc/sys/net/ipv6/conf/up0/accept_ra: No such process" \
		ipv6/conf/up0/accept_ra /proc/self/mem ""
	[ "$(h cat /proc/sys/net/ipv6/conf/all/forwarding)" = 0 ]
	fails "net.ipv6.conf.all.disable_ipv6: No such process" \
		ipv6/conf/all/disable_ipv6 /proc/self/mem ""
	run -0 h volt-net true
	[ "$(h cat /proc/sys/net/ipv6/conf/up0/accept_ra)" = 2 ]
}

@test "-r: removes an idle bridge and its rules, and nothing else" {
	world_begin
	run -125 --separate-stderr h volt-net -r
	[ "$stderr" = "volt-net: bridge voltbr0: there is none" ]
	chain
	run -125 --separate-stderr h volt-net -r
	[ "$stderr" = "volt-net: bridge voltbr0: in use by 1" ]
	kill -KILL "$pid"
	nothing_left
	run -0 h volt-net -r
	[ -z "$(h ip link show type bridge)$(h nft list tables)" ]
	# A bridge that was removed by hand leaves its table, which is replaced.
	run -0 h volt-net subnet=10.1.0.0/24 true
	nothing_left
	h ip link del voltbr0
	run -0 h volt-net subnet=10.2.0.0/24 ping -n -c 1 -W 5 192.0.2.2
	run ! grep -q 10.1.0 <<<"$(h nft list ruleset)"
}

@test "-r: a bridge whose maker was killed counts as volt-net's" {
	world_begin
	h ip link add voltbr0 address 02:76:0a:58:00:01 type bridge
	run -0 h volt-net ping -n -c 1 -W 5 192.0.2.2
	[ "$(h cat /proc/sys/net/ipv4/conf/voltbr0/accept_redirects)" = 0 ]
	nothing_left
	[[ $(h volt-net) == "bridge voltbr0 "* ]]
	run -0 h volt-net -r
	[ -z "$(h ip link show type bridge)$(h nft list tables)" ]
}

# --- neighbours -----------------------------------------------------------

@test "firewalls: -v names the rule set that drops; once it accepts the bridge, all works" {
	world_begin
	h nft -f - <<-'EOF'
		table inet mine {
			chain through {
				type filter hook forward priority 0; policy drop;
				ct state established,related accept
			}
		}
		table ip other {
			chain FORWARD {
				type filter hook forward priority 10; policy accept;
				iifname "up0" accept
				counter reject with icmp type admin-prohibited
			}
		}
		table ip6 fine {
			chain FORWARD {
				type filter hook forward priority 10; policy accept;
				iifname "up7" drop
			}
		}
	EOF
	run -0 --separate-stderr h volt-net -v true
	[ "$(grep -c 'it must accept' <<<"$stderr")" = 2 ]
	must="what it has no rule for: it must accept iifname and oifname voltbr0"
	[[ $stderr == *"nftables chain inet mine through drops $must"* ]]
	[[ $stderr == *"nftables chain ip other FORWARD refuses $must"* ]]
	chain port=8080:80
	serve "$pid" TCP4 80
	refused "$pid" 192.0.2.2
	h nft insert rule inet mine through iifname voltbr0 accept
	h nft insert rule inet mine through oifname voltbr0 accept
	h nft insert rule ip other FORWARD iifname voltbr0 accept
	h nft insert rule ip other FORWARD oifname voltbr0 accept
	reach "$pid" 192.0.2.2
	[ "$(ask "$CLIENT" TCP4 198.51.100.1 8080)" = 198.51.100.2 ]
}

@test "rate=: limits both ways" {
	world_begin
	chain rate=in:64K,out:64K
	h tc qdisc show dev "$iface" | grep -q "tbf .* rate 524288bit"
	nsenter -t "$INET" -n socat -u TCP4-LISTEN:80,reuseaddr OPEN:/dev/null 3>&- &
	world+=("$!")
	wait_for at "$INET" sh -c 'ss -Hltn | grep -q :80'
	# A burst and four seconds; without a limit it would be gigabytes.
	run at "$pid" timeout 4 socat -u OPEN:/dev/zero TCP4:192.0.2.2:80
	sent=$(at "$INET" ip -s link show eth0 | awk '/RX:/ { getline; print $1 }')
	echo "$sent"
	[ "$sent" -lt 1500000 ]
	nsenter -t "$pid" -n socat -u TCP4-LISTEN:81,reuseaddr OPEN:/dev/null 3>&- &
	world+=("$!")
	wait_for at "$pid" sh -c 'ss -Hltn | grep -q :81'
	run h timeout 4 socat -u OPEN:/dev/zero "TCP4:$ip:81"
	got=$(at "$pid" ip -s link show eth0 | awk '/RX:/ { getline; print $1 }')
	echo "$got"
	[ "$got" -gt 100000 ]
	[ "$got" -lt 1500000 ]
	run -0 h volt-net rate=out:10M ping -n -c 1 -W 5 10.88.0.1
}

@test "without root: the error names pasta" {
	run -125 --separate-stderr as_user volt-net true
	pasta="without root, use pasta(1) in place of volt-net"
	[ "$stderr" = "volt-net: bridge voltbr0: Operation not permitted; $pasta" ]
	run -125 --separate-stderr as_user volt-net mode=none true
	[ "$stderr" = "volt-net: network namespace: Operation not permitted; $pasta" ]
	run -0 as_user volt-net mode=host true
	run -0 as_user volt-net
}

@test "without root: pasta(1) in place of volt-net" {
	command -v pasta >/dev/null || lacks pasta
	world_begin
	users_tun
	need as_user unshare -Un true
	user_dir
	# The gateway's address would not do: to pasta it means the host.
	serve "$CLIENT" TCP4 80
	# shellcheck disable=SC2016 # expanded by that sh
	run h timeout 60 env PATH="$USER_DIR/bin:$PATH" setpriv --reuid \
		"$TEST_UID" --regid "$TEST_UID" \
		--clear-groups --inh-caps=-all -- pasta --config-net -- \
		volt-ns -Umpu root="$ROOT_USER" nc 198.51.100.2 80 -e sh -c 'echo hello; read -r x
		echo "$x" >&2'
	echo "$output"
	[[ $output == *198.51.100.1* ]]
}

# users_tun: makes a /dev/net/tun that users may open, as it is on most hosts.
users_tun() {
	mknod tun c 10 200
	chmod 666 tun
	h mount --bind "$PWD/tun" /dev/net/tun
}

# serves PID: the client gets hello from the host's port; then PID gets a SIGTERM.
serves() {
	page() {
		[ "$(at "$CLIENT" busybox wget -q -O - http://198.51.100.1:8080/)" = hello ]
	}
	wait_for page
	kill -TERM "$1"
	wait "$1" || true
}

@test "examples: published" {
	world_begin
	root=$(copy_root)
	mkdir pages
	echo hello >pages/index.html
	nsenter -t "$HOST" -n -m --wd="$PWD" -- "$TOP/examples/published" \
		"$root" 8080 "$PWD/pages" 3>&- </dev/null &
	pid=$!
	world+=("$pid")
	serves "$pid"
	nothing_left
	wait_for no_helper
}

@test "examples: rootless" {
	command -v pasta >/dev/null || lacks pasta
	world_begin
	users_tun
	user_dir
	mkdir -p "$USER_DIR/www"
	echo hello >"$USER_DIR/www/index.html"
	nsenter -t "$HOST" -n -m --wd=/ -- env PATH="$USER_DIR/bin:$PATH" setpriv \
		--reuid "$TEST_UID" --regid "$TEST_UID" --clear-groups --inh-caps=-all -- \
		sh "$TOP/examples/rootless" "$ROOT_USER" 8080 "$USER_DIR/www" 3>&- </dev/null &
	pid=$!
	world+=("$pid")
	serves "$pid"
}

# --- taps -----------------------------------------------------------------

@test "-t: volt-kvm gets a tap with headers; a guest behind it has the network" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	cp "$TOP/tests/helpers/guest.py" volt-guest
	world_resolv "nameserver 1.1.1.1" "nameserver 2.2.2.2" "search a b" "options ndots:2 edns0"
	run -0 --separate-stderr h volt-net -t ip=10.88.0.9 ./volt-guest
	echo "$output" "$stderr"
	[ "${lines[0]}" = "name=volt0a580009 mac=02:76:0a:58:00:09 mtu=1500 \
ip=10.88.0.9/16 gw=10.88.0.1 ip6=fd76:6f6c:a58::9/64 gw6=fd76:6f6c:a58::1 \
dns=1.1.1.1,2.2.2.2 search=a,b options=ndots:2,edns0" ]
	[ "${lines[1]}" = "queues 1 tap vnet_hdr 12" ]
	[ "${lines[2]}" = "gateway 02:76:0a:58:00:01" ]
	[ "${lines[3]}" = "echo reply" ]
	[ "${lines[4]}" = "spoofed: no reply" ]
	[ "${lines[5]}" = "another address: no reply" ]
	nothing_left
	run -0 h volt-net -t queues=4 ./volt-guest
	[ "${lines[1]}" = "queues 4 tap vnet_hdr 12" ]
	nothing_left
}

@test "-t: forwards; ip= of a veth is in use; a command that is no link gets no tap" {
	command -v python3 >/dev/null || lacks python3
	world_begin
	chain ip=10.88.0.9
	run -125 --separate-stderr h volt-net -t ip=10.88.0.9 true
	[ "$stderr" = "volt-net: ip=10.88.0.9: in use" ]
	run -0 h volt-net -t port=8080:80 sh -c 'env | grep VOLT_; ls /proc/self/fd'
	inside=$output
	run -0 h sh -c 'ls /proc/self/fd'
	[ "$inside" = "$output" ]
	kill -KILL "$pid"
	nothing_left
	wait_for no_helper
}
