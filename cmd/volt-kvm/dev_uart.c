#include <linux/serial_reg.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dev_uart.h"
#include "kvm.h"

#define IIR_FIFOS 0xc0	/* the FIFOs are enabled */
#define LSR_SENT (UART_LSR_THRE | UART_LSR_TEMT)
#define MSR_READY (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)

#define LATE 2	/* s without progress */

/* Output goes to the descriptor out, or nowhere if it is -1. */
void
uart_init(struct uart *u, int vmfd, int out, bool patient)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&u->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&u->room, &attr);
	u->vmfd = vmfd;
	u->out.fd = out;
	u->patient = patient;
	if (out != -1 && stream_open(&u->out, out) == -1)
		u->out.fd = -1;
	u->dll = 1; /* 115200 baud */
	u->lcr = UART_LCR_WLEN8;
}

static bool
has_input(const struct uart *u)
{
	return u->in_head != u->in_tail;
}

static void
update_irq(struct uart *u)
{
	struct kvm_irq_level irq = { .irq = UART_IRQ };
	bool level;

	level = (u->mcr & UART_MCR_OUT2) != 0 &&
	    (((u->ier & UART_IER_RDI) != 0 && has_input(u)) ||
		((u->ier & UART_IER_THRI) != 0 && u->thr_empty));
	if (level == u->level)
		return;
	u->level = level;
	irq.level = level;
	(void)kvm_call(u->vmfd, KVM_IRQ_LINE, &irq);
}

static void
transmit(struct uart *u, uint8_t c)
{
	if ((u->mcr & UART_MCR_LOOP) != 0) {
		if (u->in_head - u->in_tail < UART_INPUT)
			u->input[u->in_head++ % UART_INPUT] = c;
		return;
	}
	u->log[u->logged++ % UART_LOG] = c;
	u->thr_empty = true;
}

static struct timespec
in_a_while(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += LATE;
	return t;
}

/* A vCPU has output: wait until there is room for it. */
static void
wait_for_room(struct uart *u)
{
	struct timespec end = in_a_while();
	uint64_t sent = u->sent;

	while (u->out.fd != -1 && u->logged - u->sent >= UART_LOG && !u->late) {
		if (u->patient) {
			pthread_cond_wait(&u->room, &u->lock);
			continue;
		}
		if (pthread_cond_timedwait(&u->room, &u->lock, &end) == 0)
			continue;
		u->late = u->sent == sent;
		sent = u->sent;
		end = in_a_while();
	}
}

static uint8_t
read_iir(struct uart *u)
{
	uint8_t fifo = (u->fcr & UART_FCR_ENABLE_FIFO) != 0 ? IIR_FIFOS : 0;

	if ((u->ier & UART_IER_RDI) != 0 && has_input(u))
		return fifo | UART_IIR_RDI;
	if ((u->ier & UART_IER_THRI) != 0 && u->thr_empty) {
		u->thr_empty = false;
		return fifo | UART_IIR_THRI;
	}
	return fifo | UART_IIR_NO_INT;
}

static uint8_t
read_reg(struct uart *u, unsigned int reg)
{
	switch (reg) {
	case UART_RX:
		if ((u->lcr & UART_LCR_DLAB) != 0)
			return u->dll;
		return has_input(u) ? u->input[u->in_tail++ % UART_INPUT] : 0;
	case UART_IER:
		return (u->lcr & UART_LCR_DLAB) != 0 ? u->dlm : u->ier;
	case UART_IIR:
		return read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return LSR_SENT | (has_input(u) ? UART_LSR_DR : 0);
	case UART_MSR:
		/* A driver that probes for a UART looks at this. */
		if ((u->mcr & UART_MCR_LOOP) != 0)
			return (uint8_t)(
			    (u->mcr & (UART_MCR_OUT1 | UART_MCR_OUT2)) << 4 |
			    (u->mcr & UART_MCR_RTS) << 3 |
			    (u->mcr & UART_MCR_DTR) << 5);
		return MSR_READY;
	default:
		return u->scr;
	}
}

static void
write_reg(struct uart *u, unsigned int reg, uint8_t v)
{
	switch (reg) {
	case UART_RX:
		if ((u->lcr & UART_LCR_DLAB) != 0)
			u->dll = v;
		else
			transmit(u, v);
		break;
	case UART_IER:
		if ((u->lcr & UART_LCR_DLAB) != 0) {
			u->dlm = v;
			break;
		}
		if ((v & ~u->ier & UART_IER_THRI) != 0)
			u->thr_empty = true;
		u->ier = v & 0x0f;
		break;
	case UART_FCR:
		u->fcr = v;
		if ((v & UART_FCR_CLEAR_RCVR) != 0)
			u->in_tail = u->in_head;
		break;
	case UART_LCR:
		u->lcr = v;
		break;
	case UART_MCR:
		u->mcr = v & 0x1f;
		break;
	case UART_SCR:
		u->scr = v;
		break;
	default:
		break;
	}
}

