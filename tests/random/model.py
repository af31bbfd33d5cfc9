"""What a command line must do: a model of volt(7) and of the programs' manuals, written
from these and not from the code. It says how the chain ends, which program may refuse,
and what the command sees of itself."""

import os
import re
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import case as c
import grammar as g
import model_cg
import model_lock
import model_net
import model_ns
from grammar import Refused, Unknown
from state import ANY, SIGCHLD, State, Waiter

VOLT = ("volt-ns", "volt-cg", "volt-init", "volt-lock", "volt-net")
EXTERNAL = ("env", "nice", "setsid", "setpriv", "timeout", "sh")
# The directories in which execvp(3) looks without a PATH, of musl and of glibc.
NO_PATH = ("/usr/local/bin", "/bin", "/usr/bin")


class Host:
    """What this machine can do. It was found out before."""

    def __init__(self) -> None:
        self.facts: Dict[Tuple[str, str], bool] = {}
        self.find: Callable[[str, str], bool] = lambda what, kind: True
        self.targets: Dict[str, Any] = {}  # snapshots of the containers to join
        self.cap_full = 0
        self.abi = 0
        self.fresh_net: Set[str] = set()
        self.cgroup = False
        self.sanitized = False

    def can(self, what: str, kind: str) -> bool:
        if (what, kind) not in self.facts:
            self.facts[(what, kind)] = self.find(what, kind)
        return self.facts[(what, kind)]


class Expect:
    """The end of the chain."""

    def __init__(self, s: State) -> None:
        self.state = s
        self.ran = False
        self.status: Optional[Tuple[str, int]] = None  # "exit" or "signal", number
        self.by: Optional[str] = None  # the program that refuses
        self.why = ""
        self.silent = False
        self.external = False  # its messages are not volt's
        self.argv: List[str] = []
        self.deed: List[str] = []

    def end(self) -> Tuple[str, int]:
        """How the command ends by itself: the last of its words counts."""
        for word in self.deed:
            if word[0] == "x":
                return "exit", int(word[1:])
            if word[0] in "kD":
                n = int(word[1:])
                if not self.state.pid_one:
                    return "signal", n
                return "exit", 77
        return "exit", 0


def env_value(env: List[str], name: str) -> Optional[str]:
    for entry in env:
        if entry.startswith(name + "="):
            return entry[len(name) + 1:]
    return None


