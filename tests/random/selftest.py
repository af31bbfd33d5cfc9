"""Can the judge fail? Each good chain is run once, and then judged again with a change
in one thing that was seen. Prints TAP."""

import copy
from typing import Any, Callable, Dict, List, Tuple

import case as c
import judge
import model
import play
import world as w

Change = Callable[[play.Seen], None]


def after(key: str, value: Callable[[Any], Any]) -> Change:
    def change(seen: play.Seen) -> None:
        assert seen.after is not None
        seen.after[key] = value(seen.after[key])
    return change


def attribute(key: str, value: Callable[[Any], Any]) -> Change:
    return lambda seen: setattr(seen, key, value(getattr(seen, key)))


def name_space(kind: str, value: Callable[[play.Seen], int]) -> Change:
    def change(seen: play.Seen) -> None:
        assert seen.after is not None
        seen.after["ns"][kind] = value(seen)
    return change


def hexed(text: str) -> str:
    return text.encode().hex()


def no_report(seen: play.Seen) -> None:
    seen.after = None


def more(n: Any) -> Any:
    return n + 1


def another(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return hexed("another")
    if value and isinstance(value[0], list):
        return [[value[0][0], value[0][1] + 1]] + value[1:]
    return [x + 1 for x in value] or [77]


# For every chain, these are wrong. The complaint begins with this text.
ALWAYS: Dict[str, Tuple[str, Change]] = {
    "another status": ("status", attribute("wstatus", lambda n: n ^ 0x100)),
    "a signal in place of a status": ("status", attribute("wstatus", lambda n: 15)),
    "a byte less": ("standard output", attribute("out", lambda b: b[:-1])),
    "a byte more": ("standard output", attribute("out", lambda b: b + b"\n")),
    "another byte": ("standard output", attribute("out", lambda b: b"\xff\xfe" + b[2:])),
    "a message": ("standard error", attribute("err", lambda b: b"volt-ns: x\n" + b)),
    "half a line": ("standard error", attribute("err", lambda b: b + b"x")),
    "nothing on standard error": ("standard error", attribute("err", lambda b: b"")),
    "no report": ("the command", no_report),
    "a hang": ("hang", attribute("hang", lambda x: ["1 volt-ns"])),
    "a process that is left": ("left", attribute("left", lambda x: ["process 1"])),
    "a word less": ("argv", after("argv", lambda a: a[:-1])),
    "a word more": ("argv", after("argv", lambda a: a + [""])),
    "another word": ("argv", after("argv", lambda a: a[:-1] + [hexed("x")])),
    "a variable of the chain's": ("environment", after(
        "env", lambda e: e + [hexed("VOLT_TOOLBOX=3:-:-:-")])),
    "a variable less": ("environment", after("env", lambda e: e[1:])),
    "variables in another order": ("environment", after("env", lambda e: e[::-1])),
    "a variable twice": ("environment", after("env", lambda e: e + e[-1:])),
    "a descriptor more": ("descriptors", after("fds", lambda f: f + [[5] + f[-1][1:]])),
    "a descriptor less": ("descriptors", after("fds", lambda f: f[:-1])),
    "a descriptor of something else": ("descriptor", after(
        "fds", lambda f: f[:-1] + [f[-1][:2] + [1] + f[-1][3:]])),
    "a descriptor with other flags": ("descriptor", after(
        "fds", lambda f: f[:-1] + [f[-1][:5] + [f[-1][5] ^ 0o4000] + f[-1][6:]])),
    "a descriptor that closes on exec": ("descriptor", after(
        "fds", lambda f: f[:-1] + [f[-1][:7] + [1]])),
    "another user": ("user IDs", after("uid", lambda u: [u[0], u[1], u[2] + 1])),
    "another group": ("group IDs", after("gid", lambda u: [u[0] + 1, u[1], u[2]])),
    "a signal pending": ("pending signals", after("pending", lambda n: n | 1 << 16)),
    "a child": ("children", after("children", lambda s: hexed("1234 "))),
    "another cgroup": ("cgroup", after("cgroups", lambda s: hexed("0::/elsewhere\n"))),
    "a file that cannot be read": ("read", after("tries", lambda t: [[13, 0]] + t[1:])),
    "a port that cannot be bound": ("bind", after("tries", lambda t: t[:-1] + [[13, 0]])),
}
# For these, another value is wrong if the model knows the value.
KEYS = ("pgid", "sid", "tty", "groups", "bounding", "ambient", "inheritable", "permitted",
        "effective", "blocked", "ignored", "no_new_privs", "seccomp", "securebits",
        "timerslack", "pdeathsig", "subreaper", "umask", "rlimits", "nice", "scheduler",
        "ioprio", "personality", "oom", "cwd", "hostname", "domainname", "uid_map", "gid_map",
        "offsets", "keepcaps", "dumpable")

CALLER = {"fds": [(7, "file", 0), (9, "report", 0)], "stdin": ["memfd", 1000, 1],
          "umask": 0o27, "nice": 3}
DEED = "r9,t/srv/t/a,b45000,e,c,x3"
PROBE = c.CMD + "/probe"
LINES: List[Tuple[str, List[str]]] = [
    ("plain", ["volt-ns", PROBE, DEED, "a"]),
    ("all links", ["volt-ns", "-UmpniuC", f"root={c.ROOT}", "overlay=tmpfs", "hostname=x",
                   "volt-init", "volt-lock", "fs.rx=/", f"fs.rw={c.TOP}/t", "tcp.bind=any",
                   "caps=none", "seccomp=default", PROBE, DEED, "a"]),
]


class Test:
    def __init__(self, host: model.Host, world: w.World, slow: float) -> None:
        self.host, self.world, self.slow = host, world, slow
        self.count = 0

    def tell(self, good: bool, name: str, why: Any = "") -> None:
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} judge: {name}")
        if not good:
            print(f"# {why}")

    def look(self, case: c.Case) -> Tuple[play.Seen, List[str]]:
        seen = play.play(case, self.world, self.slow)
        seen.left = self.world.left(self.slow, False)
        return seen, self.judge(case, seen)

    def judge(self, case: c.Case, seen: play.Seen) -> List[str]:
        expect = model.predict(case, self.host, seen.before, w.file_text)
        return judge.judge(case, expect, seen, self.host.fresh_net)

    def changed(self, case: c.Case, seen: play.Seen, name: str, what: str, change: Change) -> None:
        other = copy.deepcopy(seen)
        change(other)
        complaints = self.judge(case, other)
        self.tell(any(x.startswith(what) for x in complaints), name, complaints)

    def good(self, title: str, argv: List[str]) -> None:
        case = c.Case(0, "user", argv, CALLER)
        seen, complaints = self.look(case)
        self.tell(not complaints, title, complaints)
        for name, (what, change) in ALWAYS.items():
            if "file that cannot be read" in name and title != "plain":
                continue
            self.changed(case, seen, f"{title}, {name}", what, change)
        expect = model.predict(case, self.host, seen.before, w.file_text)
        for key in KEYS:
            if expect.state.see[key] is not model.ANY:
                self.changed(case, seen, f"{title}, another {key}", key, after(key, another))
        for kind, want in expect.state.ns.items():
            value = (lambda s, k=kind: s.before["ns"][k]) if want == "new" else (lambda s: 1)
            self.changed(case, seen, f"{title}, another {kind} namespace", f"{kind} namespace",
                         name_space(kind, value))

    def refused(self) -> None:
        case = c.Case(0, "user", ["volt-init", "volt-ns", "root=/nil", PROBE, DEED], CALLER)
        seen, complaints = self.look(case)
        self.tell(not complaints, "refused", complaints)
        for name, what, change in (
                ("another status", "status", attribute("wstatus", lambda n: 126 << 8)),
                ("in silence", "standard error", attribute("err", lambda b: b"")),
                ("by another", "standard error", attribute("err", lambda b: b"volt-init: x\n")),
                ("at length", "standard error", attribute("err", lambda b: b * 3)),
                ("with output", "standard output", attribute("out", lambda b: b"x"))):
            self.changed(case, seen, f"refused, {name}", what, change)

        def ran(seen: play.Seen) -> None:
            seen.after = seen.before
        self.changed(case, seen, "refused, and run", "the command ran", ran)

    def played(self) -> None:
        """status=, signals, stopping, SIGKILL."""
        fds = {"fds": [(9, "report", 0), (12, "status", 0)]}
        case = c.Case(0, "user", ["volt-ns", "-Up", "status=12", "volt-init", PROBE, "r9,k9"], fds)
        seen, complaints = self.look(case)
        self.tell(not complaints, "status=", complaints)
        for line in (b"exit 137\n", b"", b"signal 9", b"failed 125\n"):
            self.changed(case, seen, f"status=, {line!r}", "status=12",
                         attribute("status", lambda s, x=line: {12: x}))
        case = c.Case(0, "user", ["volt-init", PROBE, "r9,W,x0"],
                      {"fds": fds["fds"], "play": ["signals", 10, 15]})
        seen, complaints = self.look(case)
        self.tell(not complaints, "signals", complaints)
        for got in ([10, 64], [15, 10, 64], [10, 15, 15, 64], [10, 15]):
            self.changed(case, seen, f"signals, {got}", "signals",
                         attribute("got", lambda s, x=got: x))
        case = c.Case(0, "user", ["volt-init", PROBE, "r9,S,x0"],
                      {"fds": fds["fds"], "play": ["stop"]})
        seen, complaints = self.look(case)
        self.tell(not complaints, "stop", complaints)
        self.changed(case, seen, "stop, it does not", "stops",
                     attribute("stopped", lambda s: False))
        case = c.Case(0, "user", ["volt-init", PROBE, "r9,Z60000,x0"],
                      {"fds": fds["fds"], "play": ["kill", 0, 5]})
        seen, complaints = self.look(case)
        self.tell(not complaints, "SIGKILL", complaints)
        self.changed(case, seen, "SIGKILL, something is left", "left",
                     attribute("left", lambda s: ["process 1"]))

    def run(self) -> None:
        for title, argv in LINES:
            self.good(title, argv)
        self.refused()
        self.played()
        print(f"1..{self.count}", flush=True)
