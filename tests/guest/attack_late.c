/*
 * A guest that resets a disk during a slow read. After the reset the buffer of the
 * read must not change.
 */
#include "disk.h"

static uint8_t data[512];

int
main(void)
{
	unsigned int i;

	device_want(&d, 2, "there is a disk");
	do { /* until the reset comes during the read */
		device_start(&d, 0, &q, 1, QUEUE);
		data[0] = 0xee;
		disk_submit(IN, 0, data, sizeof(data), WRITE);
		for (i = 0; i < 1000; i++)
			outb(0x80, 0);
		if (r16(&q.used.idx) != 0)
			break;
		w8(d.bar + C_STATUS, 0);
	} while (r8(d.bar + C_STATUS) == 0);
	check(r16(&q.used.idx) == 0, "the read is under way");
	w8(d.bar + C_STATUS, ACK);
	w8(d.bar + C_STATUS, 0);
	w16(d.bar + C_QSELECT, 0);
	w16(d.bar + C_QENABLE, 1);
	w16(d.bar + NOTIFY, 0);
	check(r8(d.bar + C_STATUS) == (ACK | DRIVER | FEATURES_OK | DRIVER_OK),
	    "and so is the reset, whatever is written");
	while (r8(d.bar + C_STATUS) != 0)
		;
	check(r16(d.bar + C_QENABLE) == 0, "then it is over");
	check(r16(&q.used.idx) == 0, "nothing is pushed");
	data[0] = status = 0xdd;
	say("wait for the read\n");
	(void)hear();
	check(r8(data) == 0xdd && r8(&status) == 0xdd && r16(&q.used.idx) == 0,
	    "nothing is written any more");
	device_start(&d, 0, &q, 1, QUEUE);
	data[0] = 0xee;
	disk_submit(IN, 0, data, sizeof(data), WRITE);
	check(wait_used(&q, 1) && r8(&status) == 0 && r8(data) == 'V',
	    "after all that a sector is read");
	done();
}
