/*
 * join=: run a command in a living guest, and stand for it: its streams, its signals and
 * its status are ours.
 *
 * The command's streams are sockets that we make. volt-kvm, in its jail, has their other
 * ends. Here bytes are copied between them and our own streams. The command's input begins
 * with the request (guest.h), which volt-kvm passes on unread.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "client.h"
#include "clock.h"
#include "ending.h"
#include "fdpass.h"
#include "guest.h"
#include "host_socket.h"
#include "io.h"
#include "request.h"
#include "say.h"
#include "signals.h"
#include "stream.h"
#include "talk.h"
#include "terminal.h"

#define PIECE 65536
#define PATIENCE 1000	/* ms that a stalled reader gets after a SIGTERM */

/* One of the streams: from us to the guest, or from the guest to us. */
struct copy {
	int from, to;	/* -1: over */
	struct stream out;	/* of to */
	const char *bytes;	/* what must be written */
	size_t len;
	bool ended;	/* nothing more comes of from */
	char buf[PIECE];
};

static struct client_join {
	struct io io;
	int guest;	/* the socket to volt-kvm */
	struct copy copy[3];
	const struct config *cfg;
	struct talk_end end;
	bool up, told, closed;
	int lost;	/* errno of a write that failed; or 0 */
	int64_t asked;	/* the first signal without an answer; 0: none */
	int64_t give_up;	/* waiting for a reader; 0: not yet */
	uint64_t taken, seen;	/* bytes that our readers took */
} us;

