/*
 * The command's standard streams and the control port (virtio 1.2, 5.3).
 *
 * A device with four ports. None is a console port, so the guest's kernel does
 * not change a byte. Nothing is buffered here: input is read into a buffer of the
 * guest's, once it has given one, and output stays in the queue until its reader
 * takes it. No call blocks the other devices (stream.h). At the end of input, and
 * when a reader of output has gone, the port is closed.
 */
#include <linux/virtio_console.h>
#include <sys/eventfd.h>

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

struct port {
	struct console *console;
	int in, out;	/* descriptors; or -1 */
	struct stream stream;	/* of out */
	bool in_ended, out_ended;
	unsigned int tell;
	bool guest_open;
	bool busy;	/* the request in chain is being written */
	uint64_t done;	/* how many bytes of it are written */
	struct vchain chain;
};

struct console {
	struct vio vio;
	struct vio_pci pci;
	struct port port[GUEST_PORTS];
	void (*line)(void *arg, const char *line);
	void *line_arg;
	char from_guest[LINE];
	size_t from_len;
	unsigned int signals[SIGNALS + 1];	/* how many of each to send */
	char size[LINE];	/* the line with the terminal's size; or "" */
	char to_guest[LINE];
	size_t to_len;
	int lost;	/* errno of a write that failed; or 0 */
	uint64_t taken;	/* bytes of output that were written */
};

static struct virtq *
rx(const struct port *p)
{
	size_t i = (size_t)(p - p->console->port);

	return &p->console->vio.q[i == 0 ? 0 : 2 + 2 * i];
}

static struct virtq *
tx(const struct port *p)
{
	return rx(p) + 1;
}

