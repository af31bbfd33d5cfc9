"""volt-ns(1): its words, its errors, and what the command sees."""

import os
from typing import Any, Dict, List, Tuple

import case as c
import grammar as g
import model_join
from grammar import Refused, Unknown
from plan_ns import Mount, Plan, check, take_word
from state import ANY, SETFCAP, SETGID, SETUID, SYS_ADMIN, State, Waiter

KINDS = {"m": "mnt", "p": "pid", "n": "net", "u": "uts", "i": "ipc", "C": "cgroup",
         "U": "user", "T": "time"}
TRIED = ("/srv/t/a", "/srv/t/b")
EACCES, ENOENT, EROFS = 13, 2, 30
RANGE_FIRST, RANGE = 0x30000000, 65536


# --- identity -----------------------------------------------------------------

def auto_map(model: Any, s: State) -> Tuple[Any, bool]:
    """The map without words, and whether a helper writes it. None stands for the range
    of the host's root, which depends on the process ID."""
    if s.uid == 0 and s.initial:
        return None, False
    if s.uid == 0:
        return "same", False
    own = [(0, s.uid, 1)]
    path = next((v[5:] for v in s.env if v.startswith("PATH=")), "")
    if s.kind != "subid" or s.uid != c.SUBID_ID or s.root != "/" or not any(
            os.path.exists(d + "/newuidmap") for d in path.split(":") if d):
        return own, False
    if not s.initial:
        s.may_fail("volt-ns")  # there, newuidmap(1) is not root
        s.chatty |= {"newuidmap", "newgidmap"}
        return own, False
    return own + [(1, c.SUBID_RANGE[0], c.SUBID_RANGE[1])], True


def mapped(extents: Any, n: int) -> bool:
    return any(a <= n < a + count for a, _, count in extents)


def parse_map(text: str) -> List[Tuple[int, int, int]]:
    if text == "range":
        return [(0, 0, RANGE)]
    numbers = [int(x) for x in bytes.fromhex(text).split()]
    return [(numbers[i], numbers[i + 1], numbers[i + 2]) for i in range(0, len(numbers), 3)]


def make_userns(model: Any, s: State, p: Plan) -> Tuple[Any, Any]:
    """Plan the maps and write them. Returns both, as seen from inside."""
    u, gm = p.maps["uidmap"], p.maps["gidmap"]
    auto_given = [k for k in ("uidmap", "gidmap") if p.auto.get(k)]
    if len(auto_given) == 1 and len(p.given) == 2:
        g.bad("both auto, or neither")
    helper = False
    if not u and not gm:
        u, helper = auto_map(model, s)
        gm = u
        if u == "same":
            u = [(a, a, n) for a, _, n in parse_map(s.see["uid_map"])] if s.proc else ANY
            gm = [(a, a, n) for a, _, n in parse_map(s.see["gid_map"])] if s.proc else ANY
        elif u is None:
            if not (s.has(SETUID) and s.has(SETGID)):
                s.may_fail("volt-ns")
        elif s.gid != s.uid:
            gm = [(0, s.gid, 1)] + gm[1:]
    elif not gm:
        gm = u
    elif not u:
        u = gm
    if helper:
        s.chatty |= {"newuidmap", "newgidmap"}
    if helper and s.see["no_new_privs"]:
        g.bad("newuidmap: no_new_privs is set")
    if u is not None and u is not ANY and any(n == (1 << 32) - 1 for _, _, n in u):
        raise Unknown("a map that looks like the host's")
    own_u = u is not None and u is not ANY and len(u) == 1 and u[0][2] == 1 and u[0][1] == s.uid
    own_g = gm is not None and gm is not ANY and len(gm) == 1 and gm[0][2] == 1 and \
        gm[0][1] == s.gid
    if s.uid == 0 and (p.given and u is not None):
        # The kernel decides whether the map is valid.
        for ids, have in ((u, "uid_map"), (gm, "gid_map")):
            if ids is ANY or ids is None:
                s.may_fail("volt-ns")
                continue
            if not s.initial and s.proc and not all(
                    any(a <= x and x + n <= a + count
                        for a, _, count in parse_map(s.see[have])) for _, x, n in ids):
                s.may_fail("volt-ns")
            for i, (a, _, n) in enumerate(ids):
                for b, x, m in ids[:i]:
                    if (a < b + m and b < a + n) or (ids[i][1] < x + m and x < ids[i][1] + n):
                        s.may_fail("volt-ns")
        if not (s.has(SETUID) and s.has(SETGID) and s.has(SETFCAP)):
            s.may_fail("volt-ns")
    elif s.uid != 0 and not helper and not (own_u and own_g):
        # newuidmap(1) decides whether it is granted.
        s.may_fail("volt-ns")
        s.chatty.add("*")
    denied = s.uid != 0 and own_g or s.setgroups_denied
    s.setgroups_denied = denied
    if s.uid != 0:
        s.see["setgroups"] = b"deny\n".hex() if own_g else ANY
    return u, gm


