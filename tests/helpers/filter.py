#!/usr/bin/python3
"""
filter.py FILTER PROFILE GROUPS NAMES [REFERENCE]

Run FILTER, a compiled seccomp filter, for every number of a system call and all
arguments that could matter. Compare its results with the meaning of PROFILE's text,
and with REFERENCE, libseccomp's own filter of the same profile, in which a call that
depends on its arguments returns SECCOMP_RET_TRACE. This program shares neither the
parser nor the evaluation with volt-seccomp. NAMES has a line "NUMBER NAME" for each
call.

filter.py calls FILTER PROFILE GROUPS NAMES

Print the names of the calls that FILTER allows with some arguments.

filter.py sockets FILTER

Print the sockets that FILTER permits: a line "FAMILY TYPE PROTOCOLS" for each family and
type. The flags and the upper halves of the arguments must not matter.
"""

import itertools
import math
import random
import re
import struct
import sys

X86_64 = 0xC000003E
FOREIGN = [0x40000003, 0xC00000B7, 0x40000028, 0]  # i386, arm64, arm
ALLOW, LOG, KILL, ERRNO = 0x7FFF0000, 0x7FFC0000, 0x80000000, 0x00050000
TRACE = 0x7FF00001
ALL = (1 << 64) - 1
ENOUGH = 8000  # combinations of arguments, for one call

ACTIONS = {
    "allow": ALLOW, "log": LOG, "kill": KILL, "deny": ERRNO | 1,
    "EPERM": ERRNO | 1, "ENOENT": ERRNO | 2, "EACCES": ERRNO | 13,
    "ENODEV": ERRNO | 19, "EINVAL": ERRNO | 22, "ENOTTY": ERRNO | 25,
    "ENOSYS": ERRNO | 38, "EPROTONOSUPPORT": ERRNO | 93, "EOPNOTSUPP": ERRNO | 95,
    "EAFNOSUPPORT": ERRNO | 97,
}
CONSTANTS = {
    "AF_UNSPEC": 0, "AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10,
    "AF_NETLINK": 16, "AF_PACKET": 17, "AF_ALG": 38, "AF_VSOCK": 40,
    "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_SEQPACKET": 5,
    "SOCK_PACKET": 10, "AF_RDS": 21, "AF_SMC": 43, "IPPROTO_ICMP": 1,
    "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_ICMPV6": 58,
    "IPPROTO_SCTP": 132, "IPPROTO_SMC": 256, "IPPROTO_MPTCP": 262,
    "NETLINK_ROUTE": 0, "NETLINK_SOCK_DIAG": 4, "NETLINK_KOBJECT_UEVENT": 15,
    "NETLINK_GENERIC": 16, "AF_RXRPC": 33, "MSG_FASTOPEN": 0x20000000,
    "TCP_ULP": 31,
    "CLONE_VM": 0x100, "CLONE_FS": 0x200, "CLONE_FILES": 0x400,
    "CLONE_SIGHAND": 0x800, "CLONE_THREAD": 0x10000, "CLONE_NEWNS": 0x20000,
    "CLONE_SYSVSEM": 0x40000, "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000, "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000, "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000, "CLONE_NEWTIME": 0x80, "TIOCSTI": 0x5412,
    "TIOCLINUX": 0x541C, "TIOCCONS": 0x541D, "TIOCGWINSZ": 0x5413,
    "TCGETS": 0x5401, "TCSETS": 0x5402, "F_SETFD": 2, "MADV_DONTNEED": 4, "SIGKILL": 9,
    "AT_EMPTY_PATH": 0x1000, "BLKDISCARD": 0x1277, "BLKZEROOUT": 0x127F,
    "KVM_RUN": 0xAE80, "KVM_SIGNAL_MSI": 0x4020AEA5, "KVM_IRQ_LINE": 0x4008AE61,
    "KVM_IOEVENTFD": 0x4040AE79, "KVM_IRQFD": 0x4020AE76,
    "KVM_SET_GSI_ROUTING": 0x4008AE6A, "KVM_KVMCLOCK_CTRL": 0xAEAD,
    "TUNSETOFFLOAD": 0x400454D0, "TUNSETQUEUE": 0x400454D9,
    "VHOST_SET_FEATURES": 0x4008AF00, "VHOST_SET_MEM_TABLE": 0x4008AF03,
    "VHOST_SET_VRING_NUM": 0x4008AF10, "VHOST_SET_VRING_ADDR": 0x4028AF11,
    "VHOST_SET_VRING_BASE": 0x4008AF12, "VHOST_SET_VRING_KICK": 0x4008AF20,
    "VHOST_SET_VRING_CALL": 0x4008AF21, "VHOST_SET_VRING_ERR": 0x4008AF22,
    "VHOST_NET_SET_BACKEND": 0x4008AF30,
}
COMPARE = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b, "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b, "<": lambda a, b: a < b,
}


