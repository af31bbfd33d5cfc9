/* A guest that copies its input to its output. */
#include "guest.h"

#define PIECE 32768

static struct device d;
static struct queue q[10];
static struct {
	uint32_t id;
	uint16_t event, value;
} message, heard[QUEUE];
static char room[QUEUE][PIECE];

static void
out(uint16_t i, const void *p, uint32_t n)
{
	uint16_t idx = q[i].used.idx;

	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	submit(&d, i, &q[i], 0);
	while (r16(&q[i].used.idx) == idx)
		outb(0x80, 0);
}

/* Has volt-kvm closed the port of the input? */
static bool
ended(void)
{
	uint16_t i, n = r16(&q[2].used.idx);

	for (i = 0; i < n; i++)
		if (heard[i].id == 0 && heard[i].event == 6 &&
		    heard[i].value == 0)
			return true;
	return false;
}

int
main(void)
{
	uint16_t k, at = 0;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	for (k = 0; k < QUEUE; k++) {
		heard[k].value = 1;
		q[2].desc[k] = (struct desc){ (uintptr_t)&heard[k],
			sizeof(heard[k]), WRITE, 0 };
		submit(&d, 2, &q[2], k);
		q[0].desc[k] = (struct desc){ (uintptr_t)room[k], PIECE, WRITE,
			0 };
		submit(&d, 0, &q[0], k);
	}
	message.event = 6; /* VIRTIO_CONSOLE_PORT_OPEN */
	message.value = 1;
	out(3, &message, sizeof(message));
	out(9, "up\n", 3);
	for (;;) {
		if (r16(&q[0].used.idx) != at) {
			k = (uint16_t)q[0].used.ring[at % QUEUE].id;
			out(5, room[k], q[0].used.ring[at % QUEUE].len);
			submit(&d, 0, &q[0], k);
			at++;
		} else if (ended() && r16(&q[0].used.idx) == at) {
			break;
		} else {
			outb(0x80, 0);
		}
	}
	out(9, "exit 0\n", 7);
	for (;;)
		;
}
