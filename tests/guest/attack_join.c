/*
 * A guest that does what volt-guest does for join=, one command after the other, in the
 * lanes 1 and 2. A command's first argument says how: "echo" copies the input to the output
 * until it ends; "lies" reports nonsense before that; "deaf" never reads; "mute" closes the
 * ports without a report; "late" writes after its report; "break" breaks the device;
 * "wait" ends by a signal, which is its status. The first command ends by a SIGTERM, and
 * tells its output what it has heard.
 */
#include "guest.h"

enum { STDIN, STDOUT, STDERR, CONTROL, PORTS };
enum { READY = 0, PORT_READY = 3, OPEN = 6 };
#define LANES 2u
#define QUEUES (2 + 2 * PORTS * LANES)
#define PIECE 4096

static struct device first, joins;
static struct queue a[10], b[QUEUES];
static struct {
	uint32_t id;
	uint16_t event, value;
} message, heard[QUEUE];
static char room[QUEUES][QUEUE][PIECE], orders[QUEUE][64];
static uint16_t taken[QUEUES], heard_orders;
static bool closed[PORTS * LANES], broken;
static char line[64];
static unsigned int line_len;

static uint16_t
rx(unsigned int port)
{
	return (uint16_t)(port == 0 ? 0 : 2 + 2 * port);
}

static void
out(struct device *d, struct queue *q, uint16_t i, const void *p, uint32_t n)
{
	uint16_t idx = r16(&q[i].used.idx);

	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	submit(d, i, &q[i], 0);
	while (r16(&q[i].used.idx) == idx)
		outb(0x80, 0);
}

