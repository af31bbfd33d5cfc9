#include "guest.h"

unsigned int failures;

void
say(const char *s)
{
	for (; *s != '\0'; s++)
		outb(0x3f8, (uint8_t)*s);
}

/* Wait for a byte from COM1. */
uint8_t
hear(void)
{
	while ((inb(0x3f8 + 5) & 1) == 0)
		;
	return inb(0x3f8);
}

void
check(bool ok, const char *what)
{
	failures += !ok;
	say(ok ? "ok " : "not ok ");
	say(what);
	say("\n");
}

void
done(void)
{
	say(failures == 0 ? "all ok\n" : "FAILED\n");
	for (;;)
		outb(0x600, 0x34);
}

void
clear(void *p, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
}

bool
device_find(struct device *d, uint16_t id, unsigned int nth)
{
	unsigned int slot;

	for (slot = 0; slot < 32; slot++) {
		d->config = (volatile uint8_t *)(ECAM + (slot << 15));
		if (r16(d->config) == 0x1af4 &&
		    r16(d->config + 2) == 0x1040 + id && nth-- == 0) {
			d->bar = (volatile uint8_t *)(uintptr_t)
			    (r32(d->config + 0x10) & ~15u);
			return true;
		}
	}
	return false;
}

/* Find the first such device, or fail and end. */
void
device_want(struct device *d, uint16_t id, const char *what)
{
	if (device_find(d, id, 0))
		return;
	check(false, what);
	done();
}

/* Reset a device and bring it to FEATURES_OK. Returns its status. */
uint8_t
device_begin(struct device *d, uint32_t low)
{
	unsigned int n;

	w8(d->bar + C_STATUS, 0);
	for (n = 0; n < PATIENCE && r8(d->bar + C_STATUS) != 0; n++)
		;
	w8(d->bar + C_STATUS, ACK);
	w8(d->bar + C_STATUS, ACK | DRIVER);
	w32(d->bar + C_GFSELECT, 0);
	w32(d->bar + C_GF, low);
	w32(d->bar + C_GFSELECT, 1);
	w32(d->bar + C_GF, 1);
	w8(d->bar + C_STATUS, ACK | DRIVER | FEATURES_OK);
	return r8(d->bar + C_STATUS);
}

static void
set64(volatile uint8_t *p, uint64_t v)
{
	w32(p, (uint32_t)v);
	w32(p + 4, (uint32_t)(v >> 32));
}

void
queue_set(struct device *d, uint16_t i, struct queue *q, uint16_t size)
{
	clear(q, sizeof(*q));
	w16(d->bar + C_QSELECT, i);
	w16(d->bar + C_QSIZE, size);
	set64(d->bar + C_QDESC, (uintptr_t)q->desc);
	set64(d->bar + C_QAVAIL, (uintptr_t)&q->avail);
	set64(d->bar + C_QUSED, (uintptr_t)&q->used);
}

void
queue_enable(struct device *d, uint16_t i)
{
	w16(d->bar + C_QSELECT, i);
	w16(d->bar + C_QENABLE, 1);
}

void
device_go(struct device *d)
{
	w8(d->bar + C_STATUS, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

/* Reset a device, give it n queues of that size, and set DRIVER_OK. */
void
device_start(struct device *d, uint32_t features, struct queue *q, uint16_t n,
    uint16_t size)
{
	uint16_t i;

	device_begin(d, features);
	for (i = 0; i < n; i++) {
		queue_set(d, i, &q[i], size);
		queue_enable(d, i);
	}
	device_go(d);
}

void
submit(struct device *d, uint16_t i, struct queue *q, uint16_t head)
{
	q->avail.ring[q->avail.idx % QUEUE] = head;
	__asm__ volatile("" : : : "memory");
	w16(&q->avail.idx, (uint16_t)(q->avail.idx + 1));
	w16(d->bar + NOTIFY + 4 * i, i);
}

/* Each read of an unclaimed port lets the other threads run. */
bool
wait_used(struct queue *q, uint16_t idx)
{
	unsigned int n;

	for (n = 0; n < PATIENCE; n++) {
		if (r16(&q->used.idx) == idx)
			return true;
		outb(0x80, 0);
	}
	return false;
}

bool
wait_broken(struct device *d)
{
	unsigned int n;

	for (n = 0; n < PATIENCE; n++)
		if ((r8(d->bar + C_STATUS) & NEEDS_RESET) != 0)
			return true;
	return false;
}