def show_map(extents: Any) -> Any:
    return ANY if extents is ANY or extents is None else extents


def set_groups(s: State, p: Plan, userns: bool) -> None:
    if p.groups is None and p.uid is None and p.gid is None and not userns:
        return
    allowed = s.has(SETGID) and not s.setgroups_denied
    if allowed:
        s.see["groups"] = sorted(p.groups or [])
        if p.groups and not s.initial and isinstance(s.see["gid_map"], str) and not all(
                mapped(parse_map(s.see["gid_map"]), n) for n in p.groups):
            g.bad("groups: Invalid argument")
        return
    if p.groups is not None or not userns:
        g.bad("groups: Operation not permitted")
    s.see["groups"] = ANY if s.see["groups"] else []


def identity(s: State, p: Plan, u: Any, gm: Any, userns: bool, joined: bool) -> None:
    set_groups(s, p, userns or joined)
    for n, ids, cap, name in ((p.gid, gm, SETGID, "gid"), (p.uid, u, SETUID, "uid")):
        if n is None:
            continue
        if userns and ids is not ANY:
            if not mapped(ids if ids is not None else [(0, 0, RANGE)], n):
                g.bad(f"{name}={n}: Invalid argument")
        elif not s.initial:
            have = s.see["uid_map" if name == "uid" else "gid_map"]
            if not isinstance(have, str) or have == "":
                s.may_fail("volt-ns")
            elif not mapped(parse_map(have), n):
                g.bad(f"{name}={n}: Invalid argument")
        if not s.has(cap) and n != (s.uid if name == "uid" else s.gid):
            g.bad(f"{name}={n}: Operation not permitted")
        if name == "uid":
            s.set_uid(n)
        else:
            s.gid = n


# --- the root -------------------------------------------------------------------

def source(model: Any, s: State, m: Mount) -> str:
    """Our path of m's source, which must exist."""
    assert m.src is not None
    path = model.inside(m.src)
    if not os.path.exists(path):
        g.bad(f"{m.what}: No such file or directory")
    if m.key in ("root", "lower", "overlay") and not os.path.isdir(path):
        g.bad(f"{m.what}: Not a directory")
    return path


def new_root(model: Any, s: State, p: Plan, flags: str, shifted: bool, host: bool) -> None:
    """Find which directory is the root now, and what is read-only in it."""
    userns = "U" in flags
    layers = p.lower + ([p.root] if p.root else [])
    for m in layers:
        if m.key == "image":
            raise Unknown("image=")
        source(model, s, m)
    if p.overlay and p.overlay.src != "tmpfs":
        source(model, s, p.overlay)
        if s.rooted:
            raise Unknown("overlay=DIR in a root")
    if s.root != "/" or s.rooted:
        s.may_fail("volt-ns")  # we do not know its layers
    elif p.is_overlay and not host and any(m.src == "/" for m in layers):
        g.bad("a layer has mounts below it")
    what = "plain"
    if p.is_overlay:
        what = "layers" if p.overlay is None else (
            "overlay=tmpfs" if p.overlay.src == "tmpfs" else "overlay=DIR")
    elif p.root and p.root.src == "/":
        what = "root=/"
    if shifted or any(m.idmap for m in layers):
        what += " idmap"
    if userns:
        what += " -U"
    if not model.host.can(what, s.kind):
        s.may_fail("volt-ns")
    if s.ns["mnt"] == "new" and any({"rw", "suid", "dev", "exec"} & set(m.given) for m in layers):
        s.may_fail("volt-ns")  # mounts that are locked
    places = [source(model, s, m).rstrip("/") for m in layers]
    s.root, s.rooted = places[-1] or "/", True
    if s.root != "/":
        s.covered = []
    if not all(any(os.path.isdir(place + d) for place in places) for d in ("/proc", "/dev")):
        s.may_fail("volt-ns")  # it may be impossible to make them
    s.see["cwd"], s.see["cwd_id"], s.see["root_id"] = b"/".hex(), ANY, ANY
    ro = p.overlay is None if p.is_overlay else layers[0].ro
    if p.overlay is not None:
        ro = p.overlay.ro
    if s.root == "/" and ro:
        cover(s, "/", "same", EROFS)
    for path in TRIED if s.root != "/" else ():
        there = any(os.path.exists(place + path) for place in places)
        s.view[path] = [0, EROFS if ro else 0] if there else [ENOENT, ENOENT]
        if p.is_overlay and not s.initial and not ro:
            s.view[path][1] = ANY
    s.proc = not p.no.get("proc")
    s.dev = not p.no.get("dev")


