"""Run one chain, and record everything that can be seen of it."""

import ast
import fcntl
import os
import re
import select
import socket
import time
from typing import Any, Dict, List, Optional, Tuple

try:
    import json
except ImportError:  # python3-minimal
    json = None  # type: ignore

import case as c
import world as w

STOPPING = (20, 21, 22)  # the signals by which a terminal stops a process group
LIVE = ("signals", "default", "stop", "kill", "term")
BASE = 100  # descriptors for the launcher begin here
WAIT = 20.0  # s for a chain
LETTERS = {"umask": "m", "nice": "n", "oom": "o", "personality": "x", "scheduler": "l",
           "timerslack": "t", "blocked": "b", "ignored": "i", "pdeathsig": "k",
           "bounding": "B", "inheritable": "I", "ambient": "A", "securebits": "S"}
IDS = {"user": c.USER_ID, "subid": c.SUBID_ID}


class Seen:
    """What was seen of a chain."""

    def __init__(self) -> None:
        self.before: Dict[str, Any] = {}
        self.after: Optional[Dict[str, Any]] = None
        self.trouble = ""  # an error of the launcher
        self.wstatus: Optional[int] = None
        self.hang: List[str] = []
        self.out = b""
        self.err = b""
        self.rest = b""  # after the report on its descriptor
        self.status: Dict[int, bytes] = {}
        self.got: List[int] = []  # signals
        self.lost: List[int] = []
        self.stopped = False
        self.terminal = False  # the settings of the terminal have changed
        self.victim = ""  # the victim of SIGKILL, if not the outermost
        self.left: List[str] = []
        self.report_fd = 1


class Stream:
    """A descriptor of the chain. We have its other side."""

    def __init__(self, kind: str, data: Optional[bytes] = None) -> None:
        self.kind = kind
        self.data = data  # bytes to write to the chain; None: the chain writes
        self.got = b""
        if kind == "tty":
            self.ours, self.theirs = os.openpty()
            self.name = os.ttyname(self.theirs)
            self.settings = tty_settings(self.ours)
        elif kind == "memfd":
            self.theirs = self.ours = os.memfd_create("stream")
            if data is not None:
                os.write(self.ours, data)
                os.lseek(self.ours, 0, os.SEEK_SET)
        elif kind == "socket":
            a, b = socket.socketpair()
            self.ours, self.theirs = a.detach(), b.detach()
        else:
            r, wr = os.pipe()
            self.ours, self.theirs = (wr, r) if data is not None else (r, wr)
        if kind != "memfd":
            os.set_blocking(self.ours, False)

    def started(self) -> None:
        if self.kind != "memfd":
            os.close(self.theirs)
            if self.data == b"" and self.kind != "tty":
                self.close_write()

    def close_write(self) -> None:
        os.close(self.ours)
        self.ours = -1

    def go_on(self) -> None:
        """Write or read as much as possible. At the end, ours is -1."""
        if self.ours == -1 or self.kind in ("memfd", "tty"):
            return
        try:
            if self.data is not None:
                n = os.write(self.ours, self.data[:65536])
                self.data = self.data[n:]
                if not self.data:
                    self.close_write()
                return
            while True:
                piece = os.read(self.ours, 1 << 20)
                if not piece:
                    self.close_write()
                    return
                self.got += piece
        except BlockingIOError:
            return
        except OSError:  # the reader has ended
            self.close_write()

    def finish(self) -> bytes:
        if self.kind == "memfd":
            if self.data is None:
                self.got = os.pread(self.ours, 1 << 24, 0)
            os.close(self.ours)
        elif self.kind == "tty":
            self.got = b"" if tty_settings(self.ours) == self.settings else b"changed"
            os.close(self.ours)
        else:
            self.go_on()
            if self.ours != -1:
                os.close(self.ours)
        self.ours = -1
        return self.got


def tty_settings(fd: int) -> bytes:
    """The result of tcgetattr(3)."""
    return fcntl.ioctl(fd, 0x5401, bytes(60))


def signals_in(text: bytes) -> List[int]:
    """The signals that the probe has reported."""
    return [int(x) for x in re.findall(rb"sig (\d\d)\r?\n", text)]


