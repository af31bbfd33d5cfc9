#!/usr/bin/python3
"""reader.py HOW [SIGNAL] CMD [ARG ...]: run CMD with a small pipe as standard output, and
be a bad reader. Prints CMD's status, 128+N for a signal.

stuck SIGNAL	read nothing; once CMD has no child, send it SIGNAL
slow		read a little at a time until the end; also print how much
terminal SIGNAL	read nothing, from a terminal instead of a pipe; once it is full,
		send CMD the signal
"""
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

how, args = sys.argv[1], sys.argv[2:]
signo = getattr(signal, "SIG" + args.pop(0)) if how != "slow" else None
if how == "terminal":
    ours, theirs = pty.openpty()
else:
    ours, theirs = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=theirs)


def has_child():
    with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
        return f.read() != ""


def is_full():
    return not select.select([], [theirs], [], 0)[1]


if how == "stuck":
    gone = 0
    while p.poll() is None and gone < 50:  # in a row: /proc may miss a child
        gone = gone + 1 if is_full() and not has_child() else 0
        time.sleep(0.01)
elif how == "terminal":
    # A writer is not always woken when a terminal has a little room again.
    still = before = 0
    while p.poll() is None and still < 50:
        held = int.from_bytes(fcntl.ioctl(ours, termios.FIONREAD, bytes(4)), sys.byteorder)
        still = still + 1 if held == before > 0 else 0
        before = held
        time.sleep(0.01)
if signo is not None and p.poll() is None:
    p.send_signal(signo)
total = 0
if how == "slow":
    os.close(theirs)
    while part := os.read(ours, 256):
        total += len(part)
        time.sleep(0.001)
    print(total)
status = p.wait(60)
print(status if status >= 0 else 128 - status)
