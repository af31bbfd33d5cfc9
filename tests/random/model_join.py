"""volt-ns join=: the namespaces of the worker's container for this kind of caller."""

from typing import Any, Dict, List

import case as c
import grammar as g
from state import ANY, SYS_ADMIN, State, Waiter

TARGET = "TARGET"  # stands for the process ID of that container in a word
NAMES = ("user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time")


def parse(value: str) -> List[str]:
    """The namespaces that the word names. An empty list means all."""
    pid, colon, names = value.partition(":")
    if pid != TARGET and g.uint(pid, (1 << 31) - 1, "not a process ID") == 0:
        g.bad("not a process ID")
    wanted = g.fields(names, ",") if colon else []
    if any(name not in NAMES for name in wanted):
        g.bad("not a namespace")
    if pid != TARGET:
        g.bad("no such process")
    return wanted


def enter(model: Any, s: State, wanted: List[str], link: bool) -> List[str]:
    """Enter them before anything else is done. Returns those that were entered."""
    target = model.host.targets.get(s.kind)
    if target is None:
        raise g.Unknown("no container to join")
    if not s.proc or s.rooted or s.locked or s.landlock or s.seccomp_name:
        s.may_fail("volt-ns")  # it may be invisible, or may not be entered
    joined = [k for k in NAMES if target["ns"][k] != s.ns[k] and (not wanted or k in wanted)]
    if not joined:
        g.bad("in the same namespaces as we are")
    if s.uid != s.before["uid"][1] or s.see["effective"] != s.before["effective"]:
        s.may_fail("volt-ns")  # we have fewer rights than its maker
    if s.ns["user"] != s.before["ns"]["user"] or s.ns["pid"] != s.before["ns"]["pid"]:
        s.may_fail("volt-ns")
    if "user" not in joined:
        s.need(SYS_ADMIN, "volt-ns", "Operation not permitted")
        s.may_fail("volt-ns")
    for kind in joined:
        s.ns[kind] = target["ns"][kind]
    if "user" in joined:
        s.new_userns()
        s.uid = s.gid = 0
        for key in ("uid_map", "gid_map", "setgroups"):
            s.see[key] = target[key]
        s.setgroups_denied = bytes.fromhex(target["setgroups"]) == b"deny\n"
        s.see["groups"] = ANY if s.see["groups"] else []
    if "mnt" in joined:
        s.sys_ro = True
        enter_root(s, link)
        s.proc = "pid" in joined  # its /proc shows only its own processes
    if "uts" in joined:
        s.see["hostname"], s.see["domainname"] = target["hostname"], target["domainname"]
    if "net" in joined:
        s.interfaces = ANY  # those of the worker, with a bridge that stays
    if "cgroup" in joined:
        s.cgroup = ANY
    if "time" in joined:
        s.see["offsets"] = ANY
    return joined


def enter_root(s: State, link: bool) -> None:
    s.root, s.rooted, s.toolbox, s.covered = c.ROOT, True, link, []
    s.see["cwd"], s.see["cwd_id"], s.see["root_id"] = b"/".hex(), ANY, ANY
    s.view: Dict[str, Any] = {path: [0, ANY] for path in s.view}


def enter_pids(s: State, waiter: Waiter) -> None:
    """The child is inside. Its parent, group and session are not."""
    s.wait(waiter)
    s.see["ppid"] = 0
    for key in ("pgid", "sid"):
        s.see[key] = 0
    s.see["tpgid"] = ANY
