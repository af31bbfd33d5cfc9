/*
 * A guest of 64 MiB that breaks the rules of its balloon. Before that it fills half of
 * its memory, twice, and gives it back; the test then looks at volt-kvm's memory.
 */
#include "guest.h"

enum { INFLATE, DEFLATE, OTHER, FURTHER, REPORT, QUEUES };

#define PAGE 4096u
#define AREA 0x1000000ul	/* 16 MiB */
#define AREA_SIZE 0x2000000ul
#define MEMORY 0x4000000ul
#define OOM_AND_REPORTS (1u << 2 | 1u << 5)

static struct device d;
static struct queue q[QUEUES];
static uint32_t page[8192];

static void
up(void)
{
	device_start(&d, OOM_AND_REPORTS, q, QUEUES, QUEUE);
}

static void
send(uint16_t i, uint64_t addr, uint32_t len, uint16_t flags)
{
	q[i].desc[0] = (struct desc){ addr, len, flags, 0 };
	submit(&d, i, &q[i], 0);
}

static bool
serves(uint16_t i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint16_t idx = q[i].used.idx;

	send(i, addr, len, flags);
	return wait_used(&q[i], (uint16_t)(idx + 1));
}

static bool
inflates(uint16_t i, uint32_t n)
{
	return serves(i, (uintptr_t)page, n * 4, 0);
}

static void
fill(uint64_t at, uint64_t len)
{
	len /= 8;
	__asm__ volatile("rep stosq" : "+D"(at), "+c"(len) : "a"(~0ul) : "memory");
}

/* Do these bytes have that value? */
static bool
all(uint64_t at, uint64_t len, uint64_t value)
{
	uint64_t end = at + len;

	for (; at < end; at += 8)
		if (r64((volatile void *)at) != value)
			return false;
	return true;
}

static void
returns(void)
{
	uint32_t i;

	fill(AREA, AREA_SIZE);
	say("full\n");
	(void)hear();
	check(serves(REPORT, AREA, AREA_SIZE, WRITE), "free memory is reported");
	say("empty\n");
	(void)hear();
	check(all(AREA, PAGE, 0) && all(AREA + AREA_SIZE - PAGE, PAGE, 0),
	    "it reads as zeroes");

	fill(AREA, AREA_SIZE);
	say("full\n");
	(void)hear();
	for (i = 0; i < AREA_SIZE / PAGE; i++) /* from the last to the first */
		page[i] = (uint32_t)((AREA + AREA_SIZE) / PAGE - 1 - i);
	for (i = 0; i < 8; i++)
		(void)serves(INFLATE, (uintptr_t)&page[i * 1024], 4096, 0);
	say("empty\n");
	(void)hear();
	check(all(AREA, PAGE, 0) && all(AREA + AREA_SIZE - PAGE, PAGE, 0),
	    "so does what is in the balloon");
}

static void
edges(void)
{
	fill(AREA, 4 * PAGE);
	check(serves(REPORT, AREA + 8, 2 * PAGE - 16, WRITE), "a part of a page");
	check(all(AREA, 4 * PAGE, ~0ul), "is not freed");
	check(serves(REPORT, AREA + 8, 3 * PAGE - 8, WRITE), "with whole pages");
	check(all(AREA, PAGE, ~0ul) && all(AREA + PAGE, 2 * PAGE, 0) &&
	    all(AREA + 3 * PAGE, PAGE, ~0ul), "these are");
	fill(AREA, PAGE);
	check(serves(REPORT, AREA, PAGE, 0) && all(AREA, PAGE, ~0ul),
	    "a buffer that is only read is not freed");
	check(serves(REPORT, AREA, 0, WRITE) && all(AREA, PAGE, ~0ul),
	    "nor is one of no size");
	check(serves(OTHER, AREA, PAGE, WRITE) && all(AREA, PAGE, 0),
	    "Linux's queue for reports is another");
	page[0] = page[1] = page[2] = AREA / PAGE;
	fill(AREA, 2 * PAGE);
	check(inflates(INFLATE, 3) && all(AREA, PAGE, 0) &&
	    all(AREA + PAGE, PAGE, ~0ul), "a page three times");
	check(inflates(INFLATE, 3), "and again");
	check(inflates(INFLATE, 0), "no page");
	fill(AREA, PAGE);
	check(inflates(DEFLATE, 3) && all(AREA, PAGE, ~0ul),
	    "a page that comes back");
	page[0] = 0xffffffff;
	check(inflates(DEFLATE, 3), "a page that is none does not come back");
}