static uint32_t
length(const char *s)
{
	uint32_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

/* Write text to a port of the first command, or of a lane. */
static void
say_first(unsigned int port, const char *s)
{
	out(&first, a, (uint16_t)(rx(port) + 1), s, length(s));
}

static void
say_lane(unsigned int port, const char *s)
{
	out(&joins, b, (uint16_t)(rx(port) + 1), s, length(s));
}

static void
tell(struct device *d, struct queue *q, uint32_t id, uint16_t event, uint16_t value)
{
	message.id = id;
	message.event = event;
	message.value = value;
	out(d, q, 3, &message, sizeof(message));
}

static void
give(uint16_t i, uint16_t k)
{
	b[i].desc[k] = (struct desc){ (uintptr_t)room[i][k], PIECE, WRITE, 0 };
	submit(&joins, i, &b[i], k);
}

/* Look at the messages of the joins' device: which ports it has closed. */
static void
look(void)
{
	static uint16_t at;
	uint16_t k;

	for (; at != r16(&b[2].used.idx); at++) {
		k = (uint16_t)b[2].used.ring[at % QUEUE].id;
		if (heard[k].event == OPEN && heard[k].id < PORTS * LANES)
			closed[heard[k].id] = heard[k].value == 0;
		submit(&joins, 2, &b[2], k);
	}
}

/* The next bytes of a port's input, or NULL if there are none now. */
static const char *
next(unsigned int port, uint32_t *n)
{
	uint16_t i = rx(port), k;

	look();
	if (taken[i] == r16(&b[i].used.idx))
		return NULL;
	k = (uint16_t)b[i].used.ring[taken[i] % QUEUE].id;
	*n = b[i].used.ring[taken[i] % QUEUE].len;
	return room[i][k];
}

static void
give_back(unsigned int port)
{
	uint16_t i = rx(port);

	give(i, (uint16_t)b[i].used.ring[taken[i]++ % QUEUE].id);
}

/* Echo the input of a lane until it ends. skip: bytes that are the request. */
static void
echo(unsigned int base, uint32_t skip)
{
	uint32_t n, less;
	const char *s;

	for (;;) {
		if ((s = next(base + STDIN, &n)) == NULL) {
			if (closed[base + STDIN])
				return;
			outb(0x80, 0);
			continue;
		}
		less = skip < n ? skip : n;
		skip -= less;
		if (n > less)
			out(&joins, b, (uint16_t)(rx(base + STDOUT) + 1), s + less,
			    n - less);
		give_back(base + STDIN);
	}
}

/* Wait for a signal, and report it as the end. */
static void
until_signal(unsigned int base)
{
	uint32_t n, i;
	const char *s;
	static char report[64];

	while ((s = next(base + CONTROL, &n)) == NULL)
		outb(0x80, 0);
	for (i = 0; i < n && i < sizeof(report) - 1; i++)
		report[i] = s[i];
	report[i] = '\0';
	give_back(base + CONTROL);
	say_lane(base + CONTROL, "heard\n");
	say_lane(base + CONTROL, report);
}

static void
lies(unsigned int base)
{
	static const char nonsense[] = "exit\nexit -1\nexit 256\nexit 1x\nup up\n"
	    "signal 65\nfailed\ngone\nok\nerror\n\nstate\n";
	static char big[PIECE];
	unsigned int i;

	say_lane(base + CONTROL, nonsense);
	for (i = 0; i < sizeof(big); i++)
		big[i] = 'e';
	for (i = 0; i < 64; i++)
		out(&joins, b, (uint16_t)(rx(base + CONTROL) + 1), big, sizeof(big));
	say_lane(base + CONTROL, "exit 3\n"); /* the end of a long line */
	for (i = 0; i < 1000; i++)
		say_lane(base + CONTROL, "heard\nlost\nup\n");
	tell(&joins, b, 0xffffffff, OPEN, 1);
	tell(&joins, b, base + CONTROL, 99, 1);
}

/* Close the ports, and drop what is still in them, as the kernel does. */
static void
leave(unsigned int base)
{
	unsigned int port;
	uint32_t n;

	for (port = base; port < base + PORTS; port++)
		tell(&joins, b, port, OPEN, 0);
	for (port = base; port < base + PORTS; port++)
		while (next(port, &n) != NULL)
			give_back(port);
}

static void
serve(unsigned int lane)
{
	unsigned int base = (lane - 1) * PORTS, port;
	uint32_t n, sizes[3], skip;
	const char *s;
	char how;

	for (port = base; port < base + PORTS; port++) {
		tell(&joins, b, port, PORT_READY, 1);
		tell(&joins, b, port, OPEN, 1);
	}
	while ((s = next(base + STDIN, &n)) == NULL && !closed[base + STDIN])
		outb(0x80, 0);
	if (s == NULL) {
		leave(base); /* the client has gone */
		return;
	}
	for (port = 0; port < sizeof(sizes); port++)
		((char *)sizes)[port] = s[port];
	how = s[sizeof(sizes) + sizes[0]];
	skip = (uint32_t)sizeof(sizes) + sizes[0] + sizes[1] + sizes[2];
	if (how == 'b') {
		b[rx(base + STDOUT) + 1].desc[0] = (struct desc){ ~0ull, 8, 0, 0 };
		submit(&joins, (uint16_t)(rx(base + STDOUT) + 1),
		    &b[rx(base + STDOUT) + 1], 0);
		broken = true;
		return;
	}
	say_lane(base + CONTROL, "up\n");
	if (how == 'l')
		lies(base);
	if (how == 'e' || how == 'l')
		echo(base, skip);
	if (how == 'w')
		until_signal(base);
	else if (how != 'm')
		say_lane(base + CONTROL, "exit 7\n");
	if (how == 'e')
		say_lane(base + STDOUT, "too late\n");
	leave(base);
}

/* A byte of the first command's control port. */
static void
order(char c)
{
	if (c != '\n') {
		if (line_len < sizeof(line) - 1)
			line[line_len++] = c;
		return;
	}
	line[line_len] = '\0';
	if (!broken && line_len == 6 && line[0] == 'j' && line[5] >= '1' &&
	    line[5] < (char)('1' + LANES))
		serve((unsigned int)(line[5] - '0'));
	line[line_len] = '\n';
	line[line_len + 1] = '\0';
	say_first(STDOUT, line);
	if (line[0] == 's') {
		say_first(CONTROL, "heard\n");
		say_first(CONTROL, "exit 0\n");
	}
	line_len = 0;
}

int
main(void)
{
	uint16_t k, i;
	uint32_t n;

	device_want(&first, 3, "there is a console");
	check(device_find(&joins, 3, 1), "there is a console for join=");
	device_start(&first, 2, a, 10, QUEUE);
	device_start(&joins, 2, b, QUEUES, QUEUE);
	tell(&first, a, CONTROL, OPEN, 1);
	tell(&joins, b, 0, READY, 1);
	for (k = 0; k < QUEUE; k++) {
		a[8].desc[k] = (struct desc){ (uintptr_t)orders[k], 64, WRITE, 0 };
		submit(&first, 8, &a[8], k);
		b[2].desc[k] = (struct desc){ (uintptr_t)&heard[k],
			sizeof(heard[k]), WRITE, 0 };
		submit(&joins, 2, &b[2], k);
		for (i = 0; i < PORTS * LANES; i++)
			give(rx(i), k);
	}
	say_first(CONTROL, "up\n");
	say_first(STDOUT, failures == 0 ? "ready\n" : "not ready\n");
	for (;; heard_orders++) {
		while (r16(&a[8].used.idx) == heard_orders)
			outb(0x80, 0);
		k = (uint16_t)a[8].used.ring[heard_orders % QUEUE].id;
		n = a[8].used.ring[heard_orders % QUEUE].len;
		for (i = 0; i < n; i++)
			order(orders[k][i]);
		submit(&first, 8, &a[8], k);
	}
}
