/*
 * A guest that sends lies and floods to the control queues and ports, and then
 * ends with status 42 by a good report.
 */
#include "guest.h"

enum { STDIN, STDOUT, STDERR, CONTROL, PORTS };
enum { READY, ADD, REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, OPEN, NAME };

static struct device d;
static struct queue q[10];
static struct {
	uint32_t id;
	uint16_t event, value;
} message;
static uint8_t room[QUEUE][64];
static char big[65536];

static uint16_t
rx(unsigned int port)
{
	return (uint16_t)(port == 0 ? 0 : 2 + 2 * port);
}

static void
up(void)
{
	device_start(&d, 2, q, 10, QUEUE);
}

/* Give a queue buffers to write to. */
static void
fill(uint16_t i)
{
	uint16_t k;

	for (k = 0; k < QUEUE; k++) {
		q[i].desc[k] = (struct desc){ (uintptr_t)room[k], 64, WRITE, 0 };
		submit(&d, i, &q[i], k);
	}
}

static void
out(uint16_t i, const void *p, uint32_t n)
{
	uint16_t idx = q[i].used.idx;

	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	submit(&d, i, &q[i], 0);
	(void)wait_used(&q[i], (uint16_t)(idx + 1));
}

static void
tell(uint32_t id, uint16_t event, uint16_t value)
{
	message.id = id;
	message.event = event;
	message.value = value;
	out(3, &message, sizeof(message));
}

static void
control(const char *s)
{
	uint32_t n = 0;

	while (s[n] != '\0')
		n++;
	out((uint16_t)(rx(CONTROL) + 1), s, n);
}

static void
lies(void)
{
	uint32_t id;
	uint16_t event;

	up();
	for (event = 0; event < 10; event++)
		for (id = 0; id < 6; id++)
			tell(id, event, 1);
	tell(0xffffffff, PORT_READY, 1);
	tell(0x80000001, OPEN, 1);
	tell(0, 0xffff, 0xffff);
	out(3, &message, 3); /* half a message */
	out(3, &message, 0);
	fill(2); /* for all of its messages, in buffers of 64 bytes */
	for (id = 0; id < 100; id++)
		tell(STDOUT, PORT_READY, 1);
	check(r8(d.bar + C_STATUS) == 15, "lies are ignored");

	control("nonsense\n\n\nexit\nexit -1\nexit 256\nexit 1x\nexit 01\n");
	control("exit 99999999999999999999999\nsignal 65\nfailed\n");
	clear(big, sizeof(big));
	out((uint16_t)(rx(CONTROL) + 1), big, sizeof(big));
	for (id = 0; id < sizeof(big); id++)
		big[id] = 'e';
	out((uint16_t)(rx(CONTROL) + 1), big, sizeof(big));
	control("exit 1\n"); /* the end of a line that is too long */
	check(r8(d.bar + C_STATUS) == 15, "so are false ends");
}

static void
breaks(uint16_t i, struct desc bad, const char *what)
{
	up();
	tell(STDIN, OPEN, 1);
	q[i].desc[1] = bad;
	submit(&d, i, &q[i], 1);
	check(wait_broken(&d), what);
}

int
main(void)
{
	device_want(&d, 3, "there is a console");
	lies();
	breaks(3, (struct desc){ ~0ull, 8, 0, 0 }, "a message from nowhere");
	breaks(rx(STDOUT) + 1, (struct desc){ 0xc0000000, 8, 0, 0 },
	    "output from a device");
	breaks(rx(STDIN), (struct desc){ 64ul << 20, 1, WRITE, 0 },
	    "input to beyond the memory");
	breaks(rx(STDIN), (struct desc){ (uintptr_t)big, 8, 0, 0 },
	    "input that cannot be written");
	breaks(rx(STDIN), (struct desc){ (uintptr_t)big, 0, WRITE, 0 },
	    "input of no size");
	up();
	fill(2);
	out(rx(STDOUT) + 1, "to stdout\n", 10);
	out(rx(STDERR) + 1, "to stderr\n", 10);
	out(rx(STDIN) + 1, "to stdin\n", 9); /* ignored */
	control(failures == 0 ? "exit 42\n" : "exit 1\n");
	for (;;)
		;
}
