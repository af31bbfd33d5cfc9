"""Random chains: most of them make sense, and some do not. A chain depends only on
the seed and on the kinds of callers."""

import random
from typing import Any, Callable, Dict, List, Sequence, Tuple

import case as c

Rng = random.Random
SANITIZER = ("ASAN_OPTIONS=detect_leaks=0:disable_coredump=0:handle_segv=0:handle_sigbus=0:"
             "handle_sigfpe=0:allow_user_segv_handler=1")
REPORT = (3, 4, 7, 9, 10, 63, 400, 1500, 4000)
JUNK = ["", "a", "a b", "x=y", "--", "-", "-Ump", "@server", "new\nline", "\t", "*", "$(x)",
        "\\", "\udcff\udcfe", "é", "root=/", "--help", "volt-ns", "\x01", "a" * 300]
ODD_ENV = ["ODD", "=x", "==", "A=1", "A=2", "EMPTY=", "NL=a\nb", "BYTES=\udcff\udc80", "",
           "LD_BIND_NOW=1", "VOLTAGE=1", "VOLT=2", "volt_x=3", "LANG=xx_YY.UTF-8",
           "TMPDIR=/none", "IFS=x", "X" * 2000, "container=none"]
FORGED = ["VOLT_X=1", "VOLT_=", "VOLT_STATUS=7", "VOLT_TOOLBOX=7:7:7:7", "VOLT_TOOLBOX=0:1:2:-",
          "VOLT_NOTIFY=7", "VOLT_NOTIFY=1", "VOLT_STATUS=4294967296", "VOLT_TAP=7:9: ip=x",
          "VOLT_TOOLBOX=-:-:-:-", "VOLT_STATUS=", "VOLT_TOOLBOX=99999:1:1:1", "VOLT_X"]
SIGNALS = [1, 2, 3, 10, 12, 13, 14, 15, 15, 15, 16, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28,
           29, 30, 32, 33, 34, 35, 50, 63]
DEADLY = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 31, 34, 64]


def some(rng: Rng, p: float) -> bool:
    return rng.random() < p


def number(rng: Rng) -> str:
    return rng.choice(["0", "1", "33", "1000", "65534", "65535", str(rng.randrange(65536))])


# --- volt-ns --------------------------------------------------------------------

