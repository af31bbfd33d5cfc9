/*
 * Fuzz the socket of control=: the input is what clients and the guest do, a step after the
 * other. A step is a byte of enum way, a byte that says who, a length and bytes.
 * Link: volt-kvm
 */
#include <sys/socket.h>

#include "../../cmd/volt-kvm/server.c"
#include "fuzz.h"

#define OURS 32
#define STEPS 256

enum way { COME, GO, SEND, PASS, PASS_BAD, READ, LINE, LEAVE, DRAIN, WAYS };

/* What the server does to lanes. */
struct lane {
	bool used, attached, left, drained;
	void (*line)(void *arg, const char *line);
	void *arg;
};

static struct lane lanes[GUEST_JOINS];
static struct lane zero;
static struct vm machine;
static struct session session;
static struct config cfg;
static int ours[OURS], waiting = -1;

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
struct lane *__wrap_console_free_lane(struct lane *first, unsigned int n);
void __wrap_console_attach(struct lane *l, struct lane *z, const int stream[3]);
void __wrap_console_detach(struct lane *l);
bool __wrap_console_left(struct lane *l);
bool __wrap_console_drained(struct lane *l);
void __wrap_console_release(struct lane *l);
void __wrap_console_signal(struct lane *l, unsigned int signo);
void __wrap_console_size(struct lane *l, const char *size);
void __wrap_console_on_line(struct lane *l, void (*line)(void *arg,
    const char *line), void *arg);
void __wrap_session_signal(struct session *s, int signo);
void __wrap_balloon_set(struct balloon *b, uint64_t bytes);
void __wrap_state_print(const struct session *s, char *buf, size_t size);

int
__wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int conn = waiting;

	(void)addr;
	(void)len;
	if (fd != 0 || flags != (SOCK_CLOEXEC | SOCK_NONBLOCK))
		abort();
	waiting = -1;
	return conn;
}

struct lane *
__wrap_console_free_lane(struct lane *first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!first[i].used)
			return &first[i];
	return NULL;
}

void
__wrap_console_attach(struct lane *l, struct lane *z, const int stream[3])
{
	int i;

	if (l->used || z != &zero || l->line == NULL)
		abort();
	for (i = 0; i < 3; i++)
		if (sock_option(stream[i], SO_TYPE) != SOCK_STREAM)
			abort();
	*l = (struct lane){ .used = true, .attached = true, .line = l->line,
		.arg = l->arg };
}

void
__wrap_console_detach(struct lane *l)
{
	if (!l->used)
		abort();
	l->attached = false;
}

bool
__wrap_console_left(struct lane *l)
{
	return l->left;
}

bool
__wrap_console_drained(struct lane *l)
{
	return l->drained;
}

void
__wrap_console_release(struct lane *l)
{
	if (!l->used || l->attached || !l->left || l->line != NULL)
		abort();
	l->used = false;
}

void
__wrap_console_signal(struct lane *l, unsigned int signo)
{
	if (!l->used || signo < 1 || signo > 64)
		abort();
}

void
__wrap_console_size(struct lane *l, const char *size)
{
	if (!l->attached || strlen(size) > 11)
		abort();
}

void
__wrap_console_on_line(struct lane *l, void (*line)(void *arg, const char *line),
    void *arg)
{
	l->line = line;
	l->arg = arg;
}

void
__wrap_session_signal(struct session *s, int signo)
{
	if (s != &session || signo < 1 || signo > 64)
		abort();
}

void
__wrap_balloon_set(struct balloon *b, uint64_t bytes)
{
	(void)b;
	if (bytes > machine.ram.size)
		abort();
}

void
__wrap_state_print(const struct session *s, char *buf, size_t size)
{
	(void)s;
	snprintf(buf, size, "state runs\n");
}

/* A client of ours comes. */
static void
come(int who)
{
	int pair[2];

	if (ours[who] != -1 || waiting != -1 ||
	    (accept_wants(session.server.source) & POLLIN) == 0)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	ours[who] = pair[0];
	waiting = pair[1];
	accept_ready(session.server.source, POLLIN);
	if (waiting != -1)
		abort();
}

static void
pass(int fd, const uint8_t *data, size_t len, bool bad)
{
	int pair[2];

	if (socketpair(AF_UNIX, bad ? SOCK_DGRAM : SOCK_STREAM, 0, pair) == -1)
		abort();
	may_fail(fdpass_send_with(fd, pair[1], data, len));
	close(pair[0]);
	close(pair[1]);
}

static void
guest(struct lane *l, enum way way, const uint8_t *data, size_t len)
{
	char text[TALK_LINE];

	if (way == LEAVE)
		l->left = true;
	if (way == DRAIN)
		l->drained = true;
	if (way != LINE || l->line == NULL || len >= sizeof(text))
		return;
	memcpy(text, data, len);
	text[len] = '\0';
	l->line(l->arg, text);
}

static void
step(enum way way, int who, const uint8_t *data, size_t len)
{
	char answer[TALK_ANSWER];
	int fd = ours[who];

	if (way == COME)
		come(who);
	else if (way >= LINE)
		guest(&lanes[who % GUEST_JOINS], way, data, len);
	else if (fd == -1)
		return;
	else if (way == GO)
		ours[who] = close(fd) == 0 ? -1 : -1;
	else if (way == SEND)
		(void)!send(fd, data, len, MSG_NOSIGNAL);
	else if (way == READ)
		(void)!recv(fd, answer, sizeof(answer), 0);
	else if (len > 0)
		pass(fd, data, len, way == PASS_BAD);
}

/* Each client's sockets are its own, and each command has one lane. */
static void
look(void)
{
	const struct client *c;
	const struct join *j;

	server_step(&session.server);
	for (c = session.server.client; c < session.server.client + SERVER_CLIENTS; c++) {
		if (c->fd == -1 && (c->join != NULL || c->tell != 0 ||
		    c->stream[0] != -1 || c->stream[1] != -1 || c->stream[2] != -1))
			abort();
		if (c->fd != -1 && (client_wants(c->source) & POLLOUT) != 0)
			client_ready(c->source, POLLOUT);
		if (c->fd != -1)
			client_ready(c->source, POLLIN);
	}
	for (j = session.server.join; j < session.server.join + GUEST_JOINS; j++)
		if ((j->lane == NULL && j->client != NULL) ||
		    (j->client != NULL && j->client->join != j))
			abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char *argv[1];
	unsigned int steps, i;
	uint8_t way, who;
	size_t len;

	if (session.vm == NULL && io_init(&machine.io) == -1)
		abort();
	machine.io.n = 1;
	cfg.argv = argv;
	machine.joins = lanes;
	machine.lane = &zero;
	memset(lanes, 0, sizeof(lanes));
	memset(&session, 0, sizeof(session));
	session.vm = &machine;
	session.cfg = &cfg;
	for (i = 0; i < OURS; i++)
		ours[i] = -1;
	server_begin(&session.server, &session, 0);
	for (steps = 0; steps < STEPS && size >= 3; steps++) {
		way = data[0] % WAYS;
		who = data[1] % OURS;
		len = data[2] < size - 3 ? data[2] : size - 3;
		step((enum way)way, who, data + 3, len);
		data += 3 + len;
		size -= 3 + len;
		look();
	}
	for (i = 0; i < OURS; i++)
		if (ours[i] != -1)
			close(ours[i]);
	for (i = 0; i < SERVER_CLIENTS; i++)
		if (session.server.client[i].fd != -1)
			drop(&session.server.client[i]);
	return 0;
}