class Model:
    def __init__(self, case: c.Case, host: Host, before: Dict[str, Any],
                 files: Callable[[str], Optional[str]]) -> None:
        self.case = case
        self.host = host
        self.files = files
        self.last_counter: Any = None
        self.s = State(before, case.kind, host.cap_full)
        self.s.env = case.env
        self.s.port = 0
        for path in ("/srv/t/a", "/srv/t/b"):
            self.s.view[path] = [0, 0]

    # --- finding the next program ---------------------------------------------

    def inside(self, path: str) -> str:
        """Translate a path of the chain's root to our own."""
        if not path.startswith("/"):
            if self.s.rooted or not isinstance(self.s.see["cwd"], str):
                raise Unknown("relative path in a new root")
            path = bytes.fromhex(self.s.see["cwd"]).decode() + "/" + path
        return path if self.s.root == "/" else self.s.root + path

    def look_up(self, name: str, volt: bool, first: bool = False) -> Tuple[str, str]:
        """What an exec of name finds: ("volt", "external" or "probe", which),
        ("none", ""), ("cannot", ""). volt says that a volt link looks. For the first
        program, the caller looks."""
        if volt and name.startswith("volt-") and "/" not in name and (
                name in VOLT or name == "volt-seccomp"):
            return "volt", name
        if "/" in name:
            return self.classify(self.inside(name))
        if name == "":
            if not volt:
                raise Unknown("others treat an empty name differently")
            return "none", ""
        path = env_value(c.ENV if first else self.s.env, "PATH")
        found = "none"
        for place in path.split(":") if path is not None else NO_PATH:
            if place == "":
                continue
            kind, what = self.classify(self.inside(place + "/" + name))
            if kind not in ("none", "cannot"):
                return kind, what
            if kind == "cannot":
                found = kind
        return found, ""

    def classify(self, path: str) -> Tuple[str, str]:
        if len(path) > 4000 or any(len(p) > 255 for p in path.split("/")):
            return "cannot", ""
        if not os.path.exists(path):
            return "none", ""
        if os.path.isdir(path) or not os.stat(path).st_mode & 0o111:
            return "cannot", ""
        base = os.path.basename(path)
        if base in VOLT:
            return "volt", base
        if base in EXTERNAL:
            return "external", base
        with open(path, "rb") as f:
            head = f.read(4)
        if head == b"\x7fELF" and os.path.realpath(path).endswith("/probe"):
            return "probe", path
        if head != b"\x7fELF" and not head.startswith(b"#!"):
            return "script", path
        raise Unknown(f"{path}: not a program of this test")

    def exists(self, path: str) -> bool:
        """Is there such a file in the chain's root?"""
        for top, source in reversed(self.s.covered):
            if path.startswith(top.rstrip("/") + "/"):
                return source is not None and os.path.exists(source + path[len(top.rstrip("/")):])
        return os.path.exists(self.inside(path))

    # --- going through the line -------------------------------------------------

    def run(self) -> Expect:
        s, e = self.s, Expect(self.s)
        if self.case.argv.count("console=pty") > 1:
            raise Unknown("a terminal on a terminal")
        argv, volt, before = list(self.case.argv), False, ""
        first = True
        while True:
            name = argv[0] if argv else ""
            if first:
                kind, what = self.look_up(name, False, True)
                if kind in ("none", "cannot"):
                    raise Unknown("the first program is not there")
                if kind == "external" and "argv0" in self.case.caller:
                    raise Unknown("another name for an external program")
                argv[0] = self.case.get("argv0", argv[0])
                first = False
            else:
                kind, what = self.look_up(name, volt)
            link = kind == "volt" and (not volt or "/" not in name or not s.toolbox)
            if volt:
                try:
                    self.leave(link or self.named(name), before)
                except Refused as r:
                    return self.refused(e, before, r)
            if kind in ("none", "cannot"):
                return self.no_command(e, kind, before, volt, name)
            if s.landlock and not model_lock.may_exec(
                    s, kind == "volt" and s.toolbox and not self.host.sanitized):
                return self.no_command(e, "cannot", before, volt, name)
            s.exec_caps()
            if kind == "script":
                # exec(2) refuses it. A shell and glibc's execvp(3) run it.
                if not volt:
                    raise Unknown("a script without #!")
                return self.no_command(e, "cannot", before, volt, name)
            if kind == "probe":
                return self.command(e, argv)
            try:
                if kind == "volt":
                    if self.host.sanitized and not s.proc:
                        raise Unknown("a sanitizer without /proc")
                    if what == "volt-net" and s.root != "/":
                        # Only volt-net is dynamic, and its libraries are not there.
                        if self.host.sanitized:
                            raise Unknown("volt-net with some of its libraries")
                        return self.no_command(e, "none", before, volt, name)
                    argv = getattr(self, what.replace("-", "_"))(argv)
                    before, volt = what, True
                else:
                    argv = getattr(self, "ext_" + what)(argv)
                    before, volt = what, False
                    s.toolbox = False
            except Refused as r:
                return self.refused(e, what, r)
            if not argv:
                raise Unknown(f"{what} without a command")

    def named(self, name: str) -> bool:
        """It has the name of a volt program, and the root has not changed."""
        return os.path.basename(name).startswith("volt-") and not self.s.toolbox

    def leave(self, link: bool, program: str) -> None:
        """A link execs. A command that is not a link gets nothing of the chain's own."""
        s = self.s
        self.last_counter = None
        if link:
            return
        if s.plug == "deferred":
            g.bad("no volt-ns -n took the network of volt-net -d")
        if s.plug == "files":
            g.bad("dns=, search= and hosts= need a volt-ns with a root")
        s.env = [v for v in s.env if not v.startswith("VOLT_")]
        s.toolbox = False
        s.plug = None
        self.last_counter = s.counter
        s.start()

    def refused(self, e: Expect, program: str, r: Refused) -> Expect:
        if r.why == "dry run":  # the dry run of the following links comes next
            self.s.chatty.add("volt-seccomp")
            if "volt-net" in self.case.argv and self.s.root != "/":
                raise Unknown("the dry run of a dynamic program in a root")
            for name in VOLT:
                if name in self.case.argv:
                    self.s.may_fail(name)
                    self.s.chatty.add(name)
        e.status, e.by, e.why, e.silent = ("exit", r.status), program, r.why, r.silent
        e.external = program in EXTERNAL
        return e

    def below_file(self, name: str) -> bool:
        return any(os.path.isfile(name[:i]) for i, x in enumerate(name) if x == "/" and i)

    def no_command(self, e: Expect, kind: str, program: str, volt: bool, name: str) -> Expect:
        if not volt and 2 in self.case.get("closed", []):
            raise Unknown("coreutils fails otherwise without standard error")
        if not volt and (kind == "cannot" and program == "sh" or self.below_file(name)):
            raise Unknown("what others say of it differs")
        e.status = ("exit", 127 if kind == "none" else 126)
        e.by, e.why, e.external = program, "no command", not volt
        if volt and self.last_counter is not None:
            self.last_counter.started = False
        return e

    def command(self, e: Expect, argv: List[str]) -> Expect:
        s = self.s
        e.ran = True
        e.argv = argv
        if len(argv) < 2 or argv[1] == "":
            raise Unknown("the probe is not told what to do")
        e.deed = [w for w in argv[1].split(",") if w]
        if not e.deed or not all(re.match(r"[rectbWHDSZkx]", w) for w in e.deed):
            raise Unknown("the probe is not told what to do")
        kind, n = e.end()
        if self.case.get("play", [""])[0] == "default" and n == 15 and any(
                w.stop for w in s.waiters):
            raise Unknown("stop= of a command that does not wait for it")
        if kind == "signal" and s.waiters:
            e.status = ("exit", 128 + n)
        else:
            e.status = (kind, n)
        return e

    # --- our programs ---------------------------------------------------------

    def read(self, name: str) -> str:
        """The file that @name means."""
        if "/" in name:
            text = self.files(self.inside(name))
        elif name == "":
            g.bad("no file name")
        else:
            text = self.files("/etc/volt/" + name) or self.files(c.TOP + "/share/volt/" + name)
        if text is None:
            g.bad(f"@{name}: not there")
        return text

    def volt_ns(self, argv: List[str]) -> List[str]:
        return model_ns.apply(self, argv)

    def volt_lock(self, argv: List[str]) -> List[str]:
        return model_lock.apply(self, argv)

    def take_status(self, program: str, fd: int) -> None:
        s = self.s
        if fd not in s.fds:
            g.bad(f"status={fd}: bad descriptor")
        s.fds.discard(fd)

    def volt_init(self, argv: List[str]) -> List[str]:
        s = self.s
        own: Dict[str, Any] = {}

        def check(key: str, value: str) -> None:
            if key == "grace":
                if g.time(value) == 0:
                    g.bad("the time must not be 0")
            elif key == "ready":
                if not value.startswith("/"):
                    g.bad("the path must begin with /")
            elif key == "stop":
                own["stop"] = g.signal(value)
            elif key == "status":
                own["status"] = g.uint(value, (1 << 31) - 1)
                self.take_status("volt-init", own["status"])
            else:
                g.bad("unknown word")

        p = g.parse(argv, "Nbgkv", check, self.read)
        if not p.rest and "N" not in p.flags and "b" not in p.flags:
            g.bad("no command")
        if "v" in p.flags or "N" in p.flags:
            s.chatty.add("volt-init")
        if "N" in p.flags:
            raise Refused("dry run", 0)
        if "b" in p.flags:
            if not s.pid_one:
                g.bad("boot: not PID 1")
            if s.ns["mnt"] != "new":
                g.bad("boot: the mounts are the caller's")
            raise Unknown("boot")
        if env_value(s.env, "NOTIFY_SOCKET") and any(w.key == "ready" for w in p.words):
            raise Unknown("ready= with a process that listens")
        first = s.pid_one
        # Standard input is our terminal, and our group is in its foreground.
        front = self.case.get("stdin", [""])[0] == "tty" and s.see["tty"] != 0 and \
            0 not in self.case.get("closed", []) and s.see["tpgid"] is not ANY
        if "status" in own:
            s.watch(own["status"])
        s.wait(Waiter("volt-init", own.get("stop", 0)))
        if first:
            s.waiters[-1].pid_one = True
            s.see["ppid"] = 1
        if "g" in p.flags:
            s.see["pgid"] = "own"
            if front:
                s.see["tpgid"] = "own" if s.front else ANY
            s.group_from = len(s.waiters)
        return p.rest

    def volt_cg(self, argv: List[str]) -> List[str]:
        return model_cg.apply(self, argv)

    def volt_net(self, argv: List[str]) -> List[str]:
        return model_net.apply(self, argv)

    # --- programs of others -----------------------------------------------------

    def ext_env(self, argv: List[str]) -> List[str]:
        s, i = self.s, 1
        if i < len(argv) and argv[i] == "-i":
            s.env = []
            i += 1
        while i + 1 < len(argv) and argv[i] == "-u":
            s.env = [v for v in s.env if not v.startswith(argv[i + 1] + "=")]
            i += 2
        if i < len(argv) and argv[i].startswith("-"):
            raise Unknown("env's option")
        while i < len(argv) and "=" in argv[i]:
            name = argv[i].split("=")[0]
            if name == "":
                raise Unknown("env =")
            if any(v.startswith(name + "=") for v in s.env):
                if sum(v.startswith(name + "=") for v in s.env) > 1:
                    raise Unknown("env, and a variable that is there twice")
                s.env_loose = True
                s.env = [v for v in s.env if not v.startswith(name + "=")]
            s.env.append(argv[i])
            i += 1
        return argv[i:]

    def ext_nice(self, argv: List[str]) -> List[str]:
        if len(argv) < 3 or argv[1] != "-n" or not re.fullmatch(r"\d+", argv[2], re.A):
            raise Unknown("nice's option")
        self.s.see["nice"] = min(19, self.s.see["nice"] + int(argv[2]))
        return argv[3:]

    def ext_setsid(self, argv: List[str]) -> List[str]:
        s = self.s
        if argv[1:2] != ["-w"] or s.rooted:
            raise Unknown("setsid's option")
        if s.see["pgid"] == "own" or s.see["pgid"] == s.see["pid"] or s.pid_one:
            raise Unknown("setsid that waits")
        if s.see["pgid"] is ANY:
            raise Unknown("setsid that may wait")
        s.see["sid"] = s.see["pgid"] = "own"
        s.see["tty"], s.see["tpgid"] = 0, -1
        return argv[2:]

    def ext_setpriv(self, argv: List[str]) -> List[str]:
        s, i = self.s, 1
        if s.see["securebits"] & 32 or s.seccomp_name:
            raise Unknown("setpriv behind a lock")
        while i < len(argv) and argv[i].startswith("--"):
            if argv[i] == "--no-new-privs":
                s.see["no_new_privs"] = 1
            elif argv[i] == "--":
                return argv[i + 1:]
            else:
                raise Unknown("setpriv's option")
            i += 1
        return argv[i:]

    def ext_timeout(self, argv: List[str]) -> List[str]:
        s = self.s
        if len(argv) < 3 or argv[1] != "600" or s.rooted or argv[2].startswith("-"):
            raise Unknown("timeout's option")
        if s.console or self.case.get("stdin", [""])[0] == "tty":
            raise Unknown("timeout, in the background of a terminal")
        if s.pid_one:
            s.stand_ins.append(len(s.waiters))
        s.fork()
        s.see["pgid"] = s.see["ignored"] = ANY
        s.see["blocked"] = ANY
        return argv[2:]

    def ext_sh(self, argv: List[str]) -> List[str]:
        s = self.s
        if argv[1:4] != ["-c", 'exec "$@"', "sh"]:
            raise Unknown("sh's option")
        s.env_loose = True
        s.loose_signals |= 1 << SIGCHLD - 1  # a shell waits for children itself
        s.chatty.add("sh")  # the working directory may be removed
        return argv[4:]


def predict(case: c.Case, host: Host, before: Dict[str, Any],
            files: Callable[[str], Optional[str]]) -> Expect:
    return Model(case, host, before, files).run()
