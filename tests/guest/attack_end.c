/*
 * A guest that reports its end, puts output in a queue and powers off. With a disk
 * it writes much output first, and never powers off.
 */
#include "guest.h"

static struct device d, disk;
static struct queue q[10];
static char big[32768];

static void
put(uint16_t i, const void *p, uint32_t n)
{
	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	q[i].avail.ring[q[i].avail.idx % QUEUE] = 0;
	__asm__ volatile("" : : : "memory");
	w16(&q[i].avail.idx, (uint16_t)(q[i].avail.idx + 1));
}

int
main(void)
{
	uint16_t i;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	for (i = 0; i < sizeof(big); i++)
		big[i] = 'x';
	if (device_find(&disk, 2, 0)) {
		for (i = 0; i < 8; i++)
			put(5, big, sizeof(big));
		w16(d.bar + NOTIFY + 4 * 5, 5);
	}
	put(9, "up\nexit 0\n", 10);
	w16(d.bar + NOTIFY + 4 * 9, 9);
	(void)wait_used(&q[9], 1);
	if (disk.bar == NULL) {
		put(5, "untold\n", 7);
		done();
	}
	for (;;)
		;
}
