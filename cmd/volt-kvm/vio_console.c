/*
 * The commands' standard streams and control ports (virtio 1.2, 5.3).
 *
 * A device has four ports for each of its lanes (guest.h). None is a console port, so the
 * guest's kernel does not change a byte. Nothing is buffered here: input is read into a
 * buffer of the guest's, once it has given one, and output stays in the queue until its
 * reader takes it. No call blocks the other devices (stream.h). At the end of input, and
 * when a reader of output has gone, the port is closed.
 *
 * Lane 0 has a device of its own, so that it has an interrupt for each queue. The lanes
 * of join= share the other device, and its interrupt. The guest is told of a lane's ports
 * when the lane is first used: a port costs it memory, which it keeps.
 */
#include <linux/virtio_console.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "console.h"
#include "devices.h"
#include "guest.h"
#include "stream.h"

enum { CONTROL_RX = 2, CONTROL_TX = 3 };

/* What the guest must still be told of a port, in this order. */
enum { TELL_ADD = 1, TELL_OPEN = 2, TELL_NAME = 4, TELL_CLOSE = 8 };

#define BURST 64	/* requests of one port, before the next port */
#define ROUND ((size_t)1 << 20)	/* bytes of one port, likewise */
#define LINE 128
#define SIGNALS 64	/* the highest signal */
#define SIGNAL_REALTIME 32	/* from here on signals queue (signal(7)) */
#define QUEUED 100000u	/* of a signal that queues, at most */
#define SOCKET_PIECE ((size_t)1 << 20)	/* bytes of one send(2), at most */

#define QUEUE_SIZE 32	/* of a port of join=, in entries */

struct port {
	struct lane *lane;
	int in, out;	/* descriptors; or -1 */
	struct stream stream;	/* of out */
	struct io_source *source;	/* of in or out; NULL: none */
	bool in_ended, out_ended;
	unsigned int tell;
	bool added;	/* the guest knows the port */
	bool guest_open;
	bool busy;	/* the request in chain is being written */
	uint64_t done;	/* how many bytes of it are written */
	struct vchain chain;
};

struct lane {
	struct console *console;
	unsigned int number;	/* 0: that of the first command */
	bool used;	/* a client has it, or the guest has not closed its ports */
	bool opened;	/* the guest has opened a port */
	bool was_reset;	/* the device, after the guest had asked for ports */
	struct port port[GUEST_PORTS];
	void (*line)(void *arg, const char *line);
	void *line_arg;
	char from_guest[LINE];
	size_t from_len;
	unsigned int joins;	/* lanes of which to tell the guest, a bit for each */
	unsigned int signals[SIGNALS + 1];	/* how many of each to send */
	char size[LINE];	/* the line with the terminal's size; or "" */
	char to_guest[LINE];
	size_t to_len;
	int lost;	/* errno of a write that failed; or 0 */
	uint64_t taken;	/* bytes of output that were written */
};

struct console {
	struct vio vio;
	struct vio_pci pci;
	bool ready;	/* the driver has asked for the ports */
	unsigned int nlanes;
	struct lane *lane;
};

/* The port's number in its device. */
static unsigned int
port_id(const struct port *p)
{
	const struct lane *l = p->lane;

	return (unsigned int)(l - l->console->lane) * GUEST_PORTS +
	    (unsigned int)(p - l->port);
}

/* The port of that number, or NULL. */
static struct port *
port_of(const struct console *c, uint32_t id)
{
	return id < c->nlanes * GUEST_PORTS ?
	    &c->lane[id / GUEST_PORTS].port[id % GUEST_PORTS] : NULL;
}

static struct vio *
vio_of(const struct port *p)
{
	return &p->lane->console->vio;
}

static struct virtq *
rx(const struct port *p)
{
	unsigned int i = port_id(p);

	return &vio_of(p)->q[i == 0 ? 0 : 2 + 2 * i];
}

static struct virtq *
tx(const struct port *p)
{
	return rx(p) + 1;
}

/* Tell the driver that the lane's ports are there. */
static void
add_ports(struct lane *l)
{
	struct port *p;

	for (p = l->port; p < l->port + GUEST_PORTS; p++) {
		p->tell |= TELL_ADD;
		p->added = true;
	}
}

