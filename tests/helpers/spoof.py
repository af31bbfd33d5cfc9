#!/usr/bin/env python3
"""spoof.py IP PID HOST IFACE: from eth0 of this namespace, send good and forged frames.
Print which of them pass the host's end, IFACE in the network namespace of the process
HOST, to the bridge."""

import ctypes
import os
import socket
import struct
import sys
import time

ip, _, host, _ = sys.argv[1:5]
libc = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL = 3

out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
out.bind(("eth0", 0))
mac = out.getsockname()[4]
a4 = socket.inet_aton(ip)
prefix = socket.inet_pton(socket.AF_INET6, "fd76:6f6c:a58::")
a6 = prefix[:14] + a4[2:]
gw4 = socket.inet_aton("10.88.0.1")
gw6 = socket.inet_pton(socket.AF_INET6, "fd76:6f6c:a58::1")
other4 = socket.inet_aton("10.88.200.200")
other6 = prefix[:15] + b"\xee"
other_mac = bytes.fromhex("027600000001")
bridge = bytes.fromhex("02760a580001")
all_nodes = socket.inet_pton(socket.AF_INET6, "ff02::1")

# Look at what arrives at the bridge.
with open("/proc/%s/ns/net" % host) as ns:
    if libc.setns(ns.fileno(), 0) != 0:
        sys.exit("setns")
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
tap.bind(("voltbr0", 0))
tap.settimeout(0.1)


def eth(kind, payload, src=None, dst=bridge):
    return dst + (src or mac) + struct.pack("!H", kind) + payload


def v4(src, n):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, n, 0, 1, 253, 0, src, gw4) + bytes(20)


def v6(src, payload=bytes(40), next_header=253, dst=gw6):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), next_header, 255, src, dst) + payload


def arp(sender_mac, sender, target=gw4):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, sender_mac, sender, bytes(6), target)


def icmp6(kind, body):
    return struct.pack("!BBH", kind, 0, 0) + body


def fragment(kind, offset, body):
    return struct.pack("!BBHI", kind, 0, offset, 7) + body


def advert(target):
    return icmp6(136, struct.pack("!I16sBB6s", 0x60000000, target, 2, 1, mac))


frames = [
    ("own ip4", eth(0x800, v4(a4, 1))),
    ("other ip4", eth(0x800, v4(other4, 2))),
    ("other mac", eth(0x800, v4(a4, 3), src=other_mac)),
    ("own arp", eth(0x806, arp(mac, a4))),
    ("arp for the gateway", eth(0x806, arp(mac, gw4))),
    ("arp of another mac", eth(0x806, arp(other_mac, a4))),
    ("own ip6", eth(0x86DD, v6(a6))),
    ("other ip6", eth(0x86DD, v6(other6))),
    ("router advertisement", eth(0x86DD, v6(a6, icmp6(134, bytes(12)), 58, all_nodes))),
    ("redirect", eth(0x86DD, v6(a6, icmp6(137, bytes(36)), 58))),
    ("own neighbour", eth(0x86DD, v6(a6, advert(a6), 58))),
    ("neighbour for the gateway", eth(0x86DD, v6(a6, advert(gw6), 58))),
    ("hop-by-hop", eth(0x86DD, v6(a6, struct.pack("!BBBBI", 58, 0, 1, 4, 0) +
                                  icmp6(134, bytes(12)), 0))),
    ("a fragment", eth(0x86DD, v6(a6, fragment(17, 0, bytes(16)), 44))),
    ("echo in a fragment", eth(0x86DD, v6(a6, fragment(58, 0, icmp6(128, bytes(12))), 44))),
    ("a later fragment", eth(0x86DD, v6(a6, fragment(58, 8, bytes([134]) + bytes(15)), 44))),
    ("router advertisement in a fragment",
     eth(0x86DD, v6(a6, fragment(58, 0, icmp6(134, bytes(12))), 44, all_nodes))),
    ("neighbour in a fragment", eth(0x86DD, v6(a6, fragment(58, 0, advert(gw6)), 44))),
    ("hop-by-hop in a fragment", eth(0x86DD, v6(a6, fragment(0, 0, bytes(24)), 44))),
    ("fragment in a fragment", eth(0x86DD, v6(a6, fragment(44, 0, bytes(24)), 44))),
    ("vlan", eth(0x8100, struct.pack("!HH", 5, 0x800) + v4(a4, 4))),
    ("unknown type", eth(0x88B5, bytes(50))),
    ("short", eth(0x800, bytes(4))),
]


def seen(frame):
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        try:
            got = tap.recv(65536)
        except socket.timeout:
            continue
        if got[: len(frame)] == frame:
            return True
    return False


for name, frame in frames:
    out.send(frame)
    print("%s: %s" % (name, "passed" if seen(frame) else "dropped"), flush=True)
