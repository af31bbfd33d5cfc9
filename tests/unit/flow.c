/* flow.c and tty.c: bytes from one descriptor to another, and terminals. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "tty.h"
#include "unit.h"

static struct flow f;
static int in, out;	/* the other ends: we write to in, and read from out */

static void
nonblock(int fd)
{
	CHECK_INT(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* A flow from a pipe to a pipe, of which the second is its own. */
static void
begin(void)
{
	int a[2], b[2];

	CHECK_INT(pipe2(a, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK_INT(pipe2(b, O_CLOEXEC | O_NONBLOCK), 0);
	in = a[1];
	out = b[0];
	f.from = a[0];
	f.to = f.own = b[1];
	signal(SIGPIPE, SIG_IGN);
}

static void
finish(void)
{
	if (f.from != -1)
		close(f.from);
	flow_end(&f);
	if (in != -1)
		close(in);
	if (out != -1)
		close(out);
}

/* What can be read from fd now. */
static const char *
got(int fd)
{
	static char buf[256];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void
put(int fd, const char *s)
{
	CHECK_INT(write(fd, s, strlen(s)), strlen(s));
}

static void
bytes_go_through(void)
{
	begin();
	CHECK(!flow_is_full(&f));
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 0); /* nothing yet */
	CHECK(!flow_is_full(&f));
	put(in, "hello");
	CHECK_INT(flow_fill(&f, 4), 1);
	CHECK(flow_is_full(&f));
	CHECK_INT(flow_drain(&f), 1);
	CHECK(!flow_is_full(&f));
	CHECK_STR(got(out), "hell");
	CHECK_INT(flow_fill(&f, SIZE_MAX), 1);
	CHECK_INT(flow_drain(&f), 1);
	CHECK_STR(got(out), "o");
	finish();
}

static void
the_end_is_no_error(void)
{
	begin();
	put(in, "last");
	close(in), in = -1;
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	CHECK_INT(flow_drain(&f), 1);
	CHECK_ERRNO(flow_fill(&f, FLOW_PIECE), 0);
	CHECK(!flow_is_full(&f));
	CHECK_STR(got(out), "last");
	finish();
}

static void
what_cannot_be_read_is_an_error(void)
{
	begin();
	close(f.from);
	f.from = open("/", O_RDONLY | O_CLOEXEC);
	CHECK_ERRNO(flow_fill(&f, FLOW_PIECE), EISDIR);
	finish();
}

/* A reader that is slow: the bytes stay, in their order. */
static void
a_full_pipe_stops_the_flow(void)
{
	static char block[FLOW_PIECE], back[FLOW_PIECE + 1];
	size_t n = 0;
	ssize_t rc;
	int most;

	begin();
	CHECK((most = fcntl(f.to, F_SETPIPE_SZ, 4096)) >= 4096);
	CHECK(fcntl(f.from, F_SETPIPE_SZ, FLOW_PIECE) >= FLOW_PIECE);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i / 256);
	CHECK_INT(write(in, block, sizeof(block)), sizeof(block));
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	CHECK_INT(f.len, sizeof(block));
	CHECK_INT(flow_drain(&f), 1);
	CHECK_INT(flow_drain(&f), 0);
	CHECK(flow_is_full(&f));
	CHECK_INT(f.at, most);
	while ((rc = read(out, back + n, sizeof(back) - n)) > 0) {
		n += (size_t)rc;
		if (flow_is_full(&f))
			CHECK_INT(flow_drain(&f), 1);
	}
	CHECK_INT(n, sizeof(block));
	CHECK(memcmp(back, block, n) == 0);
	finish();
}

static void
a_write_has_a_limit(void)
{
	begin();
	f.most = 3;
	put(in, "hello");
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	CHECK_INT(flow_drain(&f), 1);
	CHECK_STR(got(out), "hel");
	CHECK(flow_is_full(&f));
	CHECK_INT(flow_drain(&f), 1);
	CHECK_STR(got(out), "lo");
	CHECK(!flow_is_full(&f));
	f.most = 0;
	finish();
}

static void
the_reader_is_gone(void)
{
	begin();
	put(in, "hello");
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	close(out), out = -1;
	CHECK_ERRNO(flow_drain(&f), EPIPE);
	CHECK(flow_is_full(&f)); /* until the caller says so */
	flow_drop(&f);
	CHECK(!flow_is_full(&f));
	finish();
}

static void
the_device_is_full(void)
{
	begin();
	close(f.to);
	f.to = f.own = open("/dev/full", O_WRONLY | O_CLOEXEC);
	put(in, "hello");
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	CHECK_ERRNO(flow_drain(&f), ENOSPC);
	finish();
}

/* A socket that others use, too, blocks for them and not for us. */
static void
a_socket_does_not_block(void)
{
	static char block[FLOW_PIECE];
	int a[2], b[2], rc;

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	f.from = a[0];
	f.to = b[0];
	f.own = -1;
	f.recv = f.send = true;
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 0);
	CHECK_INT(write(a[1], block, sizeof(block)), sizeof(block));
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	do {
		f.at = 0;
		rc = flow_drain(&f);
	} while (rc == 1);
	CHECK_INT(rc, 0);
	close(b[1]);
	CHECK_ERRNO(flow_drain(&f), EPIPE); /* and SIGPIPE did not come */
	close(a[1]);
	CHECK_ERRNO(flow_fill(&f, FLOW_PIECE), 0);
	f.recv = f.send = false;
	close(a[0]), close(b[0]);
}

static void
its_own_end_is_closed(void)
{
	int from, to;

	begin();
	from = f.from;
	to = f.to;
	flow_end(&f);
	CHECK(f.from == -1 && f.to == -1 && !flow_is_full(&f));
	CHECK_ERRNO(fcntl(to, F_GETFD), EBADF);
	CHECK(fcntl(from, F_GETFD) != -1);
	flow_end(&f); /* once more is nothing */
	CHECK(fcntl(STDIN_FILENO, F_GETFD) != -1);
	close(from), close(in), close(out);
}

/* Make a flow to the master of a pty. Returns the slave. */
static int
terminal(void)
{
	int slave;

	begin();
	close(f.to);
	f.to = f.own = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (f.to == -1)
		unit_skip("no /dev/ptmx");
	CHECK((slave = tty_slave(f.to)) != -1);
	CHECK_INT(fcntl(slave, F_GETFD), FD_CLOEXEC);
	nonblock(f.to);
	nonblock(slave);
	return slave;
}

static void
send_through(const char *s)
{
	put(in, s);
	CHECK_INT(flow_fill(&f, FLOW_PIECE), 1);
	CHECK_INT(flow_drain(&f), 1);
}

static void
the_end_is_a_character_to_a_terminal(void)
{
	int from, slave = terminal();
	char c;

	from = f.from;
	send_through("line\n");
	CHECK_STR(got(slave), "line\n");
	flow_type_eof(&f, f.to);
	CHECK_INT(f.from, -1);
	CHECK_INT(f.len, 1);
	CHECK_INT(flow_drain(&f), 1);
	CHECK_INT(read(slave, &c, 1), 0);
	/* Within a line the first one only ends the line. */
	f.from = from;
	send_through("no line");
	CHECK_ERRNO(read(slave, &c, 1), EAGAIN);
	flow_type_eof(&f, f.to);
	CHECK_INT(f.len, 2);
	CHECK_INT(flow_drain(&f), 1);
	CHECK_STR(got(slave), "no line");
	CHECK_INT(read(slave, &c, 1), 0);
	f.from = from;
	close(slave);
	finish();
}

static void
a_raw_terminal_has_no_such_character(void)
{
	struct tty_mode mode = { .raw = false };
	int from, slave = terminal();

	CHECK(tty_raw(&mode, slave));
	from = f.from;
	flow_type_eof(&f, f.to);
	CHECK(!flow_is_full(&f));
	f.from = from;
	close(slave);
	finish();
}

static void
a_terminal_that_all_have_closed(void)
{
	int slave = terminal();

	close(slave);
	close(f.from);
	f.from = f.to;
	CHECK_ERRNO(flow_fill(&f, FLOW_PIECE), EIO);
	f.from = -1;
	finish();
}

static void
the_mode_comes_back(void)
{
	struct tty_mode mode = { .raw = false };
	struct termios before, raw, after;
	int slave = terminal();

	CHECK_INT(tcgetattr(slave, &before), 0);
	tty_restore(&mode, slave); /* nothing to undo */
	CHECK(tty_raw(&mode, slave));
	CHECK_INT(tcgetattr(slave, &raw), 0);
	CHECK((raw.c_lflag & (ICANON | ISIG | ECHO)) == 0);
	CHECK(tty_raw(&mode, slave)); /* what is saved stays */
	tty_restore(&mode, slave);
	CHECK(!mode.raw);
	CHECK_INT(tcgetattr(slave, &after), 0);
	CHECK_INT(after.c_lflag, before.c_lflag);
	CHECK_INT(after.c_iflag, before.c_iflag);
	CHECK(!tty_raw(&mode, in));
	CHECK(!mode.raw);
	close(slave);
	finish();
}

static void
the_size_is_copied(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 };
	int slave = terminal(), other;

	CHECK((other = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)) != -1);
	CHECK_INT(ioctl(slave, TIOCSWINSZ, &size), 0);
	CHECK(tty_copy_size(slave, other));
	memset(&size, 0, sizeof(size));
	CHECK_INT(ioctl(other, TIOCGWINSZ, &size), 0);
	CHECK_INT(size.ws_row, 33);
	CHECK_INT(size.ws_col, 99);
	CHECK(!tty_copy_size(in, other));
	CHECK(!tty_copy_size(slave, in));
	close(other), close(slave);
	finish();
}

static const struct unit tests[] = {
	UNIT(bytes_go_through),
	UNIT(the_end_is_no_error),
	UNIT(what_cannot_be_read_is_an_error),
	UNIT(a_full_pipe_stops_the_flow),
	UNIT(a_write_has_a_limit),
	UNIT(the_reader_is_gone),
	UNIT(the_device_is_full),
	UNIT(a_socket_does_not_block),
	UNIT(its_own_end_is_closed),
	UNIT(the_end_is_a_character_to_a_terminal),
	UNIT(a_raw_terminal_has_no_such_character),
	UNIT(a_terminal_that_all_have_closed),
	UNIT(the_mode_comes_back),
	UNIT(the_size_is_copied),
};

UNIT_MAIN(tests)