def run(code, nr, arch, args):
    """The value that the filter returns."""
    data = struct.pack("<iIQ6Q", nr - (nr >> 31 << 32), arch, 0x1234, *args)
    a, pc = 0, 0
    while True:
        op, jt, jf, k = code[pc]
        pc += 1
        if op == 0x20:
            (a,) = struct.unpack_from("<I", data, k)
        elif op == 0x54:
            a &= k
        elif op == 0x05:
            pc += k
        elif op in (0x15, 0x25, 0x35):
            yes = {0x15: a == k, 0x25: a > k, 0x35: a >= k}[op]
            pc += jt if yes else jf
        elif op == 0x06:
            return k
        else:
            raise SystemExit(f"instruction {pc - 1}: unknown code {op:#x}")


def load(path):
    with open(path, "rb") as f:
        raw = f.read()
    return [struct.unpack_from("<HBBI", raw, i) for i in range(0, len(raw), 8)]


def number(text):
    value = 0
    for part in text.split("|"):
        value |= CONSTANTS[part] if part in CONSTANTS else int(part, 0)
    return value


def condition(text):
    m = re.fullmatch(r"a([0-5])(:32)?(?:&([^=!<>]+))?(==|!=|>=|<=|>|<)(.+)", text)
    arg, low, mask, op, value = m.groups()
    mask = (number(mask) if mask else ALL) & (0xFFFFFFFF if low else ALL)
    return int(arg), mask, op, number(value)


def read_profile(paths, names):
    """Lists of (conditions, action) by number, and the default action."""
    groups, rules, other = {}, {}, ERRNO | 38
    for path in paths:
        for line in open(path):
            line = line.split("#")[0].strip()
            if not line:
                continue
            m = re.match(r"(@\S+):(.*)", line)
            if m:
                groups.setdefault(m[1], []).extend(m[2].split())
                continue
            line, _, action = re.sub(r"\s=(?=\s)", "\0", " " + line).partition("\0")
            line, _, conds = re.sub(r"\sif\s", "\0", line).partition("\0")
            conds = [condition(c) for c in conds.split()]
            action = ACTIONS[action.strip() or "allow"]
            todo = line.split()
            while todo:
                name = todo.pop(0)
                if name == "*":
                    other = action
                elif name[0] == "@":
                    todo = groups[name] + todo
                elif name in names:
                    rules.setdefault(names[name], []).append((conds, action))
    return rules, other


def means(rules, other, nr, args):
    for conds, action in rules.get(nr, []):
        if all(COMPARE[op](args[arg] & mask, value) for arg, mask, op, value in conds):
            return action
    return other


def interesting(conds):
    """Values on both sides of every condition."""
    values = {0, 1, ALL, 1 << 32, 1 << 63, 0xFFFFFFFF, 0x7FFFFFFF}
    for _, mask, _, value in conds:
        around = {value, value - 1 & ALL, value + 1 & ALL}
        around |= {v | 1 << 32 for v in around} | {v | ~0xFFFFFFFF & ALL for v in around}
        values |= around | {value | ~mask & ALL, value & mask, mask}
        values |= {value ^ 1 << bit for bit in range(64)}
    return sorted(values)


