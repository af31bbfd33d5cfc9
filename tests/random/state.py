"""What the model knows of a process while it goes through a chain."""

import os
from typing import Any, Dict, List, Optional, Set, Tuple

from grammar import Refused

# A value that the model cannot know.
ANY: Any = type("Any", (), {"__repr__": lambda self: "ANY"})()

SETGID, SETUID, SETPCAP, SYS_ADMIN, SYS_RESOURCE, SETFCAP, NET_ADMIN, SYS_NICE = (
    6, 7, 8, 21, 24, 31, 12, 23)
NOROOT, NOROOT_LOCKED, KEEP_CAPS = 1, 2, 16
SIGCHLD = 17


class Waiter:
    """A parent that waits for the command."""

    def __init__(self, program: str, stop: int = 0) -> None:
        self.program = program
        self.pid_one = False
        self.stop = stop  # the signal that replaces a SIGTERM; 0: none


class Counter:
    """It tells links with status= that the command starts. A program that is not a
    link ends it. A later status= makes another one."""

    def __init__(self) -> None:
        self.fds: List[int] = []
        self.started = False
        self.at = 0  # the number of waiters at the start


class State:
    def __init__(self, before: Dict[str, Any], kind: str, cap_full: int) -> None:
        self.before = before
        self.kind = kind
        self.cap_full = cap_full
        # What a process sees after the chain, by the keys of a snapshot.
        self.see: Dict[str, Any] = {}
        for key in ("pgid", "sid", "tty", "tpgid", "groups", "bounding", "ambient", "inheritable",
                    "permitted", "effective", "blocked", "no_new_privs", "seccomp",
                    "securebits", "timerslack", "pdeathsig", "subreaper", "umask",
                    "rlimits", "nice", "scheduler", "ioprio", "personality", "oom",
                    "cwd", "cwd_id", "root_id", "hostname", "domainname", "uid_map",
                    "gid_map", "setgroups", "offsets", "ignored", "pid", "ppid"):
            self.see[key] = before[key]
        self.see["keepcaps"] = 0
        self.see["dumpable"] = 1
        self.uid: int = before["uid"][1]
        self.gid: int = before["gid"][1]
        self.ns: Dict[str, Any] = dict(before["ns"])
        # Are we in the host's user namespace?
        self.initial = bytes.fromhex(before["uid_map"]).split() == [b"0", b"0", b"4294967295"]
        self.setgroups_denied = "deny" in bytes.fromhex(before["setgroups"]).decode()
        self.waiters: List[Waiter] = []
        self.group_from = -1  # number of the first waiter of a process group
        self.stand_ins: List[int] = []  # waiters before a PID 1 that cannot end as its child did
        self.front = before["tpgid"] == before["pgid"]  # in our terminal's foreground
        self.forked = False
        self.loose_signals = 0  # signals that may be ignored or not
        self.fresh_pids = False  # after the next fork we are PID 1
        self.pid_one = False
        self.env: List[str] = []
        self.env_loose = False  # a shell changed the order and strange variables
        self.fds: Set[int] = {f[0] for f in before["fds"] if not f[7]}
        self.root = "/"  # the worker's path of the root
        self.rooted = False  # the root has changed
        self.toolbox = False
        self.proc = self.dev = True
        self.plug: Optional[str] = None  # none, made, files, deferred
        self.interfaces: Any = None  # None: those of before
        self.cgroup: Any = None  # None: the one of before; or its path; or ANY
        self.console = False
        self.given: Any = False  # can pipes of the standard streams be opened again?
        self.counters: List["Counter"] = []
        self.counter: Optional["Counter"] = None  # the one in force
        self.maybe: Set[str] = set()  # programs that may refuse on this host
        self.sys_ro = False  # /proc/sys cannot be written, as in a container
        self.chatty: Set[str] = set()  # programs that may print a message anyway
        self.locked = False  # after a volt-lock, what needs rights may fail
        self.landlock: List[Dict[str, Set[int]]] = []
        self.view: Dict[str, Any] = {}  # path: errno of reading and of writing
        self.covered: List[Tuple[str, Optional[str]]] = []  # places, and what covers them
        self.port: Any = 0  # errno of binding
        self.helper = False  # a helper may run on for a moment after the chain
        self.pending_ok = True  # pending signals stay pending
        self.kept_group = False
        self.seccomp_name = ""
        self.keyring = ""  # or "new"
        self.deadly = False  # a filter kills processes
        self.plug_files = False
        self.delegated = False  # our group is delegated

    # --- capabilities -------------------------------------------------------

    def has(self, cap: int) -> bool:
        return bool(self.see["effective"] is not ANY and self.see["effective"] >> cap & 1)

    def exec_caps(self) -> None:
        """Change the capabilities as exec(2) does (capabilities(7))."""
        see = self.see
        if see["permitted"] is ANY:
            return
        permitted = see["ambient"]
        if self.uid == 0 and not see["securebits"] & NOROOT:
            permitted = see["bounding"] | see["inheritable"]
            if see["no_new_privs"]:
                permitted &= see["permitted"]
        see["permitted"] = see["effective"] = permitted
        see["securebits"] &= ~KEEP_CAPS

    def set_uid(self, uid: int) -> None:
        """setresuid(2). A change from user 0 to another drops the capabilities."""
        if self.uid == 0 and uid != 0 and not self.see["securebits"] & 4:
            self.see["permitted"] = self.see["effective"] = 0
            self.see["ambient"] = 0
        self.uid = uid

    def new_userns(self) -> None:
        """Inside a new user namespace we have all capabilities."""
        for key in ("permitted", "effective", "bounding"):
            self.see[key] = self.cap_full
        for key in ("inheritable", "ambient", "securebits"):
            self.see[key] = 0
        self.initial = False

    # --- processes ----------------------------------------------------------

    def fork(self) -> None:
        """The chain goes on in a child."""
        for key in ("pgid", "sid", "tpgid"):
            if self.see[key] == "own":
                self.see[key] = "other"
        self.see["ppid"] = self.see["pid"] if isinstance(self.see["pid"], int) else ANY
        self.forked = True
        self.see["subreaper"] = 0
        self.pid_one = False
        self.see["pid"] = "other"
        if self.fresh_pids:
            self.fresh_pids, self.pid_one = False, True
            self.see["pid"], self.see["ppid"] = 1, 0
            for key in ("pgid", "sid"):
                self.see[key] = 0
            self.see["tpgid"] = ANY  # it depends on the namespace of /proc
        self.see["pdeathsig"] = 0
        self.pending_ok = False

    def wait(self, waiter: Waiter) -> None:
        self.waiters.append(waiter)
        self.fork()
        self.see["pdeathsig"] = 9

    def watch(self, fd: int) -> None:
        """status=fd"""
        if self.counter is None:
            self.counter = Counter()
            self.counters.append(self.counter)
        self.counter.fds.append(fd)

    def start(self) -> None:
        """A link execs a program that is not a link."""
        if self.counter is not None:
            self.counter.started, self.counter.at = True, len(self.waiters)
        self.counter = None

    def give_streams(self) -> None:
        """Only its owner, who made it, may change the mode of a pipe."""
        own = os.geteuid() != 0 or self.kind in ("root", "nsroot")
        if own and self.ns["user"] == self.before["ns"]["user"] and \
                self.uid == self.before["uid"][1] and not self.seccomp_name:
            self.given = True
        else:
            self.given = self.given or ANY

    def may_fail(self, program: str) -> None:
        self.maybe.add(program)

    def need(self, cap: int, program: str, why: str) -> None:
        """Without this capability, program refuses."""
        if self.see["effective"] is ANY:
            self.may_fail(program)
        elif not self.has(cap):
            raise Refused(why)
