"""volt-lock(1)."""

import os
from typing import Any, Dict, List, Optional

import grammar as g
from grammar import Refused, Unknown
from state import ANY, NOROOT, SETGID, SETPCAP, SETUID, SYS_RESOURCE, State

CAPS = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap "
        "linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock "
        "ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot "
        "sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write "
        "audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend "
        "audit_read perfmon bpf checkpoint_restore").split()
# Word: the Landlock ABI that brought it, what of it matters here.
RIGHTS: Dict[str, Any] = {
    "fs.ro": (1, {"read"}), "fs.rx": (1, {"read", "exec"}), "fs.rw": (1, {"read", "write"}),
    "fs.rwx": (1, {"read", "write", "exec"}), "fs.dev": (1, {"read", "write"}),
    "fs.execute": (1, {"x"}), "fs.write_file": (1, {"write"}), "fs.read_file": (1, {"read"}),
    "fs.truncate": (3, set()), "fs.ioctl_dev": (5, set()), "fs.refer": (2, set()),
    "unix": (9, set())}
for _name in ("read_dir remove_dir remove_file make_char make_dir make_reg make_sock "
              "make_fifo make_block make_sym").split():
    RIGHTS["fs." + _name] = (1, set())
FOR_FILES = ("fs.execute", "fs.write_file", "fs.read_file", "fs.truncate", "fs.ioctl_dev",
             "unix", "fs.ro", "fs.rx", "fs.rw", "fs.rwx", "fs.dev")