def cover(s: State, where: str, read: Any, write: Any) -> None:
    for path in TRIED:
        if path == where or path.startswith(where.rstrip("/") + "/"):
            before = s.view[path][0]
            if before is ANY or before == ENOENT:  # a device can still be written to
                write = before
            s.view[path] = [read if read != "same" else before, write]


def other_mounts(model: Any, s: State, p: Plan, flags: str, sources: Dict[str, str],
                 shown: Dict[str, Any]) -> None:
    """sources has the paths of the sources of bind=, and shown the results there."""
    for m in p.mounts:
        place = m.dst or ""
        if os.path.normpath(place) == "/":
            g.bad(f"{m.what}: the root itself")
        if ".." in place.split("/"):
            raise Unknown("..")
        there = model.exists(place)
        if not there:
            if m.key in ("mask", "ro"):
                g.bad(f"{m.what}: No such file or directory")
            s.may_fail("volt-ns")  # it may be impossible to make it
        if m.key in ("bind", "tmpfs", "mask"):
            s.covered.append((place, sources.get(m.what)))
        if m.key == "bind":
            if m.idmap:
                s.may_fail("volt-ns")
            if m.dst and any(t.startswith(m.dst.rstrip("/") + "/") or t == m.dst for t in TRIED):
                if m.src != "/srv/t" or m.dst != "/srv/t":
                    raise Unknown("bind= over what is tried")
                for path in TRIED:
                    read, write = shown[path]
                    s.view[path] = [read, write if read == ENOENT else ANY if "U" in flags
                                    else EROFS if m.ro else write]
        elif m.key == "tmpfs":
            cover(s, place, ENOENT, ENOENT)
        elif m.key == "mask":
            if os.path.isdir((s.root if s.root != "/" else "") + place):
                cover(s, place, ENOENT, ENOENT)
            else:
                cover(s, place, ANY, ANY)
                if not p.had_dev:
                    g.bad("/dev/null: not the device 1:3")
        elif m.key == "ro":
            cover(s, place, "same", EROFS)
        elif m.key in ("proc", "sys", "cgroup", "dev"):
            s.may_fail("volt-ns")
            cover(s, place, ENOENT, ENOENT)
            if place == "/proc":
                s.proc = True
            elif place.startswith("/proc") or place in ("/srv", "/bin"):
                raise Unknown("a mount over what is needed")
        if place in ("/", "/bin", "/usr", "/srv", "/srv/cmd", "/proc", "/etc"):
            if m.key != "proc":
                raise Unknown("a mount over what is needed")
    if p.root_ro and s.root != "/" and p.has_root:
        for path in TRIED:
            if s.view[path][1] == 0:
                s.view[path][1] = ANY if any((m.dst or "").startswith("/srv")
                                             for m in p.mounts) else EROFS
    elif p.root_ro and s.rooted:
        cover(s, "/", ANY, ANY)


# --- all of it --------------------------------------------------------------------

