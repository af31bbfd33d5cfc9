#!/usr/bin/python3
"""orphan.py DEPTH LINK ...: start all chains of DEPTH of these links, each with a command
that sleeps. (A link is one argument, with blanks between its words.) Kill each parent that
waits, one at a time: the command must end. Prints the chains in which it does not. A chain
that does not start in that order is left out.
"""
import itertools
import os
import select
import signal
import subprocess
import sys

COMMAND = ["sh", "-c", "echo ready; exec sleep 1000"]
PATIENCE = 60


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        pids = f.read().split()
    return int(pids[0]) if pids else None


def start(chain):
    """Start the chain, and wait for its command. Returns None if it does not start."""
    words = [word for link in chain for word in link.split()]
    p = subprocess.Popen(words + COMMAND, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         bufsize=0)
    line = p.stdout.readline()
    if line != b"ready\n":
        p.wait()
        return None
    return p


def parents(p):
    """The parents that wait: all from the first process down, except the last."""
    found, pid = [], p.pid
    while (child := child_of(pid)) is not None:
        found.append(pid)
        pid = child
    return found


def survives(p, victim):
    """After the victim's end, does a process live on that has our pipe?"""
    os.kill(victim, signal.SIGKILL)
    ended, _, _ = select.select([p.stdout], [], [], PATIENCE)
    alive = not ended or p.stdout.read() != b""
    p.stdout.close()
    p.kill()
    p.wait()
    return alive


bad = run = 0
for chain in itertools.product(sys.argv[2:], repeat=int(sys.argv[1])):
    p = start(chain)
    if p is None:
        continue
    run += 1
    for n in range(len(parents(p))):
        p = p or start(chain)
        if survives(p, parents(p)[n]):
            print(f"{' '.join(chain)}: parent {n}", flush=True)
            bad += 1
        p = None
    if p is not None:
        p.kill()
        p.wait()
print(f"{run} chains", file=sys.stderr)
sys.exit(bad != 0 or run == 0)
