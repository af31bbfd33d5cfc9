"""The words of volt's programs, as volt(7) describes them: a parser that shares
nothing with lib/words.c."""

import re
from typing import Callable, Iterator, List, NamedTuple, NoReturn, Optional, Tuple

KEY = re.compile(r"([a-z0-9._][a-z0-9._-]*)=", re.A)
UINT = re.compile(r"0|[1-9][0-9]*", re.A)
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "SEGV": 0, "USR2": 12,
           "PIPE": 13, "ALRM": 14, "TERM": 15, "CONT": 18, "STOP": 19, "WINCH": 28,
           "PWR": 30}
ID_MAX = 4294967294
U64 = (1 << 64) - 1


class Refused(Exception):
    """This program ends the chain. The reason is for readers only."""

    def __init__(self, why: str, status: int = 125, silent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.status = status
        self.silent = silent  # it prints nothing on standard error


class Unknown(Exception):
    """The model does not know what this line does: the case is skipped."""


class Word(NamedTuple):
    key: str
    value: str


class Parsed(NamedTuple):
    flags: str
    words: List[Word]
    rest: List[str]


def bad(why: str) -> NoReturn:
    raise Refused(why)


def uint(value: str, most: int, why: str = "not a number") -> int:
    if not UINT.fullmatch(value):
        bad(f"{value}: {why}")
    if int(value) > most:
        bad(f"{value}: number too large")
    return int(value)


def size(value: str) -> int:
    m = re.fullmatch(r"(0|[1-9][0-9]*)([KMGTkmgt]?)", value, re.A)
    if not m or int(m[1]) > U64:
        bad(f"{value}: not a size")
    n = int(m[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[m[2].upper()]
    return n if n <= U64 else bad(f"{value}: size too large")


def time(value: str) -> int:
    """Convert a time to milliseconds."""
    m = re.fullmatch(r"(0|[1-9][0-9]*)(ms|s|m)?", value, re.A)
    if not m or (m[2] is None and m[1] != "0"):
        bad(f"{value}: not a time")
    n = int(m[1]) * {"ms": 1, "s": 1000, "m": 60000, None: 0}[m[2]]
    return n if n <= U64 else bad(f"{value}: time too long")


def signal(value: str) -> int:
    name = value[3:] if value.startswith("SIG") else value
    if SIGNALS.get(name):
        return SIGNALS[name]
    m = re.fullmatch(r"RTMIN\+(0|[1-9][0-9]*)", name, re.A)
    if m and int(m[1]) <= 30:
        return 34 + int(m[1])
    if UINT.fullmatch(value) and 0 < int(value) <= 64:
        return int(value)
    bad(f"{value}: not a signal")


def fields(value: str, sep: str) -> List[str]:
    """The fields of a list. A backslash before sep or a backslash quotes it."""
    out, field, i = [], "", 0
    while i < len(value):
        c = value[i]
        if c == "\\" and value[i + 1:i + 2] in (sep, "\\") and i + 1 < len(value):
            field += value[i + 1]
            i += 2
            continue
        if c == sep:
            out.append(field)
            field = ""
        else:
            field += c
        i += 1
    return out + [field]


def split(value: str, sep: str, n: int) -> List[str]:
    """At most n fields. The last is the rest, unchanged."""
    out: List[str] = []
    rest: Optional[str] = value
    while rest is not None and len(out) < n - 1:
        m = re.match(r"(?:\\[\\" + sep + r"]|[^" + sep + r"])*", rest, re.S)
        assert m
        head, rest = m[0], rest[m.end() + 1:] if m.end() < len(rest) else None
        out.append(fields(head, sep)[0] if head else "")
    return out if rest is None else out + [rest]


def lines(text: str, read: Callable[[str], str], depth: int) -> Iterator[Word]:
    """The words of a file."""
    if depth > 8:
        bad("includes are more than 8 deep")
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if not line or line[0] == "#":
            continue
        m = KEY.match(line)
        if line[0] == "@":
            yield from lines(read(line[1:]), read, depth + 1)
        elif m:
            yield Word(m[1], line[m.end():])
        else:
            bad(f"not a word: {line}")


def items(argv: List[str], read: Callable[[str], str]) -> Iterator[Tuple[str, Word]]:
    """Flags ("-", letter), words ("=", word) and the rest ("", index), in order."""
    i = 1
    while i < len(argv):
        arg = argv[i]
        m = KEY.match(arg)
        if arg == "--":
            i += 1
            break
        if arg.startswith("-") and arg != "-":
            for letter in arg[1:]:
                yield "-", Word(letter, "")
        elif arg.startswith("@"):
            for word in lines(read(arg[1:]), read, 1):
                yield "=", word
        elif m:
            yield "=", Word(m[1], arg[m.end():])
        else:
            break
        i += 1
    yield "", Word(str(i), "")


def parse(argv: List[str], flags: str, check: Callable[[str, str], None],
          read: Callable[[str], str]) -> Parsed:
    """Parse argv. check refuses a wrong word. The first error counts."""
    found, words = "", []
    for kind, word in items(argv, read):
        if kind == "":
            return Parsed(found, words, argv[int(word.key):])
        if kind == "-":
            if word.key in "hV":
                raise Refused("help or version", 0)
            if word.key not in flags:
                bad(f"-{word.key}: unknown flag")
            found += word.key
        else:
            if len(word.key) > 64:
                bad("unknown word")
            check(word.key, word.value)
            words.append(word)
    raise AssertionError
