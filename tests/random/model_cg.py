"""volt-cg(1), on a host that may have no controller."""

import re
from typing import Any, List

import grammar as g
from grammar import Refused, Unknown
from state import ANY, State, Waiter

TAKEN = ("cgroup", "cpu", "cpuset", "io", "memory", "hugetlb", "pids", "rdma", "misc",
         "dmem", "irq", "perf_event", "debug", "freezer", "devices", "net_cls", "net_prio",
         "blkio")
# The files that need no controller, and their possible values.
CORE = {"cgroup.max.depth": r"\d{1,6}|max", "cgroup.max.descendants": r"\d{1,6}|max",
        "cgroup.freeze": "0"}


def take_word(key: str, value: str, own: Any) -> None:
    if key == "name":
        m = re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.\-@:+]*)", value, re.A)
        if not m or len(value) > 127:
            g.bad("not a name")
        if "." in value and value.split(".")[0] in TAKEN:
            g.bad("looks like a file of the kernel's")
        own[key] = value
    elif key in ("parent", "join"):
        if value == "" or ".." in value.split("/") or "\n" in value or (
                key == "join" and value.startswith("/")):
            g.bad("not a path")
        own[key] = value
    elif key == "cpus":
        m = re.fullmatch(r"(0|[1-9]\d{0,3})(\.\d{1,5})?", value, re.A)
        if value != "max" and (not m or float(value) < 0.01 or int(m[1]) > 8192):
            g.bad("not a number of CPUs")
        own["limits"].append(("cpu.max", value))
    elif key in ("uid", "gid"):
        own[key] = g.uint(value, g.ID_MAX)  # no names are generated
    elif "." in key:
        if key.startswith(".") or key.endswith("."):
            g.bad("unknown word")
        if value == "" or "\n" in value:
            g.bad("no value")
        if re.match(r"(memory|hugetlb)\..*\.?(max|high|low|min)$", key) and value != "max":
            g.size(value)
        if key.startswith("io."):
            raise Unknown("io.")
        if key == "pids.max" and value != "max":
            g.uint(value, (1 << 31) - 1)
        own["limits"].append((key, value))
    else:
        g.bad("unknown word")


def apply(model: Any, argv: List[str]) -> List[str]:
    s: State = model.s
    own: Any = {"limits": []}
    p = g.parse(argv, "NSdjksv", lambda k, v: take_word(k, v, own), model.read)
    if ("uid" in own or "gid" in own) and "d" not in p.flags:
        g.bad("uid= needs -d")
    if "k" in p.flags and "s" in p.flags:
        g.bad("-k and -s do not go together")
    if "join" in own and (len(own) > 2 + ("parent" in own) or own["limits"] or
                          set(p.flags) & set("dksS")):
        g.bad("join= goes with parent= and a command only")
    if "S" in p.flags:
        raise Unknown("-S")
    if not p.rest or "join" in own or "parent" in own:
        raise Unknown("volt-cg without a command, join= or parent=")
    if set(p.flags) & set("Nvs"):
        s.chatty.add("volt-cg")
    if not model.host.cgroup or s.rooted or s.locked or s.landlock or s.seccomp_name:
        s.may_fail("volt-cg")  # it may see no tree
    if "N" in p.flags:
        s.may_fail("volt-cg")
        raise Refused("dry run", 0)
    place(s, own, "d" in p.flags, model)
    if any(k not in CORE or not re.fullmatch(CORE[k], v) for k, v in own["limits"]):
        s.may_fail("volt-cg")
    if "k" in p.flags:
        s.kept_group = True
        return p.rest
    first = s.pid_one
    s.wait(Waiter("volt-cg"))
    s.waiters[-1].pid_one = first
    return p.rest


def place(s: State, own: Any, delegate: bool, model: Any) -> None:
    """Find where the group goes, and whether we may make it there."""
    needs = delegate or any(k.split(".")[0] != "cgroup" for k, _ in own["limits"])
    name = own.get("name")
    if s.cgroup is not None or s.rooted or needs or "mnt" in s.ns and s.ns["mnt"] == "new" \
            or not s.initial:
        s.may_fail("volt-cg")
        s.cgroup = ANY
    elif s.uid not in (0, s.before["uid"][1]):
        g.bad("this group is not delegated to you")
    elif model.case.get("cgroup") == "own":
        s.cgroup = "/case/" + (name or "run-*")
    elif s.uid == 0:
        s.cgroup = "/" + (name or "run-*")
    else:
        g.bad("this group is not delegated to you")
    s.delegated = delegate
    if s.delegated:
        s.cgroup = ANY
