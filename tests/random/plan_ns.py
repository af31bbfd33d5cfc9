"""The words of volt-ns(1), and which of them exclude or need each other."""

import os
import re
from typing import Any, Dict, List, Optional, Tuple

import grammar as g
import model_join
from grammar import Unknown

ATTRS = ("ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec")
DEFAULTS = {"image": {"ro"}, "sys": {"ro"}, "cgroup": {"ro"}}


class Mount:
    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.what = f"{key}={value}"
        self.src: Optional[str] = None
        self.dst: Optional[str] = None
        self.rec = key == "root"
        self.idmap = False
        self.ro = "ro" in DEFAULTS.get(key, ())
        self.given: List[str] = []
        has_src = key in ("root", "image", "lower", "overlay", "bind")
        has_dst = key in ("bind", "mask", "ro", "dev", "tmpfs", "proc", "sys", "cgroup")
        rest = g.split(value, ":", has_src + has_dst + 1)
        if has_src:
            self.src = rest.pop(0)
            if self.src == "":
                g.bad("no source")
        if has_dst:
            self.dst = rest.pop(0) if rest else None
            if not self.dst and self.src:
                self.dst = self.src
            if not self.dst or not self.dst.startswith("/"):
                g.bad("the place must begin with /")
        for option in g.fields(rest[0], ",") if rest else []:
            self.option(option)

    def option(self, name: str) -> None:
        if name in ATTRS and self.key not in ("mask", "ro"):
            self.given.append(name)
            self.ro = name == "ro" or (self.ro and name != "rw")
        elif name in ("rec", "idmap") and self.key in ("root", "image", "lower", "bind"):
            self.rec = self.rec or name == "rec"
            self.idmap = self.idmap or name == "idmap"
        elif self.key in ("tmpfs", "proc", "overlay") and name and not (
                self.key == "overlay" and self.src != "tmpfs"):
            if name.startswith("size=") and not name.endswith("%"):
                g.size(name[5:])
            elif not re.fullmatch(r"(mode=[0-7]+|size=\d+%|nr_inodes=\d+|hidepid=[0-2])", name):
                raise Unknown("a file system's own option")
        else:
            g.bad("unknown option")


class Plan:
    def __init__(self) -> None:
        self.root: Optional[Mount] = None
        self.lower: List[Mount] = []
        self.overlay: Optional[Mount] = None
        self.mounts: List[Mount] = []
        self.no: Dict[str, bool] = {}
        self.root_ro = False
        self.had_dev = True  # there was a /dev before
        self.maps: Dict[str, List[Tuple[int, int, int]]] = {"uidmap": [], "gidmap": []}
        self.auto: Dict[str, bool] = {}
        self.given: Dict[str, bool] = {}
        self.uid: Optional[int] = None
        self.gid: Optional[int] = None
        self.groups: Optional[List[int]] = None
        self.values: Dict[str, str] = {}
        self.console = False
        self.stop = 0
        self.status: Optional[int] = None
        self.join: Optional[List[str]] = None  # namespaces; [] means all

    @property
    def has_root(self) -> bool:
        return self.root is not None or bool(self.lower)

    @property
    def builds(self) -> bool:
        """Does the root or a mount change?"""
        return self.has_root or bool(self.mounts) or self.root_ro

    @property
    def is_overlay(self) -> bool:
        return self.overlay is not None or len(self.lower) + (self.root is not None) > 1