/* A message from the driver. A message that makes no sense is ignored. */
static void
message(struct console *c, const struct virtio_console_control *m)
{
	struct port *p;
	unsigned int i;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value == 1) {
		for (i = 0; i < GUEST_PORTS; i++)
			c->port[i].tell |= TELL_ADD;
		return;
	}
	if (m->id >= GUEST_PORTS)
		return;
	p = &c->port[m->id];
	if (m->event == VIRTIO_CONSOLE_PORT_READY && m->value == 1) {
		p->tell |= TELL_NAME | TELL_OPEN;
		if (p->in_ended || p->out_ended)
			p->tell |= TELL_CLOSE;
	} else if (m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		p->guest_open = m->value == 1;
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
	struct console *c = p->console;
	struct vio *v = &c->vio;
	struct virtq *q = &v->q[CONTROL_RX];
	struct {
		struct virtio_console_control m;
		char name[16];
	} out = { .m = { (uint32_t)(p - c->port), event, value } };
	size_t len = sizeof(out.m), n;
	const char *name;
	int rc;

	if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
		return rc;
	if (event == VIRTIO_CONSOLE_PORT_NAME) {
		name = guest_port_names[p - c->port];
		n = strlen(name);
		memcpy(out.name, name, n);
		len += n;
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
	size_t i;
	int rc;

	for (p = c->port; p < c->port + GUEST_PORTS; p++)
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
control_bytes(struct console *c, const uint8_t *s, size_t n)
{
	char byte;

	while (n-- > 0) {
		byte = (char)*(const volatile uint8_t *)s++;
		if (byte != '\n') {
			if (c->from_len < LINE)
				c->from_guest[c->from_len++] = byte;
		} else {
			if (c->from_len < LINE && c->line != NULL) {
				c->from_guest[c->from_len] = '\0';
				c->line(c->line_arg, c->from_guest);
			}
			c->from_len = 0;
		}
	}
}

/* Write a piece of output. Returns how much was written; 0 if it must wait. */
static size_t
take(struct port *p, const uint8_t *s, size_t n)
{
	struct console *c = p->console;
	ssize_t done;

	if (p == &c->port[GUEST_CONTROL]) {
		control_bytes(c, s, n);
		return n;
	}
	if (p->out == -1 || p->out_ended)
		return n;
	if ((done = stream_write(&p->stream, s, n)) >= 0) {
		c->taken += (size_t)done;
		return (size_t)done;
	}
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET && c->lost == 0)
		c->lost = errno;
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
	struct vio *v = &p->console->vio;
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

/* Fill to_guest, which is empty. Returns false if there is nothing to tell. */
static bool
next_lines(struct console *c)
{
	char line[LINE];
	unsigned int i;
	size_t n;

	if (c->size[0] != '\0') {
		c->to_len = strlen(c->size);
		memcpy(c->to_guest, c->size, c->to_len);
		c->size[0] = '\0';
	}
	for (i = 1; i <= SIGNALS; i++)
		for (; c->signals[i] > 0; c->signals[i]--) {
			n = (size_t)snprintf(line, sizeof(line), GUEST_SIGNAL "%u\n",
			    i);
			if (n > sizeof(c->to_guest) - c->to_len)
				return true;
			memcpy(c->to_guest + c->to_len, line, n);
			c->to_len += n;
		}
	return c->to_len > 0;
}

/* Send lines on the control port, as long as the guest gives buffers for them. */
static int
control_lines(struct console *c)
{
	struct vio *v = &c->vio;
	struct port *p = &c->port[GUEST_CONTROL];
	unsigned int most;
	size_t n;
	int rc = 0;

	for (most = 0; most < VIRTQ_MAX; most++) {
		if (!p->guest_open || (c->to_len == 0 && !next_lines(c)) ||
		    (rc = virtq_pop(rx(p), v->ram, &v->chain)) != 1)
			break;
		n = virtq_scatter(v->chain.iov + v->chain.nout, v->chain.nin,
		    0, c->to_guest, c->to_len);
		memmove(c->to_guest, c->to_guest + n, c->to_len - n);
		c->to_len -= n;
		virtq_push(rx(p), &v->chain, (uint32_t)n);
	}
	if (most > 0)
		vio_done(v, rx(p));
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	struct console *c = v->dev;

	if (messages_in(c) == -1 || output(&c->port[GUEST_STDOUT]) == -1 ||
	    output(&c->port[GUEST_STDERR]) == -1 ||
	    output(&c->port[GUEST_CONTROL]) == -1 ||
	    output(&c->port[GUEST_STDIN]) == -1 || control_lines(c) == -1 ||
	    messages_out(c) == -1)
		vio_break(v);
}

static void
reset(struct vio *v)
{
	struct console *c = v->dev;
	struct port *p;

	for (p = c->port; p < c->port + GUEST_PORTS; p++) {
		p->tell = 0;
		p->guest_open = p->busy = false;
	}
}

/* Read input into the next request. Returns 0, or -1 if that breaks a rule. */
static int
input(struct port *p)
{
	struct vio *v = &p->console->vio;
	const struct iovec *iov;
	ssize_t n;
	int rc;

	if ((rc = virtq_pop(rx(p), v->ram, &v->chain)) != 1)
		return rc;
	iov = v->chain.iov + v->chain.nout;
	if (virtq_bytes(iov, v->chain.nin) == 0)
		return -1;
	n = stream_read(p->in, iov, v->chain.nin);
	if (n <= 0) {
		virtq_unpop(rx(p));
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			p->in_ended = true;
			p->tell |= TELL_CLOSE;
			return messages_out(p->console);
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
	struct vio *v = &p->console->vio;
	bool now;

	pthread_mutex_lock(&v->lock);
	now = vio_live(v) && p->guest_open && !p->in_ended &&
	    virtq_waiting(rx(p));
	pthread_mutex_unlock(&v->lock);
	return now ? POLLIN : 0;
}

static void
input_ready(struct io_source *s, short revents)
{
	struct port *p = s->arg;
	struct vio *v = &p->console->vio;

	(void)revents;
	pthread_mutex_lock(&v->lock);
	if (vio_live(v) && input(p) == -1)
		vio_break(v);
	pthread_mutex_unlock(&v->lock);
}

static short
wants_output(struct io_source *s)
{
	struct port *p = s->arg;
	struct vio *v = &p->console->vio;
	bool now;

	pthread_mutex_lock(&v->lock);
	now = vio_live(v) && p->busy;
	pthread_mutex_unlock(&v->lock);
	return now ? POLLOUT : 0;
}

static void
output_ready(struct io_source *s, short revents)
{
	struct port *p = s->arg;
	struct vio *v = &p->console->vio;

	(void)revents;
	pthread_mutex_lock(&v->lock);
	if (vio_live(v) &&
	    (output(p) == -1 || messages_out(p->console) == -1))
		vio_break(v);
	pthread_mutex_unlock(&v->lock);
}

static const struct vio_ops ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.class = 0x078000, /* communication, other */
	.kick = kick,
	.reset = reset,
};

void
console_init(struct vm *vm, const struct config *cfg)
{
	static const struct port ports[GUEST_PORTS] = {
		[GUEST_STDIN] = { .in = STDIN_FILENO, .out = -1 },
		[GUEST_STDOUT] = { .in = -1, .out = STDOUT_FILENO },
		[GUEST_STDERR] = { .in = -1, .out = STDERR_FILENO },
		[GUEST_CONTROL] = { .in = -1, .out = -1 },
	};
	struct virtio_console_config *space;
	struct io *io = &vm->io;
	struct console *c;
	struct port *p;

	if (*cfg->argv == NULL)
		return; /* no volt-guest runs in this guest */
	if ((c = calloc(1, sizeof(*c))) == NULL)
		err(EXIT_LINK, "console");
	vm->console = c;
	memcpy(c->port, ports, sizeof(ports));
	c->vio.nqueues = 2 + 2 * GUEST_PORTS;
	c->vio.offered = VIO_BIT(VIRTIO_CONSOLE_F_MULTIPORT);
	c->vio.config_len = sizeof(*space);
	space = (void *)c->vio.config;
	space->max_nr_ports = GUEST_PORTS;
	devices_plug(vm, &c->pci, &c->vio, &ops, c);
	for (p = c->port; p < c->port + GUEST_PORTS; p++) {
		p->console = c;
		if (p->in != -1)
			io_add(io, &(struct io_source){ .fd = p->in,
			    .wants = wants_input, .ready = input_ready,
			    .arg = p });
		if (p->out == -1)
			continue;
		if (stream_open(&p->stream, p->out) == -1)
			p->out_ended = true;
		io_add(io, &(struct io_source){ .fd = p->out,
		    .wants = wants_output, .ready = output_ready, .arg = p });
	}
}

/* Before the guest runs. */
void
console_on_line(struct console *c, void (*line)(void *arg, const char *line),
    void *arg)
{
	c->line = line;
	c->line_arg = arg;
}

/*
 * I/O thread: send the command a signal. No signal is lost while the guest gives
 * no buffer; as in the kernel, several standard signals of a kind become one.
 */
void
console_signal(struct console *c, unsigned int signo)
{
	pthread_mutex_lock(&c->vio.lock);
	if (signo <= SIGNALS && (signo >= SIGNAL_REALTIME ||
	    c->signals[signo] == 0))
		c->signals[signo]++;
	pthread_mutex_unlock(&c->vio.lock);
	(void)eventfd_write(c->vio.kick, 1);
}

/* I/O thread: tell the guest the terminal's new size, "ROWS COLUMNS". */
void
console_size(struct console *c, const char *size)
{
	pthread_mutex_lock(&c->vio.lock);
	snprintf(c->size, sizeof(c->size), GUEST_SIZE "%s\n", size);
	pthread_mutex_unlock(&c->vio.lock);
	(void)eventfd_write(c->vio.kick, 1);
}

/* Has all of the command's output been written? */
bool
console_drained(struct console *c)
{
	struct port *out = &c->port[GUEST_STDOUT], *e = &c->port[GUEST_STDERR];
	bool drained;

	pthread_mutex_lock(&c->vio.lock);
	drained = !vio_live(&c->vio) || (!out->busy && !e->busy &&
	    !virtq_waiting(tx(out)) && !virtq_waiting(tx(e)));
	pthread_mutex_unlock(&c->vio.lock);
	return drained;
}

/* I/O thread: how many bytes of output were written so far. */
uint64_t
console_taken(const struct console *c)
{
	return c->taken;
}

/* Some of the command's output is lost: its reader stalled. */
void
console_lose(struct console *c)
{
	if (c->lost == 0)
		c->lost = ETIMEDOUT;
}

/* The guest has ended: read what is left in its queues. */
void
console_look(struct console *c)
{
	(void)eventfd_write(c->vio.kick, 1);
}

/*
 * Why some of the command's output is lost: an errno, ETIMEDOUT if its reader
 * stalled, or 0.
 */
int
console_lost(const struct console *c)
{
	return c->lost;
}
