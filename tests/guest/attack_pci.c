/*
 * A guest that uses PCI's configuration space: it reaches a BAR through the window,
 * moves and disables a BAR, and disables bus mastering. It knows by the rng device
 * whether it reached it.
 */
#include "guest.h"

enum { COMMAND = 4, MEMORY = 2, MASTER = 4, BAR = 0x10, CAPABILITIES = 0x34 };

#define ELSEWHERE 0xd0000000u

static struct device rng, disk;
static struct queue q[2];
static uint8_t bytes[64], sector[512], status;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;

/* Queue a buffer for random bytes, without a notification. */
static uint16_t
want_bytes(void)
{
	q[0].desc[0] = (struct desc){ (uintptr_t)bytes, sizeof(bytes), WRITE,
		0 };
	q[0].avail.ring[q[0].avail.idx % QUEUE] = 0;
	__asm__ volatile("" : : : "memory");
	w16(&q[0].avail.idx, (uint16_t)(q[0].avail.idx + 1));
	return q[0].avail.idx;
}

static void
notify_at(uint32_t bar)
{
	w16((volatile uint8_t *)(uintptr_t)bar + NOTIFY, 0);
}

static volatile uint8_t *
window(void)
{
	uint8_t at = r8(rng.config + CAPABILITIES);

	while (at != 0 && !(r8(rng.config + at) == 9 &&
	    r8(rng.config + at + 3) == 5))
		at = r8(rng.config + at + 1);
	return rng.config + at;
}

static void
through_the_window(void)
{
	volatile uint8_t *w = window();
	uint16_t idx;
	unsigned int n;

	/* Until no earlier event is left that it could be served by. */
	for (n = 0; n < 4; n++) {
		idx = want_bytes();
		notify_at((uint32_t)(uintptr_t)rng.bar);
		check(wait_used(&q[0], idx), "it hears notifications");
	}
	w8(w + 4, 0);
	w32(w + 8, C_STATUS);
	w32(w + 12, 1);
	check(r8(w + 16) == (ACK | DRIVER | FEATURES_OK | DRIVER_OK),
	    "the status is read through the window");
	idx = want_bytes();
	w32(w + 8, NOTIFY + 4); /* there is no queue 1 */
	w32(w + 12, 2);
	w16(w + 16, 1);
	w32(w + 8, NOTIFY);
	w32(w + 12, 4); /* a notification has 2 bytes */
	w32(w + 16, 0);
	w32(w + 12, 2);
	w16(w + 16, 0);
	check(wait_used(&q[0], idx), "so is a notification written");
}

static void
turn(struct device *d, uint16_t bit, bool on)
{
	uint16_t c = r16(d->config + COMMAND);

	w16(d->config + COMMAND, (uint16_t)(on ? c | bit : c & ~bit));
}

static void
moved(void)
{
	uint32_t old = r32(rng.config + BAR) & ~15u, bar;
	uint16_t idx;

	turn(&rng, MEMORY, false);
	check(r8(rng.bar + C_STATUS) == 0xff, "off, it is not decoded");
	w32(rng.config + BAR, 0xffffffff);
	check(r32(rng.config + BAR) == 0xffff8000, "its size is 32 KiB");
	w32(rng.config + BAR, old);
	turn(&rng, MEMORY, true);
	check(r8(rng.bar + C_STATUS) == 15, "on again, it is as it was");
	idx = want_bytes();
	notify_at(old);
	check(wait_used(&q[0], idx), "and hears notifications");

	turn(&rng, MEMORY, false);
	w32(rng.config + BAR, ELSEWHERE);
	turn(&rng, MEMORY, true);
	check(r8(rng.bar + C_STATUS) == 0xff, "moved, it is not where it was");
	rng.bar = (volatile uint8_t *)(uintptr_t)ELSEWHERE;
	check(r8(rng.bar + C_STATUS) == 15, "but elsewhere");
	idx = want_bytes();
	notify_at(ELSEWHERE);
	check(wait_used(&q[0], idx), "and hears notifications there");

	/* Move another BAR to its old address, without disabling it. */
	w32(disk.config + BAR, old);
	disk.bar = (volatile uint8_t *)(uintptr_t)old;
	device_start(&disk, 0, &q[1], 1, QUEUE);
	q[1].desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
	q[1].desc[1] = (struct desc){ (uintptr_t)sector, 512, WRITE | NEXT, 2 };
	q[1].desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	status = 0xff;
	submit(&disk, 0, &q[1], 0);
	check(wait_used(&q[1], 1) && status == 0 && sector[0] == 'V',
	    "another one is in its old place");

	/* Move it beside the other, disable it, and move it back. */
	turn(&rng, MEMORY, false);
	w32(rng.config + BAR, old);
	turn(&disk, MEMORY, false);
	turn(&rng, MEMORY, true);
	rng.bar = (volatile uint8_t *)(uintptr_t)old;
	idx = want_bytes();
	notify_at(old);
	check(wait_used(&q[0], idx), "it is back in its place");

	/* Move it everywhere. KVM waits for all readers of its tables each time. */
	for (bar = 0; bar != 0xff000000; bar += 0x1000000)
		w32(rng.config + BAR, bar);
	for (bar = 0xfec00000; bar != 0xff000000; bar += 0x200000)
		w32(rng.config + BAR, bar);
	w32(rng.config + BAR, old);
	check(r8(rng.bar + C_STATUS) == 15, "it was everywhere, and is back");
}

static void
mastered(void)
{
	uint16_t idx;

	turn(&rng, MASTER, false);
	check((r8(rng.bar + C_STATUS) & NEEDS_RESET) != 0,
	    "it needs a reset when it may not access memory");
	device_start(&rng, 0, &q[0], 1, QUEUE);
	check((r8(rng.bar + C_STATUS) & NEEDS_RESET) != 0,
	    "and does not start before it may");
	turn(&rng, MASTER, true);
	device_start(&rng, 0, &q[0], 1, QUEUE);
	idx = want_bytes();
	notify_at((uint32_t)(uintptr_t)rng.bar);
	check(wait_used(&q[0], idx), "then it works again");
}

int
main(void)
{
	device_want(&rng, 4, "there are random numbers");
	device_want(&disk, 2, "there is a disk");
	device_start(&rng, 0, &q[0], 1, QUEUE);
	through_the_window();
	moved();
	mastered();
	done();
}