def apply(model: Any, argv: List[str]) -> List[str]:
    s: State = model.s
    p = Plan()
    parsed = g.parse(argv, "ACNTUikmnpsuv", lambda k, v: take_word(model, p, k, v), model.read)
    flags = parsed.flags + ("mpnuiCUT" if "A" in parsed.flags else "")
    check(p, flags, parsed.rest)
    kinds = {KINDS[f] for f in flags if f in KINDS}
    if "v" in flags or "N" in flags or ("n" in flags and s.sys_ro):
        s.chatty.add("volt-ns")
    if s.locked and kinds or s.landlock or s.seccomp_name:
        s.may_fail("volt-ns")
    joined: List[str] = []
    if p.join is not None:
        joined = model_join.enter(model, s, p.join, bool(parsed.rest) and
                                  parsed.rest[0].startswith("volt-"))
        if kinds:
            s.may_fail("volt-ns")
    if "N" in flags:
        s.may_fail("volt-ns")  # it reads the maps
        raise Refused("dry run", 0)
    if ("U" in flags or p.join is not None or p.uid is not None or p.has_root) and \
            p.values.get("stdio") != "keep":
        s.give_streams()
    furnished = plug(s, p, flags)
    waits = "p" in flags or "pid" in joined or p.console or p.status is not None
    if "s" in flags and not waits:
        waits = s.see["pgid"] == "own" or s.see["pgid"] == s.see["pid"]
        if s.see["pgid"] is ANY:
            raise Unknown("-s that may wait")
    if p.stop and not waits:
        g.bad("stop= needs -p, console= or status=")
    if kinds - {"user"} and "user" not in kinds:
        s.need(SYS_ADMIN, "volt-ns", "namespaces: Operation not permitted")
    if p.status is not None:
        s.watch(p.status)
    if "user" in kinds and waits and not s.proc:
        s.may_fail("volt-ns")
    u: Any = None
    gm: Any = None
    # For the host's root, the owners of files are mapped.
    host = s.uid == 0 and s.initial
    p.had_dev = s.dev
    shifted = "user" in kinds and s.uid == 0 and s.initial and not any(p.maps.values())
    if waits:
        if "pid" in kinds:
            s.fresh_pids = True
        first = s.pid_one
        if "pid" in joined and "pid" not in kinds:
            model_join.enter_pids(s, Waiter("volt-ns", p.stop))
        else:
            s.wait(Waiter("volt-ns", p.stop))
        s.waiters[-1].pid_one = first
    if "user" in kinds:
        if not s.proc or s.see["uid_map"] is ANY:
            s.may_fail("volt-ns")
        between = s.uid != 0 and "mnt" in kinds and p.builds
        u, gm = make_userns(model, s, p)
        enter_userns(s, u, gm, between)
    namespaces(model, s, p, flags, kinds, furnished)
    if "mnt" in kinds:
        sources = {m.what: source(model, s, m) for m in p.mounts if m.key == "bind"}
        for m in p.mounts:
            if m.what in sources and any((m.src or "").startswith(top) and not place
                                         for top, place in s.covered):
                del sources[m.what]  # it is empty
        if any(top.startswith((m.src or "").rstrip("/") + "/") for top, _ in s.covered
               for m in p.mounts if m.key == "bind"):
            s.may_fail("volt-ns")  # there are mounts below the source
        shown = dict(s.view)
        if p.has_root:
            new_root(model, s, p, flags, shifted, host)
        if p.builds:
            s.toolbox = bool(parsed.rest) and parsed.rest[0].startswith("volt-")
        if p.has_root and not s.toolbox and s.plug == "made":
            s.plug = None
        other_mounts(model, s, p, flags, sources, shown)
    change_directory(model, s, p, kinds)
    if p.console and not s.dev and not any((m.dst or "").startswith("/dev") for m in p.mounts):
        g.bad("console=pty: No such file or directory")
    if p.console and p.uid is not None and not p.has_root and not s.initial:
        s.may_fail("volt-ns")  # the devpts is another's, with a group that is not mapped
    if p.console:
        s.console = True
        s.see["sid"] = s.see["pgid"] = "own"
        s.see["tty"], s.see["tpgid"] = "pty", ANY
        if not model.host.can("console", s.kind):
            s.may_fail("volt-ns")
    elif "s" in flags:
        s.see["sid"] = s.see["pgid"] = 1 if s.pid_one else "own"
        s.see["tty"], s.see["tpgid"] = 0, -1
    if p.console and s.pid_one:
        s.see["sid"] = s.see["pgid"] = 1
    identity(s, p, u, gm, "user" in kinds, "user" in joined)
    if "umask" in p.values:
        s.see["umask"] = int(p.values["umask"], 8)
    if waits or "k" in flags:
        s.see["pdeathsig"] = 9
    return parsed.rest


