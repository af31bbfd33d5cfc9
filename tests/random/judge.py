"""Compare what was seen of a chain with what the model expects. Each complaint is a
line, "what: ...". An empty list means a good chain."""

import os
import re
import stat
from typing import Any, Dict, List, Optional, Set, Tuple

import case as c
import world as w
from model import Expect
from model_lock import REFUSED
from play import STOPPING, Seen
from state import ANY

MARK = b"probe: standard error\n"
NEEDS_PROC = ("oom", "uid_map", "gid_map", "setgroups", "offsets", "tty", "tpgid")
SHELL_VARIABLES = ("PWD", "OLDPWD", "SHLVL", "_", "IFS", "PPID")
DENIED = (-1, -38)  # the errors of a filter: EPERM, ENOSYS
CONT = 18


def text(hexed: Any) -> Any:
    return bytes.fromhex(hexed).decode("utf-8", "replace") if isinstance(hexed, str) else hexed


def ended(wstatus: int) -> Tuple[str, int]:
    if os.WIFSIGNALED(wstatus):
        return "signal", os.WTERMSIG(wstatus)
    return "exit", os.WEXITSTATUS(wstatus)


class Judge:
    def __init__(self, case: c.Case, expect: Expect, seen: Seen, fresh_net: Set[str]) -> None:
        self.case, self.expect, self.seen = case, expect, seen
        self.s = expect.state
        self.fresh_net = fresh_net
        self.complaints: List[str] = []

    def bad(self, what: str, want: Any, got: Any) -> None:
        self.complaints.append(f"{what}: want {c.short(want)}, got {c.short(got)}")

    def same(self, what: str, want: Any, got: Any) -> None:
        if want is not ANY and want != got:
            self.bad(what, want, got)

    # --- the end -----------------------------------------------------------------

    def judge(self) -> List[str]:
        seen, e = self.seen, self.expect
        if seen.hang:
            self.complaints.append("hang: " + "; ".join(seen.hang))
        for what in seen.left:
            self.complaints.append(f"left: {what}")
        how = self.case.get("play", ["plain"])[0]
        if how == "kill":
            if seen.lost and seen.victim and "volt-net-helper" not in seen.victim:
                self.complaints.append(f"hang: it lives on after SIGKILL of {seen.victim}")
            return self.complaints
        if seen.hang:
            return self.complaints
        if seen.terminal:
            self.bad("terminal", "its settings as before", "others")
        if how == "term":
            self.terminated()
            return self.complaints
        self.outcome()
        if seen.after is not None and e.ran:
            if how == "stop":
                self.stopped()
            if how == "signals":
                self.signals()
        return self.complaints

    def terminated(self) -> None:
        """A SIGTERM came at some time: it has ended the chain, or the chain refused."""
        got = ended(self.seen.wstatus or 0)
        allowed = [("signal", 15)] + [("exit", 128 + (x.stop or 15)) for x in self.s.waiters]
        if self.s.pid_one or any(x.pid_one for x in self.s.waiters):
            allowed.append(("exit", 77))
        if not self.expect.ran:
            allowed.append(self.expect.status or ("exit", 0))
        if self.s.maybe:
            allowed.append(("exit", 125))
        if got not in allowed:
            self.bad("status after SIGTERM", allowed, got)

    def can_report(self) -> bool:
        return self.seen.report_fd in self.s.fds or (self.s.console and self.seen.report_fd < 3)

    def outcome(self) -> None:
        """Did the command run? If not, which program refused? Is the status right?"""
        e, seen = self.expect, self.seen
        got = ended(seen.wstatus or 0)
        ran = seen.after is not None
        if ran and not e.ran:
            self.bad("the command ran", f"{e.by} refuses ({e.why})", got)
            return
        if e.ran and not ran and self.s.maybe and got == ("exit", 125) and (
                e.status != got or self.can_report()):
            self.refusal(self.s.maybe, True)
            return
        if e.ran and not ran and self.s.maybe and got == ("exit", 125):
            self.errors(self.s.maybe, False)  # we cannot know whether it ran
            self.lines_of_failure()
            return
        if not e.ran:
            if got != e.status and self.s.maybe and got == ("exit", 125):
                self.refusal(self.s.maybe, True)
                return
            if got != e.status:
                self.bad(f"status ({e.by}: {e.why})", e.status, (got, seen.err[-200:]))
            by = {e.by or ""} | (self.s.maybe if got == ("exit", 125) else set())
            self.refusal(by, not e.external and got != ("exit", 0))
            return
        if not ran and self.can_report() and not self.s.console:
            self.bad("the command", "it runs", f"{got}, {seen.err!r}")
            return
        self.status(got)
        self.errors(set(), False)
        self.output()
        self.lines()
        if ran:
            self.command()

    def status(self, got: Tuple[str, int]) -> None:
        how = self.case.get("play", ["plain"])
        want = self.expect.status
        if how[0] == "signals" and (self.s.deadly or self.in_group()):
            return
        self.same("status", want, got)

    # --- standard error -------------------------------------------------------------

    def name(self, program: str) -> str:
        """The name by which program calls itself."""
        if program == self.first_program() and "argv0" in self.case.caller:
            return os.path.basename(self.case.get("argv0"))
        return program

    def first_program(self) -> str:
        return os.path.basename(self.case.argv[0])

    def errors(self, by: Set[str], must: bool) -> None:
        """Each line of standard error is from a program that may print one."""
        if (2 in self.case.get("closed", []) and not self.s.console) or "*" in self.s.chatty:
            return
        err = self.seen.err
        if self.s.console:
            err += self.seen.out.replace(b"\r\n", b"\n")
            if self.expect.ran or 1 in self.case.get("closed", []):
                return
        if self.seen.report_fd == 2:
            err = re.sub(rb"sig \d\d\n", b"", err)
        if self.expect.ran and "e" in self.expect.deed:
            if MARK not in err and self.seen.after is not None:
                self.bad("standard error", MARK, err)
            err = err.replace(MARK, b"", 1)
        lines = err.split(b"\n")
        if lines.pop() != b"":
            self.bad("standard error", "whole lines", err)
        names = {self.name(p) for p in by} | {p for p in by}
        chatty = {self.name(p) for p in self.s.chatty} | self.s.chatty
        told: Dict[str, int] = {}
        for line in lines:
            who = line.split(b": ")[0].decode("utf-8", "replace")
            if who in chatty and who not in names:
                continue
            if who not in names:
                self.bad("standard error", f"nothing, or lines of {sorted(names)}", line)
                return
            told[who] = told.get(who, 0) + 1
        if any(n > 2 for who, n in told.items() if who not in chatty) or \
                len(set(told) - chatty) > 1:
            self.bad("standard error", "one message and perhaps advice", err)
        if 2 in self.case.get("closed", []) and self.s.maybe:
            must = False  # the program that refused had no terminal yet
        if must and not told:
            self.bad("standard error", f"a message of {sorted(names)}", err)

    def refusal(self, by: Set[str], must: bool) -> None:
        """The command was not started, and one program has printed why."""
        e = self.expect
        if e.external and e.by in by and not must:
            pass
        else:
            self.errors(by, must)
        if self.seen.out and not self.s.console and e.why != "help or version" and not e.external:
            self.bad("standard output", b"", self.seen.out)
        self.lines_of_failure()

    # --- status= --------------------------------------------------------------------

    def lines_of_failure(self) -> None:
        got = ended(self.seen.wstatus or 0)
        for counter in self.s.counters:
            how = "exit" if counter.started else "failed"
            # A link that refuses before it forks writes nothing.
            allowed = [f"{how} {got[1]}\n", ""]
            for fd in counter.fds:
                line = self.seen.status.get(fd, b"").decode()
                if line not in allowed and not (self.s.maybe and line == "failed 125\n"):
                    self.bad(f"status={fd}", allowed, line)

    def lines(self) -> None:
        kind, n = self.expect.end()
        for counter in self.s.counters:
            inner = len(self.s.waiters) - counter.at + sum(
                n >= counter.at for n in self.s.stand_ins)
            if kind == "signal":
                want = f"exit {128 + n}\n" if inner > 0 else f"signal {n}\n"
            else:
                want = f"exit {n}\n"
            for fd in counter.fds:
                got = self.seen.status.get(fd, b"").decode()
                if want != got and not self.s.deadly:
                    self.bad(f"status={fd}", want, got)

    # --- what the command saw ---------------------------------------------------------

    def output(self) -> None:
        """Standard input goes to standard output, byte for byte."""
        if self.s.console:
            return
        closed = self.case.get("closed", [])
        kind, size, seed = self.case.get("stdin", ["memfd", 0, 0])
        if kind == "tty":
            return
        if 1 in closed or self.seen.after is None:
            return
        want = b""
        if 0 not in closed and "c" in self.expect.deed:
            want = c.data(size, seed)
        out = self.seen.out
        if self.seen.report_fd == 1:
            out = re.sub(rb"sig \d\d\n", b"", out)
        if out != want:
            at = next((i for i, (a, b) in enumerate(zip(want, self.seen.out)) if a != b),
                      min(len(want), len(self.seen.out)))
            self.bad("standard output", f"{len(want)} bytes",
                     f"{len(self.seen.out)}, other from {at} on: {self.seen.out[at:at + 80]!r}")

    def command(self) -> None:
        before, after, see = self.s.before, self.seen.after or {}, self.s.see
        self.same("argv", [os.fsencode(a).hex() for a in self.expect.argv], after["argv"])
        self.environment(after["env"])
        self.same("user IDs", [self.s.uid] * 3, after["uid"])
        self.same("group IDs", [self.s.gid] * 3, after["gid"])
        for key, want in see.items():
            if key in ("groups",):
                got: Any = sorted(after[key])
            else:
                got = after[key]
            if want is ANY or (not self.s.proc and key in NEEDS_PROC):
                continue
            if key == "ignored":
                want, got = want & ~self.s.loose_signals, got & ~self.s.loose_signals
            if isinstance(got, int) and got in DENIED and self.s.seccomp_name:
                continue
            self.value(key, want, got, before, after)
        self.namespaces(after)
        self.descriptors(before, after)
        if not self.s.forked and before["children"]:
            if self.s.proc:
                self.same("children", text(before["children"]), text(after["children"]))
        elif after["children"]:
            self.bad("children", "none", text(after["children"]))
        if self.s.pending_ok:
            self.same("pending signals", before["pending"], after["pending"])
        elif before["pending"] == 0:
            self.same("pending signals", 0, after["pending"])
        if self.s.keyring == "new" and min(before["keyring"], after["keyring"]) > 0 and \
                before["keyring"] == after["keyring"]:
            self.bad("session keyring", "another", after["keyring"])
        self.tries(after["tries"])

    def value(self, key: str, want: Any, got: Any, before: Any, after: Any) -> None:
        if want == "own":
            self.same(key, after["pid"], got)
        elif want == "other":
            if key != "pid" and got == after["pid"]:
                self.bad(key, "another's", got)
        elif want == "pty":
            if got == 0:  # on another devpts it may have the same number
                self.bad(key, "a terminal", got)
        elif want == "range":
            m = re.fullmatch(r" +0 +(\d+) +65536\n", text(got))
            if not m or (int(m[1]) - 0x30000000) % 65536 or not \
                    0x30000000 <= int(m[1]) < 0x70000000:
                self.bad(key, "a range of its own", text(got))
        elif want != got:
            both = [text(x) if key in ("cwd", "uid_map", "gid_map", "setgroups", "offsets",
                                       "hostname", "domainname") else x for x in (want, got)]
            if key in ("bounding", "permitted", "effective", "inheritable", "ambient", "blocked",
                       "ignored"):
                both = [hex(x) for x in both]
            self.bad(key, *both)

    def environment(self, got: List[str]) -> None:
        want = [os.fsencode(v).hex() for v in self.s.env]
        if not self.s.env_loose:
            if want != got:
                a = [text(v) for v in want if want.count(v) != got.count(v)]
                b = [text(v) for v in got if want.count(v) != got.count(v)]
                self.bad("environment", a or "its order", b or "another")
            return

        names = [text(v).split("=")[0] for v in want]

        def plain(entries: List[str]) -> Set[str]:
            """The variables that a shell leaves unchanged."""
            return {text(v) for v in entries if "=" in text(v) and self.kept(
                text(v).split("=")[0], names)}

        self.same("environment", plain(want), plain(got))

    def kept(self, name: str, names: List[str]) -> bool:
        return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)) and \
            names.count(name) < 2 and name not in SHELL_VARIABLES

    def namespaces(self, after: Dict[str, Any]) -> None:
        before = self.s.before
        if not self.s.proc:
            return
        for kind, want in self.s.ns.items():
            got = after["ns"][kind]
            if want == "new" and got in (0, before["ns"][kind]):
                self.bad(f"{kind} namespace", "a new one", got)
            elif want not in ("new", ANY) and want != got:
                self.bad(f"{kind} namespace", "that of before", got)
        group = group_of(after["cgroups"])
        if self.s.cgroup is None:
            self.same("cgroup", group_of(before["cgroups"]), group)
        elif self.s.cgroup is not ANY and not re.fullmatch(
                re.escape(self.s.cgroup).replace(r"\*", r"[0-9-]+"), group or ""):
            self.bad("cgroup", self.s.cgroup, group)
        names = w.names_of(text(after["interfaces"]))
        if self.s.interfaces == "lo":
            self.same("interfaces", self.fresh_net, names)
        elif self.s.interfaces == "eth0":
            self.same("interfaces", self.fresh_net | {"eth0"}, names)

    def descriptors(self, before: Dict[str, Any], after: Dict[str, Any]) -> None:
        old = {f[0]: f for f in before["fds"]}
        new = {f[0]: f for f in after["fds"]}
        want = set(self.s.fds) | ({0, 1, 2} if self.s.console else set())
        if want != set(new):
            self.bad("descriptors", sorted(want), sorted(new))
        for fd in want & set(new):
            if self.s.console and fd < 3:
                if os.major(new[fd][4]) != 136 or not stat.S_ISCHR(new[fd][3]):
                    self.bad(f"descriptor {fd}", "a pty", new[fd])
            elif self.opened(fd, old[fd][1:6], new[fd][3]) != new[fd][1:6] or new[fd][7]:
                self.bad(f"descriptor {fd}", old[fd], new[fd])
            elif fd == 7 and old[fd][6] != new[fd][6]:
                self.bad(f"position of {fd}", old[fd][6], new[fd][6])

    def opened(self, fd: int, want: List[int], mode: int) -> List[int]:
        """The command may have been given access to a pipe of the standard streams."""
        if fd > 2 or want[2] != stat.S_IFIFO | 0o600 or self.s.given is False:
            return want
        if self.s.given is ANY and mode == want[2]:
            return want
        return want[:2] + [stat.S_IFIFO | 0o666] + want[3:]

    def tries(self, got: List[List[int]]) -> None:
        asked = [word for word in self.expect.deed if word[0] in "tb"]
        for word, results in zip(asked, got):
            if word[0] == "b":
                want = self.s.port
                if want == REFUSED:
                    want = results[0] or "an error"
                self.same("bind to a port", want, results[0])
                continue
            for i, what in enumerate(("read", "write")):
                want = self.s.view[word[1:]][i]
                if want is not ANY and want != results[i]:
                    self.bad(f"{what} {word[1:]}", errname(want), errname(results[i]))

    # --- signals ----------------------------------------------------------------------

    def stopped(self) -> None:
        # PID 1 cannot stop, and no process sees it try.
        want = not self.s.pid_one and not any(x.pid_one for x in self.s.waiters)
        if self.seen.stopped != want:
            self.bad("stops with its command", want, self.seen.stopped)

    def in_group(self) -> bool:
        """Is the signal sent to a process group, in which other waiters pass it on, too?"""
        return 0 <= self.s.group_from < len(self.s.waiters)

    def signals(self) -> None:
        want, got, asked = [], self.seen.got, self.case.get("play")[1:]
        for n in asked + [64]:
            if self.s.group_from >= 0 and n in STOPPING:
                continue  # it stops the whole group
            for i, waiter in enumerate(self.s.waiters):
                if n == 15 and waiter.stop and not (self.in_group() and i >= self.s.group_from):
                    n = waiter.stop
            want.append(n)
        if CONT not in want or {15, *STOPPING} & set(asked):
            # Beside other signals, its number is not determined.
            want, got = ([n for n in x if n != CONT] for x in (want, got))
        if self.in_group():
            self.told_as_group(set(want), set(got))
        else:
            self.same("signals", want, got)

    def told_as_group(self, want: Set[int], got: Set[int]) -> None:
        """SIGTERM comes itself, or as the signal of a waiter's stop=, or both."""
        terms = {15} | {w.stop for w in self.s.waiters[self.s.group_from:] if w.stop}
        if 15 in want and not terms & got:
            self.bad("signals", sorted(want), sorted(got))
        if 15 in want:
            want, got = want - terms, got - terms
        self.same("signals", sorted(want), sorted(got))


def group_of(hexed: str) -> Optional[str]:
    for line in text(hexed).splitlines():
        if line.startswith("0::"):
            return line[3:]
    return None


def errname(n: int) -> str:
    return "ok" if n == 0 else os.strerror(n)


def judge(case: c.Case, expect: Expect, seen: Seen, fresh_net: Set[str]) -> List[str]:
    return Judge(case, expect, seen, fresh_net).judge()
