#!/usr/bin/env python3
"""A hostile client of the socket of control=.

control.py PATH    send what no client should; print "survived" if volt-kvm still answers
"""
import array
import os
import random
import socket
import sys
import time

PATH = sys.argv[1]
RIGHTS = socket.SCM_RIGHTS


def connect() -> socket.socket:
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    conn.connect(PATH)  # this waits for a place in the queue
    conn.settimeout(30)
    return conn


def send(conn: socket.socket, text: bytes, fds: tuple[int, ...] = ()) -> None:
    try:
        conn.sendmsg([text], [(socket.SOL_SOCKET, RIGHTS, array.array("i", fds))] if fds else [])
    except (BrokenPipeError, ConnectionResetError):
        pass


def closed(conn: socket.socket) -> bool:
    try:
        while conn.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def alive() -> None:
    conn = connect()
    send(conn, b"state")
    assert conn.recv(65536).startswith(b"state "), "no state"
    conn.close()


def nonsense() -> None:
    lines = [b"\0", b"x" * 127, b"x" * 128, b"x" * 100000, b"state\n", b"state ", b"join x",
             b"signal", b"signal 0", b"signal 65", b"signal -1", b"signal 99999999999999999999",
             b"size 1", b"size 24 80", b"size 65536 1", b"pause maybe", b"balloon -1", b"stdin",
             b"exit 0", b"up", b"signal 15\0", b"stdin\0"]
    for line in lines:
        conn = connect()
        send(conn, line)
        assert closed(conn)
    rand = random.Random(4711)
    for _ in range(300):
        conn = connect()
        for _ in range(rand.randrange(4)):
            send(conn, rand.randbytes(rand.randrange(160)))
        conn.close()
    alive()


def descriptors() -> None:
    null = os.open("/dev/null", os.O_RDWR)
    pipe = os.pipe()
    good = socket.socketpair()
    dgram = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    inet = socket.socket()
    for bad in (null, pipe[0], dgram[0].fileno(), inet.fileno()):
        conn = connect()
        send(conn, b"stdin", (bad,))
        assert closed(conn)
    for line, fds in ((b"stdin", (good[0].fileno(),) * 2), (b"stdin", (null,) * 200),
                      (b"state", (null,)), (b"join", (good[0].fileno(),)), (b"\0", (null,))):
        conn = connect()
        send(conn, line, fds)
        assert closed(conn)
    # Twice the same, and too few.
    conn = connect()
    for _ in range(2):
        send(conn, b"stdout", (good[0].fileno(),))
    assert closed(conn)
    conn = connect()
    send(conn, b"stdin", (good[0].fileno(),))
    send(conn, b"join")
    assert conn.recv(100) == b"error no streams"
    conn.close()
    # All streams are one socket, which is its own end, and nobody reads.
    for _ in range(3):
        conn = connect()
        pair = socket.socketpair()
        for name in (b"stdin", b"stdout", b"stderr"):
            send(conn, name, (pair[0].fileno(),))
        pair[1].send(bytes(12))
        send(conn, b"join")
        for _ in range(1000):
            send(conn, b"signal 10")
            send(conn, b"size 1 1")
        send(conn, b"join")
        assert closed(conn)
    alive()


def deaf() -> None:
    # Answers that nobody reads: the client is dropped.
    conn = connect()
    conn.setblocking(False)
    end = time.monotonic() + 60
    try:
        while time.monotonic() < end:
            try:
                conn.send(b"state")
            except BlockingIOError:
                time.sleep(0.01)
        raise AssertionError("a deaf client is kept")
    except (BrokenPipeError, ConnectionResetError):
        pass
    alive()


def silent() -> None:
    # More than there are places for: they are dropped in time, and others come in.
    conns = [connect() for _ in range(40)]
    alive()
    for conn in conns:
        conn.close()
    alive()


alive()
nonsense()
descriptors()
deaf()
silent()
print("survived")
