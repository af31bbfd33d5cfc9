/*
 * Fuzz COM1. The input is calls of three bytes: what happens, a register or a
 * number, and a value or another. Its first byte says whether a vCPU waits for
 * ever.
 * Link: volt-kvm
 */
#include <signal.h>
#include "machine.h"

#define CALLS_MOST 64

enum { WRITE, READ, MANY, TYPED, SEND, TAIL, TAKE, EVENTS_ };

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
    const struct timespec *t);

static int reader, null;

static void
take_all(void)
{
	static char buf[65536];

	while (read(reader, buf, sizeof(buf)) > 0)
		;
}

/* Whoever waits for room: the I/O thread makes some. */
int
__wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	(void)c;
	pthread_mutex_unlock(m);
	take_all();
	uart_send(&vm.uart);
	pthread_mutex_lock(m);
	return 0;
}

/* Or none, if its output is not taken. */
int
__wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
    const struct timespec *t)
{
	(void)c;
	(void)t;
	pthread_mutex_unlock(m);
	uart_send(&vm.uart);
	pthread_mutex_lock(m);
	return ETIMEDOUT;
}

static void
event(const unsigned char *e)
{
	struct uart *u = &vm.uart;
	uint8_t v = e[2], bytes[256];
	unsigned int i;

	switch (e[0] % EVENTS_) {
	case WRITE:
	case READ:
		(void)uart_pio(u, e[1] % UART_PORTS, &v, e[0] % EVENTS_ == WRITE);
		break;
	case MANY:
		for (i = 0; i < e[1] * 16u; i++, v++)
			(void)uart_pio(u, 0, &v, true);
		break;
	case TYPED:
		memset(bytes, v, sizeof(bytes));
		uart_input(u, bytes, e[1]);
		break;
	case SEND:
		uart_send(u);
		break;
	case TAIL:
		uart_tail(u, null, e[1]);
		break;
	default:
		take_all();
	}
	if (uart_room(u) > UART_INPUT || uart_sent(u) > uart_logged(u))
		abort();
	check_lock(&u->lock);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	size_t i;
	int p[2];

	if (reader == 0) {
		signal(SIGPIPE, SIG_IGN);
		if (pipe2(p, O_NONBLOCK) == -1 ||
		    (null = open("/dev/null", O_WRONLY)) == -1)
			abort();
		reader = p[0];
		uart_init(&vm.uart, VMFD, p[1], false);
		(void)fcntl(p[1], F_SETPIPE_SZ, 4096);
		machine_keep(&vm.uart, sizeof(vm.uart));
	}
	if (size == 0)
		return 0;
	memcpy(states[0].at, states[0].copy, states[0].size);
	take_all();
	vm.uart.patient = (data[0] & 1) != 0;
	for (i = 1; i + 3 <= size && i < 3 * CALLS_MOST; i += 3)
		event(data + i);
	return 0;
}
