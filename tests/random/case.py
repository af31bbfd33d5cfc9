"""One random chain: its command line, and a description of its caller."""

import os
import random
import re
from typing import Any, Dict, List, Optional

# The directories of the worker, in a mount namespace of its own.
TOP = "/srv"
BIN = TOP + "/bin"
CMD = TOP + "/cmd"
CWD = TOP + "/cwd"
ROOT = TOP + "/root"

# An ordinary user. If we are one, it is ourselves.
USER_ID = os.geteuid() or 12345
SUBID_ID = 12346
SUBID_RANGE = (1000000000, 65536)
GROUPS = [20001, 20002]

KINDS = ("root", "user", "nsroot", "subid")

# The default environment of the caller.
ENV = [f"PATH={CMD}:{BIN}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C"]


class Case:
    """argv is flat, so that any token of it can be left out. caller has only what
    differs from the default, so that any entry of it can be left out, too."""

    def __init__(self, seed: int, kind: str, argv: List[str],
                 caller: Optional[Dict[str, Any]] = None) -> None:
        self.seed = seed
        self.kind = kind
        self.argv = argv
        self.caller: Dict[str, Any] = dict(caller or {})

    def copy(self) -> "Case":
        return Case(self.seed, self.kind, list(self.argv), self.caller)

    def get(self, key: str, default: Any = None) -> Any:
        return self.caller.get(key, default)

    @property
    def env(self) -> List[str]:
        env = self.get("env", ENV)
        return list(env) + list(self.get("extra_env", []))

    def has_flag(self, program: str, flag: str) -> bool:
        """Does one of the links of that name have the flag?"""
        inside = False
        for arg in self.argv:
            if os.path.basename(arg) == program:
                inside = True
            elif inside and re.fullmatch("-[A-Za-z]+", arg):
                if flag in arg:
                    return True
            else:
                inside = inside and "=" in arg
        return False

    def shell(self) -> str:
        """The command line, as it would be typed."""
        return " ".join(quote(a) for a in self.argv)

    def __str__(self) -> str:
        caller = "".join(f"\n    {k}: {short(v)}"
                         for k, v in sorted(self.caller.items()))
        return f"seed {self.seed}, as {self.kind}: {self.shell()}{caller}"


def quote(s: str) -> str:
    """Quote s for the shell. Bytes that are no text are quoted for bash and ksh."""
    if len(s) > 100:
        return quote(s[:20]) + f"...({len(s)})"
    if re.fullmatch(r"[A-Za-z0-9@%+=:,./_-]+", s):
        return s
    if s.isprintable():
        return "'" + s.replace("'", "'\\''") + "'"
    raw = s.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(c) if 32 <= c < 127 and c not in b"'\\\\" else f"\\x{c:02x}"
                          for c in raw) + "'"


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "..."


def data(size: int, seed: int) -> bytes:
    """That many random bytes, always the same for a seed."""
    return random.Random(seed).randbytes(size)
