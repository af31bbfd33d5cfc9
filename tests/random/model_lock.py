"""volt-lock(1)."""

import fnmatch
import os
import re
from typing import Any, Dict, List, Optional, Set

import grammar as g
from grammar import Refused, Unknown
from state import ANY, NOROOT, SETGID, SETPCAP, SETUID, SYS_RESOURCE, State

CAPS = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap "
        "linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock "
        "ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot "
        "sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write "
        "audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend "
        "audit_read perfmon bpf checkpoint_restore").split()
# The rights on files, and the Landlock ABI that introduced each.
FILES = dict.fromkeys("execute write_file read_file read_dir remove_dir remove_file make_char "
                      "make_dir make_reg make_sock make_fifo make_block make_sym".split(), 1)
FILES.update(refer=2, truncate=3, ioctl_dev=5)
SOCKETS = {"unix": 9}
READ = {"read_file", "read_dir"}
WRITE = {"write_file", "remove_dir", "remove_file", "make_dir", "make_reg", "make_sock",
         "make_fifo", "make_sym", "refer", "truncate"}
GROUPS: Dict[str, Set[str]] = {
    "fs.ro": READ, "fs.rx": READ | {"execute"}, "fs.rw": READ | WRITE,
    "fs.rwx": READ | WRITE | {"execute"},
    "fs.dev": READ | {"write_file", "truncate", "ioctl_dev"}}
