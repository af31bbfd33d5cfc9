/*
 * A guest that resets a disk during a slow read. After the reset the buffer of the
 * read must not change.
 */
#include "guest.h"

static struct device d;
static struct queue q;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static uint8_t data[512];
static uint8_t status;

static void
ask(void)
{
	status = 0xff;
	data[0] = 0xee;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
	q.desc[1] = (struct desc){ (uintptr_t)data, sizeof(data),
		NEXT | WRITE, 2 };
	q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	submit(&d, 0, &q, 0);
}

int
main(void)
{
	unsigned int i;

	device_want(&d, 2, "there is a disk");
	do { /* until the reset comes during the read */
		device_start(&d, 0, &q, 1, QUEUE);
		ask();
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
	ask();
	check(wait_used(&q, 1) && r8(&status) == 0 && r8(data) == 'V',
	    "after all that a sector is read");
	done();
}
