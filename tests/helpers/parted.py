#!/usr/bin/env python3
"""parted.py gpt|mbr|logical DISK BLOCK FILE ...: make DISK, whose partitions hold the files:
a GPT with the sums that kernels check, or an MBR with primary partitions, or with logical
ones from number 5 on. An empty FILE is a partition that is not there. Blocks have BLOCK
bytes; a partition begins on a MiB."""

import struct
import sys
import uuid
import zlib

kind, disk, block, files = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
MIB = 1 << 20
image = bytearray(MIB)
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


def entry(sector, n, type_, start, blocks):
    """Entry n of the MBR at that byte."""
    at = sector + 446 + 16 * n
    image[sector + 510 : sector + 512] = b"\x55\xaa"
    image[at + 4] = type_
    image[at + 8 : at + 16] = struct.pack("<II", start, blocks)


def gpt(places):
    table = bytearray(128 * 128)
    for n, (first, blocks) in enumerate(places):
        if blocks > 0:
            table[128 * n : 128 * n + 48] = LINUX + uuid.uuid4().bytes_le + struct.pack(
                "<QQ", first, first + blocks - 1)
    last = len(image) // block - 1
    for here, other, at in ((1, last, 2), (last, 1, last - len(table) // block)):
        header = bytearray(struct.pack(
            "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, here, other,
            2 + len(table) // block, last - len(table) // block - 1, bytes(16), at, 128, 128,
            zlib.crc32(table)))
        header[16:20] = struct.pack("<I", zlib.crc32(header))
        image[here * block : here * block + len(header)] = header
        image[at * block : at * block + len(table)] = table
    entry(0, 0, 0xEE, 1, 0xFFFFFFFF)


places = []
for name in files:
    data = open(name, "rb").read() if name else b""
    if kind == "logical":
        image += bytes(MIB)  # for its table
    places.append((len(image) // block, len(data) // block))
    image += data + bytes(-len(data) % MIB)
image += bytes(MIB)
if kind == "gpt":
    gpt(places)
elif kind == "mbr":
    for n, (first, blocks) in enumerate(places):
        entry(0, n, 0x83 if blocks > 0 else 0, first if blocks > 0 else 0, blocks)
else:
    gap = MIB // block
    base = places[0][0] - gap
    entry(0, 1, 0x05, base, len(image) // block - base)
    for n, (first, blocks) in enumerate(places):
        table = (first - gap) * block
        entry(table, 0, 0x83, gap, blocks)
        if n + 1 < len(places):
            entry(table, 1, 0x05, places[n + 1][0] - gap - base, places[n + 1][1] + gap)
open(disk, "wb").write(image)
