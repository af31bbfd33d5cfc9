"""The chains whose calls fail."""

import os
from typing import Dict, List, Optional

import case as c

HERE = os.path.dirname(os.path.abspath(__file__))

PROBE = [c.CMD + "/probe", "m,x42"]
R = "root=" + c.ROOT
PORTS = ["port=18080:80", "port=18053:53/udp", "dns=192.0.2.53"]
LOCK = ["fs.rx=/", "fs.rw=/tmp", "try=fs.dev=/dev/null", "tcp.bind=80", "tcp.connect=443",
        "scope=signal,abstract-unix", "udp.bind=any", "udp.connect=any",
        "seccomp=strict", "caps=none", "fds=close"]
WORDS = ["prefix=/", "except=/usr/lib", "fs.rx=/", "try=fs.rw=/nonexistent", "try=unix=/tmp",
         "try=udp.bind=53", "log=same-exec-off", "abi=1", "keyring=new", "dumpable=no",
         "spec=store-bypass", "rlimit.nofile=64", "rlimit.core=0", "stdio=keep"] + LOCK[1:]


class Chain:
    """A chain: words come before the probe, and kinds are the callers that run it."""

    def __init__(self, name: str, words: List[str], kinds: str = "root", probe: bool = True,
                 before: Optional[List[List[str]]] = None, fds: Optional[List[int]] = None,
                 needs: str = "") -> None:
        self.name = name
        self.argv = words + (PROBE if probe else [])
        self.kinds = kinds.split()
        self.probe = probe
        self.before = before or []  # commands before each run
        self.fds = fds or []
        self.needs = needs
        self.guest = words[:len(GUEST)] == GUEST


# unshare(1) would print a message about a child that was killed.
GUEST = ["sh", "-c", 'exec unshare -mpuin --fork --kill-child "$@" 9>&2 2>/dev/null', "sh", "sh",
         HERE + "/guest", c.TOP + "/inside", "{terminal}"]
CARD = ["mac=52:54:00:00:00:01", "ip=10.1.2.3/24", "gw=10.1.2.1", "ip6=fd00::3/64", "gw6=fd00::1",
        "dns=192.0.2.53", "search=example.org"]