static bool
is_output(const struct uart *u, unsigned int reg)
{
	return reg == UART_RX && (u->lcr & UART_LCR_DLAB) == 0 &&
	    (u->mcr & UART_MCR_LOOP) == 0;
}

/*
 * A vCPU's access to a register. Returns whether the I/O thread has something
 * to do: there is room for input, or there is output.
 */
bool
uart_pio(struct uart *u, unsigned int reg, uint8_t *data, bool write)
{
	bool full, idle, look;

	pthread_mutex_lock(&u->lock);
	if (write && is_output(u, reg))
		wait_for_room(u);
	full = u->in_head - u->in_tail == UART_INPUT;
	idle = u->logged == u->sent;
	if (write)
		write_reg(u, reg, *data);
	else
		*data = read_reg(u, reg);
	update_irq(u);
	look = full && u->in_head - u->in_tail < UART_INPUT;
	if (u->out.fd == -1)
		u->sent = u->logged;
	else if (idle && u->logged != u->sent)
		look = true;
	pthread_mutex_unlock(&u->lock);
	return look;
}

/* How many characters of input there is room for. */
unsigned int
uart_room(struct uart *u)
{
	unsigned int room;

	pthread_mutex_lock(&u->lock);
	room = UART_INPUT - (u->in_head - u->in_tail);
	pthread_mutex_unlock(&u->lock);
	return room;
}

void
uart_input(struct uart *u, const uint8_t *data, unsigned int len)
{
	pthread_mutex_lock(&u->lock);
	while (len-- > 0 && u->in_head - u->in_tail < UART_INPUT)
		u->input[u->in_head++ % UART_INPUT] = *data++;
	update_irq(u);
	pthread_mutex_unlock(&u->lock);
}

static uint64_t
locked(struct uart *u, const uint64_t *counter)
{
	uint64_t n;

	pthread_mutex_lock(&u->lock);
	n = *counter;
	pthread_mutex_unlock(&u->lock);
	return n;
}

/* How many bytes of output there were so far. */
uint64_t
uart_logged(struct uart *u)
{
	return locked(u, &u->logged);
}

/* How many of these were sent or are lost. */
uint64_t
uart_sent(struct uart *u)
{
	return locked(u, &u->sent);
}

/* The next output to send. A note takes the place of output that is lost. */
static size_t
next_piece(struct uart *u, char *buf, size_t size)
{
	uint64_t n = u->logged - u->sent, i;

	if (n > UART_LOG) {
		n -= UART_LOG;
		u->sent += n;
		return (size_t)snprintf(buf, size,
		    "\n[%llu bytes of the console are lost]\n",
		    (unsigned long long)n);
	}
	if (n > size)
		n = size;
	for (i = 0; i < n; i++)
		buf[i] = (char)u->log[(u->sent + i) % UART_LOG];
	return (size_t)n;
}

/* I/O thread: send some output. After an error nothing more is sent. */
void
uart_send(struct uart *u)
{
	char buf[PIPE_BUF];
	uint64_t from, skipped;
	ssize_t done;
	size_t n;

	pthread_mutex_lock(&u->lock);
	from = u->sent;
	n = next_piece(u, buf, sizeof(buf));
	skipped = u->sent - from;
	pthread_mutex_unlock(&u->lock);

	done = stream_write(&u->out, buf, n);

	pthread_mutex_lock(&u->lock);
	if (done > 0) {
		if (skipped == 0)
			u->sent = from + (uint64_t)done;
		u->late = false;
	} else if (done == -1 && (errno == EAGAIN || errno == EINTR)) {
		u->sent = from; /* try again */
	} else {
		u->out.fd = -1;
		u->sent = u->logged;
	}
	pthread_cond_broadcast(&u->room);
	pthread_mutex_unlock(&u->lock);
}

/*
 * Write the last lines of output to fd. The guest chose the bytes, and they may
 * go to a terminal: '?' replaces what is not printable.
 */
void
uart_tail(struct uart *u, int fd, unsigned int lines)
{
	static char buf[UART_LOG];
	uint64_t n, from, i;
	size_t len = 0;
	uint8_t c;

	pthread_mutex_lock(&u->lock);
	n = u->logged < UART_LOG ? u->logged : UART_LOG;
	from = u->logged;
	while (n-- > 0) {
		c = u->log[(from - 1) % UART_LOG];
		if (c == '\n' && from != u->logged && lines-- == 1)
			break;
		from--;
	}
	for (i = from; i < u->logged; i++) {
		c = u->log[i % UART_LOG];
		if (c == '\r')
			continue;
		buf[len++] = (c >= ' ' && c < 0x7f) || c == '\n' || c == '\t' ?
		    (char)c : '?';
	}
	pthread_mutex_unlock(&u->lock);
	if (len > 0 && buf[len - 1] != '\n' && len < sizeof(buf))
		buf[len++] = '\n';
	if (write(fd, buf, len) == -1)
		return; /* standard error itself failed */
}