def plug(s: State, p: Plan, flags: str) -> bool:
    """Take what an earlier volt-net left. Returns whether that is our network."""
    if s.plug is None:
        return False
    if s.plug != "deferred" and "n" in flags:
        g.bad("-n: volt-net has made the network already")
    if s.plug == "deferred":
        if "n" not in flags:
            return False
        if s.plug_files and not p.has_root:
            g.bad("dns=, search= and hosts= need a root")
        if "volt-net" in s.maybe:
            # Then its helper fails, and prints why.
            s.may_fail("volt-ns")
            s.chatty.add("volt-net")
        s.plug = None
        return True
    elif not p.has_root:
        return False
    s.plug = None
    return False


def enter_userns(s: State, u: Any, gm: Any, between: bool) -> None:
    """between says that another user namespace is between the caller's and this one, so
    that mounts are locked. That one leaves the IDs unchanged."""
    s.new_userns()
    for key, extents in (("uid_map", u), ("gid_map", gm)):
        s.see[key] = show_map(extents)
        if between and isinstance(extents, list):
            s.see[key] = [(a, a, n) for a, _, n in extents]
    if u is None:
        s.see["uid_map"] = s.see["gid_map"] = "range"
        u = gm = [(0, 0, RANGE)]
    elif u is ANY:
        u = gm = [(0, 0, 1)]
    s.see["groups"] = ANY if s.see["groups"] else []
    if any(not mapped(m, 0) and not any(b <= own < b + n for _, b, n in m)
           for m, own in ((u, s.uid), (gm, s.gid))):
        s.may_fail("volt-ns")  # no ID inside may make a file
    if mapped(gm, 0):
        s.gid = 0
    else:
        s.gid = next((a + s.gid - b for a, b, n in gm if b <= s.gid < b + n), 65534)
    if mapped(u, 0):
        s.uid = 0
    else:
        # An exec drops the capabilities; another ID drops them at once.
        s.uid = next((a + s.uid - b for a, b, n in u if b <= s.uid < b + n), 65534)
    # Processes inside read their own map.
    s.see["uid_map"] = to_hex(s.see["uid_map"])
    s.see["gid_map"] = to_hex(s.see["gid_map"])


def to_hex(extents: Any) -> Any:
    if not isinstance(extents, list):
        return extents
    return "".join(f"{a:10d} {b:10d} {n:10d}\n" for a, b, n in extents).encode().hex()


def namespaces(model: Any, s: State, p: Plan, flags: str, kinds: Any, furnished: bool) -> None:
    for kind in kinds:
        s.ns[kind] = "new"
        if not model.host.can(f"{kind} namespace", s.kind):
            s.may_fail("volt-ns")
    for key in ("hostname", "domainname"):
        if key in p.values:
            s.see[key] = os.fsencode(p.values[key]).hex()
    if "net" in kinds:
        s.interfaces = "eth0" if furnished else "lo"
    if "cgroup" in kinds:
        s.cgroup = ANY if s.cgroup is ANY or s.delegated else "/"
    if "time" in kinds:
        offsets = bytes.fromhex(s.see["offsets"]).decode() if isinstance(
            s.see["offsets"], str) else ""
        new = dict(line.split(None, 1) for line in offsets.splitlines())
        for name in ("monotonic", "boottime"):
            if name in p.values:
                n = int(p.values[name])
                if n < 0 or n > 10 ** 8:
                    s.may_fail("volt-ns")
                new[name] = f"{n} 0"
        s.see["offsets"] = ANY if not offsets else "".join(
            f"{k:10s} {int(v.split()[0]):10d} {int(v.split()[1]):9d}\n" for k, v in new.items()
        ).encode().hex()
        if not s.proc or (s.uid != 0 and "user" not in kinds):
            s.may_fail("volt-ns")


def change_directory(model: Any, s: State, p: Plan, kinds: Any) -> None:
    if "chdir" not in p.values:
        if {"user", "mnt"} <= kinds and p.builds and not p.has_root and s.see["cwd"] == "":
            g.bad("working directory: gone, and looked up again")
        if p.mounts and not p.has_root and "user" in kinds:
            s.see["cwd_id"] = ANY  # a mount may cover it
        return
    path = p.values["chdir"]
    if not path.startswith("/"):
        raise Unknown("relative chdir=")
    if not os.path.isdir((s.root if s.root != "/" else "") + path) or not model.exists(path):
        if os.path.normpath(path) in ("/dev/shm", "/dev/pts"):
            raise Unknown("chdir= to what is made")
        g.bad(f"chdir={path}: not there")
    s.see["cwd"] = os.fsencode(os.path.normpath(path)).hex()
    s.see["cwd_id"] = ANY
