#!/usr/bin/env python3
"""A link that uses VOLT_TAP as a guest would: it asks for the gateway's hardware address
and sends it an ICMP echo. Its name must begin with volt-."""

import fcntl
import os
import select
import socket
import struct
import sys
import time

TUNGETIFF, TUNGETVNETHDRSZ = 0x800454D2, 0x800454D7
IFF_TAP, IFF_VNET_HDR = 2, 0x4000

fds, _, words = os.environ["VOLT_TAP"].partition(": ")
fds = [int(fd) for fd in fds.split(":")]
conf = dict(word.split("=", 1) for word in words.split())
print(words)
for fd in fds:
    flags = struct.unpack_from("H", fcntl.ioctl(fd, TUNGETIFF, bytes(40)), 16)[0]
    assert flags & IFF_TAP and flags & IFF_VNET_HDR
    size = struct.unpack("i", fcntl.ioctl(fd, TUNGETVNETHDRSZ, bytes(4)))[0]
print("queues", len(fds), "tap vnet_hdr", size)

mac = bytes.fromhex(conf["mac"].replace(":", ""))
ip = socket.inet_aton(conf["ip"].split("/")[0])
gw = socket.inet_aton(conf["gw"])


def send(frame):
    os.write(fds[0], bytes(12) + frame)


def receive(match, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for fd in select.select(fds, [], [], 0.2)[0]:
            frame = os.read(fd, 70000)[12:]
            if match(frame):
                return frame
    return None


def checksum(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s >> 16) + (s & 0xFFFF)
    return ~(s + (s >> 16)) & 0xFFFF


def echo(src, to, dst=gw):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + b"0123456789abcdef"
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0, src, dst)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return to + mac + b"\x08\x00" + head + icmp


send(b"\xff" * 6 + mac + b"\x08\x06" +
     struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac, ip, bytes(6), gw))
reply = receive(lambda f: f[12:14] == b"\x08\x06" and f[28:32] == gw and f[20:22] == b"\0\2")
if reply is None:
    sys.exit("no ARP reply")
gw_mac = reply[22:28]
print("gateway", ":".join("%02x" % b for b in gw_mac))


def is_echo_reply(frame):
    return frame[12:14] == b"\x08\0" and frame[34:35] == b"\0"


send(echo(ip, gw_mac))
print("echo reply" if receive(is_echo_reply) else "no reply")
send(echo(socket.inet_aton("10.88.9.9"), gw_mac))
print("spoofed:", "reply" if receive(is_echo_reply, 1.0) else "no reply")
send(echo(ip, gw_mac, socket.inet_aton("192.0.2.1")))
print("another address:", "reply" if receive(is_echo_reply, 1.0) else "no reply")