static void
breaks(uint32_t n, const char *what)
{
	up();
	send(INFLATE, (uintptr_t)page, n, 0);
	check(wait_broken(&d), what);
}

static void
lies(void)
{
	page[0] = MEMORY / PAGE;
	breaks(4, "a page beyond the memory");
	page[0] = 0xffffffff;
	breaks(4, "the last page of all");
	page[0] = 0xc0000;
	breaks(4, "a page of the devices");
	page[0] = MEMORY / PAGE - 1;
	page[1] = MEMORY / PAGE;
	breaks(8, "a row of pages that leaves the memory");
	page[0] = 0xfffffffe;
	page[1] = 0xffffffff;
	page[2] = 0;
	breaks(12, "a row that begins anew");
	breaks(3, "a part of a number");
	breaks(4097 * 4, "more pages than are taken at once");
	up();
	send(INFLATE, ~0ull, 4, 0);
	check(wait_broken(&d), "numbers from nowhere");
	up();
	send(REPORT, MEMORY - PAGE, 2 * PAGE, WRITE);
	check(wait_broken(&d), "a report of what is no memory");
	up();
	send(REPORT, 0xfee00000, PAGE, WRITE);
	check(wait_broken(&d), "a report of the local APIC");
}

static void
configuration(void)
{
	up();
	w32(d.bar + DEVICE_CONFIG, 12345);
	check(r32(d.bar + DEVICE_CONFIG) == 0x800, "its size is not ours to set");
	w32(d.bar + DEVICE_CONFIG + 4, 77);
	check(r32(d.bar + DEVICE_CONFIG + 4) == 77, "what is in it is");
	w8(d.bar + DEVICE_CONFIG + 4, 1);
	w64(d.bar + DEVICE_CONFIG + 4, ~0ul);
	w32(d.bar + DEVICE_CONFIG + 6, 1);
	w32(d.bar + DEVICE_CONFIG + 0x1000 - 4, 1);
	check(r32(d.bar + DEVICE_CONFIG + 4) == 77, "by its width alone");
	check(r32(d.bar + DEVICE_CONFIG + 8) == 0xffffffff, "and no more follows");
	w8(d.bar + C_STATUS, 0);
	check(r32(d.bar + DEVICE_CONFIG + 4) == 0, "a reset empties it");
}

/* The rings of the queue themselves are given back. */
static void
rings(void)
{
	struct queue *far = (struct queue *)AREA;

	up();
	device_begin(&d, OOM_AND_REPORTS);
	queue_set(&d, INFLATE, far, QUEUE);
	queue_enable(&d, INFLATE);
	device_go(&d);
	page[0] = AREA / PAGE;
	page[1] = AREA / PAGE + 1;
	far->desc[0] = (struct desc){ (uintptr_t)page, 8, 0, 0 };
	submit(&d, INFLATE, far, 0);
	(void)wait_used(far, 1);
	check((r8(d.bar + C_STATUS) & ACK) != 0, "its own rings");
	up();
	page[0] = AREA / PAGE;
	check(inflates(INFLATE, 1), "after all that it works");
}

int
main(void)
{
	device_want(&d, 5, "there is a balloon");
	up();
	check(r32(d.bar + DEVICE_CONFIG) == 0x800, "it shall have 8 MiB");
	check(r32(d.bar + DEVICE_CONFIG + 4) == 0, "and is empty");
	returns();
	edges();
	lies();
	configuration();
	rings();
	done();
}