PORTS = {"tcp.bind": 4, "tcp.connect": 4, "udp.bind": 10, "udp.connect": 10}
SCOPES = {"abstract-unix": 6, "signal": 6}
LOGS = {"same-exec-off": 7, "new-exec-on": 7, "subdomains-off": 7}
LIMITS = {"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6,
          "nofile": 7, "memlock": 8, "as": 9, "locks": 10, "sigpending": 11,
          "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15}
IN_BYTES = ("as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack")
SPECS = ("store-bypass", "indirect-branch", "l1d-flush")
EACCES = 13
NO_AMBIENT = 64
LAYERS = 16


class Policy:
    def __init__(self) -> None:
        self.landlock = False
        self.rules: List[Any] = []  # key, path, prefix, optional
        # Of each right: "any", "none", or the ports that are granted.
        self.ports: Dict[str, Any] = {key: set() for key in PORTS}
        self.files = True  # restricted
        self.prefix: Optional[str] = None
        self.lost: Optional[str] = None
        self.values: Dict[str, str] = {}
        self.limits: Dict[str, Any] = {}
        self.caps: Optional[Any] = None


def take_word(model: Any, p: Policy, key: str, value: str, optional: bool = False) -> None:
    """Refuse what is wrong with a word by itself."""
    abi = model.host.abi
    if key == "try":
        inner, equals, rest = value.partition("=")
        if not equals or not (inner in RIGHTS or inner in PORTS or
                              inner in ("scope", "log", "abi", "fs")):
            g.bad("not one of Landlock's words")
        take_word(model, p, inner, rest, True)
    elif key == "fs":
        if value != "any" or p.rules or optional:
            raise Unknown("fs= but any, and alone")
        p.landlock, p.files = True, False
    elif key in RIGHTS:
        p.landlock = True
        if value in ("any", "none") or not p.files:
            raise Unknown("any and none of files")
        if missing(p, abi, RIGHTS[key][0], optional) and key not in (
                "fs.ro", "fs.rx", "fs.rw", "fs.rwx", "fs.dev"):
            return
        for path in g.fields(value, ","):
            if path == "" or (p.prefix and not path.startswith("/")):
                g.bad("an empty path, or one below prefix= without /")
            p.rules.append((key, path, p.prefix, optional))
    elif key in PORTS:
        p.landlock = True
        take_ports(p, key, value, abi, optional)
    elif key in ("scope", "log"):
        p.landlock = True
        names = SCOPES if key == "scope" else LOGS
        for name in [] if value == "none" else g.fields(value, ","):
            if name not in names:
                g.bad("not a name")
            missing(p, abi, names[name], optional)
    elif key == "abi":
        p.landlock = True
        missing(p, abi, g.uint(value, (1 << 31) - 1), False)
    elif key == "prefix":
        p.prefix = value or None
    elif key == "seccomp":
        if value == "":
            g.bad("empty")
        p.values[key] = value
    elif key == "caps":
        p.caps = take_caps(value)
    elif key in ("uid", "gid"):
        p.values[key] = str(g.uint(value, g.ID_MAX))
    elif key == "groups":
        for v in g.fields(value, ",") if value else []:
            g.uint(v, g.ID_MAX)
        p.values[key] = value
    elif key in CHOICES:
        if value not in CHOICES[key]:
            g.bad("not one of these")
        p.values[key] = value
    elif key == "spec":
        for name in g.fields(value, ","):
            if name not in SPECS:
                g.bad("not one of these")
        p.values[key] = value
    elif key.startswith("rlimit.") and key[7:] in LIMITS:
        take_limit(p, key[7:], value)
    elif key in ("learn", "except"):
        raise Unknown(key + "=")
    else:
        g.bad("unknown word")


CHOICES = {"stdio": ("give", "keep"), "fds": ("close", "keep"), "keyring": ("new", "keep"), "dumpable": ("yes", "no"),
           "seccomp.action": ("errno", "kill", "log")}


def missing(p: Policy, abi: int, needs: int, optional: bool) -> bool:
    """This kernel does not know it: that is an error, but not within try=."""
    if abi >= needs:
        return False
    if not optional:
        raise Refused(f"needs Landlock ABI {needs}") if not p.values.get("-b") else Unknown("-b")
    return True


def take_ports(p: Policy, key: str, value: str, abi: int, optional: bool) -> None:
    """Ports add up; what would add nothing, or undo what is restricted, is an error."""
    now = p.ports[key]
    if value == "any":
        if now == "none" or (now != "any" and now):
            g.bad("it would undo what words before it restrict")
        p.ports[key] = "any"
    elif value == "none":
        p.ports[key] = "none"
    elif now == "any":
        g.bad("any before it grants all")
    elif not missing(p, abi, PORTS[key], optional):
        granted = set() if now == "none" else now
        for field in g.fields(value, ","):
            first, dash, last = field.partition("-")
            a = g.uint(first, 65535)
            b = g.uint(last, 65535) if dash else a
            if b < a:
                g.bad("not a range of ports")
            granted |= set(range(a, b + 1))
        p.ports[key] = granted


def take_caps(value: str) -> Any:
    """(keep, add, drop, relative)"""
    if value == "none":
        return {"add": 0, "drop": 0, "relative": False}
    relative = value[:1] in ("+", "-")
    add = drop = 0
    for field in g.fields(value, ","):
        if relative != (field[:1] in ("+", "-") and field != ""):
            g.bad("+ and - before all or none")
        name = (field[1:] if relative else field).lower()
        name = name[4:] if name.startswith("cap_") else name
        if g.UINT.fullmatch(name) and int(name) < 64:
            bit = 1 << int(name)
        elif name in CAPS:
            bit = 1 << CAPS.index(name)
        else:
            g.bad("not a capability")
        if field[:1] == "-":
            drop, add = drop | bit, add & ~bit
        else:
            drop, add = drop & ~bit, add | bit
    return {"add": add, "drop": drop, "relative": relative}


def take_limit(p: Policy, name: str, value: str) -> None:
    def one(v: str) -> int:
        if v == "unlimited":
            return g.U64
        return g.size(v) if name in IN_BYTES else g.uint(v, g.U64)

    soft, colon, hard = value.partition(":")
    a = one(soft)
    b = one(hard) if colon else a
    if a > b:
        g.bad("the soft limit is above the hard one")
    p.limits[name] = [a, b]


# --- Landlock -------------------------------------------------------------------

def below(path: str, top: str) -> bool:
    path, top = os.path.realpath(path), os.path.realpath(top)
    return top == "/" or path == top or path.startswith(top + "/")


def enforce(model: Any, s: State, p: Policy) -> None:
    layer: Any = {"read": [], "write": [], "exec": [], "x": [], "toolbox": s.toolbox}
    for key, path, prefix, optional in p.rules:
        place = model.inside(path if prefix is None else prefix.rstrip("/") + path)
        if s.rooted and s.root != "/" and prefix is None and (
                path.startswith("/proc") or path.startswith("/dev") or path.startswith("/sys")):
            s.may_fail("volt-lock")
        elif not (os.path.exists(place) if prefix else model.exists(path)):
            if not optional:
                g.bad(f"{key}={path}: not there")
            continue
        if not os.path.isdir(place) and key not in FOR_FILES:
            g.bad(f"{key}={path}: not a directory")
        for right in RIGHTS[key][1]:
            layer[right].append(place)
    if len(s.landlock) >= LAYERS:
        g.bad("16 policies are in force already")
    if s.locked:
        s.may_fail("volt-lock")
    if s.landlock or s.rooted:
        s.may_fail("volt-lock") if s.landlock else None
    s.landlock.append(layer)
    # What it finds missing in a policy it says, and goes on.
    s.chatty.add("volt-lock")
    enforce_ports(model, s, p)
    if not p.files:
        s.landlock.pop()
        return
    for path, results in s.view.items():
        place = (s.root if s.root != "/" else "") + path
        for i, right in enumerate(("read", "write")):
            if not any(below(place, top) for top in layer[right]) and results[i] in (0, 30):
                results[i] = EACCES if results[i] == 0 else ANY


def enforce_ports(model: Any, s: State, p: Policy) -> None:
    """What Landlock does not see of ports a filter does, or several."""
    bind = p.ports["tcp.bind"]
    if bind == "none":
        s.port = ANY  # refused, in one way or another
    elif bind != "any" and model.host.abi >= 4 and 45000 not in bind:
        s.port = EACCES
    for key in ("tcp.bind", "tcp.connect") if "none" in p.ports.values() else ():
        if p.ports[key] == "none":
            s.may_fail("volt-lock") if model.host.abi < 4 else None
    if any(x == "none" for x in p.ports.values()):
        s.may_fail("volt-net")  # sockets that it needs
    if p.ports["udp.bind"] == "none" or p.ports["udp.connect"] == "none":
        both = p.ports["udp.bind"] == p.ports["udp.connect"]
        if not both and model.host.abi < 10:
            g.bad("needs Landlock ABI 10")


def may_exec(s: State, toolbox: bool) -> bool:
    """Does every layer grant it? What comes from the toolbox is granted."""
    for layer in s.landlock:
        if toolbox and layer["toolbox"]:
            continue
        tops = [os.path.realpath(t) for t in layer["exec"]]
        if not tops and not layer["x"]:
            return False
        if "/" not in tops and s.root not in tops:
            raise Unknown("the right to execute some of it")
    return True


# --- all of it --------------------------------------------------------------------

def apply(model: Any, argv: List[str]) -> List[str]:
    s: State = model.s
    p = Policy()
    parsed = g.parse(argv, "Nbjlv", lambda k, v: take_word(model, p, k, v), model.read)
    if set(parsed.flags) & set("bl") or not parsed.rest:
        raise Unknown("-b, -l or no command")
    if set(parsed.flags) & set("vN"):
        s.chatty.add("volt-lock")
    if s.seccomp_name:
        s.may_fail("volt-lock")
    seccomp = p.values.get("seccomp", "none")
    if seccomp not in ("none", "strict", "default"):
        s.chatty.add("volt-seccomp")
        if not model.exists(seccomp):
            g.bad("seccomp=: not there")
        if s.rooted or s.landlock or s.seccomp_name:
            s.may_fail("volt-lock")
    before = len(s.landlock)
    if p.landlock:
        enforce(model, s, p)
    if "N" in parsed.flags:
        s.landlock = s.landlock[:before]
        raise Refused("dry run", 0)
    if p.values.get("keyring") != "keep":
        s.keyring = "new"
        if not s.seccomp_name:
            s.may_fail("volt-lock") if not model.host.can("keyring", s.kind) else None
    limits(model, s, p)
    identity(s, p)
    s.see["no_new_privs"] = 1
    s.locked = s.locked or p.caps is not None or bool({"uid", "gid"} & set(p.values))
    if p.values.get("fds") == "close":
        s.fds = {n for n in s.fds if n < 3}
    if p.landlock and s.see["seccomp"] != 2:
        # A filter of its own where a right to ports is restricted.
        s.see["seccomp"] = 2 if p.ports["tcp.bind"] != "any" else ANY
    if seccomp != "none":
        s.see["seccomp"] = 2
        s.seccomp_name = seccomp
        if p.values.get("seccomp.action") == "kill":
            s.deadly = True
    return parsed.rest


def limits(model: Any, s: State, p: Policy) -> None:
    now = [list(r) for r in s.see["rlimits"]]
    for name, (soft, hard) in p.limits.items():
        have = now[LIMITS[name]]
        if hard > have[1] and not (s.initial and s.has(SYS_RESOURCE)):
            g.bad(f"rlimit.{name}: Operation not permitted")
        if name == "nofile" and hard > 1 << 20:
            s.may_fail("volt-lock")
        now[LIMITS[name]] = [soft, hard]
    if p.values.get("dumpable") == "no":
        core = now[LIMITS["core"]]
        now[LIMITS["core"]] = [1, 1] if core[1] >= 1 or (
            s.initial and s.has(SYS_RESOURCE)) else [0, 0]
    s.see["rlimits"] = now


def identity(s: State, p: Policy) -> None:
    see, caps = s.see, p.caps
    if see["permitted"] is ANY:
        raise Unknown("capabilities")
    keep = 0
    if caps is not None:
        keep = see["permitted"] & ~caps["drop"] if caps["relative"] else caps["add"]
        if caps["add"] & ~see["permitted"]:
            g.bad("not ours to keep")
        if s.has(SETPCAP):
            see["bounding"] &= keep
    if any(k in p.values for k in ("groups", "uid", "gid")):
        if s.has(SETGID) and not s.setgroups_denied:
            value = [int(v) for v in p.values.get("groups", "").split(",") if v]
            if not s.initial and isinstance(see["gid_map"], str) and not all(
                    mapped(see["gid_map"], n) for n in value):
                g.bad("setgroups: Invalid argument")
            see["groups"] = sorted(value)
        elif "groups" in p.values or see["groups"] != []:
            g.bad("setgroups: Operation not permitted")
    permitted = see["permitted"]
    for key, cap in (("gid", SETGID), ("uid", SETUID)):
        if key not in p.values:
            continue
        n, have = int(p.values[key]), getattr(s, key)
        if not s.initial:
            text = see[key + "_map"]
            if not isinstance(text, str):
                s.may_fail("volt-lock")
            elif not mapped(text, n):
                g.bad("Invalid argument")
        if n != have and not permitted >> cap & 1:
            g.bad("Operation not permitted")
        if key == "gid":
            s.gid = n
        else:
            s.set_uid(n)
    if caps is None:
        return
    if see["securebits"] & NO_AMBIENT and caps["add"] & ~see["ambient"]:
        g.bad("ambient set: Operation not permitted")
    see["inheritable"] = see["ambient"] = caps["add"]
    see["permitted"] = see["effective"] = keep
    if permitted >> SETPCAP & 1:
        old = see["securebits"] & ~16
        fixed = (old & 0xaa) >> 1
        want = NO_AMBIENT | (0 if caps["relative"] else NOROOT)
        see["securebits"] = (old & fixed) | (want & ~fixed) | 0xaa


def mapped(text: str, n: int) -> bool:
    if text == "range":
        return n < 65536
    numbers = [int(x) for x in bytes.fromhex(text).split()]
    return any(a <= n < a + k for a, k in zip(numbers[0::3], numbers[2::3]))