/* A message from the driver. A message that makes no sense is ignored. */
static void
message(struct console *c, const struct virtio_console_control *m)
{
	struct port *p;
	unsigned int i;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value == 1) {
		c->ready = true;
		for (i = 0; i < c->nlanes; i++)
			if (c->lane[i].used)
				add_ports(&c->lane[i]);
		return;
	}
	if ((p = port_of(c, m->id)) == NULL)
		return;
	if (m->event == VIRTIO_CONSOLE_PORT_READY && m->value == 1) {
		p->tell |= TELL_NAME | TELL_OPEN;
		if (p->in_ended || p->out_ended)
			p->tell |= TELL_CLOSE;
	} else if (m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		p->guest_open = m->value == 1;
		p->lane->opened |= p->guest_open;
	}
}

/* Read the driver's messages. Returns 0, or -1 if the driver broke a rule. */
static int
messages_in(struct console *c)
{
	struct vio *v = &c->vio;
	struct virtq *q = &v->q[CONTROL_TX];
	struct virtio_console_control m;
	unsigned int n;
	int rc = 0;

	for (n = 0; n < VIRTQ_MAX; n++) {
		if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		if (virtq_gather(v->chain.iov, v->chain.nout, 0, &m,
			sizeof(m)) == sizeof(m))
			message(c, &m);
		virtq_push(q, &v->chain, 0);
	}
	if (n > 0)
		vio_done(v, q);
	return rc;
}

/*
 * Send one message to the driver. Returns 1; 0 if the driver has given no buffer;
 * or -1 if it broke a rule.
 */
static int
send_message(const struct port *p, uint16_t event, uint16_t value)
{
	struct vio *v = vio_of(p);
	struct virtq *q = &v->q[CONTROL_RX];
	struct {
		struct virtio_console_control m;
		char name[GUEST_PORT_NAME];
	} out = { .m = { port_id(p), event, value } };
	size_t len = sizeof(out.m), n;
	int rc;

	if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
		return rc;
	if (event == VIRTIO_CONSOLE_PORT_NAME) {
		guest_port_name(out.name, p->lane->number,
		    (enum guest_port)(p - p->lane->port));
		len += strlen(out.name);
	}
	n = virtq_scatter(v->chain.iov + v->chain.nout, v->chain.nin, 0, &out,
	    len);
	virtq_push(q, &v->chain, (uint32_t)n);
	vio_done(v, q);
	return 1;
}

/* Send the messages that are due. Returns 0, or -1 if the driver broke a rule. */
static int
messages_out(struct console *c)
{
	static const struct {
		unsigned int tell;
		uint16_t event, value;
	} order[] = {
		{ TELL_ADD, VIRTIO_CONSOLE_PORT_ADD, 1 },
		/* A port that has a name is open already. */
		{ TELL_OPEN, VIRTIO_CONSOLE_PORT_OPEN, 1 },
		{ TELL_NAME, VIRTIO_CONSOLE_PORT_NAME, 1 },
		{ TELL_CLOSE, VIRTIO_CONSOLE_PORT_OPEN, 0 },
	};
	struct port *p;
	unsigned int id;
	size_t i;
	int rc;

	for (id = 0; (p = port_of(c, id)) != NULL; id++)
		for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
			if ((p->tell & order[i].tell) == 0)
				continue;
			rc = send_message(p, order[i].event, order[i].value);
			if (rc != 1)
				return rc;
			p->tell &= ~order[i].tell;
		}
	return 0;
}

/* Bytes on the control port: pass on each whole line, unless it is too long. */
static void
control_bytes(struct lane *l, const uint8_t *s, size_t n)
{
	char byte;

	while (n-- > 0) {
		byte = (char)*(const volatile uint8_t *)s++;
		if (byte != '\n') {
			if (l->from_len < LINE)
				l->from_guest[l->from_len++] = byte;
		} else {
			if (l->from_len < LINE && l->line != NULL) {
				l->from_guest[l->from_len] = '\0';
				l->line(l->line_arg, l->from_guest);
			}
			l->from_len = 0;
		}
	}
}

/* Write a piece of output. Returns how much was written; 0 if it must wait. */
static size_t
take(struct port *p, const uint8_t *s, size_t n)
{
	struct lane *l = p->lane;
	ssize_t done;

	if (p == &l->port[GUEST_CONTROL]) {
		control_bytes(l, s, n);
		return n;
	}
	if (p->out == -1 || p->out_ended)
		return n;
	if ((done = stream_write(&p->stream, s, n)) >= 0) {
		l->taken += (size_t)done;
		return (size_t)done;
	}
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET && l->lost == 0)
		l->lost = errno;
	p->out_ended = true;
	p->tell |= TELL_CLOSE;
	return n;
}

