"""The world of a chain: namespaces of the test's own, in which its worker is PID 1, and
directories that are always at the same place. And what a chain leaves there."""

import os
import re
import subprocess
import time
from typing import Dict, List, Optional, Set

import case as c

TOOLS = ("env", "nice", "sh")  # programs of a new root, by busybox
PLACES = ("dev", "proc", "sys", "tmp", "opt", "home", "etc", "usr", "root", "run")
ODD_NAMES = ("x=y", "@z", "-p")
PATIENCE = 10.0  # s to wait until nothing is left


def write(path: str, data: bytes, mode: int) -> None:
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def remove(top: str) -> None:
    """Remove everything below a directory."""
    for path, dirs, files in os.walk(top, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in dirs:
            full = os.path.join(path, name)
            if os.path.islink(full):
                os.unlink(full)
            else:
                os.rmdir(full)


def libraries(program: str) -> List[str]:
    """The libraries of a program that was built for a sanitizer."""
    out = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False).stdout.decode()
    return re.findall(r"(/\S+) \(0x", out)


class World:
    def __init__(self, build: str, cgroup: bool) -> None:
        self.launch = c.TOP + "/launch"
        self.tree: Optional[str] = None
        self.mount(cgroup)
        self.fill(build)
        self.base_mounts = self.mounts()
        self.base_net = self.interfaces()
        self.extra: Set[int] = set()  # processes that belong here
        self.targets: Dict[str, int] = {}  # those of them to join, by kind

    def mount(self, cgroup: bool) -> None:
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "proc", "proc", "/proc")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", c.TOP)
        run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=666,mode=620", "devpts",
            "/dev/pts")
        run("mount", "--bind", "/dev/pts/ptmx", "/dev/ptmx")
        run("ip", "link", "set", "lo", "up")
        if cgroup:
            # The kernel mounts the same file system at the same place only once.
            run("mount", "-t", "tmpfs", "tmpfs", "/sys/fs/cgroup")
            run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
            self.tree = "/sys/fs/cgroup"

    def fill(self, build: str) -> None:
        probe = read(build + "/helpers/probe")
        write(self.launch, read(build + "/helpers/launch"), 0o755)
        for place in ("/bin", "/cmd", "/cwd", "/t", "/data", "/up", "/layer", "/share"):
            os.mkdir(c.TOP + place)
        for place in ("/cwd", "/up"):
            os.chmod(c.TOP + place, 0o777)
        for name in sorted(os.listdir(build + "/bin")):
            if name.startswith("volt-") and name != "volt-kvm":
                write(f"{c.BIN}/{name}", read(f"{build}/bin/{name}"), 0o755)
        if os.path.isdir(build + "/share/volt"):
            os.mkdir(c.TOP + "/share/volt")
            for name in os.listdir(build + "/share/volt"):
                write(f"{c.TOP}/share/volt/{name}", read(f"{build}/share/volt/{name}"), 0o644)
        self.commands(c.CMD, probe)
        write(c.TOP + "/data/file", c.data(1000, 1), 0o644)
        write(c.TOP + "/data/profile", b"*\n", 0o644)
        self.tried(c.TOP)
        subid = f"volt:{c.SUBID_RANGE[0]}:{c.SUBID_RANGE[1]}\n".encode()
        for name, text in (("passwd", read("/etc/passwd") +
                            f"volt:x:{c.SUBID_ID}:{c.SUBID_ID}::/:/bin/sh\n".encode()),
                           ("subuid", subid), ("subgid", subid)):
            write(f"{c.TOP}/data/{name}", text, 0o644)
            if os.geteuid() == 0 and os.path.exists("/etc/" + name):
                run("mount", "--bind", f"{c.TOP}/data/{name}", "/etc/" + name)
        self.make_root(c.ROOT, probe)
        self.make_root(c.ROOT + "2", probe)
        for path, _, files in os.walk(c.ROOT + "2") if os.geteuid() == 0 else ():
            for name in [path] + [os.path.join(path, f) for f in files]:
                os.chown(name, c.USER_ID, c.USER_ID, follow_symlinks=False)

    def tried(self, top: str) -> None:
        os.makedirs(top + "/t", exist_ok=True)
        for name in ("a", "b"):
            write(f"{top}/t/{name}", b"x", 0o666)

    def commands(self, place: str, probe: bytes) -> None:
        write(place + "/probe", probe, 0o755)
        for name in ODD_NAMES:
            os.symlink("probe", f"{place}/{name}")
        write(place + "/script", b"exit 42\n", 0o755)

    def make_root(self, root: str, probe: bytes) -> None:
        for place in PLACES + ("bin", "srv/cmd", "srv/data"):
            os.makedirs(f"{root}/{place}")
        self.commands(root + "/srv/cmd", probe)
        os.symlink("../srv/cmd/probe", root + "/bin/volt-probe")
        self.tried(root + "/srv")
        write(root + "/opt/file", b"", 0o644)
        busybox = next(p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p))
        write(root + "/bin/busybox", read(busybox), 0o755)
        have = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE,
                              check=True).stdout.decode().split()
        for name in set(TOOLS) & set(have):
            os.symlink("busybox", f"{root}/bin/{name}")
        for name in ("resolv.conf", "hosts"):
            write(f"{root}/etc/{name}", b"", 0o644)
        for library in libraries(c.BIN + "/volt-init"):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            write(root + library, read(library), 0o755)

    # --- what is there, and what is left ----------------------------------------

    def mounts(self) -> bytes:
        return read("/proc/self/mountinfo")

    def interfaces(self) -> Set[str]:
        return names_of(read("/proc/self/net/dev").decode())

    def processes(self) -> List[int]:
        return [int(p) for p in os.listdir("/proc") if p.isdigit() and p != "1" and
                int(p) not in self.extra]

    def groups(self) -> List[str]:
        if self.tree is None:
            return []
        found = [os.path.join(path, name)[len(self.tree):]
                 for path, dirs, _ in os.walk(self.tree) for name in dirs]
        # These groups stay, or are removed with the caller's own group.
        return [g for g in found if g not in ("/case", "/volt", "/case/payload",
                                              "/case/supervisor", "/worker")]

    def reap(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass

    def describe(self, pid: int) -> str:
        try:
            line = read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode("utf-8", "replace")
            stat = read(f"/proc/{pid}/stat").decode("utf-8", "replace")
            where = read(f"/proc/{pid}/wchan").decode()
        except OSError:
            return f"gone {pid}"
        if stat.rsplit(")", 1)[1].split()[0] == "Z" or not line:
            return f"gone {pid}"
        return f"{pid} {stat.split(')')[0].split('(')[1]} [{line[:200]}] in {where}"

    def stopped_below_init(self) -> bool:
        """Is a process stopped, and is another one PID 1 of a namespace?"""
        stopped = init = False
        for pid in self.processes():
            text = (file_text(f"/proc/{pid}/status") or "").split("\n")
            stopped = stopped or any(x.startswith("State:\tT") for x in text)
            init = init or any(x.startswith("NSpid:") and "1" in x.split()[2:] for x in text)
        return stopped and init

    def left(self, slow: float, net: bool) -> List[str]:
        """Wait until nothing is left. Returns what is left after that."""
        end = time.monotonic() + PATIENCE * slow
        nap = 0.0005
        while True:
            self.reap()
            left = [f"process {self.describe(p)}" for p in self.processes()]
            if not left and self.mounts() != self.base_mounts:
                left.append("mounts differ")
            if not left and net:
                left += [f"interface {i}" for i in sorted(self.interfaces() - self.base_net)
                         if not i.startswith("voltbr")]
            if not left or time.monotonic() > end:
                return left
            time.sleep(nap)
            nap = min(nap * 2, 0.1)

    def tables(self) -> List[str]:
        """Tables of nftables, except that of a bridge, which stays."""
        out = subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False).stdout.decode()
        return [t for t in out.splitlines() if "volt-volt" not in t]

    def clean(self) -> None:
        """Kill what is left, and make room for the next chain."""
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        self.reap()
        remove(c.TOP + "/up")

    def clean_groups(self) -> List[str]:
        """Remove all groups. Returns those that could not be removed."""
        left = []
        for path, dirs, _ in os.walk(self.tree or "/nonexistent", topdown=False):
            for name in dirs:
                try:
                    os.rmdir(os.path.join(path, name))
                except OSError:
                    left.append(os.path.join(path, name))
        return left


def names_of(text: str) -> Set[str]:
    """The interfaces of /proc/net/dev."""
    return {line.split(":")[0].strip() for line in text.splitlines() if ":" in line}


def file_text(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return f.read()
    except OSError:
        return None


def host_facts() -> Dict[str, int]:
    text = file_text("/proc/sys/kernel/cap_last_cap") or "40"
    return {"cap_full": (1 << (int(text) + 1)) - 1}
