"""Does a chain behave as it should when a call fails?"""

import json
import os
import re
import signal
from typing import Any, Dict, List, Optional

STATUS = ("Seccomp", "Seccomp_filters", "NoNewPrivs", "Speculation_Store_Bypass",
          "SpeculationIndirectBranch", "THP_enabled")


class Run:
    """The result of one run, from a line of the helper, and from a guest's control port."""

    def __init__(self, line: bytes, host: Dict[str, int], control: Optional[str]) -> None:
        told = json.loads(line)
        self.status: int = told["status"]
        self.injected = bool(told["injected"]) and not told["implausible"]
        self.ran = bool(told["ran"])
        self.ran_before = bool(told["ran_before"])
        self.crashed = bool(told["crashed"])
        self.made = text(told["made"])
        self.left = text(told["left"])
        self.files: List[str] = [text(f) for f in told["files"]]
        # Without process IDs and the inodes of namespaces.
        self.files[2:] = [re.sub(r"(child-pid\W+|namespace\W+)\d+", r"\1N", f)
                          for f in self.files[2:]]
        self.calls: List[Any] = told["calls"]
        self.remains: List[str] = []  # what the chain has left on the host
        if control is not None:
            self.status = guest_status(control, self.status)
            if "lost" in control.splitlines():
                self.files[1] += "volt-guest: the command's output: lost\n"
        self.report = flat(self.files[0], host)

    @property
    def err(self) -> str:
        return self.files[1]


def guest_status(control: str, status: int) -> int:
    """The exit status that volt-kvm would have."""
    for word, number in re.findall(r"^(exit|signal|failed) (\d+)$", control, re.MULTILINE):
        return int(number) + (128 if word == "signal" else 0)
    return 125 if status == 128 + signal.SIGINT else status  # it has powered off


def text(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal).decode("utf-8", "backslashreplace")


def mount_line(line: str) -> str:
    """A line of mountinfo without numbers."""
    # The layers of an overlay may be descriptors.
    line = re.sub(r"\blowerdir=[\d:]+", "lowerdir=N", " ".join(line.split()[3:]))
    return re.sub(r"\b(shared|master|propagate_from):\d+", r"\1", line)


def devices(mounts: str) -> Dict[int, str]:
    """The mounts of each device, by the device's number, which differs in each run."""
    result: Dict[int, str] = {}
    for line in mounts.splitlines():
        major, minor = map(int, line.split()[2].split(":"))
        number = os.makedev(major, minor)
        result[number] = result.get(number, "") + mount_line(line) + "\n"
    return result


def flat(out: str, host: Dict[str, int]) -> Optional[Dict[str, str]]:
    """The probe's report by name, or None."""
    try:
        told = json.loads(out)
    except ValueError:
        return None
    result: Dict[str, str] = {}
    for key in ("mounts", "status", "interfaces", "addresses", "addresses6", "routes", "resolv",
                "cgroups", "uid_map", "gid_map", "setgroups", "offsets"):
        told[key] = text(told.get(key, ""))
    for kind, number in told.pop("ns").items():
        result["ns " + kind] = "ours" if number == host.get(kind) else "new"
    on = devices(told["mounts"])
    for key in ("cwd_id", "root_id"):
        told[key] = [on.get(told[key][0], "no mount"), told[key][1]]
    # Leave out file positions, which depend on the length of messages.
    told["fds"] = [[fd[0], on.get(fd[1], fd[1])] + fd[2:6] + fd[7:] for fd in told["fds"]]
    told["mounts"] = "\n".join(mount_line(m) for m in told["mounts"].splitlines())
    # Leave out the flags: one says that duplicate address detection is not over yet.
    told["addresses6"] = sorted(x.split()[:4] for x in told["addresses6"].splitlines())
    told["status"] = [x for x in told["status"].splitlines() if x.split(":")[0] in STATUS]
    told["interfaces"] = sorted(x.split(":")[0].strip() for x in told["interfaces"].splitlines()
                                if ":" in x)
    for key, value in told.items():
        result[key] = str(value)
    return result


class Usual:
    """The results of a chain when nothing fails."""

    def __init__(self, runs: List[Run]) -> None:
        self.runs = runs
        self.first = runs[0]
        self.said = {without_numbers(line) for r in runs for line in r.err.splitlines()}
        self.report: Optional[Dict[str, str]] = None
        if self.first.report is not None:
            self.report = {key: value for key, value in self.first.report.items()
                           if all((r.report or {}).get(key) == value for r in runs)}

    def lines(self, run: Run) -> List[str]:
        """The lines that are not always printed, also those on the command's terminal."""
        lines = run.err.splitlines()
        if run.report is None:
            lines += [x for x in run.files[0].splitlines() if re.match("volt-[a-z]+: .", x)]
        return [x for x in lines if without_numbers(x) not in self.said]

    def differs(self, run: Run) -> List[str]:
        """The differences in the command's environment."""
        if self.report is None or run.report is None:
            return [] if self.report is run.report is None else ["no report"]
        return [f"{key}: {delta(value, run.report.get(key, ''))}"
                for key, value in self.report.items() if run.report.get(key) != value]


def without_numbers(line: str) -> str:
    return re.sub(r"\d+", "N", line)


def delta(a: str, b: str) -> str:
    if "\n" in a:
        gone = [x for x in a.splitlines() if x not in b.splitlines()]
        new = [x for x in b.splitlines() if x not in a.splitlines()]
        return f"without {gone}, with {new}"
    return f"{a!r}, now {b!r}"


def judge(usual: Usual, run: Run, call: str) -> List[str]:
    """The complaints."""
    bad = list(run.remains)
    program = run.made.split(" ")[0]
    lines = usual.lines(run)
    if run.left:
        bad.append(run.left)
    if run.crashed:
        bad.append(f"crashed: status {run.status}")
    if any(not re.match(r"volt-[a-z]+: .", line) for line in lines):
        bad.append(f"not a message: {run.err!r}")
    # There may be one line, and one of advice, of one program.
    if len(lines) > 2 or len({line.split(":")[0] for line in lines}) > 1:
        bad.append(f"says too much: {run.err!r}")
    same = (run.ran == usual.first.ran and run.status == usual.first.status and
            not usual.differs(run))
    # It has recovered, perhaps with a line; or a line says that status= wrote nothing.
    if same and (run.files[2:] == usual.first.files[2:] or
                 any(re.match(r"volt-[a-z]+: status=\d+: ", x) for x in lines)):
        return bad
    if same:
        return bad + [f"other files: {run.files[2:]}"]
    if run.status == usual.first.status and run.ran == usual.first.ran:
        what = "; ".join(x[:300] for x in usual.differs(run))
        return bad + [f"the command is elsewhere, said {run.err!r}: {what}"]
    want = (125, 126, 127) if call.startswith("execve") else (125,)
    if program == "volt-bwrap":
        want += (1,)  # as bubblewrap
    if run.status not in want:
        bad.append(f"status {run.status}: {run.err!r}")
    if not lines:
        bad.append(f"silent: status {run.status}")
    elif not lines[0].startswith(program + ":"):
        bad.append(f"said by another: {run.err!r}")
    if run.ran and usual.first.ran and not run.ran_before:
        bad.append(f"the command ran: {run.err!r}")
    return bad
