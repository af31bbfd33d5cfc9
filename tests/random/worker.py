"""Runs chains, as PID 1 of namespaces of its own. For each chain, it prints a line for
run, a Python tuple, on standard output."""

import os
import re
import signal
import sys
import time
import traceback
from typing import Any, Dict, List, Optional, Sequence, Tuple

import case as c
import gen
import judge
import model
import play
import selftest
import shrink
import world as w
from grammar import Unknown

# Features that this host may lack: the model's name, and words to try.
TRIALS = {
    "plain": "-m root={R}", "plain -U": "-Um root={R} uidmap=0:{u}:1",
    "plain idmap -U": "-Um root={R}",
    "root=/": "-m root=/", "root=/ -U": "-Um root=/ uidmap=0:{u}:1",
    "root=/ idmap -U": "-Um root=/",
    "layers": "-m lower={L} root={R}", "layers -U": "-Um lower={L} root={R} uidmap=0:{u}:1",
    "layers idmap -U": "-Um lower={L} root={R}",
    "overlay=tmpfs": "-m root={R} overlay=tmpfs",
    "overlay=tmpfs -U": "-Um root={R} overlay=tmpfs uidmap=0:{u}:1",
    "overlay=tmpfs idmap -U": "-Um root={R} overlay=tmpfs",
    "overlay=DIR": "-m root={R} overlay={T}/up",
    "overlay=DIR -U": "-Um root={R} overlay={T}/up uidmap=0:{u}:1",
    "overlay=DIR idmap -U": "-Um root={R} overlay={T}/up",
    "console": "console=pty", "time namespace": "-UT", "cgroup namespace": "-UC",
    "ipc namespace": "-Ui",
}