/* Connect to the guest's socket, or end the program. */
int
client_connect(const char *key, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	host_socket_check(key, path, HOST_SOCKET_PATH);
	memcpy(addr.sun_path, path, strlen(path));
	if (fd != -1 &&
	    connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	if (errno == ECONNREFUSED || errno == EPROTOTYPE)
		errx(EXIT_LINK, "%s=%s: no guest listens there", key, path);
	err(EXIT_LINK, "%s=%s", key, path);
}

/* End with only our own message. */
static _Noreturn void
fail(const char *why)
{
	const struct talk_end end = { 'f', EXIT_LINK };

	terminal_restore();
	stream_last(EXIT_LINK);
	ending_report(&end, us.cfg->status_fd, 0);
	warnx("join=%s: %s", us.cfg->join, why);
	_exit(EXIT_LINK);
}

/* Send an order to volt-kvm. It reads them at once, so this waits for hardly any time. */
static void
order(const char *text)
{
	if (send(us.guest, text, strlen(text), MSG_NOSIGNAL) == -1)
		us.closed = true;
}

/* --- streams ----------------------------------------------------------------- */

/* The reader has gone, or the writer has: this stream is over. */
static void
close_copy(struct copy *c)
{
	int *ours = c == &us.copy[0] ? &c->to : &c->from;

	if (*ours != -1)
		close(*ours);
	c->from = c->to = -1;
	c->len = 0;
	c->ended = true;
}

/* All was written, and nothing more comes. */
static void
finish(struct copy *c)
{
	if (c->ended && c->len == 0 && c->to != -1)
		close_copy(c);
}

static short
wants_read(struct io_source *s)
{
	const struct copy *c = s->arg;

	return c->from != -1 && !c->ended && c->len == 0 ? POLLIN : 0;
}

static void
read_ready(struct io_source *s, short revents)
{
	struct copy *c = s->arg;
	struct iovec iov = { c->buf, sizeof(c->buf) };
	ssize_t n;

	(void)revents;
	if (c->from == -1 || c->len > 0)
		return;
	n = c == &us.copy[0] ? stream_read(c->from, &iov, 1) :
	    recv(c->from, c->buf, sizeof(c->buf), MSG_DONTWAIT);
	if (n > 0) {
		c->bytes = c->buf;
		c->len = (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->ended = true;
		finish(c);
	}
}

static short
wants_write(struct io_source *s)
{
	const struct copy *c = s->arg;

	return c->to != -1 && c->len > 0 ? POLLOUT : 0;
}

static void
write_ready(struct io_source *s, short revents)
{
	struct copy *c = s->arg;
	ssize_t n;

	(void)revents;
	if (c->to == -1 || c->len == 0)
		return;
	if ((n = stream_write(&c->out, c->bytes, c->len)) >= 0) {
		c->bytes += n;
		c->len -= (size_t)n;
		us.taken += (size_t)n;
		finish(c);
	} else if (errno != EAGAIN && errno != EINTR) {
		if (c != &us.copy[0] && errno != EPIPE && errno != ECONNRESET &&
		    us.lost == 0)
			us.lost = errno;
		close_copy(c);
	}
}

/* Make the pairs of sockets, and pass one end of each to volt-kvm. */
static void
open_streams(void)
{
	static const char *const names[3] = { "stdin", "stdout", "stderr" };
	struct copy *c;
	int i, pair[2];

	for (i = 0; i < 3; i++) {
		c = &us.copy[i];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
			err(EXIT_LINK, "%s", names[i]);
		if (fdpass_send_with(us.guest, pair[1], names[i],
			strlen(names[i])) == -1)
			err(EXIT_LINK, "join=%s", us.cfg->join);
		close(pair[1]);
		c->from = i == 0 ? STDIN_FILENO : pair[0];
		c->to = i == 0 ? pair[0] : i;
		if (stream_open(&c->out, c->to) == -1)
			c->to = -1; /* a closed descriptor of ours */
		io_add(&us.io, &(struct io_source){ .fd = c->from,
		    .wants = wants_read, .ready = read_ready, .arg = c });
		io_add(&us.io, &(struct io_source){ .fd = c->to,
		    .wants = wants_write, .ready = write_ready, .arg = c });
		if (c->to == -1)
			close_copy(c);
	}
}

/* --- what volt-kvm says -------------------------------------------------------- */

static void
guest_ready(struct io_source *s, short revents)
{
	char line[TALK_LINE];
	ssize_t n;

	(void)revents;
	n = recv(s->fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || us.end.how != '\0') {
		us.closed = true;
		return;
	}
	line[n] = '\0';
	if (strncmp(line, TALK_ERROR, strlen(TALK_ERROR)) == 0)
		fail(line + strlen(TALK_ERROR));
	if (strcmp(line, TALK_GONE) == 0)
		fail("the guest did not say how the command ended");
	if (strcmp(line, GUEST_UP) == 0) {
		us.up = true;
		if (us.cfg->pty)
			terminal_raw();
	}
	if (strcmp(line, GUEST_HEARD) == 0)
		us.asked = 0;
	if (strcmp(line, GUEST_LOST) == 0 && us.lost == 0)
		us.lost = ETIMEDOUT;
	may_fail(talk_end_parse(&us.end, line));
}

static short
wants_guest(struct io_source *s)
{
	(void)s;
	return us.closed ? 0 : POLLIN;
}

/* --- signals ------------------------------------------------------------------- */

/* A signal ends us, and volt-kvm then ends the command. */
static _Noreturn void
signal_ends(int signo, const char *why)
{
	const struct talk_end end = us.up ? (struct talk_end){ 's', signo } :
	    (struct talk_end){ 'f', EXIT_SIGNAL + signo };

	terminal_restore();
	stream_last(EXIT_SIGNAL + signo);
	ending_report(&end, us.cfg->status_fd, signo);
	warnx("%s: %s", signals_terminating(signo), why);
	_exit(EXIT_SIGNAL + signo);
}

static void
handle_signal(int signo)
{
	char text[TALK_LINE];

	if (signals_terminating(signo) != NULL) {
		if (!us.up)
			signal_ends(signo, "the command had not started");
		if (us.asked != 0 && clock_ms() - us.asked >= SIGNALS_INSIST)
			signal_ends(signo, "the guest did not answer");
		if (us.asked == 0)
			us.asked = clock_ms();
	}
	if (!us.up)
		return;
	us.told |= signo == SIGTERM;
	snprintf(text, sizeof(text), GUEST_SIGNAL "%d", signo);
	order(text);
}

static void
signal_ready(struct io_source *s, short revents)
{
	struct signalfd_siginfo si;
	char size[16], text[TALK_LINE];

	(void)revents;
	if (read(s->fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH && us.cfg->pty && us.up) {
		terminal_size(size, sizeof(size));
		snprintf(text, sizeof(text), GUEST_SIZE "%s", size);
		order(text);
	}
	if (!signals_ours((int)si.ssi_signo))
		handle_signal((int)si.ssi_signo);
}

/* --- the end ------------------------------------------------------------------- */

/* The command has ended, and after a SIGTERM a reader takes nothing for some time. */
static bool
stalled(void)
{
	if (!us.told)
		return false;
	if (us.give_up == 0 || us.taken != us.seen)
		us.give_up = clock_ms() + PATIENCE;
	us.seen = us.taken;
	return io_due(&us.io, us.give_up);
}

/* Is it over? If not, this sets the timeout of the next poll(2). */
static bool
over(void)
{
	us.io.timeout = -1;
	if (us.end.how == '\0')
		return us.closed;
	if (us.copy[1].to == -1 && us.copy[2].to == -1)
		return true;
	if (!stalled())
		return false;
	if (us.lost == 0)
		us.lost = ETIMEDOUT;
	return true;
}

static _Noreturn void
command_ended(void)
{
	int status = ending_status(&us.end);

	if (us.lost != 0 && us.end.how == 'e' && status == 0)
		status = EXIT_LINK;
	terminal_restore();
	stream_last(status);
	ending_report(&us.end, us.cfg->status_fd,
	    us.end.how == 's' ? us.end.code : 0);
	ending_output(us.lost);
	_exit(status);
}

void
client_join(const struct config *cfg)
{
	int64_t limit = cfg->boot_timeout == 0 ? 0 :
	    clock_ms() + (int64_t)cfg->boot_timeout;
	int fd;

	us.cfg = cfg;
	say("join %s", cfg->join);
	if (cfg->dry)
		chain_dry(cfg->argv, true, false);
	chain_refuse_waste();
	us.guest = client_connect("join", cfg->join);
	if (io_init(&us.io) == -1 || (fd = signals_open()) == -1)
		err(EXIT_LINK, "signals");
	io_add(&us.io, &(struct io_source){ .fd = fd, .ready = signal_ready });
	io_add(&us.io, &(struct io_source){ .fd = us.guest,
	    .wants = wants_guest, .ready = guest_ready });
	stream_begin(&us.io);
	open_streams();
	us.copy[0].bytes = request_make(cfg, &us.copy[0].len);
	order("join");
	while (!over()) {
		if (limit != 0 && !us.up && io_due(&us.io, limit))
			fail("the command did not start in time");
		io_step(&us.io);
		if (stream_alarm())
			handle_signal(SIGALRM);
	}
	if (us.end.how == '\0')
		fail("the guest has ended");
	command_ended();
}
