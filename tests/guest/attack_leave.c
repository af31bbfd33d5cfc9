/*
 * A guest that writes more output than a pipe holds. Once some of it has been read
 * the guest reports its end and powers off.
 */
#include "guest.h"

static struct device d;
static struct queue q[10];
static char big[32768];

int
main(void)
{
	uint16_t i;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	for (i = 0; i < 4; i++)
		q[5].desc[i] = (struct desc){ (uintptr_t)big, sizeof(big),
			i < 2 ? NEXT : 0, (uint16_t)(i + 1) };
	submit(&d, 5, &q[5], 0);
	submit(&d, 5, &q[5], 3);
	while (r16(&q[5].used.idx) == 0)
		outb(0x80, 0);
	q[9].desc[0] = (struct desc){ (uintptr_t)"up\nexit 0\n", 10, 0, 0 };
	submit(&d, 9, &q[9], 0);
	for (;;)
		outb(0x600, 0x34);
}
