#!/usr/bin/python3
"""terminal.py [STEP ...] -- CMD [ARG ...]

Run CMD in the foreground of a session, on a terminal of its own, 24 by 80. Do the steps
one after the other, and then wait for its end:

	expect=REGEX	wait until the output since the last match has it
	send=TEXT	type it, with Python's escapes, such as \\x03
	size=ROWSxCOLS	resize the terminal
	mode		print whether the terminal is "cooked" or "raw"
	pause=SECONDS

Prints the output of CMD, and at the end "typed: TEXT" if some of the terminal's input was
not read. Ends with the status of CMD, 128+N for signal N, 99 if an expected text did not
come, or 98 if CMD did not end.
"""
import codecs, fcntl, os, pty, re, select, signal, struct, sys, termios, time

LIMIT = 15
at = sys.argv.index("--")
steps, command = sys.argv[1:at], sys.argv[at + 1:]
# The slave stays open, so that we can see what was typed and not read.
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))


def leader():
    """Lead the session, run CMD, and look for input that it left."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    os.closerange(3, 256)
    ignored = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN,
               signal.SIGTTOU)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)
    for signo in ignored:
        signal.signal(signo, signal.SIG_IGN)
    status = os.waitpid(pid, 0)[1]
    os.tcsetpgrp(0, os.getpgrp())
    mode = termios.tcgetattr(0)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    mode[6][termios.VMIN] = mode[6][termios.VTIME] = 0
    termios.tcsetattr(0, termios.TCSANOW, mode)
    if typed := os.read(0, 4096):
        os.write(1, b"typed: " + typed)
    termios.tcdrain(1)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status)
             else 128 + os.WTERMSIG(status))


pid = os.fork()
if pid == 0:
    leader()
seen = b""


def take(seconds):
    """Read what there is. Returns whether there was anything."""
    global seen
    if not select.select([master], [], [], seconds)[0]:
        return False
    data = os.read(master, 65536)
    seen += data
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return True


def expect(regex):
    global seen
    end = time.monotonic() + LIMIT
    while not (match := re.search(regex.encode(), seen)):
        if time.monotonic() > end:
            sys.stdout.flush()
            print(f"\nterminal.py: not seen: {regex}")
            os.close(master)
            os.kill(pid, signal.SIGKILL)
            sys.exit(99)
        take(0.1)
    seen = seen[match.end():]


for step in steps:
    kind, _, text = step.partition("=")
    if kind == "expect":
        expect(text)
    elif kind == "send":
        os.write(master, codecs.escape_decode(text.encode())[0])
    elif kind == "size":
        rows, cols = map(int, text.split("x"))
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, cols, 0, 0))
    elif kind == "mode":
        flags = termios.tcgetattr(slave)[3]
        print("cooked" if flags & termios.ICANON else "raw", flush=True)
    elif kind == "pause":
        time.sleep(float(text))
    else:
        sys.exit(f"terminal.py: {step}: unknown step")

end = time.monotonic() + LIMIT
while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
    take(0.05)
    if time.monotonic() > end:
        print("\nterminal.py: did not end")
        os.kill(pid, signal.SIGKILL)
        sys.exit(98)
while take(0.05):
    pass
status = done[1]
sys.exit(os.WEXITSTATUS(status))
