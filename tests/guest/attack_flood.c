/* A guest that floods its ports, and never reports that it is up. */
#include "guest.h"

#define END (512ul << 20)	/* memory=512M */

static struct device d;
static struct queue q[10], disk_queue;

/* Queue a request of all of memory, 254 times. */
static void
read_disk(void)
{
	static struct device disk;
	static uint64_t header[2], status;
	unsigned int i;

	if (!device_find(&disk, 2, 0))
		return;
	device_start(&disk, 0, &disk_queue, 1, 256);
	disk_queue.desc[0] = (struct desc){ (uintptr_t)header, 16, NEXT, 1 };
	for (i = 1; i < 255; i++)
		disk_queue.desc[i] = (struct desc){ 0x800000,
			(uint32_t)(END - 0x800000), WRITE | NEXT, (uint16_t)(i + 1) };
	disk_queue.desc[255] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	for (i = 0; i < QUEUE; i++)
		submit(&disk, 0, &disk_queue, 0);
}

static void
all_of_memory(uint16_t n)
{
	unsigned int i, k;

	for (i = 0; i < 256; i++)
		q[n].desc[i] = (struct desc){ 0x400000, (uint32_t)(END - 0x400000),
			i < 255 ? NEXT : 0, (uint16_t)(i + 1) };
	for (k = 0; k < QUEUE; k++)
		submit(&d, n, &q[n], 0);
}

int
main(void)
{
	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, 256);
	read_disk();
	all_of_memory(9); /* to the control port */
	all_of_memory(5); /* to stdout */
	for (;;)
		;
}