class Worker:
    def __init__(self, options: Any, cgroup: bool) -> None:
        self.options = options
        self.world = w.World(options.build, cgroup)
        self.host = model.Host()
        self.host.cap_full = w.host_facts()["cap_full"]
        self.host.cgroup = cgroup
        self.host.sanitized = options.asan
        self.host.fresh_net = self.world.base_net
        self.host.find = self.find
        self.host.abi = self.landlock()
        self.shrunk: List[str] = []
        self.known = known(options.known)

    # --- one chain -----------------------------------------------------------------

    def once(self, case: c.Case) -> Tuple[List[str], str]:
        """The complaints, and if the chain was skipped, why."""
        seen = play.play(case, self.world, self.options.slow)
        if seen.trouble or not seen.before:
            self.world.clean()
            return [], f"launch: {seen.trouble or seen.wstatus}"
        net = "volt-net" in " ".join(case.argv)
        seen.left = self.world.left(self.options.slow, net)
        if self.world.tree is not None and (case.get("cgroup") or
                                            "volt-cg" in " ".join(case.argv)):
            seen.left += self.groups(case)
        if net and case.get("play", [""])[0] == "kill":
            seen.left += self.world.tables()
        if seen.left or any("/up" in a for a in case.argv):
            self.world.clean()
        try:
            expect = model.predict(case, self.host, seen.before, w.file_text)
        except Unknown as e:
            return [], str(e)
        complaints = judge.judge(case, expect, seen, self.host.fresh_net)
        if seen.after is None and not complaints:
            said = re.sub(r"\d+", "N", seen.err.split(b"\n")[0].decode("utf-8", "replace"))
            return complaints, f"refused {said}" if expect.ran else (
                f"refused surely: {expect.by}: {expect.why}")
        return complaints, ""

    def groups(self, case: c.Case) -> List[str]:
        """Groups that are left. After a SIGKILL, the next volt-cg removes them."""
        if case.get("play", [""])[0] in ("kill", "term") and self.world.groups():
            for kind, caller in ((case.kind, {"cgroup": "own"}), (case.kind, {})):
                for place in ([], ["parent=/volt"]):
                    self.trial(kind, ["volt-cg"] + place, caller)
        kept = any(a[:1] == "-" and "k" in a for a in case.argv) or "-" in case.argv
        left = [] if kept else [f"cgroup {g}" for g in self.world.groups()]
        return left + [f"cgroup {g}, busy" for g in self.world.clean_groups()]

    # --- what the host can do ----------------------------------------------------------

    def find(self, what: str, kind: str) -> bool:
        """Can such a caller have it? It is tried at the first question."""
        if what == "volt-net":
            return kind != "root" or self.trial("root", ["volt-net"])
        if what not in TRIALS:
            return True
        words = TRIALS[what]
        if "-U" not in words and "-m" in words and kind in ("user", "subid"):
            return True
        uid = {"user": c.USER_ID, "subid": c.SUBID_ID}.get(kind, 0)
        line = words.format(R=c.ROOT, L=c.TOP + "/layer", T=c.TOP, u=uid).split()
        if kind == "root" and what.endswith(" -U"):
            line = [x.replace(":0:1", ":0:4294967295") for x in line]
        return self.trial(kind, ["volt-ns"] + line)

    def start_targets(self, kinds: Sequence[str]) -> None:
        """Start a container for each kind of caller, for chains that join one."""
        for kind in kinds:
            if kind == "nsroot":
                continue  # each has a user namespace of its own
            line = ["volt-ns", "-UmpuiC", f"root={c.ROOT}", "hostname=joined", "volt-init",
                    c.CMD + "/probe", "r3,Z1000000000"]
            case = c.Case(0, kind, line, {"fds": [(3, "report", 0)], "play": ["kill", 0, 0]})
            pid, seen = play.leave_running(case, self.world, self.options.slow)
            if seen:
                self.world.targets[kind] = pid
                self.host.targets[kind] = seen
            self.world.extra |= set(self.world.processes())
        self.world.base_mounts = self.world.mounts()

    def trial(self, kind: str, argv: List[str], caller: Dict[str, Any] = {}) -> bool:
        case = c.Case(0, kind, argv + [c.CMD + "/probe", "r3,x0"],
                      dict(caller, fds=[(3, "report", 0)]))
        seen = play.play(case, self.world, self.options.slow)
        self.world.left(self.options.slow, False)
        self.world.clean()
        return seen.after is not None

    def landlock(self) -> int:
        out = w.subprocess.run([c.BIN + "/volt-lock"], stdout=w.subprocess.PIPE,
                               env={"PATH": c.BIN}, check=False).stdout.decode()
        for line in out.splitlines():
            if line.startswith("kernel.landlock ABI"):
                return int(line.split()[2].rstrip(","))
        return 0

    # --- all of them ---------------------------------------------------------------------

    def run_all(self, seeds: Any, kinds: Sequence[str], until: Optional[float]) -> None:
        for seed in seeds:
            if until is not None and time.monotonic() > until:
                return
            for _ in range(self.options.times):
                began = time.monotonic()
                case = gen.make(seed, kinds, self.options.asan)
                if self.options.verbose:
                    say("case", seed, str(case))
                try:
                    complaints, why = self.once(case)
                except Exception:  # a bug of the test: report the chain
                    say("FAIL", seed, str(case), [traceback.format_exc()], "", [])
                    self.world.clean()
                    continue
                if complaints and self.is_known(case, complaints):
                    say("known", seed)
                elif complaints:
                    self.failed(case, complaints)
                else:
                    say("ok", seed, why, time.monotonic() - began)

    def is_known(self, case: c.Case, complaints: List[str]) -> bool:
        return any(re.search(a, str(case)) and any(re.search(b, x) for x in complaints)
                   for a, b in self.known)

    def failed(self, case: c.Case, complaints: List[str]) -> None:
        small, why = "", []
        sign = shrink.signature(complaints)
        if not self.options.no_shrink and self.shrunk.count(sign) < 2:
            self.shrunk.append(sign)
            found, why = shrink.shrink(case, complaints, lambda k: self.once(k)[0],
                                       60 * self.options.slow)
            small = str(found)
        say("FAIL", case.seed, str(case), complaints, small, why)


def known(path: str) -> List[Tuple[str, str]]:
    """Lines "PATTERN of the command line<TAB>PATTERN of a complaint", and comments."""
    text = w.file_text(path) or ""
    return [(line.split("\t")[0], line.split("\t")[1]) for line in text.splitlines()
            if "\t" in line and not line.startswith("#")]


def say(*what: Any) -> None:
    sys.stdout.write(ascii(what) + "\n")
    sys.stdout.flush()


def main(options: Any, seeds: Any, kinds: Sequence[str], cgroup: bool) -> None:
    os.umask(0o22)
    os.setgroups([]) if os.geteuid() == 0 else None
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    worker = Worker(options, cgroup)
    if options.shell:
        path = c.ENV[0][5:]
        sys.exit(w.subprocess.run(["/bin/sh"], env=dict(os.environ, PATH=path),
                                  cwd=c.CWD, check=False).returncode)
    if options.self_test:
        selftest.Test(worker.host, worker.world, options.slow).run()
        return
    worker.start_targets(kinds)
    until = time.monotonic() + options.seconds if options.seconds else None
    worker.run_all(seeds, kinds, until)
    say("facts", [f"{kind}: {what}" for (what, kind), able in worker.host.facts.items()
                  if not able], worker.host.abi)
