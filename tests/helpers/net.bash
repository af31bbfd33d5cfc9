# shellcheck shell=bash
#
# A world of network namespaces, for tests and measurements of volt-net:
#
#	inet ----- 192.0.2.0/24 ----- host ----- 198.51.100.0/24 ----- client
#	     2001:db8:2::/64                 2001:db8:3::/64
#
# volt-net runs on host, which also has its own mount namespace, so that the test can
# replace its /etc/resolv.conf. Nothing leaves these namespaces. They go away with the
# processes that hold them.

world=()

# hold NAME ARG ...: start a process in the namespaces that unshare(1) makes with these
# arguments. Sets $NAME to its PID.
hold() {
	local name=$1 pid

	shift
	unshare "$@" sleep 3600 3>&- </dev/null >/dev/null 2>&1 &
	pid=$!
	world+=("$pid")
	until [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] &&
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sleep ]; do
		kill -0 "$pid" || return
		sleep 0.02
	done
	printf -v "$name" %s "$pid"
}

# at PID CMD ...: run a command in the network namespace of a process.
at() {
	local pid=$1

	shift
	nsenter -t "$pid" -n -- "$@"
}

# h CMD ...: run a command on the host.
h() {
	nsenter -t "$HOST" -n -m --wdns="$PWD" -- "$@"
}

# cable PID NAME ADDR ADDR6 PID NAME ADDR ADDR6: connect two namespaces by a veth pair.
cable() {
	at "$1" ip link add "$2" type veth peer name "$6" netns "$5"
	at "$1" ip addr add "$3" dev "$2"
	at "$5" ip addr add "$7" dev "$6"
	at "$1" ip addr add "$4" dev "$2" nodad
	at "$5" ip addr add "$8" dev "$6" nodad
	at "$1" ip link set "$2" up
	at "$5" ip link set "$6" up
}

world_begin() {
	hold HOST -n -m
	hold INET -n
	hold CLIENT -n
	for pid in "$HOST" "$INET" "$CLIENT"; do
		at "$pid" ip link set lo up
	done
	[ -z "${BATS_TEST_TMPDIR:-}" ] || world_resolv "nameserver 192.0.2.53"
	cable "$HOST" up0 192.0.2.1/24 2001:db8:2::1/64 \
		"$INET" eth0 192.0.2.2/24 2001:db8:2::2/64
	cable "$HOST" up1 198.51.100.1/24 2001:db8:3::1/64 \
		"$CLIENT" eth0 198.51.100.2/24 2001:db8:3::2/64
	at "$HOST" ip route add default via 192.0.2.2
	at "$HOST" ip -6 route add default via 2001:db8:2::2
	at "$CLIENT" ip route add default via 198.51.100.1
	at "$CLIENT" ip -6 route add default via 2001:db8:3::1
}

# world_resolv LINE ...: write these lines to the host's resolv.conf.
world_resolv() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/resolv.conf"
	h mount --bind "$BATS_TEST_TMPDIR/resolv.conf" /etc/resolv.conf
}

world_end() {
	local pid

	for pid in "${world[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	world=()
}

# chain WORD ...: start a chain that sleeps, on the host, and wait for its network. $pid
# is its process, $ip its address, and $iface the interface of its lease.
chain() {
	local up

	up=$(mktemp "$BATS_TEST_TMPDIR/up.XXXXXX")
	# shellcheck disable=SC2016 # expanded by that sh
	nsenter -t "$HOST" -n -m --wdns="$PWD" -- volt-net "$@" \
		sh -c 'echo up >"$1"; exec sleep 3600' sh "$up" 3>&- </dev/null >/dev/null &
	pid=$!
	world+=("$pid")
	until [ -s "$up" ]; do
		kill -0 "$pid" || return
		sleep 0.02
	done
	rm "$up"
	lease_of "$pid"
}

# four PID, six PID [SCOPE]: print the address of a chain. SCOPE is global or link.
four() {
	at "$1" ip -4 -o addr show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }'
}

six() {
	at "$1" ip -6 -o addr show dev eth0 scope "${2:-global}" |
		awk '{ sub("/.*", "", $4); print $4 }'
}

lease_of() {
	# shellcheck disable=SC2034 # the caller uses them
	read -r ip iface <<<"$(h volt-net | awk -v pid="$1" \
		'$1 == "lease" && $10 == pid { print $2, $6 }')"
}

# serve PID PROTO PORT[,OPTION...] [ADDR]: start a server that answers with its client's
# address.
serve() {
	# shellcheck disable=SC2016 # expanded by socat's sh
	nsenter -t "$1" -n -- socat -T 5 "$2-LISTEN:$3,fork,reuseaddr${4:+,bind=$4}" \
		'SYSTEM:read -r x; echo $SOCAT_PEERADDR' 3>&- </dev/null 2>/dev/null &
	world+=("$!")
	local proto=${2,,}
	until at "$1" ss -Hln -A "${proto%[46]}" "sport = :${3%%,*}" | grep -q .; do
		sleep 0.02
	done
}

# ask PID PROTO ADDR PORT: print the answer of that server. (-t is the time that it has.)
ask() {
	echo hello | at "$1" timeout 20 socat -t 3 - "$2:$3:$4,connect-timeout=3" 2>&1 |
		tail -n 1
}

# reach PID ADDR [SECONDS]: is a ping answered?
reach() {
	at "$1" ping -n -c 1 -W "${3:-5}" "$2" >/dev/null
}

# refused PID ADDR: is no ping answered?
refused() {
	! reach "$1" "$2" 1
}