/*
 * Write the rest of the port's request, up to *most bytes. Its buffers may overlap
 * and be larger than the memory. Returns whether the request is done.
 */
static bool
finish(struct port *p, size_t *most)
{
	uint64_t skip = p->done;
	unsigned int i;
	size_t n;

	for (i = 0; i < p->chain.nout; i++) {
		const struct iovec *iov = &p->chain.iov[i];

		while (skip < iov->iov_len) {
			n = iov->iov_len - (size_t)skip;
			if (n > *most)
				n = *most;
			if (n == 0 || (n = take(p, (uint8_t *)iov->iov_base +
			    skip, n)) == 0)
				return false;
			skip += n;
			*most -= n;
			p->done += n;
		}
		skip -= iov->iov_len;
	}
	return true;
}

/* Write the output of a port. Returns 0, or -1 if the driver broke a rule. */
static int
output(struct port *p)
{
	struct vio *v = vio_of(p);
	size_t most = ROUND;
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if (!p->busy) {
			rc = virtq_pop(tx(p), v->ram, &p->chain);
			if (rc != 1)
				break;
			p->busy = true;
			p->done = 0;
		}
		if (!finish(p, &most))
			break;
		p->busy = false;
		virtq_push(tx(p), &p->chain, 0);
	}
	if (n > 0)
		vio_done(v, tx(p));
	if (n == BURST || most == 0) /* the other ports first */
		(void)eventfd_write(v->kick, 1);
	return rc < 0 ? -1 : 0;
}

/* Add a line to to_guest. Returns false if it does not fit. */
static bool
add_line(struct lane *l, const char *word, unsigned int number)
{
	char line[LINE];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "%s%u\n", word, number);
	if (n > sizeof(l->to_guest) - l->to_len)
		return false;
	memcpy(l->to_guest + l->to_len, line, n);
	l->to_len += n;
	return true;
}

/* Fill to_guest, which is empty. Returns false if there is nothing to tell. */
static bool
next_lines(struct lane *l)
{
	unsigned int i;

	if (l->size[0] != '\0') {
		l->to_len = strlen(l->size);
		memcpy(l->to_guest, l->size, l->to_len);
		l->size[0] = '\0';
	}
	for (i = 1; i <= GUEST_JOINS; i++)
		if ((l->joins & 1u << i) != 0) {
			if (!add_line(l, GUEST_JOIN, i))
				return true;
			l->joins &= ~(1u << i);
		}
	for (i = 1; i <= SIGNALS; i++)
		for (; l->signals[i] > 0; l->signals[i]--)
			if (!add_line(l, GUEST_SIGNAL, i))
				return true;
	return l->to_len > 0;
}

/* Send lines on the control port, as long as the guest gives buffers for them. */
static int
control_lines(struct lane *l)
{
	struct port *p = &l->port[GUEST_CONTROL];
	struct vio *v = vio_of(p);
	unsigned int most;
	size_t n;
	int rc = 0;

	for (most = 0; most < VIRTQ_MAX; most++) {
		if (!p->guest_open || (l->to_len == 0 && !next_lines(l)) ||
		    (rc = virtq_pop(rx(p), v->ram, &v->chain)) != 1)
			break;
		n = virtq_scatter(v->chain.iov + v->chain.nout, v->chain.nin,
		    0, l->to_guest, l->to_len);
		memmove(l->to_guest, l->to_guest + n, l->to_len - n);
		l->to_len -= n;
		virtq_push(rx(p), &v->chain, (uint32_t)n);
	}
	if (most > 0)
		vio_done(v, rx(p));
	return rc == -1 ? -1 : 0;
}

/* Is output of the port still in its queue? */
static bool
has_output(const struct port *p)
{
	return p->busy || virtq_waiting(tx(p));
}

/* Has the guest closed all of the lane's ports, and said all that it had to say? */
static bool
is_closed(const struct lane *l)
{
	const struct port *p;

	for (p = l->port; p < l->port + GUEST_PORTS; p++)
		if (p->guest_open || (vio_live(vio_of(p)) && has_output(p)))
			return false;
	return true;
}

