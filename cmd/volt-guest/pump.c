/*
 * Copy bytes between the ports and the command (flow.h). The command has pipes,
 * because a port can be opened only once and many programs open /dev/stdout again.
 * When volt-kvm closes a port we close its pipe, and the command finds the end of its
 * input or gets a SIGPIPE. With console=pty the command has a terminal and no
 * pipes.
 */
#include <sys/ioctl.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "flow.h"
#include "inside.h"
#include "tty.h"
#include "value.h"

#define PATIENCE 500	/* ms that a stalled reader gets */
#define GONE (POLLHUP | POLLERR | POLLNVAL)

static struct flow flow[3];
static int control;
static int terminal = -1;	/* the master of console=pty's terminal */
static char line[128];
static size_t line_len;
static bool told;	/* to terminate: do not wait for a stalled reader */

static void
nonblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		err(EXIT_LINK, "non-blocking mode");
}

/* "ROWS COLUMNS" */
static void
set_size(const char *s)
{
	struct winsize ws = { 0 };
	const char *cursor = s;
	uint64_t rows, cols;
	char field[8];

	if (terminal == -1 || value_field(&cursor, ' ', field, sizeof(field)) != 1 ||
	    cursor == NULL || value_uint(field, UINT16_MAX, &rows) == -1 ||
	    value_uint(cursor, UINT16_MAX, &cols) == -1)
		return;
	ws.ws_row = (unsigned short)rows;
	ws.ws_col = (unsigned short)cols;
	(void)ioctl(terminal, TIOCSWINSZ, &ws);
}

/* console=pty: make a terminal in place of the pipes. */
static void
open_terminal(struct inside *in, int child_end[3])
{
	int slave, i;

	if ((terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)) ==
	    -1 || (slave = tty_slave(terminal)) == -1)
		err(EXIT_LINK, "console=pty");
	set_size(in->words.size != NULL ? in->words.size : "24 80");
	for (i = 0; i < 3; i++)
		if ((child_end[i] = fcntl(slave, F_DUPFD_CLOEXEC, 3)) == -1)
			err(EXIT_LINK, "console=pty");
	close(slave);
	flow[0].from = in->port[GUEST_STDIN];
	flow[0].to = flow[0].own = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
	flow[1].from = flow[1].own = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
	flow[1].to = in->port[GUEST_STDOUT];
	flow[2].from = flow[2].to = flow[2].own = -1;
	for (i = 0; i < 2; i++) {
		nonblock(flow[i].from);
		nonblock(flow[i].to);
	}
}

/*
 * Make the pipes or the terminal. child_end gets the command's descriptors 0, 1
 * and 2.
 */
void
pump_open(struct inside *in, int child_end[3])
{
	int p[2], i;

	memset(flow, 0, sizeof(flow));
	terminal = -1;
	line_len = 0;
	told = false;
	control = in->port[GUEST_CONTROL];
	if (in->words.console != NULL) {
		open_terminal(in, child_end);
		return;
	}
	for (i = 0; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) == -1)
			err(EXIT_LINK, "pipe");
		child_end[i] = p[i == 0 ? 0 : 1];
		flow[i].from = i == 0 ? in->port[GUEST_STDIN] : p[0];
		flow[i].to = i == 0 ? p[1] : in->port[i];
		flow[i].own = i == 0 ? p[1] : p[0];
		nonblock(flow[i].from);
		nonblock(flow[i].to);
	}
}

/*
 * End the flow: close the command's side of it. If the output of the terminal can
 * go nowhere the terminal hangs up.
 */
static void
end(struct flow *f)
{
	flow_end(f);
	if (f == &flow[1] && terminal != -1) {
		flow_end(&flow[0]);
		close(terminal);
		terminal = -1;
	}
}

/* An error ends this flow: if it is output, tell volt-kvm. */
static void
lose(const struct flow *f)
{
	if (f != &flow[0])
		dprintf(control, GUEST_LOST "\n");
}

/*
 * Is this error the end of the terminal's output? It is, if no process has the terminal
 * open any more and all output has been read. Then read(2) fails with EIO.
 */
static bool
is_hung_up(int error, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return error == EIO && terminal != -1 && poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLHUP | POLLIN)) == POLLHUP;
}

/* Fill the empty buffer. Returns false if nothing could be read. */
static bool
fill(struct flow *f)
{
	int rc;

	if (f->from == -1)
		return false;
	if ((rc = flow_fill(f, FLOW_PIECE)) != -1)
		return rc == 1;
	if (errno != 0 && !is_hung_up(errno, f->from))
		lose(f);
	if (f == &flow[0] && terminal != -1)
		flow_type_eof(f, terminal);
	else
		end(f);
	return flow_is_full(f);
}