BOTH = "root user"
CHAINS = [
    Chain("lock", ["volt-lock"] + LOCK, BOTH),
    Chain("lock-words", ["volt-lock"] + WORDS + ["uid=20003", "gid=20003", "groups=20003"]),
    Chain("lock-user", ["volt-lock", "-b"] + WORDS, "user"),
    Chain("lock-server", ["volt-lock", "@server", "fs.rx=/srv", "seccomp=default", "caps=+chown"]),
    Chain("ns", ["volt-ns", "-mpniuCT", R, "hostname=inside", "monotonic=9", "volt-init",
                 "grace=1s", "volt-lock"] + LOCK),
    Chain("ns-plain", ["volt-ns", "-mu", "mask=/srv/data", "ro=/srv/cwd"]),
    Chain("ns-user", ["volt-ns", "-UmpniuCT", R, "hostname=inside", "volt-init", "volt-lock"] +
          LOCK, BOTH),
    Chain("ns-here", ["volt-ns", "-Uniu", "volt-lock"] + LOCK, BOTH),
    Chain("ns-here-root", ["volt-ns", "-Um", R, "uidmap=0:{uid}:1", "volt-lock"] + LOCK, BOTH),
    Chain("ns-ids", ["volt-ns", "-Ump", R, "uid=7", "gid=8", "groups=9", "umask=077",
                     "chdir=/tmp"]),
    Chain("overlay", ["volt-ns", "-mpn", R, "lower=/srv/layer", "overlay=tmpfs",
                      "bind=/srv/data:/opt:ro,rec", "bind=/srv/data/file:/etc/file",
                      "tmpfs=/tmp:size=1M", "mask=/home", "ro=/"]),
    Chain("overlay-user", ["volt-ns", "-Um", R, "overlay=/srv/up", "bind=/srv/data:/opt",
                           "tmpfs=/run"], BOTH),
    Chain("image", ["volt-ns", "-mp", "image=/srv/image{job}", "overlay=tmpfs"], needs="image"),
    Chain("console", ["volt-ns", "-mp", R, "console=pty"]),
    Chain("console-pipe", ["volt-ns", "-mp", R, "console=pipe", "volt-init"]),
    Chain("console-user", ["volt-ns", "-Um", R, "console=pty", "volt-init"], BOTH),
    Chain("places", ["volt-ns", "-Ump", "root=tmpfs", "bind=/srv/cmd:/srv/cmd:ro",
                     "bind=/srv/none:/opt:try", "text=some text:/etc/text:ro", "file=5:/etc/file",
                     "dir=/tmp", "dir=/var/lib:mode=700", "symlink=lib:/var/link", "chmod=711:/var",
                     "layers=/mnt:/srv/layer:/srv/root/etc", "info=6", "volt-init",
                     "lock=/etc/text", "volt-lock", "argv0=other"] + LOCK, BOTH,
          fds=[5, 6]),
    Chain("no-userns", ["volt-ns", "-Umpn", R, "uidmap=0:{uid}:1", "userns=none", "volt-lock"] +
          LOCK, BOTH),
    Chain("bwrap", ["volt-bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", c.ROOT, "/",
                    "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/tmp/a",
                    "--ro-bind-data", "5", "/tmp/data", "--setenv", "A", "B", "--info-fd", "6",
                    "--cap-drop", "ALL", "--new-session", "--"], BOTH, fds=[5, 6]),
    Chain("status", ["volt-ns", "-mp", R, "status=5", "volt-init", "ready=/run/notify",
                     "status=6", "volt-lock"] + LOCK[:-1], fds=[5, 6]),
    Chain("join", ["volt-ns", "join={target}", "volt-init", "volt-lock"] + LOCK, BOTH),
    Chain("boot", ["volt-ns", "-mpn", R, "volt-init", "-b"]),
    Chain("boot-user", ["volt-ns", "-UmpnC", R, "volt-init", "-b"], BOTH),
    Chain("net", ["volt-net"] + PORTS + ["volt-ns", "-mp", R, "volt-init"], needs="net"),
    Chain("net-first", ["volt-net", "bridge=first", "subnet=10.99.0.0/24"], needs="net",
          before=[["volt-net", "-r", "bridge=first"]]),
    Chain("net-defer", ["volt-net", "-d"] + PORTS + ["volt-ns", "-Umpn", R, "volt-init"],
          needs="net"),
    Chain("net-tap", ["volt-net", "-t"] + PORTS, needs="net"),
    Chain("net-none", ["volt-net", "mode=none"]),
    Chain("cg", ["volt-cg", "name=fault", "-s", "cgroup.max.depth=5", "volt-ns", "-C",
                 "volt-init"], needs="cgroup"),
    Chain("cg-plain", ["volt-cg", "name=fault"], needs="cgroup"),
    Chain("cg-delegate", ["volt-cg", "-d", "parent=/volt", "name=fault", "volt-ns", "-mpC", R,
                          "volt-init"], needs="cgroup"),
    Chain("cg-limits", ["volt-cg", "name=fault", "memory.max=64M", "pids.max=50", "cpus=1",
                        "cpu.idle=1"],
          needs="memory"),
    Chain("kvm", ["volt-kvm", "memory=16M", "kernel=/srv/guest/pvh"], probe=False,
          needs="kvm"),
    Chain("kvm-devices", ["volt-kvm", "memory=32M", "cpus=2", "kernel=/srv/guest/pvh",
                          "disk=/srv/data/disk", "disk=/srv/data/disk2:overlay",
                          "vsock=/srv/data/vsock", "status=5"],
          probe=False, fds=[5], needs="kvm"),
    Chain("kvm-disk", ["volt-kvm", "memory=32M", "kernel=/srv/guest/attack_faulty",
                       "disk=/srv/data/disk"], probe=False, needs="kvm"),
    Chain("kvm-memory-disk", ["volt-kvm", "memory=32M", "kernel=/srv/guest/attack_faulty",
                              "disk=/srv/data/disk:overlay"], probe=False, needs="kvm"),
    Chain("kvm-share", ["volt-kvm", "memory=32M", "kernel=/srv/guest/pvh",
                        "share=/srv/data:/x"], probe=False, needs="share"),
    Chain("guest", GUEST + ["-", "hostname=inside", "chdir=/tmp"] + CARD + ["--"]),
    Chain("guest-console", GUEST + ["-", "console=pty", "size=30 90", "--"]),
    Chain("guest-disk", GUEST + ["{disk}", "root=vda:erofs", "overlay=tmpfs", "--"],
          needs="image"),
]


def named(names: Optional[str]) -> List[Chain]:
    table: Dict[str, Chain] = {chain.name: chain for chain in CHAINS}
    return [table[n] for n in names.split(",")] if names else CHAINS