/* Do what there is to do for a lane. Returns 0, or -1 if the driver broke a rule. */
static int
lane_step(struct lane *l)
{
	if (output(&l->port[GUEST_STDOUT]) == -1 ||
	    output(&l->port[GUEST_STDERR]) == -1 ||
	    output(&l->port[GUEST_CONTROL]) == -1 ||
	    output(&l->port[GUEST_STDIN]) == -1 || control_lines(l) == -1)
		return -1;
	return 0;
}

static void
kick(struct vio *v)
{
	struct console *c = v->dev;
	unsigned int i;
	int rc = messages_in(c);

	for (i = 0; i < c->nlanes && rc == 0; i++)
		rc = lane_step(&c->lane[i]);
	if (rc == -1 || messages_out(c) == -1)
		vio_break(v);
}

static void
reset(struct vio *v)
{
	struct console *c = v->dev;
	struct port *p;
	unsigned int id, i;

	for (i = 0; i < c->nlanes; i++)
		c->lane[i].was_reset |= c->ready;
	c->ready = false;
	for (id = 0; (p = port_of(c, id)) != NULL; id++) {
		p->tell = 0;
		p->added = p->guest_open = p->busy = false;
	}
}

/* As readv(2), but never blocks. The buffers are not all empty. */
static ssize_t
take_input(const struct port *p, const struct iovec *iov, unsigned int n)
{
	if (p->lane->number == 0)
		return stream_read(p->in, iov, (int)n);
	while (iov->iov_len == 0)
		iov++;
	return recv(p->in, iov->iov_base, iov->iov_len, MSG_DONTWAIT);
}

/* Read input into the next request. Returns 0, or -1 if that breaks a rule. */
static int
input(struct port *p)
{
	struct vio *v = vio_of(p);
	const struct iovec *iov;
	ssize_t n;
	int rc;

	if ((rc = virtq_pop(rx(p), v->ram, &v->chain)) != 1)
		return rc;
	iov = v->chain.iov + v->chain.nout;
	if (virtq_bytes(iov, v->chain.nin) == 0)
		return -1;
	n = take_input(p, iov, v->chain.nin);
	if (n <= 0) {
		virtq_unpop(rx(p));
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			p->in_ended = true;
			p->tell |= TELL_CLOSE;
			return messages_out(p->lane->console);
		}
		return 0;
	}
	virtq_push(rx(p), &v->chain, (uint32_t)n);
	vio_done(v, rx(p));
	return 0;
}

static short
wants_input(struct io_source *s)
{
	struct port *p = s->arg;
	struct vio *v = vio_of(p);
	bool now;

	pthread_mutex_lock(&v->lock);
	now = vio_live(v) && p->in != -1 && p->guest_open && !p->in_ended &&
	    virtq_waiting(rx(p));
	pthread_mutex_unlock(&v->lock);
	return now ? POLLIN : 0;
}

static void
input_ready(struct io_source *s, short revents)
{
	struct port *p = s->arg;
	struct vio *v = vio_of(p);

	(void)revents;
	pthread_mutex_lock(&v->lock);
	if (vio_live(v) && p->in != -1 && input(p) == -1)
		vio_break(v);
	pthread_mutex_unlock(&v->lock);
}

static short
wants_output(struct io_source *s)
{
	struct port *p = s->arg;
	struct vio *v = vio_of(p);
	bool now;

	pthread_mutex_lock(&v->lock);
	now = vio_live(v) && p->out != -1 && p->busy;
	pthread_mutex_unlock(&v->lock);
	return now ? POLLOUT : 0;
}

static void
output_ready(struct io_source *s, short revents)
{
	struct port *p = s->arg;
	struct vio *v = vio_of(p);

	(void)revents;
	pthread_mutex_lock(&v->lock);
	if (vio_live(v) &&
	    (output(p) == -1 || messages_out(p->lane->console) == -1))
		vio_break(v);
	pthread_mutex_unlock(&v->lock);
}

/* The most entries of a queue: the driver fills the queues for input with pages. */
static uint16_t
queue_size(const struct vio *v, unsigned int i)
{
	const struct console *c = v->dev;

	return c->nlanes == 1 || i == CONTROL_RX || i == CONTROL_TX ? VIRTQ_MAX :
	    QUEUE_SIZE;
}