def arguments(rules):
    conds = [c for cs, _ in rules for c in cs]
    if not conds:
        return [[0] * 6, [ALL] * 6]
    per = []
    for arg in range(6):
        mine = [c for c in conds if c[0] == arg]
        per.append(interesting(mine) if mine else [0, ALL] if arg == 0 else [0])
    if math.prod(map(len, per)) <= ENOUGH:
        return itertools.product(*per)
    # There are too many: take each value of each argument with a few of the others.
    draw = random.Random(1)
    return [
        [v if i == arg else draw.choice(per[i]) for i in range(6)]
        for arg in range(6) for v in per[arg] for _ in range(ENOUGH // 2000)
    ] + [[draw.choice(values) for values in per] for _ in range(ENOUGH // 4)]


def ranges(numbers):
    """[1, 2, 3, 5] as "1-3,5"."""
    text, first = [], None
    for n, following in zip(numbers, [*numbers[1:], None]):
        first = n if first is None else first
        if following != n + 1:
            text.append(str(n) if n == first else f"{first}-{n}")
            first = None
    return ",".join(text)


def sockets(code):
    flags = 0o2004000  # SOCK_CLOEXEC, SOCK_NONBLOCK
    high = 0x12345678 << 32
    for family, kind in itertools.product(range(64), range(16)):
        allowed = []
        for protocol in range(300):
            args = [family, kind, protocol, 0, 0, 0]
            got = run(code, 41, X86_64, args)
            args = [family | high, kind | flags | high, protocol | high, ALL, ALL, ALL]
            if run(code, 41, X86_64, args) != got:
                print(f"{family} {kind} {protocol}: the flags or upper halves count")
            if got == ALLOW:
                allowed.append(protocol)
        if allowed:
            print(family, kind, ranges(allowed))


def read_names(path):
    names = {}
    for line in open(path):
        nr, name = line.split()
        names[name] = int(nr)
    return names


def calls(code, profile, groups, names):
    rules, _ = read_profile([groups, profile], names)
    for name, nr in sorted(names.items()):
        if any(run(code, nr, X86_64, a) == ALLOW for a in arguments(rules.get(nr, []))):
            print(name)


def main():
    if sys.argv[1] == "sockets":
        return sockets(load(sys.argv[2]))
    if sys.argv[1] == "calls":
        return calls(load(sys.argv[2]), *sys.argv[3:5], read_names(sys.argv[5]))
    code = load(sys.argv[1])
    names = read_names(sys.argv[4])
    rules, other = read_profile([sys.argv[3], sys.argv[2]], names)
    reference = load(sys.argv[5]) if len(sys.argv) > 5 else None
    bad = checked = 0

    def check(what, nr, arch, args, want):
        nonlocal bad, checked
        checked += 1
        got = run(code, nr, arch, args)
        if got != want:
            bad += 1
            print(f"{what} {nr} {[hex(a) for a in args]}: {got:#x}, not {want:#x}")

    for nr in range(1200):
        for args in arguments(rules.get(nr, [])):
            check("call", nr, X86_64, args, means(rules, other, nr, args))
    zero, ones = [0] * 6, [ALL] * 6
    for nr in list(range(600)) + [0x3FFFFFFF]:
        x32 = KILL if nr != 0x3FFFFFFF else KILL
        check("x32", 0x40000000 + nr, X86_64, zero, x32)
        for arch in FOREIGN:
            check(f"arch {arch:#x}", nr, arch, ones, KILL)
    check("call", 0x3FFFFFFF, X86_64, zero, other)
    skipped = ERRNO | 38 if other == KILL else other
    check("call", 0xFFFFFFFF, X86_64, zero, skipped)
    for nr in 0x80000000, 0xBFFFFFFF, 0xFFFFFFFE:
        check("call", nr, X86_64, zero, KILL)
    if reference:
        for nr in [*range(1200), *range(0x40000000, 0x40000258), 0xFFFFFFFF]:
            for arch in [X86_64, *FOREIGN]:
                checked += 1
                want = run(reference, nr, arch, zero)
                mine = rules.get(nr, [])
                if arch == X86_64 and mine and mine[0][0]:
                    if want != TRACE:
                        raise SystemExit(f"reference {nr}: {want:#x}")
                    continue
                got = run(code, nr, arch, zero)
                if nr == 0xFFFFFFFF and arch == X86_64 and got == skipped:
                    continue
                if got != want:
                    bad += 1
                    print(f"reference {nr} arch {arch:#x}: {got:#x}, not {want:#x}")
    print(f"{len(code)} instructions, {checked} compared, {bad} differ")
    return bad > 0


sys.exit(main())
