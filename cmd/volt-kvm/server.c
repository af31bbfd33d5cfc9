/*
 * The socket of control=.
 *
 * A client is a process of our own user, and may do anything: it sends nonsense, it does
 * not read, or it goes. So each call is non-blocking, each message has a bounded size, and
 * nothing is kept for a client but flags. An order is answered at once or the client is
 * dropped. A client that sends no order for a while is dropped, too: there are few places.
 *
 * A command of join= has sockets that the client has made, and not the client's own
 * descriptors: so a guest that takes over volt-kvm gets no terminal or file of the
 * client's. The guest's end of it is a lane (guest.h). A lane is used again only once the
 * guest has closed it: so what an earlier command still writes goes nowhere.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balloon.h"
#include "blk.h"
#include "clock.h"
#include "config.h"
#include "console.h"
#include "devices.h"
#include "fdpass.h"
#include "io.h"
#include "server.h"
#include "session.h"
#include "sock.h"
#include "state.h"
#include "vcpu.h"
#include "vm.h"

#define SILENCE 5000	/* ms that a client may stay without an order */
#define MERCY 1000	/* ms from SIGHUP to SIGKILL, once the client has gone */

/* Of struct join, what the guest has said; of struct client, what it must be told. */
enum { UP = 1, HEARD = 2, LOST = 4, END = 8, GONE = 16 };

static void
close_streams(struct client *c)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (c->stream[i] != -1)
			close(c->stream[i]);
		c->stream[i] = -1;
	}
}

/* The client has gone, or must go. Its command gets a SIGHUP, and later a SIGKILL. */
static void
drop(struct client *c)
{
	struct join *j = c->join;

	if (j != NULL) {
		j->client = NULL;
		if (!j->over) {
			console_detach(j->lane);
			console_signal(j->lane, SIGHUP);
			j->kill_at = clock_ms() + MERCY;
		}
	}
	close_streams(c);
	close(c->fd);
	c->fd = c->source->fd = -1;
	c->join = NULL;
	c->joined = false;
	c->tell = 0;
}