static const struct vio_ops ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.class = 0x078000, /* communication, other */
	.kick = kick,
	.reset = reset,
	.queue_size = queue_size,
};

/* A device with lanes, the first of which has that number. Returns the lanes. */
static struct lane *
add_lanes(struct vm *vm, unsigned int number, unsigned int n)
{
	struct virtio_console_config *space;
	struct console *c = calloc(1, sizeof(*c));
	struct lane *l;
	struct port *p;

	if (c == NULL || (c->lane = calloc(n, sizeof(*c->lane))) == NULL)
		err(EXIT_LINK, "console");
	c->nlanes = n;
	for (l = c->lane; l < c->lane + n; l++) {
		l->console = c;
		l->number = number++;
		for (p = l->port; p < l->port + GUEST_PORTS; p++) {
			p->lane = l;
			p->in = p->out = -1;
		}
	}
	c->vio.nqueues = (uint16_t)(2 + 2 * GUEST_PORTS * n);
	c->vio.offered = VIO_BIT(VIRTIO_CONSOLE_F_MULTIPORT);
	c->vio.config_len = sizeof(*space);
	space = (void *)c->vio.config;
	space->max_nr_ports = GUEST_PORTS * n;
	devices_plug(vm, &c->pci, &c->vio, &ops, c);
	return c->lane;
}

/* The ports of a lane's streams are polled from now on, when they have descriptors. */
static void
poll_ports(struct io *io, struct lane *l)
{
	struct port *p;

	p = &l->port[GUEST_STDIN];
	p->source = io_add(io, &(struct io_source){ .fd = p->in,
	    .wants = wants_input, .ready = input_ready, .arg = p });
	for (p = &l->port[GUEST_STDOUT]; p <= &l->port[GUEST_STDERR]; p++)
		p->source = io_add(io, &(struct io_source){ .fd = p->out,
		    .wants = wants_output, .ready = output_ready, .arg = p });
}

void
console_init(struct vm *vm, const struct config *cfg)
{
	struct lane *l;
	struct port *p;
	unsigned int i;

	if (*cfg->argv == NULL)
		return; /* no volt-guest runs in this guest */
	vm->lane = l = add_lanes(vm, 0, 1);
	l->used = true;
	l->port[GUEST_STDIN].in = STDIN_FILENO;
	l->port[GUEST_STDOUT].out = STDOUT_FILENO;
	l->port[GUEST_STDERR].out = STDERR_FILENO;
	for (p = &l->port[GUEST_STDOUT]; p <= &l->port[GUEST_STDERR]; p++)
		if (stream_open(&p->stream, p->out) == -1)
			p->out_ended = true;
	poll_ports(&vm->io, l);
	if (cfg->control == NULL)
		return;
	vm->joins = add_lanes(vm, 1, GUEST_JOINS);
	for (i = 0; i < GUEST_JOINS; i++)
		poll_ports(&vm->io, &vm->joins[i]);
}

/* line() gets each whole line that the guest writes to the lane's control port. */
void
console_on_line(struct lane *l, void (*line)(void *arg, const char *line),
    void *arg)
{
	l->line = line;
	l->line_arg = arg;
}

static void
wake(const struct lane *l)
{
	(void)eventfd_write(l->console->vio.kick, 1);
}

/*
 * I/O thread: send the command a signal. No signal is lost while the guest gives
 * no buffer; as in the kernel, several standard signals of a kind become one.
 */
void
console_signal(struct lane *l, unsigned int signo)
{
	struct vio *v = &l->console->vio;

	pthread_mutex_lock(&v->lock);
	if (signo <= SIGNALS && (signo >= SIGNAL_REALTIME ||
	    l->signals[signo] == 0) && l->signals[signo] < QUEUED)
		l->signals[signo]++;
	pthread_mutex_unlock(&v->lock);
	wake(l);
}

/* I/O thread: tell the guest the terminal's new size, "ROWS COLUMNS". */
void
console_size(struct lane *l, const char *size)
{
	struct vio *v = &l->console->vio;

	pthread_mutex_lock(&v->lock);
	snprintf(l->size, sizeof(l->size), GUEST_SIZE "%s\n", size);
	pthread_mutex_unlock(&v->lock);
	wake(l);
}