def take_word(model: Any, p: Plan, key: str, value: str) -> None:
    """Take a word, or refuse it if it is wrong by itself."""
    if key in ("root", "image"):
        if p.root is not None:
            g.bad("there can be only one root= or image=")
        p.root = Mount(key, value)
    elif key == "lower":
        p.lower.append(Mount(key, value))
    elif key == "overlay":
        p.overlay = Mount(key, value)
    elif key in ("proc", "sys", "dev", "cgroup", "mask") and value == "none":
        p.no[key] = True
    elif key == "ro" and value == "/":
        p.root_ro = True
    elif key in ("bind", "tmpfs", "proc", "sys", "dev", "cgroup", "mask", "ro"):
        p.mounts.append(Mount(key, value))
        if key not in ("mask",):
            p.no[key] = True
    elif key in ("uidmap", "gidmap"):
        take_map(p, key, value)
    elif key == "uid":
        p.uid = g.uint(value, g.ID_MAX)
    elif key == "gid":
        p.gid = g.uint(value, g.ID_MAX)
    elif key == "groups":
        p.groups = [g.uint(v, g.ID_MAX) for v in g.fields(value, ",")] if value else []
    elif key in ("hostname", "domainname", "chdir"):
        if value == "":
            g.bad("empty")
        if key != "chdir" and (len(os.fsencode(value)) > 64 or
                               not re.fullmatch(r"[!-.0-~]*", value)):
            g.bad("not a name")
        p.values[key] = value
    elif key == "umask":
        if not re.fullmatch(r"[0-7]+", value) or int(value, 8) > 0o777:
            g.bad("not an octal mask")
        p.values[key] = value
    elif key in ("monotonic", "boottime"):
        g.uint(value[1:] if value.startswith("-") else value, (1 << 63) - 1)
        p.values[key] = value
    elif key == "stdio":
        if value not in ("give", "keep"):
            g.bad("give or keep")
        p.values[key] = value
    elif key == "console":
        if value not in ("pty", "pipe"):
            g.bad("not pty or pipe")
        if value == "pipe":
            raise Unknown("console=pipe")
        p.console = True
    elif key == "stdio":
        if value not in ("give", "keep"):
            g.bad("not give or keep")
    elif key == "stop":
        p.stop = g.signal(value)
    elif key == "status":
        p.status = g.uint(value, (1 << 31) - 1)
        model.take_status("volt-ns", p.status)
    elif key == "join":
        p.join = model_join.parse(value)
    else:
        g.bad("unknown word")


def take_map(p: Plan, key: str, value: str) -> None:
    p.given[key] = True
    if value == "auto":
        p.auto[key] = True
        return
    for extent in g.fields(value, ","):
        parts = extent.split(":")
        if len(parts) != 3:
            g.bad("not IN:OUT:N")
        a, b, n = (g.uint(x, (1 << 32) - 1) for x in parts)
        if n == 0 or a + n > (1 << 32) - 1 or b + n > (1 << 32) - 1:
            g.bad("not IN:OUT:N")
        p.maps[key].append((a, b, n))


def check(p: Plan, flags: str, rest: List[str]) -> None:
    """Refuse words that exclude each other."""
    if not rest and "N" not in flags:
        g.bad("no command")

    def needs(flag: str, used: Any) -> None:
        if used and flag not in flags:
            g.bad(f"needs -{flag}")

    needs("m", p.has_root or p.overlay or p.mounts or p.root_ro)
    needs("u", "hostname" in p.values or "domainname" in p.values)
    needs("U", p.given)
    needs("T", "monotonic" in p.values or "boottime" in p.values)
    if p.overlay and not p.has_root:
        g.bad("overlay= needs root=, image= or lower=")
    if p.join is not None and p.has_root:
        g.bad("join= and root= do not go together")
    layers = [m for m in [p.root] + p.lower if m]
    for m in layers + p.mounts + ([p.overlay] if p.overlay else []):
        if m.idmap and "U" not in flags:
            g.bad("idmap needs -U")
        if m in layers and p.is_overlay and m.given and (
                m.ro != ("ro" in DEFAULTS.get(m.key, ())) or set(m.given) - {
                    "ro", "rw", "nosuid", "nodev", "exec"}):
            g.bad("a layer has no mount options of its own")
    if p.console and p.has_root and p.no.get("dev") and not any(
            m.key == "dev" for m in p.mounts):
        g.bad("console=pty needs the root's own /dev")