RIGHTS: Dict[str, Set[str]] = dict(GROUPS, unix={"unix"}, **{"fs." + n: {n} for n in FILES})
FOR_FILES = {"execute", "write_file", "read_file", "truncate", "ioctl_dev", "unix"}
# The entries of a root's /dev.
DEVICES = "null zero full random urandom tty ptmx pts shm fd stdin stdout stderr".split()
PORTS = {"tcp.bind": 4, "tcp.connect": 4, "udp.bind": 10, "udp.connect": 10}
SCOPES = {"abstract-unix": 6, "signal": 6}
LOGS = {"same-exec-off": 7, "new-exec-on": 7, "subdomains-off": 7}
LIMITS = {"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6,
          "nofile": 7, "memlock": 8, "as": 9, "locks": 10, "sigpending": 11,
          "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15}
IN_BYTES = ("as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack")
SPECS = ("store-bypass", "indirect-branch", "l1d-flush")
EACCES = 13
REFUSED = "refused"  # with any error
KEEP_CAPS_LOCKED = 32
NO_AMBIENT = 64
LAYERS = 16


class Policy:
    def __init__(self) -> None:
        self.landlock = False
        self.rules: List[Any] = []  # key, path, rights, prefix, except, optional
        # Rights on files: any; any that every other word overrides; none.
        self.any: Set[str] = set()
        self.weak: Set[str] = set()
        self.none: Set[str] = set()
        # For each right: "any", "none", or the ports that are granted.
        self.ports: Dict[str, Any] = {key: set() for key in PORTS}
        self.tried: Set[str] = set()  # rights on ports with a none within try=
        self.scopes: Optional[Set[str]] = None
        self.prefix: Optional[str] = None
        self.excepted: List[str] = []
        self.lost: Optional[str] = None
        self.values: Dict[str, str] = {}
        self.limits: Dict[str, Any] = {}
        self.caps: Optional[Any] = None


def take_word(model: Any, p: Policy, key: str, value: str, optional: bool = False) -> None:
    """Take a word, or refuse it if it is wrong by itself."""
    abi = model.host.abi
    if key == "try":
        inner, equals, rest = value.partition("=")
        if not equals or not (inner in RIGHTS or inner in PORTS or
                              inner in ("scope", "log", "abi", "fs")):
            g.bad("not one of Landlock's words")
        take_word(model, p, inner, rest, True)
    elif key == "fs" or key == "unix" and value in ("any", "none"):
        p.landlock = True
        rights = set(SOCKETS if key == "unix" else FILES)
        if value == "any":
            leave_alone(p, rights, optional)
        elif value == "none":
            take_back(p, rights)
        else:
            g.bad("not any or none")
    elif key in RIGHTS:
        p.landlock = True
        if key not in GROUPS and missing(p, abi, max(
                dict(FILES, **SOCKETS)[x] for x in RIGHTS[key]), optional):
            return
        take_paths(p, key, value, optional)
    elif key in PORTS:
        p.landlock = True
        take_ports(p, key, value, abi, optional)
    elif key in ("scope", "log"):
        p.landlock = True
        names, known = SCOPES if key == "scope" else LOGS, set()
        for name in [] if value == "none" else g.fields(value, ","):
            if name not in names:
                g.bad("not a name")
            if not missing(p, abi, names[name], optional):
                known.add(name)
        if key == "scope":
            p.scopes = known
    elif key == "abi":
        p.landlock = True
        missing(p, abi, g.uint(value, (1 << 31) - 1), False)
    elif key == "prefix":
        p.prefix = value or None
    elif key == "except":
        take_exceptions(p, value)
    elif key == "seccomp":
        if value == "":
            g.bad("empty")
        p.values[key] = value
    elif key == "caps":
        p.caps = take_caps(value)
    elif key in ("uid", "gid"):
        if value and not value.isdigit():
            raise Unknown("a name of " + key)  # a later word may override it
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
    elif key in ("learn", "learn.words"):
        raise Unknown(key + "=")
    else:
        g.bad("unknown word")


CHOICES = {"stdio": ("give", "keep"), "fds": ("close", "keep"), "keyring": ("new", "keep"),
           "dumpable": ("yes", "no"), "seccomp.action": ("errno", "kill", "log")}


def kind_of(rights: Set[str]) -> Set[str]:
    return set(SOCKETS) if rights & set(SOCKETS) else set(FILES)


def leave_alone(p: Policy, rights: Set[str], optional: bool) -> None:
    if not p.none & rights and not any(rule[2] & rights for rule in p.rules):
        p.any |= rights
        p.weak = p.weak | rights if optional else p.weak - rights
    elif not optional:
        g.bad("any would undo what earlier words restrict")


def take_back(p: Policy, rights: Set[str]) -> None:
    p.any -= rights
    p.weak -= kind_of(rights)
    p.none |= rights
    p.rules = [[r[0], r[1], r[2] - rights] + r[3:] for r in p.rules if r[2] - rights]


def take_paths(p: Policy, key: str, value: str, optional: bool) -> None:
    rights = RIGHTS[key]
    if value == "none":
        take_back(p, rights - READ or rights)
        return
    if not rights - (p.any - p.weak):
        g.bad("an earlier any grants all")
    p.any -= p.weak & kind_of(rights)
    p.none -= rights
    for path in g.fields(value, ","):
        if path == "" or (p.prefix and not path.startswith("/")):
            g.bad("an empty path, or one below prefix= without /")
        p.rules.append([key, path, rights, p.prefix, list(p.excepted), optional])


def take_exceptions(p: Policy, value: str) -> None:
    if value == "":
        p.excepted = []
        return
    for path in g.fields(value, ","):
        if not path.startswith("/"):
            g.bad("a path from the root")
        p.excepted.append(path)


def missing(p: Policy, abi: int, needs: int, optional: bool) -> bool:
    """Does this kernel not know the right? That is an error, except within try=."""
    if abi >= needs:
        return False
    if not optional:
        raise Refused(f"needs Landlock ABI {needs}") if not p.values.get("-b") else Unknown("-b")
    return True


def take_ports(p: Policy, key: str, value: str, abi: int, optional: bool) -> None:
    """Ports add up. A word that adds nothing, or undoes a restriction, is an error."""
    now = p.ports[key]
    if value == "any":
        if now == "none" or (now != "any" and now):
            g.bad("it would undo what earlier words restrict")
        p.ports[key] = "any"
    elif value == "none":
        p.ports[key] = "none"
        p.tried = p.tried | {key} if optional else p.tried - {key}
    elif now == "any":
        g.bad("an earlier any grants all")
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
            g.bad("put + or - before all names, or none")
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


def there(model: Any, s: State, path: str, prefix: Optional[str]) -> bool:
    """Does the file exist, in the root or in what volt-ns has put there?"""
    if prefix is not None or not s.rooted or s.root == "/":
        return os.path.exists(model.inside((prefix or "").rstrip("/") + path)) if prefix \
            else model.exists(path)
    if path.startswith("/dev/") and s.dev:
        if path[5:] not in DEVICES:
            s.may_fail("volt-lock")
        return True
    if path.startswith(("/proc/", "/sys/")):
        s.may_fail("volt-lock")
        return True
    return model.exists(path)


def matches(path: str, pattern: str) -> bool:
    """Does the pattern match path, or a directory above it?"""
    names, parts = path.strip("/").split("/"), pattern.strip("/").split("/")
    return len(names) >= len(parts) and all(map(fnmatch.fnmatchcase, names, parts))


def enforce(model: Any, s: State, p: Policy) -> None:
    """Add the rules, and find what access to the tried paths then gives."""
    handled = {n for n, since in dict(FILES, **SOCKETS).items()
               if since <= model.host.abi} - p.any
    layer: Any = {"handled": handled, "rules": [], "toolbox": s.toolbox}
    enforce_ports(model, s, p)
    net = {k for k, since in PORTS.items() if since <= model.host.abi and p.ports[k] != "any"}
    scopes = p.scopes if p.scopes is not None else {
        n for n, since in SCOPES.items() if since <= model.host.abi}
    # If a policy lacks something, volt-lock prints that and goes on.
    s.chatty.add("volt-lock")
    if not handled and not net and not scopes:
        return
    if any(rule[4] for rule in p.rules) and any(
            rule[2] for before in s.landlock for rule in before["rules"]):
        raise Unknown("except= that cannot look at what another one keeps")
    for key, path, rights, prefix, excepted, optional in p.rules:
        if not there(model, s, path, prefix):
            if not optional:
                g.bad(f"{key}={path}: not there")
            continue
        place = model.inside(path if prefix is None else prefix.rstrip("/") + path)
        if os.path.exists(place) and not os.path.isdir(place) and not rights & FOR_FILES \
                and rights & handled and not excepted:
            g.bad(f"{key}={path}: not a directory")
        layer["rules"].append((place, rights, [model.inside(
            (prefix or "").rstrip("/") + x) for x in excepted]))
    if len(s.landlock) >= LAYERS:
        g.bad("16 policies are in force already")
    s.landlock.append(layer)
    for path, results in s.view.items():
        place = (s.root if s.root != "/" else "") + path
        for i, right in enumerate(("read_file", "write_file")):
            if right in handled and results[i] in (0, 30) and not any(
                    right in rights and below(place, top) and not any(
                        matches(place, x) for x in excepted)
                    for top, rights, excepted in layer["rules"]):
                results[i] = EACCES if results[i] == 0 else ANY


def enforce_ports(model: Any, s: State, p: Policy) -> None:
    """Filters deny what Landlock does not check of ports."""
    abi = model.host.abi
    none = {key for key in PORTS if p.ports[key] == "none"}
    for pair in (("tcp.bind", "tcp.connect"), ("udp.bind", "udp.connect")):
        if none & set(pair) != set(pair):
            for key in none & set(pair):
                if missing(p, abi, PORTS[key], key in p.tried):
                    none.discard(key)
    bind = p.ports["tcp.bind"]
    if "tcp.bind" in none:
        s.port = REFUSED  # the error may differ
    elif bind != "any" and abi >= PORTS["tcp.bind"] and (bind == "none" or 45000 not in bind):
        s.port = EACCES if s.port == 0 else s.port
    if none:
        s.may_fail("volt-net")  # it needs sockets
    handled = {k for k, since in PORTS.items() if since <= abi and p.ports[k] != "any"}
    if handled or none or ("unix" in p.none and abi < SOCKETS["unix"]):
        s.see["seccomp"] = 2  # there is a filter


def may_exec(s: State, toolbox: bool) -> bool:
    """Does every layer grant to execute it? Static programs of the toolbox are granted."""
    for layer in s.landlock:
        if toolbox and layer["toolbox"]:
            continue
        for right in {"execute", "read_file"} & layer["handled"]:
            tops = {os.path.realpath(top) for top, rights, _ in layer["rules"] if right in rights}
            if not tops:
                return False
            if "/" not in tops and os.path.realpath(s.root) not in tops:
                raise Unknown("the right to execute some of it")
    return True


# --- all of it --------------------------------------------------------------------

def apply(model: Any, argv: List[str]) -> List[str]:
    s: State = model.s
    p = Policy()
    if any(re.fullmatch("-[A-Za-z]*[vN][A-Za-z]*", a) for a in argv):
        s.chatty.add("volt-lock")  # also of words before a wrong one
    parsed = g.parse(argv, "Nbjlv", lambda k, v: take_word(model, p, k, v), model.read)
    if set(parsed.flags) & set("bl") or not parsed.rest:
        raise Unknown("-b, -l or no command")
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
    if (p.caps is not None or "uid" in p.values) and p.values.get("stdio") != "keep":
        s.give_streams()
    identity(s, p)
    s.see["no_new_privs"] = 1
    s.locked = s.locked or p.caps is not None or bool({"uid", "gid"} & set(p.values))
    if p.values.get("fds") == "close":
        s.fds = {n for n in s.fds if n < 3}
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
            g.bad("we do not have that")
        if s.has(SETPCAP):
            see["bounding"] &= keep
        if "uid" in p.values and see["securebits"] & KEEP_CAPS_LOCKED:
            g.bad("keep capabilities: Operation not permitted")
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
