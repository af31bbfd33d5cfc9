/*
 * A guest that resets a disk during a slow flush in queue 0 and an even slower read in
 * queue 1. The reset must wait for both. After it the buffer of the read must not change.
 */
#include "disk.h"

static struct queue two[2];
static struct disk_request flush, reading;
static uint8_t data[512];

int
main(void)
{
	unsigned int i;

	device_want(&d, 2, "there is a disk");
	check(r16(d.bar + C_NQUEUES) == 2, "with two queues");
	do { /* until the reset comes during the read */
		device_start(&d, 0, two, 2, QUEUE);
		data[0] = 0xee;
		disk_put(0, &two[0], &flush, FLUSH, 0, data, 0, 0);
		disk_put(1, &two[1], &reading, IN, 0, data, sizeof(data), WRITE);
		for (i = 0; i < 1000; i++)
			outb(0x80, 0);
		if (r16(&two[0].used.idx) != 0 || r16(&two[1].used.idx) != 0)
			break;
		w8(d.bar + C_STATUS, 0);
	} while (r8(d.bar + C_STATUS) == 0);
	check(r16(&two[0].used.idx) == 0 && r16(&two[1].used.idx) == 0,
	    "the flush and the read are under way");
	w8(d.bar + C_STATUS, ACK);
	w8(d.bar + C_STATUS, 0);
	w16(d.bar + C_QSELECT, 0);
	w16(d.bar + C_QENABLE, 1);
	w16(d.bar + NOTIFY, 0);
	check(r8(d.bar + C_STATUS) == (ACK | DRIVER | FEATURES_OK | DRIVER_OK),
	    "and so is the reset, whatever is written");
	while (r8(d.bar + C_STATUS) != 0)
		;
	check(r8(&reading.status) != 0xff, "it is over when the read is");
	check(r16(d.bar + C_QENABLE) == 0, "then no queue is enabled");
	check(r16(&two[0].used.idx) == 0 && r16(&two[1].used.idx) == 0, "nothing is pushed");
	data[0] = flush.status = reading.status = 0xdd;
	say("wait for the read\n");
	(void)hear();
	check(r8(data) == 0xdd && r8(&flush.status) == 0xdd &&
	    r8(&reading.status) == 0xdd && r16(&two[1].used.idx) == 0,
	    "nothing is written any more");
	device_start(&d, 0, &q, 1, QUEUE);
	data[0] = 0xee;
	disk_submit(IN, 0, data, sizeof(data), WRITE);
	check(wait_used(&q, 1) && r8(&disk_last.status) == 0 && r8(data) == 'V',
	    "after all that a sector is read");
	done();
}