/* Send a message. Returns false if the client cannot take it now. */
static bool
send_text(const struct client *c, const char *text)
{
	return send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

/* Answer an order. A client that does not read its answers is dropped. */
static void
answer(struct client *c, const char *text)
{
	if (!send_text(c, text))
		drop(c);
}

/* --- commands --------------------------------------------------------------- */

/* A line of the guest's. The lock of the lane's device is held: only remember it. */
static void
lane_line(void *arg, const char *line)
{
	struct join *j = arg;

	if (strcmp(line, GUEST_UP) == 0)
		j->said |= UP;
	else if (strcmp(line, GUEST_HEARD) == 0)
		j->said |= HEARD;
	else if (strcmp(line, GUEST_LOST) == 0)
		j->said |= LOST;
	else if ((j->said & END) == 0 && talk_end_parse(&j->end, line))
		j->said |= END;
}

/* Is it a socket on which neither recv(2) nor send(2) needs to block? */
static bool
is_stream(int fd)
{
	return sock_option(fd, SO_TYPE) == SOCK_STREAM &&
	    sock_option(fd, SO_DOMAIN) == AF_UNIX;
}

/* Why the client cannot run a command now, or NULL. */
static const char *
no_join(const struct server *v, const struct client *c)
{
	const struct session *s = v->session;

	if (c->stream[0] == -1 || c->stream[1] == -1 || c->stream[2] == -1)
		return "no streams";
	if (s->vm->joins == NULL)
		return "the guest was started without a command, so volt-guest "
		    "does not run in it";
	if (s->done)
		return "the guest's first command has ended";
	if (console_free_lane(s->vm->joins, GUEST_JOINS) == NULL)
		return "there is no room for another command";
	return NULL;
}

static void
start(struct server *v, struct client *c)
{
	struct session *s = v->session;
	const char *why = no_join(v, c);
	char text[TALK_LINE];
	struct lane *lane;
	struct join *j;

	if (why != NULL) {
		snprintf(text, sizeof(text), TALK_ERROR "%s", why);
		answer(c, text);
		return;
	}
	lane = console_free_lane(s->vm->joins, GUEST_JOINS);
	for (j = v->join; j->lane != NULL; j++) /* there are as many as lanes */
		;
	*j = (struct join){ .lane = lane, .client = c };
	c->join = j;
	c->joined = true;
	console_on_line(lane, lane_line, j);
	console_attach(lane, s->vm->lane, c->stream);
}

/*
 * The command has ended, and all of its output was written; or the guest has left the
 * lane. The client finds the end of its streams, and then reads how it ended.
 */
static void
end(struct join *j, unsigned int how)
{
	struct client *c = j->client;

	console_detach(j->lane);
	j->over = true;
	j->kill_at = 0;
	if (c == NULL)
		return;
	close_streams(c);
	c->end = j->end;
	c->tell |= how;
}

static void
join_step(struct server *v, struct join *j)
{
	struct io *io = &v->session->vm->io;
	bool left = console_left(j->lane);

	if (j->client != NULL)
		j->client->tell |= j->said & (UP | HEARD | LOST);
	j->said &= ~(unsigned int)(UP | HEARD | LOST);
	if (!j->over && (j->said & END) != 0 && console_drained(j->lane))
		end(j, END);
	else if (!j->over && left)
		end(j, GONE);
	if (j->kill_at != 0 && io_due(io, j->kill_at)) {
		console_signal(j->lane, SIGKILL);
		j->kill_at = 0;
	}
	if (!j->over || !left)
		return;
	console_on_line(j->lane, NULL, NULL);
	console_release(j->lane);
	if (j->client != NULL)
		j->client->join = NULL;
	*j = (struct join){ .lane = NULL };
}

/* Tell the client what there is to tell, as far as it takes it. */
static void
tell(struct client *c)
{
	static const struct {
		unsigned int bit;
		const char *text;
	} words[] = { { UP, GUEST_UP }, { HEARD, GUEST_HEARD },
		{ LOST, GUEST_LOST }, { GONE, TALK_GONE } };
	char text[TALK_LINE];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((c->tell & words[i].bit) != 0 && send_text(c, words[i].text))
			c->tell &= ~words[i].bit;
	if ((c->tell & END) == 0 || (c->tell & ~(unsigned int)END) != 0)
		return;
	snprintf(text, sizeof(text), "%s %d", talk_end_word(c->end.how), c->end.code);
	if (send_text(c, text))
		c->tell &= ~(unsigned int)END;
}

/* --- orders ------------------------------------------------------------------ */

static void
signal_order(struct server *v, struct client *c, int signo)
{
	/* A signal that comes too late for its command is for no other. */
	if (c->join != NULL && !c->join->over) {
		console_signal(c->join->lane, (unsigned int)signo);
	} else if (!c->joined) {
		answer(c, TALK_OK);
		session_signal(v->session, signo); /* this may be the end */
	}
}

static void
state_order(struct server *v, struct client *c)
{
	static char text[TALK_ANSWER];

	state_print(v->session, text, sizeof(text));
	answer(c, text);
}

static void
balloon_order(struct server *v, struct client *c, uint64_t bytes)
{
	struct vm *vm = v->session->vm;

	if (bytes > vm->ram.size) {
		answer(c, TALK_ERROR "balloon=: more than memory=");
		return;
	}
	balloon_set(vm->balloon, bytes);
	answer(c, TALK_OK);
}

static void
rate_order(struct server *v, struct client *c, const char *text)
{
	char line[256];
	struct rate_word w;
	const char *why = "not a limit";

	if (rate_parse(&w, text) == 0)
		why = devices_limit(v->session->vm, &w);
	snprintf(line, sizeof(line), "%s%s%s", why == NULL ? TALK_OK : TALK_ERROR,
	    why == NULL ? "" : "rate=: ", why == NULL ? "" : why);
	answer(c, line);
}

static void
grow_order(struct server *v, struct client *c, const char *name)
{
	struct blk *disk = devices_disk(v->session->vm, name);

	if (disk == NULL)
		answer(c, TALK_ERROR "grow=: no such disk");
	else if (blk_grow(disk) == 0)
		answer(c, TALK_OK);
	else if (errno == EINVAL)
		answer(c, TALK_ERROR "grow=: it has become smaller");
	else if (errno == EOPNOTSUPP)
		answer(c, TALK_ERROR "grow=: it has an overlay");
	else
		answer(c, TALK_ERROR "grow=: its size cannot be found");
}

/* Do an order. Returns false if it is out of place. */
static bool
obey(struct server *v, struct client *c, const struct talk *t)
{
	if (c->joined != (t->order == TALK_SIZE) && t->order != TALK_SIGNAL)
		return false;
	switch (t->order) {
	case TALK_JOIN:
		start(v, c);
		return true;
	case TALK_SIGNAL:
		signal_order(v, c, (int)t->number);
		return true;
	case TALK_SIZE:
		if (c->join != NULL && !c->join->over)
			console_size(c->join->lane, t->text);
		return true;
	case TALK_STATE:
		state_order(v, c);
		return true;
	case TALK_PAUSE:
		vcpu_pause(v->session->vm, t->number == 1);
		answer(c, TALK_OK);
		return true;
	case TALK_BALLOON:
		balloon_order(v, c, t->number);
		return true;
	case TALK_RATE:
		rate_order(v, c, t->text);
		return true;
	case TALK_GROW:
		grow_order(v, c, t->text);
		return true;
	default:
		return false;
	}
}

/* Keep a descriptor that came with an order. Returns false if it is out of place. */
static bool
keep(struct client *c, const struct talk *t, int fd)
{
	if (t->order > TALK_STDERR || c->joined ||
	    c->stream[t->order] != -1 || !is_stream(fd))
		return false;
	c->stream[t->order] = fd;
	return true;
}

static void
client_ready(struct io_source *source, short revents)
{
	struct client *c = source->arg;
	char line[TALK_LINE];
	struct talk t;
	ssize_t n;
	bool good;
	int fd;

	if (c->fd == -1)
		return;
	if ((revents & POLLOUT) != 0)
		tell(c);
	n = fdpass_recv_with(c->fd, &fd, line, sizeof(line) - 1);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	good = n > 0 && talk_parse(&t, line, (size_t)n) == 0;
	if (fd != -1 && !(good && keep(c, &t, fd))) {
		close(fd);
		good = false;
	}
	c->since = clock_ms();
	if (good && t.order <= TALK_STDERR)
		good = fd != -1;
	else if (good)
		good = obey(c->server, c, &t);
	if (!good && c->fd != -1)
		drop(c);
}

static short
client_wants(struct io_source *source)
{
	const struct client *c = source->arg;

	if (c->fd == -1)
		return 0;
	return (short)(POLLIN | (c->tell != 0 ? POLLOUT : 0));
}

/* --- the server -------------------------------------------------------------- */

static struct client *
free_client(struct server *v)
{
	struct client *c;

	for (c = v->client; c < v->client + SERVER_CLIENTS; c++)
		if (c->fd == -1)
			return c;
	return NULL;
}

static short
accept_wants(struct io_source *source)
{
	return free_client(source->arg) != NULL ? POLLIN : 0;
}

static void
accept_ready(struct io_source *source, short revents)
{
	struct server *v = source->arg;
	struct client *c = free_client(v);
	int fd;

	(void)revents;
	if (c == NULL)
		return;
	/* cppcheck-suppress nullPointer ; the address is not wanted */
	fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1)
		return;
	c->fd = c->source->fd = fd;
	c->since = clock_ms();
}

