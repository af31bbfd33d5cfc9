#!/usr/bin/python3
"""journal.py HOW CMD [ARG ...]: run CMD with a stream socket as standard output and error,
as a service has it for the journal. Prints what comes over it, and ends with CMD's
status, 128+N for a signal.

all	the socket is standard input, too: we send it what we read
out	standard input is ours
gone	like out, but we close our side after the first data and print nothing more
"""
import os
import socket
import subprocess
import sys
import threading

how, args = sys.argv[1], sys.argv[2:]
ours, theirs = socket.socketpair()
p = subprocess.Popen(args, stdin=theirs if how == "all" else None, stdout=theirs,
                     stderr=theirs if how != "gone" else None)
theirs.close()


def send():
    try:
        while part := os.read(0, 65536):
            ours.sendall(part)
        ours.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # CMD has ended


if how == "all":
    threading.Thread(target=send, daemon=True).start()
while part := ours.recv(65536):
    sys.stdout.buffer.write(part)
    if how == "gone":
        ours.close()
        break
sys.stdout.flush()
status = p.wait(120)
sys.exit(status if status >= 0 else 128 - status)