def ns_flags(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    flags = set(rng.choice(["", "U", "m", "Um", "Ump", "mp", "UmpniuC", "mpniuC", "A", "p", "u",
                            "Un", "?", "?", "?", "?"]))
    if "?" in flags:
        flags = {f for f in "mpnuiCUT" if some(rng, 0.35)}
    if flags and kind in ("user", "subid") and not ctx.get("userns") and some(rng, 0.95):
        flags.add("U")
    if ctx.get("net") == "made" and some(rng, 0.9):
        flags -= {"n", "A"}
    if ctx.get("net") == "deferred" and some(rng, 0.9):
        flags.add("n")
    for flag, p in (("s", 0.1), ("k", 0.08), ("v", 0.04), ("N", 0.01)):
        if some(rng, p):
            flags.add(flag)
    return sorted(flags)


def options(rng: Rng, pool: Sequence[str], p: float) -> str:
    chosen = [o for o in pool if some(rng, p)]
    return ":" + ",".join(chosen) if chosen else ""


def ns_root(rng: Rng, kind: str, userns: bool) -> List[str]:
    root = rng.choice([c.ROOT, c.ROOT, c.ROOT + "2", "/"])
    words = []
    how = rng.random()
    if how < 0.45:
        words.append(f"root={root}" + options(rng, ["ro", "nosuid", "nodev", "rw", "exec"], 0.12))
    elif how < 0.75:
        words += [f"root={root if root != '/' else c.ROOT}", "overlay=tmpfs" + options(
            rng, ["size=64M", "mode=755", "ro", "nodev"], 0.15)]
    elif how < 0.85:
        words += [f"root={c.ROOT}", f"overlay={c.TOP}/up"]
    elif how < 0.93:
        words += [f"lower={c.TOP}/layer", f"root={c.ROOT}"]
    else:
        words += [f"lower={c.ROOT}"]
    return words


def ns_mounts(rng: Rng) -> List[str]:
    pool = [f"bind={c.TOP}/data:/opt" + options(rng, ["ro", "noexec", "nodev", "rec"], 0.3),
            f"bind={c.TOP}/t:{c.TOP}/t" + options(rng, ["ro", "nosuid"], 0.4),
            "tmpfs=/opt" + options(rng, ["size=1M", "mode=700", "noexec", "ro"], 0.3),
            "tmpfs=/home", f"ro={c.TOP}/t", "ro=/opt", "ro=/", f"mask={c.TOP}/t",
            f"mask={c.TOP}/t/a", "mask=/opt", "mask=none", "sys=none", "cgroup=none",
            "dev=none", "proc=none", f"bind={c.TOP}/data/file:/opt/file"]
    return [w for w in pool if some(rng, 0.09)]


def ns_ids(rng: Rng, kind: str, ctx: Dict[str, Any], flags: str) -> List[str]:
    words = []
    own = {"root": 0, "nsroot": 0, "user": c.USER_ID, "subid": c.SUBID_ID}[kind]
    if "U" in flags and some(rng, 0.3):
        pool = [f"uidmap=0:{own}:1", f"uidmap={own or 1000}:{own}:1", "uidmap=auto"]
        if kind == "nsroot" or ctx.get("userns"):
            pool += ["uidmap=0:0:1", "uidmap=0:0:1000,1000:2000:10"]
        elif kind == "root" or some(rng, 0.1):
            pool += ["uidmap=0:100000:65536", "uidmap=0:0:4294967295", "uidmap=0:0:1",
                     "uidmap=0:100000:1000,1000:200000:1000", "gidmap=0:100000:65536"]
        words.append(rng.choice(pool))
    # For an ordinary user, most of these are refused.
    rare = 1.0 if kind in ("root", "nsroot") else 0.25
    if some(rng, 0.15 * rare):
        words.append("uid=" + number(rng))
    if some(rng, 0.1 * rare):
        words.append("gid=" + number(rng))
    if some(rng, 0.07 * rare):
        words.append("groups=" + ",".join(number(rng) for _ in range(rng.randrange(4))))
    return words


def ns_others(rng: Rng, flags: str, ctx: Dict[str, Any]) -> List[str]:
    words = []
    if "u" in flags and some(rng, 0.5):
        words.append("hostname=" + rng.choice(["web", "a" * 64, "x.y-z", "~"]))
    if "u" in flags and some(rng, 0.2):
        words.append("domainname=nis.example")
    if "T" in flags:
        words += [w for w in ("monotonic=1000", "boottime=86400", "monotonic=0") if some(rng, 0.4)]
    if some(rng, 0.1):
        words.append("umask=" + rng.choice(["0", "022", "777", "0077", "27"]))
    if some(rng, 0.05):
        words.append("stdio=" + rng.choice(["keep", "keep", "give"]))
    if some(rng, 0.08):
        words.append("chdir=" + rng.choice(["/", "/opt", c.TOP + "/t", "/tmp"]))
    if some(rng, 0.05) and not ctx.get("console"):
        words.append("console=pty")
        ctx["console"] = True
    if some(rng, 0.12) and ctx["status"]:
        words.append(f"status={ctx['status'].pop()}")
    if some(rng, 0.06) and ("p" in flags or "A" in flags or some(rng, 0.1)):
        words.append("stop=" + rng.choice(["INT", "SIGQUIT", "RTMIN+3", "10", "TERM", "HUP"]))
    return words


def make_ns(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    if some(rng, 0.05) and not ctx.get("root"):
        return make_join(rng, ctx)
    letters = ns_flags(rng, kind, ctx)
    flags = "".join(letters) + ("mpnuiCUT" if "A" in letters else "")
    words = []
    if "m" in flags and some(rng, 0.5) and not ctx.get("root"):
        words += ns_root(rng, kind, "U" in flags)
        ctx["root"] = True
    if "m" in flags:
        words += ns_mounts(rng)
    words += ns_ids(rng, kind, ctx, flags) + ns_others(rng, flags, ctx)
    ctx["userns"] = ctx.get("userns") or "U" in flags
    if ctx.get("net") == "deferred" and "n" in flags:
        ctx["net"] = None
    return mix(rng, letters, words)


def make_join(rng: Rng, ctx: Dict[str, Any]) -> List[str]:
    names = [n for n in ("user", "mnt", "pid", "uts", "ipc", "net") if some(rng, 0.5)]
    words = ["join=TARGET" + (":" + ",".join(names) if names and some(rng, 0.3) else "")]
    words += [w for w in ("uid=0", "umask=27", "chdir=/opt") if some(rng, 0.08)]
    ctx.update(root=True, userns=True)
    return mix(rng, [f for f in "sk" if some(rng, 0.15)], words)


def mix(rng: Rng, letters: List[str], words: List[str]) -> List[str]:
    """Put flags, alone or joined, anywhere among the words, and keep their order."""
    groups: List[str] = []
    for letter in letters:
        if groups and some(rng, 0.8):
            groups[-1] += letter
        else:
            groups.append("-" + letter)
    out = list(words)
    for group in groups:
        out.insert(0 if some(rng, 0.8) else rng.randrange(len(out) + 1), group)
    return out


# --- the other links ---------------------------------------------------------------

def make_init(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    words = [w for w, p in (("grace=10s", 0.1), ("grace=500ms", 0.03), ("stop=QUIT", 0.05),
                            ("stop=RTMIN+4", 0.03), ("ready=/tmp/n", 0.04)) if some(rng, p)]
    if some(rng, 0.1) and ctx["status"]:
        words.append(f"status={ctx['status'].pop()}")
    flags = [f for f, p in (("g", 0.15), ("k", 0.1), ("v", 0.03), ("N", 0.01),
                            ("b", 0.005)) if some(rng, p)]
    if kind == "root" and not ctx.get("root") and "b" in flags:
        flags.remove("b")  # it would mount /run and /tmp in our own namespace
    return mix(rng, flags, words)


def make_cg(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    words = []
    if some(rng, 0.4):
        words.append("name=" + rng.choice(["web", "t1", "A.b-c@d:e+f", "_x"]))
    words += [w for w in ("cgroup.max.depth=5", "cgroup.max.descendants=100", "cgroup.freeze=0",
                          "pids.max=1000", "memory.max=4G", "cpus=2") if some(rng, 0.05)]
    delegate = 0.2 if ctx["own_cgroup"] else 0.02
    return mix(rng, [f for f, p in (("d", delegate), ("k", 0.15), ("s", 0.05), ("v", 0.03),
                                    ("N", 0.01)) if some(rng, p)], words)


def make_net(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    mode = rng.choice(["host", "none", "none", "private"] if kind == "root" else
                      ["host", "none", "none", "private"][:3 if some(rng, 0.9) else 4])
    if mode == "none" and kind in ("user", "subid") and not ctx.get("userns") and some(rng, 0.8):
        mode = "host"
    words = [] if mode == "private" and some(rng, 0.5) else ["mode=" + mode]
    letters = []
    ctx["net"] = "made"
    if mode == "private":
        if some(rng, 0.5):
            letters.append("d")
            ctx["net"] = "deferred"
        words += [w for w in ("isolate=no", "mtu=1400") if some(rng, 0.2)]
    if some(rng, 0.1):
        words += [w for w in ("dns=192.0.2.53", "search=example.org", "hosts=box:192.0.2.7")
                  if some(rng, 0.5)]
    if some(rng, 0.03):
        letters.append("v")
    return mix(rng, letters, words)


def lock_landlock(rng: Rng) -> List[str]:
    words = rng.choice([["fs.rx=/"]] * 20 + [
        [], ["fs=any"], ["fs=any", "fs.rw=none"], ["fs=any", "fs.rw=none", f"fs.rw={c.TOP}/t/a"],
        ["fs=any", "fs.ro=none", "fs.ro=/"], ["fs=any", "fs.write_file=none"], ["try=fs=any"],
        ["fs.rw=/", "fs=none", "fs.rx=/"], ["fs.rwx=/", "fs.rw=none"],
        [f"except={c.TOP}/t/b", "fs.rwx=/"], [f"except={c.TOP}/*/[ax]", "fs.rwx=/", "except="],
        [f"prefix={c.TOP}", "fs.rw=/t", "prefix=", "fs.rx=/"], ["fs.execute=/", "fs.ro=/"]])
    pool = [f"fs.rw={c.TOP}/t/a", f"fs.rw={c.TOP}/t", f"fs.ro={c.TOP}/t", f"fs.write_file={c.TOP}",
            "fs.dev=/dev/null", "tcp.bind=any", "tcp.bind=none", "tcp.bind=45000",
            "tcp.bind=1-1024,44999-45001", "tcp.connect=80", "scope=signal", "scope=none",
            "udp.bind=any", "udp.connect=any", "stdio=keep", "udp.bind=none", "udp.connect=none",
            "tcp.connect=none", "tcp.connect=any", "unix=none", "unix=any", "fs=none", "try=fs=any",
            f"fs.rw=none,{c.TOP}", "fs.dev=none", "try=tcp.bind=none",
            "log=new-exec-on", "try=fs.ro=/nonexistent", "try=udp.bind=53", "abi=1",
            "fs.read_dir=/opt", "try=unix=/tmp", "fs.truncate=/"]
    return words + [w for w in pool if some(rng, 0.1)]


def make_lock(rng: Rng, kind: str, ctx: Dict[str, Any]) -> List[str]:
    words: List[str] = []
    if some(rng, 0.35):
        words += lock_landlock(rng)
    if some(rng, 0.08):
        words.append(rng.choice(["@server", "@server", "@offline", "@offline"]))
        words += ["fs.rx=/"] if some(rng, 0.9) else []
    if some(rng, 0.2):
        words.append("seccomp=" + rng.choice(["strict", "default", "default", "none",
                                              c.TOP + "/data/profile"]))
    if some(rng, 0.3):
        words.append("caps=" + rng.choice([
            "none", "none", "none", "chown", "net_bind_service,setuid", "+net_raw", "-sys_admin",
            "+chown,-net_admin", "CAP_KILL", "21"] if not ctx.get("caps") and (
                kind in ("root", "nsroot") or ctx.get("userns")) else
                            ["none", "none", "-sys_admin", "chown"]))
        ctx["caps"] = True
    rare = 1.0 if kind in ("root", "nsroot") else 0.2
    if some(rng, 0.1 * rare):
        words.append("uid=" + number(rng))
    if some(rng, 0.07 * rare):
        words.append("gid=" + number(rng))
    if some(rng, 0.05 * rare):
        words.append("groups=" + rng.choice(["", "5", "5,6"]))
    if some(rng, 0.25):
        words.append("fds=" + rng.choice(["close", "close", "keep"]))
    words += [w for w in ("keyring=keep", "dumpable=no", "dumpable=yes", "spec=store-bypass",
                          "rlimit.core=0", "rlimit.nofile=512:1024", "rlimit.nproc=5000",
                          "rlimit.as=8G", "rlimit.stack=8M", "rlimit.cpu=1000:2000",
                          "rlimit.fsize=unlimited", "rlimit.sigpending=200",
                          "rlimit.core=1K:1M") if some(rng, 0.06)]
    return mix(rng, [f for f, p in (("v", 0.03), ("N", 0.01)) if some(rng, p)], words)


BAD = {
    "volt-ns": ["root=/nonexistent", "hostname=x", "hostname=a/b", "uid=-1", "uid=01", "umask=8",
                "uid=4294967295", "rot=/", "-Z", "chdir=/nonexistent", "root=", "bind=rel:rel",
                "overlay=tmpfs", "uidmap=0:0", "stop=FOO", "status=77", "console=tty",
                "groups=1,,2", "@nonexistent", "@", "=x", "tmpfs=/opt:size=99999999999999T",
                "mask=/nonexistent", "monotonic=1", "tmpfs=/", "A=b", "-", "root=/etc/passwd",
                "bind=/nonexistent:/opt", "a" * 70 + "="],
    "volt-init": ["grace=0", "grace=1", "grace=5x", "stop=0", "stop=65", "ready=x", "status=78",
                  "-b", "-q", "foo=bar", "@/nonexistent", "status=x"],
    "volt-cg": ["name=", "name=a/b", "name=cpu.x", "cpus=0", "cpus=x", "uid=0", "memory.max=1X",
                "nil.max=1", ".x=1", "x.=1", "parent=..", "name=" + "n" * 200, "-z", "foo=1"],
    "volt-lock": ["fs.ro=/nonexistent", "caps=foo", "caps=+a,b", "seccomp=", "uid=x", "fds=yes",
                  "rlimit.nofile=5:4", "rlimit.foo=1", "tcp.bind=70000", "tcp.bind=5-4",
                  "scope=all", "abi=999", "try=uid=0", "fs.make_dir=/etc/passwd", "-x",
                  "udp.bind=53", "spec=all", "dumpable=maybe", "fs.rx=", "rlimit.as=1X"],
    "volt-net": ["mode=foo", "dns=x", "hosts=x", "mtu=1", "queues=0", "port=0:1", "-r", "-q",
                 "isolate=perhaps", "search=-x", "foo=1"],
}
MAKE: Dict[str, Callable[[Rng, str, Dict[str, Any]], List[str]]] = {
    "volt-ns": make_ns, "volt-init": make_init, "volt-cg": make_cg, "volt-lock": make_lock,
    "volt-net": make_net}
ORDER = ["volt-net", "volt-cg", "volt-ns", "volt-init", "volt-lock"]


def make_external(rng: Rng, waits: bool, leads: Any = False) -> List[str]:
    """Another program. setsid(1) would wait if we lead a process group."""
    pool = [["env"], ["env", "A=b"], ["env", "-u", "HOME"], ["nice", "-n", "3"],
            ["setpriv", "--no-new-privs", "--"], ["sh", "-c", 'exec "$@"', "sh"],
            ["setsid", "-w"]][:-1 if leads else None]
    if waits:
        pool += [["timeout", "600"]]
    if some(rng, 0.05):
        return ["env", "-i", "PATH=" + c.ENV[0][5:]]
    return rng.choice(pool)


def line(rng: Rng, kind: str, waits: bool, ctx: Dict[str, Any]) -> List[str]:
    """The programs and their words, without the command."""
    if some(rng, 0.55):
        links = [p for p in ORDER if some(rng, {"volt-net": 0.25, "volt-cg": 0.3, "volt-ns": 0.85,
                                                "volt-init": 0.6, "volt-lock": 0.55}[p])]
    else:
        links = [rng.choice(["volt-ns", "volt-ns", "volt-ns", "volt-init", "volt-init",
                             "volt-lock", "volt-lock", "volt-cg", "volt-net"])
                 for _ in range(rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6]))]
    argv: List[str] = []
    wrong = rng.randrange(len(links)) if links and some(rng, 0.07) else -1
    for i, program in enumerate(links or ["volt-ns"]):
        if some(rng, 0.25 if i == 0 else 0.1):
            argv += make_external(rng, waits, not waits or not argv and ctx.get("leads"))
        words = MAKE[program](rng, kind, ctx)
        if i == wrong:
            words.insert(rng.randrange(len(words) + 1), rng.choice(BAD[program]))
        by_path = some(rng, 0.06)
        argv += [f"{c.BIN}/{program}" if by_path else program] + words
        if some(rng, 0.25):
            argv.append("--")
    if some(rng, 0.15):
        argv += make_external(rng, waits, not waits)
    return argv


# --- the command and its caller ------------------------------------------------------

def command(rng: Rng, argv: List[str], deed: str) -> List[str]:
    how = rng.random()
    if how < 0.04:
        return [rng.choice(["nonexistent", "/nonexistent/x", "", "/srv/cmd", "/etc/passwd",
                            c.CMD + "/script", "script", "new\nline", "x" * 5000, "volt-nil",
                            "/etc/passwd/x"]), deed]
    name = "probe"
    if how < 0.14:
        name = c.CMD + "/probe"
    elif how < 0.2 and argv[-1] == "--":
        name = rng.choice(["x=y", "@z", "-p"])
    junk = [rng.choice(JUNK) for _ in range(rng.choice([0, 0, 1, 2, 5]))]
    if some(rng, 0.02):
        junk.append("L" * 100000)
    return [name, deed] + junk


def descriptors(rng: Rng, caller: Dict[str, Any], ctx: Dict[str, Any]) -> int:
    """Fill in the caller's descriptors. Returns the one for the probe's report."""
    used = {7} if some(rng, 0.3) else set()
    fds: List[Tuple[int, str, int]] = [(7, "file", 0)] if used else []
    if some(rng, 0.4):
        for _ in range(rng.randrange(1, 6)):
            fd = rng.choice([3, 4, 5, 6, 8, 9, 11, 20, 62, 64, 255, 256, 500, 1023, 1024, 2000,
                             4095])
            if fd not in used:
                used.add(fd)
                fds.append((fd, rng.choice(["file", "dir", "pipe", "socket", "null", "memfd",
                                            "path"]), int(some(rng, 0.2))))
    report = rng.choice([fd for fd in REPORT if fd not in used])
    used.add(report)
    fds.append((report, "report", 0))
    for fd in rng.sample([12, 13, 14], 3):
        if some(rng, 0.3):
            ctx["status"].append(fd)
            fds.append((fd, "status", 0))
    caller["fds"] = fds
    return report


def person(rng: Rng, kind: str, caller: Dict[str, Any]) -> None:
    """Fill in the caller's attributes, except descriptors."""
    def maybe(p: float, key: str, value: Any) -> None:
        if some(rng, p):
            caller[key] = value

    maybe(0.1, "umask", rng.choice([0, 0o77, 0o777, 0o27]))
    maybe(0.08, "nice", rng.choice([1, 5, 19]))
    maybe(0.08, "oom", rng.choice([1, 500, 1000]))
    maybe(0.15, "blocked", rng.choice([1 << 14, 1 << 16, 1 << 9 | 1 << 33, (1 << 64) - 1,
                                      1 << 31 | 1 << 32, rng.getrandbits(64)]))
    maybe(0.15, "ignored", rng.choice([1 << 16, 1 << 12 | 1 << 1, 7 << 31, 1 << 14,
                                      rng.getrandbits(64)]) & ~(1 << 8 | 1 << 18))
    if some(rng, 0.05):
        caller["pending"] = [rng.choice([10, 34])]
        caller["blocked"] = caller.get("blocked", 0) | 1 << 9 | 1 << 33
    maybe(0.05, "child", 1)
    maybe(0.15, "session", rng.choice(["s", "p", "p", "y"]))
    maybe(0.06, "pdeathsig", rng.choice([9, 15, 1]))
    maybe(0.06, "nnp", 1)
    maybe(0.1, "cwd", rng.choice(["/", c.TOP + "/t", "gone"]))
    maybe(0.04, "timerslack", 1000)
    maybe(0.04, "personality", 0x40000)
    maybe(0.04, "scheduler", 3)
    maybe(0.05, "argv0", rng.choice(["x", "/a/b/volt-x", "volt-ns", "-sh", "long" * 60]))
    maybe(0.1, "rlimits", [rng.choice([[4, 0, 0], [7, 8192, 16384], [3, 1 << 20, 1 << 30],
                                      [11, 100, 1000], [8, 65536, 65536]])])
    if some(rng, 0.12):
        caller["extra_env"] = rng.sample(ODD_ENV, rng.randrange(1, 5))
    if some(rng, 0.06):
        caller["extra_env"] = caller.get("extra_env", []) + rng.sample(FORGED, 2)
    maybe(0.03, "env", [])
    if kind in ("user", "subid"):
        maybe(0.2, "groups", c.GROUPS)
    if kind == "root":
        maybe(0.1, "groups", [0, 5, 20])
        maybe(0.04, "bounding", ~(1 << 13 | 1 << 27) & (1 << 41) - 1)
        maybe(0.04, "inheritable", 1 << 10)
        maybe(0.03, "securebits", rng.choice([64, 4]))
    maybe(0.4 if kind in ("root", "nsroot") else 0.85, "cgroup", "own")


def streams(rng: Rng, caller: Dict[str, Any]) -> None:
    if some(rng, 0.15):
        caller["closed"] = sorted(rng.sample([0, 1, 2], rng.randrange(1, 4)))
    if some(rng, 0.05):
        caller["stdin"] = ["tty", 0, 0]
        caller.pop("session", None)
    elif some(rng, 0.3):
        caller["stdin"] = [rng.choice(["memfd", "pipe", "socket"]),
                           rng.choice([0, 1, 100, 4096, 70000, 200000]), rng.getrandbits(32)]
    if some(rng, 0.2):
        caller["stdout"] = rng.choice(["pipe", "socket"])


def play(rng: Rng, caller: Dict[str, Any]) -> str:
    """Choose what happens to the chain. Returns words for the probe."""
    how = rng.random()
    if how < 0.08:
        caller["play"] = ["signals"] + [rng.choice(SIGNALS) for _ in range(rng.randrange(1, 5))]
        return rng.choice("WH") + "," + end(rng)
    if how < 0.12:
        n = rng.choice([1, 2, 3, 10, 12, 13, 14, 15, 34, 64])
        caller["play"] = ["default", n]
        return f"D{n}"
    if how < 0.15:
        caller["play"] = ["stop"]
        return "S," + end(rng)
    if how < 0.19:
        caller["play"] = ["term", 0, rng.randrange(25)]
        return "D15"
    if how < 0.28:
        caller["play"] = ["kill", rng.choice([0, 0, rng.randrange(8)]), rng.randrange(30)]
        return "Z60000,x0"
    return end(rng)


def end(rng: Rng) -> str:
    if some(rng, 0.2):
        return f"k{rng.choice(DEADLY)}"
    return f"x{rng.choice([0, 0, 0, 1, 2, 124, 125, 126, 127, 128, 137, 143, 255])}"


def make(seed: int, kinds: Sequence[str], asan: bool = False) -> c.Case:
    rng = random.Random(seed)
    kind = rng.choice(list(kinds))
    caller: Dict[str, Any] = {}
    ctx: Dict[str, Any] = {"status": []}
    report = descriptors(rng, caller, ctx)
    person(rng, kind, caller)
    streams(rng, caller)
    ending = play(rng, caller)
    if caller.get("play", [""])[0] in ("signals", "default"):
        for key in ("pending", "child"):  # the signal, or SIGCHLD, would come, too
            caller.pop(key, None)
    if caller.get("play", [""])[0] == "term":
        for key in ("pending", "blocked", "ignored"):
            caller.pop(key, None)
    waits = "play" not in caller
    ctx.update(leads="session" in caller, own_cgroup="cgroup" in caller)
    argv = line(rng, kind, waits, ctx)
    closes = any(w in argv for w in ("fds=close", "@server", "@desktop", "@offline"))
    if closes and (not waits or some(rng, 0.9)):
        report = 1 if 1 not in caller.get("closed", []) else 2
        if {1, 2} <= set(caller.get("closed", [])):
            caller.pop("closed")
            report = 1
    deed = ",".join([f"r{report}"] + [w for w, p in (
        (f"t{c.TOP}/t/a", 0.5), (f"t{c.TOP}/t/b", 0.5), ("b45000", 0.3), ("e", 0.5),
        ("c", 0.8)) if some(rng, p) and not (w in "ec" and ending[0] == "D") and not (
            w == "c" and caller.get("stdin", [""])[0] == "tty")] + [ending])
    argv += command(rng, argv, deed)
    if "console=pty" in argv and caller.get("stdin", [""])[0] != "tty":
        caller.pop("stdin", None)  # a terminal interprets some bytes
    if "console=pty" in argv or caller.get("stdin", [""])[0] == "tty":
        # In the background of a terminal, timeout(1) waits for ever.
        while "timeout" in argv:
            at = argv.index("timeout")
            del argv[at:at + 2]
    if not argv[0].startswith("volt-") and "/" not in argv[0]:
        caller.pop("argv0", None)
    if asan:
        # The sanitizer needs much address space, and /proc.
        argv = [a for a in argv if a != "proc=none" and not a.startswith("rlimit.as=")]
        argv = [x for a in argv for x in ([a, SANITIZER] if a == "-i" else [a])]
        caller.pop("env", None)
        caller["extra_env"] = [SANITIZER] + caller.get("extra_env", [])
    return c.Case(seed, kind, argv, caller)
