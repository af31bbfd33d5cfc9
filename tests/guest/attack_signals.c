/*
 * A guest that gives no buffers for its control port until there is input. Then it
 * acknowledges the lines and copies them to its output, until a "signal 64".
 */
#include "guest.h"

static struct device d;
static struct queue q[10];
static struct {
	uint32_t id;
	uint16_t event, value;
} message;
static char room[QUEUE][64], typed[4];
static char seen[16];

static void
out(uint16_t i, const void *p, uint32_t n)
{
	uint16_t idx = q[i].used.idx;

	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	submit(&d, i, &q[i], 0);
	(void)wait_used(&q[i], (uint16_t)(idx + 1));
}

static void
open_port(uint32_t id)
{
	message.id = id;
	message.event = 6; /* VIRTIO_CONSOLE_PORT_OPEN */
	message.value = 1;
	out(3, &message, sizeof(message));
}

/* Returns whether these were the last bytes. */
static bool
lines(const char *s, uint32_t n)
{
	static const char last[] = "\nsignal 64\n";
	unsigned int k;

	out(5, s, n);
	for (; n > 0; n--, s++) {
		for (k = 0; k < 10; k++)
			seen[k] = seen[k + 1];
		seen[10] = *s;
		if (*s == '\n')
			out(9, "heard\n", 6);
	}
	for (k = 0; k < 11; k++)
		if (seen[k] != last[k])
			return false;
	return true;
}

int
main(void)
{
	uint16_t k, at;
	bool last = false;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	open_port(0);
	open_port(3);
	out(9, "up\n", 3);
	out(5, "ready\n", 6);
	q[0].desc[0] = (struct desc){ (uintptr_t)typed, 1, WRITE, 0 };
	submit(&d, 0, &q[0], 0);
	while (r16(&q[0].used.idx) == 0)
		outb(0x80, 0);
	for (k = 0; k < QUEUE; k++) {
		q[8].desc[k] = (struct desc){ (uintptr_t)room[k], 64, WRITE, 0 };
		submit(&d, 8, &q[8], k);
	}
	for (at = 0; !last; at++) {
		while (r16(&q[8].used.idx) == at)
			outb(0x80, 0);
		k = (uint16_t)q[8].used.ring[at % QUEUE].id;
		last = lines(room[k], q[8].used.ring[at % QUEUE].len);
		submit(&d, 8, &q[8], k);
	}
	out(9, "exit 0\n", 7);
	for (;;)
		;
}