/* Move some bytes. Returns whether more may be moved at once. */
static bool
move(struct flow *f)
{
	int rc;

	if (!flow_is_full(f) && !fill(f))
		return false;
	if ((rc = flow_drain(f)) == -1) {
		if (errno != EPIPE && errno != ENODEV) /* its reader has gone */
			lose(f);
		end(f);
	}
	return rc == 1;
}

/* What the flow waits for. */
static struct pollfd
wants(const struct flow *f)
{
	if (flow_is_full(f))
		return (struct pollfd){ .fd = f->to, .events = POLLOUT };
	return (struct pollfd){ .fd = f->from, .events = POLLIN };
}

/*
 * A line from volt-kvm. Send a signal to the command, if it still runs: first is what
 * waits for it, or NULL. The answer tells volt-kvm that the guest does not hang.
 */
static void
control_line(const struct supervise *first)
{
	uint64_t n;

	if (first != NULL && strncmp(line, GUEST_JOIN, strlen(GUEST_JOIN)) == 0 &&
	    value_uint(line + strlen(GUEST_JOIN), GUEST_JOINS, &n) == 0 && n > 0)
		join_start((unsigned int)n, first);
	if (strncmp(line, GUEST_SIZE, strlen(GUEST_SIZE)) == 0)
		set_size(line + strlen(GUEST_SIZE));
	if (strncmp(line, GUEST_SIGNAL, strlen(GUEST_SIGNAL)) != 0 ||
	    value_uint(line + strlen(GUEST_SIGNAL), 64, &n) == -1 || n == 0)
		return;
	dprintf(control, GUEST_HEARD "\n");
	if (n == SIGTERM)
		told = true;
	if (first == NULL)
		return;
	kill(first->child, (int)n);
	if (n == SIGTERM)
		kill(first->child, SIGCONT);
}

static void
read_control(const struct supervise *s)
{
	char buf[64];
	ssize_t n, i;

	n = read(control, buf, sizeof(buf));
	for (i = 0; i < n; i++) {
		if (buf[i] != '\n') {
			if (line_len < sizeof(line) - 1)
				line[line_len++] = buf[i];
			continue;
		}
		line[line_len] = '\0';
		line_len = 0;
		control_line(s);
	}
}

static void
ready(struct supervise *s)
{
	int i, most;

	for (i = 0; i < 3; i++) {
		if (s->fds[i].revents == 0)
			continue;
		/* The reader has gone. */
		if (flow_is_full(&flow[i]) && (s->fds[i].revents & GONE) != 0)
			end(&flow[i]);
		for (most = 16; most > 0 && move(&flow[i]); most--)
			;
	}
	for (i = 0; i < 3; i++) /* a flow may have ended another */
		s->fds[i] = wants(&flow[i]);
	if (s->fds[3].revents != 0)
		read_control(s);
}

void
pump_begin(struct inside *in, struct supervise *s)
{
	int i;

	for (i = 0; i < 3; i++)
		s->fds[i] = wants(&flow[i]);
	s->fds[3] = (struct pollfd){ .fd = in->port[GUEST_CONTROL],
		.events = POLLIN };
	s->nfds = 4;
	s->poll_cb = ready;
}

/*
 * After the command's end: answer volt-kvm for ms, or for ever if that is -1,
 * because the next step may take long.
 */
void
pump_answer(int ms)
{
	struct pollfd fd = { .fd = control, .events = POLLIN };

	for (;;) {
		if (poll(&fd, 1, ms) == 1)
			read_control(NULL);
		if (ms != -1)
			return;
	}
}

/*
 * All writers have ended: move what is left in the pipes. Once told to terminate,
 * do not wait for a stalled reader: what it does not take is lost.
 */
void
pump_end(void)
{
	struct pollfd fds[2];
	struct flow *f;
	int n;

	for (f = &flow[1]; f <= &flow[2]; f++)
		for (;;) {
			while (move(f))
				;
			if (f->from == -1 || !flow_is_full(f))
				break;
			fds[0] = wants(f);
			fds[1] = (struct pollfd){ .fd = control,
				.events = POLLIN };
			n = poll(fds, 2, told ? PATIENCE : -1);
			if (n == 0)
				dprintf(control, GUEST_LOST "\n");
			if (n == 0 || (n == -1 && errno != EINTR))
				break;
			if (n > 0 && fds[1].revents != 0)
				read_control(NULL);
			if (n > 0 && (fds[0].revents & GONE) != 0)
				break;
		}
}