/* Before the guest runs: serve the clients of the listening socket. */
void
server_begin(struct server *v, struct session *s, int listener)
{
	struct io *io = &s->vm->io;
	struct client *c;

	v->session = s;
	v->pid = getpid();
	v->listener = listener;
	v->source = io_add(io, &(struct io_source){ .fd = listener,
	    .wants = accept_wants, .ready = accept_ready, .arg = v });
	for (c = v->client; c < v->client + SERVER_CLIENTS; c++) {
		*c = (struct client){ .server = v, .fd = -1,
			.stream = { -1, -1, -1 } };
		c->source = io_add(io, &(struct io_source){ .fd = -1,
		    .wants = client_wants, .ready = client_ready, .arg = c });
	}
}

/* Before each poll(2): do what is due. */
void
server_step(struct server *v)
{
	struct client *c;
	struct join *j;

	for (j = v->join; j < v->join + GUEST_JOINS; j++)
		if (j->lane != NULL)
			join_step(v, j);
	for (c = v->client; c < v->client + SERVER_CLIENTS; c++) {
		if (c->fd == -1)
			continue;
		if (c->tell != 0)
			tell(c);
		if (c->join == NULL && c->tell == 0 &&
		    io_due(&v->session->vm->io, c->since + SILENCE))
			drop(c);
	}
}