/* Has all of the command's output been written? */
bool
console_drained(struct lane *l)
{
	struct vio *v = &l->console->vio;
	bool drained;

	pthread_mutex_lock(&v->lock);
	drained = !vio_live(v) || (!has_output(&l->port[GUEST_STDOUT]) &&
	    !has_output(&l->port[GUEST_STDERR]));
	pthread_mutex_unlock(&v->lock);
	return drained;
}

/* I/O thread: how many bytes of output were written so far. */
uint64_t
console_taken(const struct lane *l)
{
	return l->taken;
}

/* Some of the command's output is lost: its reader stalled. */
void
console_lose(struct lane *l)
{
	if (l->lost == 0)
		l->lost = ETIMEDOUT;
}

/* The guest has ended: read what is left in its queues. */
void
console_look(struct lane *l)
{
	wake(l);
}

/*
 * Why some of the command's output is lost: an errno, ETIMEDOUT if its reader
 * stalled, or 0.
 */
int
console_lost(const struct lane *l)
{
	return l->lost;
}

/* --- lanes of join= --------------------------------------------------------- */

/* The next of n lanes that is free, or NULL. A lane is free once the guest has left it. */
struct lane *
console_free_lane(struct lane *first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!first[i].used)
			return &first[i];
	return NULL;
}

/*
 * I/O thread: start a command in the lane, which is free, and tell the guest so by lane
 * zero. stream are its standard streams: sockets, which the caller closes after
 * console_detach().
 */
void
console_attach(struct lane *l, struct lane *zero, const int stream[3])
{
	struct vio *v = &l->console->vio;
	struct port *p;
	int i;

	pthread_mutex_lock(&v->lock);
	l->used = true;
	l->opened = l->was_reset = false;
	l->lost = 0;
	l->from_len = l->to_len = 0;
	l->size[0] = '\0';
	memset(l->signals, 0, sizeof(l->signals));
	for (i = 0; i < GUEST_PORTS; i++) {
		p = &l->port[i];
		p->in_ended = p->out_ended = false;
		p->tell &= ~(unsigned int)TELL_CLOSE;
		if (p->added)
			p->tell |= TELL_OPEN;
		if (i == GUEST_CONTROL)
			continue;
		*(i == GUEST_STDIN ? &p->in : &p->out) = stream[i];
		p->stream = (struct stream){ .fd = stream[i],
			.piece = SOCKET_PIECE, .socket = true };
		p->source->fd = stream[i];
	}
	if (!l->port[GUEST_CONTROL].added && l->console->ready)
		add_ports(l);
	pthread_mutex_unlock(&v->lock);
	wake(l);
	v = &zero->console->vio;
	pthread_mutex_lock(&v->lock);
	zero->joins |= 1u << l->number;
	pthread_mutex_unlock(&v->lock);
	wake(zero);
}

/*
 * I/O thread: the lane has no streams any more. What the guest still writes is dropped,
 * and to the guest the ports are closed but that of control.
 */
void
console_detach(struct lane *l)
{
	struct vio *v = &l->console->vio;
	struct port *p;

	pthread_mutex_lock(&v->lock);
	for (p = l->port; p < &l->port[GUEST_CONTROL]; p++) {
		p->in = p->out = -1;
		p->in_ended = p->out_ended = true;
		p->source->fd = -1;
		if (p->added)
			p->tell |= TELL_CLOSE;
	}
	pthread_mutex_unlock(&v->lock);
	wake(l);
}

/*
 * I/O thread: has the guest left the lane that it was told of? That is so too if it has
 * reset or broken the device.
 */
bool
console_left(struct lane *l)
{
	struct vio *v = &l->console->vio;
	bool left;

	pthread_mutex_lock(&v->lock);
	left = l->was_reset || (v->status & VIRTIO_CONFIG_S_NEEDS_RESET) != 0 ||
	    (l->opened && is_closed(l));
	pthread_mutex_unlock(&v->lock);
	return left;
}

/* I/O thread: another command may use the lane. */
void
console_release(struct lane *l)
{
	struct vio *v = &l->console->vio;

	pthread_mutex_lock(&v->lock);
	l->used = false;
	if (l->port[GUEST_CONTROL].added)
		l->port[GUEST_CONTROL].tell |= TELL_CLOSE;
	pthread_mutex_unlock(&v->lock);
	wake(l);
}
