#!/usr/bin/env python3
"""talk.py udp|tcp ADDR PORT: from one socket, send a line again and again. Print each
answer, or "error: " and the reason."""

import socket
import sys
import time

kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family, kind)
s.connect((sys.argv[2], int(sys.argv[3])))
s.settimeout(0.1)
while True:
    time.sleep(0.02)
    try:
        s.send(b"hello\n")
        print(s.recv(1024).decode().strip() or "error: end", flush=True)
    except TimeoutError:
        pass
    except OSError as e:
        print("error:", e.strerror, flush=True)
