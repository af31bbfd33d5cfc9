"""Make a failing chain small: leave out tokens and entries while it still fails in
the same way."""

import time
from typing import Callable, Iterator, List, Tuple

import case as c

Check = Callable[[c.Case], List[str]]


def signature(complaints: List[str]) -> str:
    """What the first complaint is about."""
    return complaints[0].split(":")[0] if complaints else ""


def smaller(case: c.Case) -> Iterator[c.Case]:
    """Smaller cases. Those that leave out most come first."""
    n = len(case.argv)
    size = n // 2
    while size >= 1:
        for start in range(0, n - size + 1, size):
            less = case.copy()
            del less.argv[start:start + size]
            if less.argv:
                yield less
        size //= 2
    for key in sorted(case.caller):
        less = case.copy()
        del less.caller[key]
        yield less
    for key, value in sorted(case.caller.items()):
        if isinstance(value, list) and key not in ("play", "stdin"):
            for i in range(len(value)):
                less = case.copy()
                less.caller[key] = value[:i] + value[i + 1:]
                yield less
    for i, arg in enumerate(case.argv):
        yield from shorter(case, i, arg)


def shorter(case: c.Case, i: int, arg: str) -> Iterator[c.Case]:
    """The same case with one argument shorter: joined flags, and lists."""
    pieces: List[str] = []
    if arg.startswith("-") and len(arg) > 2 and not arg.startswith("--"):
        pieces = [arg[:k] + arg[k + 1:] for k in range(1, len(arg))]
    elif "," in arg:
        words = arg.split(",")
        pieces = [",".join(words[:k] + words[k + 1:]) for k in range(len(words))]
    elif len(arg) > 40:
        pieces = [arg[:len(arg) // 2]]
    for piece in pieces:
        less = case.copy()
        less.argv[i] = piece
        yield less


def shrink(case: c.Case, complaints: List[str], check: Check,
           seconds: float) -> Tuple[c.Case, List[str]]:
    """The smallest case that fails like this one, and its complaints."""
    sign, end = signature(complaints), time.monotonic() + seconds
    again = True
    while again and time.monotonic() < end:
        again = False
        for less in smaller(case):
            if time.monotonic() > end:
                break
            try:
                found = check(less)
            except Exception:  # a case that the test itself cannot run
                continue
            if found and signature(found) == sign:
                case, complaints, again = less, found, True
                break
    return case, complaints