def parse(line: bytes) -> Optional[Dict[str, Any]]:
    text = line.decode()
    try:
        return json.loads(text) if json is not None else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def open_given(what: str) -> List[int]:
    """A descriptor to pass on, and others that must be closed afterwards."""
    if what == "pipe":
        r, wr = os.pipe()
        return [wr, r]
    if what == "socket":
        a, b = socket.socketpair()
        return [a.detach(), b.detach()]
    if what == "memfd":
        return [os.memfd_create("given")]
    path, flags = {"file": (c.TOP + "/data/file", os.O_RDONLY), "dir": ("/etc", os.O_RDONLY),
                   "null": ("/dev/null", os.O_RDWR), "path": ("/usr", os.O_PATH)}[what]
    fd = os.open(path, flags)
    if what == "file":
        os.lseek(fd, 5, os.SEEK_SET)
    return [fd]


class Play:
    def __init__(self, case: c.Case, world: w.World, slow: float) -> None:
        self.case, self.world, self.slow = case, world, slow
        self.seen = Seen()
        self.how: List[Any] = case.get("play", ["plain"])
        self.streams: Dict[str, Stream] = {}
        self.give: List[Tuple[int, int, int]] = []  # number in the chain, ours, cloexec
        self.close: List[int] = []
        self.tty: Optional[Tuple[int, str]] = None
        self.end = time.monotonic() + WAIT * slow

    # --- before ---------------------------------------------------------------

    def report_fd(self) -> int:
        """The descriptor to which the probe must report."""
        for arg in self.case.argv:
            if len(arg) > 1 and arg[0] == "r" and arg.split(",")[0][1:].isdigit():
                return int(arg.split(",")[0][1:])
        return 1

    def open_streams(self) -> None:
        case, live = self.case, self.how[0] in LIVE
        self.seen.report_fd = report = self.report_fd()
        closed = case.get("closed", [])
        kind, size, seed = case.get("stdin", ["memfd", 0, 0])
        for fd, name in enumerate(("in", "out", "err")):
            if fd in closed:
                continue
            if fd == 0:
                stream = Stream(kind, c.data(size, seed) if kind != "tty" else b"")
            else:
                stream = Stream("pipe" if live and fd == report else
                                case.get("stdout", "memfd") if fd == 1 else "memfd")
            self.streams[name] = stream
            self.give.append((fd, stream.theirs, 0))
        for fd, what, cloexec in case.get("fds", []):
            if what in ("report", "status"):
                name = what if what == "report" else f"status{fd}"
                if name in self.streams or (what == "report" and fd != report):
                    continue
                self.streams[name] = Stream("pipe" if live and what == "report" else "memfd")
                self.give.append((fd, self.streams[name].theirs, cloexec))
                continue
            opened = open_given(what)
            self.close += opened
            self.give.append((fd, opened[0], cloexec))

    def spec(self) -> bytes:
        case = self.case
        records: List[str] = []
        path = case.argv[0]
        if "/" not in path:
            path = next((p + "/" + path for p in c.ENV[0][5:].split(":")
                         if os.path.exists(p + "/" + path)), path)
        records.append("P" + path)
        argv = [case.get("argv0", case.argv[0])] + case.argv[1:]
        target = f"join={self.world.targets.get(case.kind, 0)}"
        argv = [a.replace("join=TARGET", target, 1) if a.startswith("join=TARGET") else a
                for a in argv]
        records += ["a" + a for a in argv] + ["e" + e for e in case.env]
        records += [f"f{n} {BASE + i} {cloexec}" for i, (n, _, cloexec) in enumerate(self.give)]
        for key, letter in LETTERS.items():
            if key in case.caller:
                records.append(f"{letter}{case.caller[key]}")
        records += [f"r{a} {b} {h}" for a, b, h in case.get("rlimits", [])]
        records += [f"q{n}" for n in case.get("pending", [])]
        for key, letter in (("child", "z"), ("nnp", "N")):
            if key in case.caller:
                records.append(letter)
        session = case.get("session")
        if case.get("stdin", [""])[0] == "tty" and "in" in self.streams:
            self.give_terminal(self.streams["in"].theirs)
            records.append("y" + self.streams["in"].name)
        elif session == "y":
            master, slave = os.openpty()
            self.close += [master, slave]
            self.give_terminal(slave)
            records.append("y" + os.ttyname(slave))
        elif session:
            records.append(session)
        self.person(records)
        cwd = case.get("cwd", c.CWD)
        if cwd == "gone":
            cwd = c.TOP + "/gone"
            os.makedirs(cwd, exist_ok=True)
            os.chmod(cwd, 0o777)
            records += ["d" + cwd, "D" + cwd]
        else:
            records.append("d" + cwd)
        return b"".join(os.fsencode(r) + b"\0" for r in records)

    def give_terminal(self, fd: int) -> None:
        if os.geteuid() == 0:
            os.fchown(fd, IDS.get(self.case.kind, 0), -1)

    def person(self, records: List[str]) -> None:
        case, tree = self.case, self.world.tree
        groups = case.get("groups", [])
        if os.geteuid() == 0 and (case.kind in IDS or "groups" in case.caller):
            records.append("G" + ",".join(str(n) for n in groups))
        if case.kind in IDS:
            uid = IDS[case.kind]
            records += ["E", f"u{uid}", f"g{uid if os.geteuid() == 0 else os.getegid()}"]
        if case.kind == "nsroot":
            records.append("U65536" if os.geteuid() == 0 else "U0")
        if tree is not None and case.get("cgroup") == "own":
            records.append(f"c{tree}/case/cgroup.procs")
            owner = IDS.get(case.kind, 0)
            os.makedirs(tree + "/case", exist_ok=True)
            os.setxattr(tree + "/case", "user.delegate", b"1")
            for name in ("", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"):
                os.chown(tree + "/case" + name, owner, owner)

    # --- meanwhile --------------------------------------------------------------

    def start(self) -> int:
        spec = os.memfd_create("spec")
        os.write(spec, self.spec())
        os.lseek(spec, 0, os.SEEK_SET)
        self.before = os.memfd_create("before")
        actions: List[Any] = [(os.POSIX_SPAWN_DUP2, spec, 0),
                              (os.POSIX_SPAWN_DUP2, self.before, 1)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, BASE + i) for i, (_, fd, _) in enumerate(self.give)]
        pid = os.posix_spawn(self.world.launch, ["launch"], {}, file_actions=actions)
        os.close(spec)
        for stream in self.streams.values():
            stream.started()
        return pid

    def ended(self, pid: int) -> bool:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def go_on(self, pidfd: int, ms: int) -> None:
        """Wait for an event, and read and write the streams."""
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        for stream in self.streams.values():
            if stream.ours != -1 and stream.kind not in ("memfd", "tty"):
                poll.register(stream.ours, select.POLLOUT if stream.data is not None
                              else select.POLLIN)
        poll.poll(ms)
        for stream in self.streams.values():
            stream.go_on()

    def report_text(self) -> bytes:
        stream = self.streams.get("report")
        if stream is None or self.seen.report_fd in (1, 2):
            stream = self.streams.get({1: "out", 2: "err"}.get(self.seen.report_fd, "report"))
        return stream.got if stream is not None else b""

    def reported(self) -> bool:
        return bool(self.split_report(self.report_text())[1])

    def wait_until(self, pid: int, pidfd: int, test: Any, limit: float = 1e9) -> bool:
        """Go on until test() or the end of the chain. False if neither comes."""
        end = min(self.end, time.monotonic() + limit * self.slow)
        while not test():
            if self.ended(pid):
                return True
            if time.monotonic() > end:
                return False
            self.go_on(pidfd, 50)
        return True

    def perform(self, pid: int, pidfd: int) -> None:
        kind = self.how[0]
        if kind in ("kill", "term"):
            self.kill(pid)
        elif kind == "stop":
            self.stop(pid, pidfd)
        elif kind in ("signals", "default"):
            self.wait_until(pid, pidfd, self.reported)
            if kind == "default" and not self.ended(pid):
                os.kill(pid, self.how[1])
            if kind == "signals":
                self.signals(pid, pidfd)

    def signals(self, pid: int, pidfd: int) -> None:
        """Send the signals one after the other. Wait until each has come."""
        for n in self.how[1:] + [64]:
            have = self.came(n)
            if self.ended(pid):
                break
            os.kill(pid, n)
            if n in STOPPING and self.case.has_flag("volt-init", "g"):
                self.stop(pid, pidfd)
                continue
            self.wait_until(pid, pidfd, lambda n=n, have=have: self.came(n) > have, 15)

    def came(self, n: int) -> int:
        """How many signals came. SIGCONT, which follows SIGTERM, counts only for n."""
        return len([x for x in signals_in(self.report_text()) if x != 18 or n == 18])

    def stop(self, pid: int, pidfd: int) -> None:
        """Wait for the outermost to stop, and continue it. If there is a PID 1 between,
        which cannot stop, only the command stops."""
        while time.monotonic() < self.end:
            info = os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT | os.WNOHANG)
            if info is not None and info.si_code != os.CLD_STOPPED:
                return
            if info is not None or self.world.stopped_below_init():
                self.seen.stopped = info is not None
                os.kill(pid, 18)
                return
            self.go_on(pidfd, 1)

    def kill(self, pid: int) -> None:
        which, ms = self.how[-2:]
        while not os.fstat(self.before).st_size and time.monotonic() < self.end and \
                not self.ended(pid):
            time.sleep(0.0002)
        time.sleep(ms / 1000 * self.slow)
        processes = [pid] + [p for p in self.world.processes() if p != pid]
        if self.how[0] == "term":
            os.kill(pid, 15)
            return
        victim = processes[which % len(processes)]
        what = self.world.describe(victim)
        try:
            os.kill(victim, 9)
        except ProcessLookupError:
            return
        if victim != pid and not what.startswith("gone"):
            self.seen.victim = what

    # --- afterwards ---------------------------------------------------------------

    def play(self) -> Seen:
        seen = self.seen
        self.open_streams()
        pid = self.start()
        pidfd = os.pidfd_open(pid)
        self.perform(pid, pidfd)
        # Whichever was killed, all of it must end soon.
        self.wait_until(pid, pidfd, lambda: False,
                        2 if self.how[0] == "kill" and self.how[1] != 0 else 1e9)
        if not self.ended(pid):
            if self.how[0] == "kill":
                seen.lost = [1]
            else:
                seen.hang = [self.world.describe(p) for p in self.world.processes()]
            os.kill(pid, 9)
        if not self.wait_killed(pid, pidfd):
            seen.hang.append("and SIGKILL does not end it")
            self.world.clean()
        seen.wstatus = os.waitpid(pid, 0)[1]
        os.close(pidfd)
        self.collect()
        return seen

    def wait_killed(self, pid: int, pidfd: int) -> bool:
        end = time.monotonic() + 10 * self.slow
        while not self.ended(pid):
            if time.monotonic() > end:
                return False
            self.go_on(pidfd, 20)
        return True

    def collect(self) -> None:
        seen = self.seen
        text = os.pread(self.before, 1 << 24, 0)
        os.close(self.before)
        got = {name: stream.finish() for name, stream in self.streams.items()}
        for fd in self.close:
            os.close(fd)
        if text.startswith(b"!") or b"\n!" in text or not text:
            seen.trouble = text.decode("utf-8", "replace")[-200:]
            return
        seen.before = parse(text) or {}
        seen.terminal = got.get("in") == b"changed"
        seen.out, seen.err = got.get("out", b""), got.get("err", b"")
        seen.status = {int(k[6:]): v for k, v in got.items() if k.startswith("status")}
        which = {1: "out", 2: "err"}.get(seen.report_fd, "report")
        seen.got = signals_in(got.get(which, b""))
        line, newline, rest = self.split_report(got.get(which, b""))
        if newline:
            seen.after = parse(line)
            if which == "out":
                seen.out = rest
            elif which == "err":
                seen.err = rest
            else:
                seen.rest = rest

    def split_report(self, text: bytes) -> Tuple[bytes, bytes, bytes]:
        """The report begins a line. Messages may come before it."""
        start = 0 if text.startswith(b'{"pid"') else text.find(b'\n{"pid"') + 1
        if start == 0 and not text.startswith(b'{"pid"'):
            return b"", b"", text
        line, newline, rest = text[start:].partition(b"\n")
        return line, newline, text[:start] + rest


def leave_running(case: c.Case, world: w.World, slow: float) -> Tuple[int, Dict[str, Any]]:
    """Start a chain, and leave it when its probe has reported. Returns the process ID
    of the outermost, and the report."""
    p = Play(case, world, slow)
    p.open_streams()
    pid = p.start()
    pidfd = os.pidfd_open(pid)
    p.wait_until(pid, pidfd, p.reported)
    os.close(pidfd)
    return pid, parse(p.report_text().split(b"\n")[0]) or {}


def play(case: c.Case, world: w.World, slow: float = 1.0) -> Seen:
    return Play(case, world, slow).play()
