#!/usr/bin/env python3
"""The ends of a vsock device.

vsock.py serve PATH            echo at PATH_1000 and say bye; never read at PATH_1001
vsock.py ask PATH PORT TEXT    connect to the guest, and print what it says
vsock.py send PATH PORT BYTES  likewise, and send so many bytes
vsock.py silent PATH N         N clients that say nothing, until standard input ends
vsock.py lines PATH            clients that say something wrong
vsock.py guest                 in the guest: all of it from the other side
"""
import socket
import sys
import threading

BLOCK = bytes(range(256)) * 256


def echo(conn: socket.socket) -> None:
    try:
        while data := conn.recv(65536):
            conn.sendall(data)
        conn.sendall(b"bye")
    except OSError:
        pass
    conn.close()


def serve(path: str) -> None:
    listeners = []
    for port in (1000, 1001):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{path}_{port}")
        listener.listen(1000)
        listeners.append(listener)
    kept = []

    def deaf() -> None:
        while True:
            kept.append(listeners[1].accept()[0])

    threading.Thread(target=deaf, daemon=True).start()
    print("ready", flush=True)
    while True:
        conn = listeners[0].accept()[0]
        threading.Thread(target=echo, args=(conn,), daemon=True).start()


def connect(path: str) -> socket.socket:
    conn = socket.socket(socket.AF_UNIX)
    conn.connect(path)
    conn.settimeout(120)
    return conn


def everything(conn: socket.socket) -> bytes:
    whole = b""
    while data := conn.recv(65536):
        whole += data
    return whole


def ask(path: str, port: str, text: str) -> None:
    conn = connect(path)
    conn.sendall(f"CONNECT {port}\n".encode())
    line = conn.makefile("rb", buffering=0).readline()
    print(line.decode(), end="", flush=True)
    if line:
        conn.sendall(text.encode())
    print(everything(conn).decode(), end="")


def send(path: str, port: str, count: str) -> None:
    """The data follow the line at once: not a byte of them may get lost."""
    conn = connect(path)
    left = int(count)
    conn.sendall(f"CONNECT {port}\n".encode() + BLOCK[: min(left, 1000)])
    left -= min(left, 1000)
    while left > 0:
        conn.sendall(BLOCK[: min(left, len(BLOCK))])
        left -= min(left, len(BLOCK))
    conn.shutdown(socket.SHUT_WR)
    print(everything(conn).decode(), end="")


def silent(path: str, count: str) -> None:
    clients = [connect(path) for _ in range(int(count))]
    print("connected", flush=True)
    sys.stdin.read()
    gone = 0
    for client in clients:
        client.setblocking(False)
        try:
            gone += client.recv(1) == b""
        except BlockingIOError:
            pass
    print(f"{gone} were closed")


def lines(path: str) -> None:
    for line in (
        b"\n",
        b"CONNECT\n",
        b"CONNECT \n",
        b"CONNECT -1\n",
        b"CONNECT 4294967296\n",
        b"CONNECT 1 2\n",
        b"connect 1\n",
        b"CONNECT 1\r\n",
        b"CONNECT 1\0\n",
        b"x" * 65536,
        b"CONNECT " + b"0" * 1000 + b"\n",
        b"OK 1\n",
    ):
        conn = connect(path)
        try:
            conn.sendall(line)
            said = conn.recv(100)
        except OSError:
            said = b""
        print(line[:20], said)


def guest() -> None:
    conn = socket.socket(socket.AF_VSOCK)
    conn.connect((2, 1000))

    def feed() -> None:
        for _ in range(48):
            conn.sendall(BLOCK)
        conn.shutdown(socket.SHUT_WR)

    threading.Thread(target=feed).start()
    print("echoed" if everything(conn) == BLOCK * 48 + b"bye" else "wrong")
    conn.close()
    for _ in range(200):  # more than there may be at once
        conn = socket.socket(socket.AF_VSOCK)
        conn.connect((2, 1000))
        conn.sendall(b"x")
        conn.recv(1)
        conn.close()
    print("two hundred", flush=True)
    try:
        conn = socket.socket(socket.AF_VSOCK)
        conn.connect((2, 1002))
    except OSError as error:
        print(type(error).__name__)
    listener = socket.socket(socket.AF_VSOCK)
    listener.bind((0xFFFFFFFF, 52))
    listener.listen()
    print("listening", flush=True)
    conn = listener.accept()[0]
    print(conn.getpeername()[0])
    data = everything(conn)
    want = (BLOCK[:1000] + BLOCK * 48)[: len(data)]
    conn.sendall(f"{len(data)} bytes, {'right' if data == want else 'wrong'}".encode())
    conn.close()


if __name__ == "__main__":
    name, *args = sys.argv[1:]
    {"serve": serve, "ask": ask, "send": send, "silent": silent, "lines": lines,
     "guest": guest}[name](*args)
