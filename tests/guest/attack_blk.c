/* A guest that breaks each rule of a disk, and then needs the disk to work. */
#include "guest.h"

#define END (64ul << 20)	/* memory=64M */

static struct queue q;
static struct device d;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static uint8_t data[4096] __attribute__((aligned(4096)));
static uint8_t status;

static void
up(void)
{
	device_start(&d, 0, &q, 1, QUEUE);
}

/* A request of three parts, in descriptors 0 to 2. */
static void
request(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	header.type = type;
	header.sector = sector;
	status = 0xff;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
	q.desc[1] = (struct desc){ (uintptr_t)data, len, NEXT | flags, 2 };
	q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
}

static uint8_t
ask(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	uint16_t idx = q.used.idx;

	request(type, sector, len, flags);
	submit(&d, 0, &q, 0);
	if (!wait_used(&q, (uint16_t)(idx + 1)))
		return 0xee;
	return r8(&status);
}

static void
works(const char *what)
{
	data[0] = 0;
	check(ask(0, 0, 512, WRITE) == 0 && r8(data) == 'V', what);
}

static void
normal(void)
{
	up();
	works("a sector is read");
	data[0] = 'W';
	check(ask(1, 1, 512, 0) == 0, "a sector is written");
	data[0] = 0;
	check(ask(0, 1, 512, WRITE) == 0 && r8(data) == 'W', "and read again");
	check(ask(4, 0, 0, 0) == 0, "flush");
	check(ask(8, 0, 20, WRITE) == 0, "the disk's name");
	check(ask(99, 0, 0, 0) == 2, "an unknown request: unsupported");
	check(ask(0, 8, 512, WRITE) == 1, "a sector beyond the end");
	check(ask(0, 7, 1024, WRITE) == 1, "across the end");
	check(ask(0, ~0ull, 512, WRITE) == 1, "sector 2^64 - 1");
	check(ask(0, 1ull << 55, 512, WRITE) == 1, "sector 2^55: wraps in bytes");
	check(ask(0, 0, 511, WRITE) == 1, "not a whole sector");
	check(ask(1, ~0ull, 512, 0) == 1, "a write to sector 2^64 - 1");
	check(ask(11, 0, 8, 0) == 2, "a discard without a range");
}

static void
breaks(const char *what)
{
	submit(&d, 0, &q, 0);
	check(wait_broken(&d), what);
	up();
}

static void
chains(void)
{
	unsigned int i;

	request(0, 0, 512, WRITE);
	q.desc[1].next = 0;
	breaks("a chain that loops");

	request(0, 0, 512, WRITE);
	q.desc[0].next = 0;
	breaks("a descriptor that is its own next");

	request(0, 0, 512, WRITE);
	q.desc[0].next = QUEUE;
	breaks("a next beyond the queue");

	request(0, 0, 512, WRITE);
	q.desc[1].flags |= INDIRECT;
	breaks("an indirect descriptor that was not agreed on");

	request(0, 0, 512, WRITE);
	q.desc[0].flags |= WRITE;
	q.desc[1].flags = NEXT;
	breaks("out after in");

	request(0, 0, 512, WRITE);
	q.desc[0].flags = 0;
	breaks("no place for the status");

	request(0, 0, 512, WRITE);
	q.desc[0].len = 8;
	breaks("half a header");

	request(0, 0, 512, WRITE);
	q.desc[0].flags = WRITE;
	breaks("no header");

	submit(&d, 0, &q, QUEUE);
	check(wait_broken(&d), "a head beyond the queue");
	up();

	request(0, 0, 512, WRITE);
	q.avail.idx = QUEUE + 1;
	breaks("an index that jumps");

	for (i = 0; i < QUEUE; i++)
		q.desc[i] = (struct desc){ (uintptr_t)data, 16, NEXT,
			(uint16_t)((i + 1) % QUEUE) };
	breaks("a loop through all");
	works("after all that a sector is read");
}

static struct desc table[257], inner[2];

/* The request of descriptors 0 to 2, in an indirect table. */
static void
indirect_request(void)
{
	unsigned int i;

	request(0, 0, 512, WRITE);
	for (i = 0; i < 3; i++)
		table[i] = q.desc[i];
	q.desc[0] = (struct desc){ (uintptr_t)table, 48, INDIRECT, 0 };
}

static void
indirect_works(const char *what)
{
	uint16_t idx = q.used.idx;

	data[0] = 0;
	submit(&d, 0, &q, 0);
	check(wait_used(&q, (uint16_t)(idx + 1)) && r8(&status) == 0 &&
	    r8(data) == 'V', what);
}

static void
indirect_breaks(const char *what)
{
	submit(&d, 0, &q, 0);
	check(wait_broken(&d), what);
	device_start(&d, F_INDIRECT, &q, 1, QUEUE);
}

/* A descriptor chain of n buffers in the table: the last but one has the data. */
static void
long_table(unsigned int n)
{
	unsigned int i;

	indirect_request();
	table[n - 1] = table[2];
	table[n - 2] = table[1];
	for (i = 0; i < n - 1; i++) {
		if (i > 0 && i < n - 2)
			table[i] = (struct desc){ (uintptr_t)data, 0, NEXT | WRITE, 0 };
		table[i].next = (uint16_t)(i + 1);
	}
	q.desc[0].len = 16 * n;
}

static void
indirect_tables(void)
{
	static uint8_t crooked[64];
	static const struct {
		uint64_t addr;
		uint32_t len;
		const char *what;
	} bad[] = {
		{ (uintptr_t)table, 0, "a table of nothing" },
		{ (uintptr_t)table, 15, "a table of 15 bytes" },
		{ (uintptr_t)table, 47, "a table of not quite three" },
		{ (uintptr_t)table, 0xfffffff0, "a table of 4 GiB" },
		{ END, 48, "a table beyond the memory" },
		{ END - 32, 48, "a table across the end" },
		{ ~0ull - 15, 48, "a table at 2^64" },
		{ 0xc0000000, 48, "a table of a device's registers" },
	};
	unsigned int i;

	device_start(&d, F_INDIRECT, &q, 1, QUEUE);
	indirect_request();
	indirect_works("a table");
	indirect_request();
	q.desc[0].flags |= WRITE;
	indirect_works("a table that is to be written");
	indirect_request();
	for (i = 0; i < 48; i++)
		crooked[i + 1] = ((uint8_t *)table)[i];
	q.desc[0].addr = (uintptr_t)crooked + 1;
	indirect_works("a table at an odd address");
	request(0, 0, 512, WRITE);
	table[0] = q.desc[1];
	table[0].next = 1;
	table[1] = q.desc[2];
	q.desc[1] = (struct desc){ (uintptr_t)table, 32, INDIRECT, 0 };
	indirect_works("a table behind a buffer");
	long_table(256);
	indirect_works("a table longer than the queue");
	indirect_request();
	for (i = 1; i < QUEUE; i++)
		q.desc[i] = q.desc[0];
	for (i = 0; i < QUEUE; i++)
		q.avail.ring[(q.avail.idx + i) % QUEUE] = (uint16_t)i;
	w16(&q.avail.idx, (uint16_t)(q.avail.idx + QUEUE - 1));
	submit(&d, 0, &q, QUEUE - 1);
	check(wait_used(&q, (uint16_t)(5 + QUEUE)), "as many requests as descriptors");

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		indirect_request();
		q.desc[0].addr = bad[i].addr;
		q.desc[0].len = bad[i].len;
		indirect_breaks(bad[i].what);
	}
	long_table(257);
	indirect_breaks("a table of 257");
	long_table(256);
	q.desc[1] = q.desc[0];
	q.desc[0] = (struct desc){ (uintptr_t)&header, 0, NEXT, 1 };
	indirect_breaks("a table of 256 behind a buffer");
	indirect_request();
	inner[0] = table[1];
	inner[0].next = 1;
	inner[1] = table[2];
	table[1] = (struct desc){ (uintptr_t)inner, 32, INDIRECT, 0 };
	indirect_breaks("a table in a table");
	indirect_request();
	q.desc[0].flags |= NEXT;
	indirect_breaks("a table that goes on");
	indirect_request();
	table[1].next = 1;
	indirect_breaks("a loop in a table");
	indirect_request();
	table[1].next = 3;
	indirect_breaks("a next beyond the table");
	indirect_request();
	table[0].flags |= WRITE;
	table[1].flags = NEXT;
	indirect_breaks("out after in, in a table");
	up();
	works("after all that a sector is read");
}

/* Interrupts and notifications by index. A masked vector has its pending bit set. */
static void
events(void)
{
	volatile uint8_t *c = d.config;
	unsigned int cap, i;

	for (cap = r8(c + 0x34); cap != 0 && r8(c + cap) != 17;)
		cap = r8(c + cap + 1);
	w16(c + cap + 2, 0x8000);
	device_start(&d, F_EVENT_IDX, &q, 1, QUEUE);
	w16(d.bar + C_QSELECT, 0);
	w16(d.bar + C_QVECTOR, 1);
	q.avail.used_event = 5;
	for (i = 0; i < 5; i++)
		works("a sector is read");
	check(r32(d.bar + PENDING) == 0, "five without an interrupt");
	works("a sixth");
	check(r32(d.bar + PENDING) == 2, "with one");
	for (i = 0; i < PATIENCE && r16(&q.used.avail_event) != 6; i++)
		outb(0x80, 0);
	check(r16(&q.used.avail_event) == 6, "the device asks for the next");
	w8(d.bar + C_STATUS, 0);
	check(r32(d.bar + PENDING) == 0, "none after a reset");

	device_start(&d, F_EVENT_IDX, &q, 1, QUEUE);
	w16(d.bar + C_QVECTOR, 1);
	q.avail.used_event = 0xffff;
	for (i = 0; i < 40; i++)
		if (ask(0, 0, 512, WRITE) != 0)
			break;
	check(i == 40 && r32(d.bar + PENDING) == 0, "an index that is far away");
	w16(c + cap + 2, 0);
	up();
	works("after all that a sector is read");
}

static void
addresses(void)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		const char *what;
	} bad[] = {
		{ END, 512, "just beyond the memory" },
		{ END - 511, 512, "one byte across the end" },
		{ END - 1, 0xffffffff, "the last byte and 4 GiB" },
		{ 0, 0xffffffff, "all of 4 GiB" },
		{ ~0ull, 512, "address 2^64 - 1" },
		{ ~0ull - 511, 512, "the end of all addresses" },
		{ 0xc0000000, 512, "a device's registers" },
		{ 0xfee00000, 512, "the local APIC" },
		{ 1ull << 32, 512, "4 GiB, where there is none" },
		{ 1ull << 63, 512, "a sign bit" },
		{ 0x100000000ull - 256, 512, "across 4 GiB" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		request(0, 0, 512, WRITE);
		q.desc[1].addr = bad[i].addr;
		q.desc[1].len = bad[i].len;
		breaks(bad[i].what);
	}
	works("after all that a sector is read");
}

/* 256 descriptors that each cover nearly all memory: sums must not wrap. */
static void
sums(void)
{
	unsigned int i;

	device_start(&d, 0, &q, 1, 256);
	header.type = 0;
	header.sector = 0;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
	for (i = 1; i < 256; i++)
		q.desc[i] = (struct desc){ 0x400000, (uint32_t)(END - 0x400000),
			(uint16_t)(WRITE | (i < 255 ? NEXT : 0)),
			(uint16_t)(i + 1) };
	submit(&d, 0, &q, 0);
	check(wait_used(&q, 1), "255 times the memory");
	up();
	works("after all that a sector is read");
}

static void
setup(void)
{
	static const struct {
		uint16_t size;
		uint64_t desc, avail, used;
		const char *what;
	} bad[] = {
		{ 0, 0x300000, 0x310000, 0x320000, "a queue of no size" },
		{ 3, 0x300000, 0x310000, 0x320000, "a queue of three" },
		{ 512, 0x300000, 0x310000, 0x320000, "a queue that is too large" },
		{ 32768, 0x300000, 0x310000, 0x320000, "a queue of 32768" },
		{ 16, 0x300001, 0x310000, 0x320000, "descriptors not aligned" },
		{ 16, 0x300000, 0x310001, 0x320000, "available ring not aligned" },
		{ 16, 0x300000, 0x310000, 0x320002, "used ring not aligned" },
		{ 16, END - 16, 0x310000, 0x320000, "descriptors across the end" },
		{ 16, 0x300000, END - 4, 0x320000, "available ring across the end" },
		{ 16, 0x300000, 0x310000, END - 4, "used ring across the end" },
		{ 16, ~15ull, 0x310000, 0x320000, "descriptors at 2^64" },
		{ 16, 0x300000, 0x310000, 0xc0008000, "used ring in a device" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		device_begin(&d, 0);
		w16(d.bar + C_QSELECT, 0);
		w16(d.bar + C_QSIZE, bad[i].size);
		w32(d.bar + C_QDESC, (uint32_t)bad[i].desc);
		w32(d.bar + C_QDESC + 4, (uint32_t)(bad[i].desc >> 32));
		w32(d.bar + C_QAVAIL, (uint32_t)bad[i].avail);
		w32(d.bar + C_QAVAIL + 4, (uint32_t)(bad[i].avail >> 32));
		w32(d.bar + C_QUSED, (uint32_t)bad[i].used);
		w32(d.bar + C_QUSED + 4, (uint32_t)(bad[i].used >> 32));
		w16(d.bar + C_QENABLE, 1);
		check((r8(d.bar + C_STATUS) & NEEDS_RESET) != 0 &&
		    r16(d.bar + C_QENABLE) == 0, bad[i].what);
	}
	up();
	works("after all that a sector is read");
}

static void
frozen(void)
{
	up();
	w16(d.bar + C_QSELECT, 0);
	w16(d.bar + C_QSIZE, 256);
	w32(d.bar + C_QDESC, 0x7fff0000);
	w32(d.bar + C_QAVAIL + 4, 7);
	w32(d.bar + C_QUSED, 0);
	w16(d.bar + C_QENABLE, 1);
	check(r16(d.bar + C_QSIZE) == QUEUE && r32(d.bar + C_QDESC) ==
	    (uint32_t)(uintptr_t)q.desc, "a live queue stays where it is");
	works("and works");
	w32(d.bar + C_GFSELECT, 0);
	w32(d.bar + C_GF, ~0u);
	check(r32(d.bar + C_GF) == 0, "features stay as agreed");
	w16(d.bar + C_QSELECT, 0xffff);
	w16(d.bar + C_QSIZE, 256);
	w16(d.bar + C_QENABLE, 1);
	w16(d.bar + C_QVECTOR, 0);
	check(r16(d.bar + C_QSIZE) == 0, "queue 65535 does not exist");
	w16(d.bar + C_QSELECT, 0);
	w16(d.bar + C_QVECTOR, 7);
	check(r16(d.bar + C_QVECTOR) == 0xffff, "nor does vector 7");
	w16(d.bar + C_VECTOR, 0xfffe);
	check(r16(d.bar + C_VECTOR) == 0xffff, "nor vector 65534");

	w8(d.bar + C_STATUS, 0);
	w8(d.bar + C_STATUS, ACK | DRIVER | FEATURES_OK);
	check((r8(d.bar + C_STATUS) & FEATURES_OK) == 0, "no version 1, no features");
	w8(d.bar + C_STATUS, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	check((r8(d.bar + C_STATUS) & DRIVER_OK) == 0, "and no start");
	check((device_begin(&d, ~0u) & FEATURES_OK) == 0,
	    "features that were not offered");
}

/* An access of the wrong width: a read is all ones, a write does nothing. */
static void
widths(void)
{
	unsigned int off;

	up();
	check(r8(d.bar + C_QSIZE) == 0xff && r32(d.bar + C_QSIZE) == ~0u &&
	    r64(d.bar) == ~0ul && r64(d.bar + C_QDESC) == ~0ul &&
	    r16(d.bar + C_STATUS) == 0xffff, "other widths read as ones");
	w64(d.bar + C_QDESC, 0);
	w32(d.bar + C_STATUS, 0);
	w16(d.bar + C_STATUS, 0);
	check(r8(d.bar + C_STATUS) == (ACK | DRIVER | FEATURES_OK | DRIVER_OK),
	    "and write nothing");
	for (off = 0; off < 0x8000; off += 509) {
		(void)r8(d.bar + off);
		(void)r16(d.bar + off);
		(void)r32(d.bar + off);
		(void)r64(d.bar + off);
	}
	(void)r32(d.bar + 0x7ffd); /* across the end of the BAR */
	check(r32(d.bar + DEVICE_CONFIG) == 8, "the capacity");
	check(r32(d.bar + DEVICE_CONFIG + 64) == ~0u &&
	    r64(d.bar + DEVICE_CONFIG + 64) == ~0ul &&
	    r32(d.bar + DEVICE_CONFIG + 0xffc) == ~0u,
	    "nothing beyond the configuration");
	w32(d.bar + DEVICE_CONFIG, 0xffffffff);
	check(r32(d.bar + DEVICE_CONFIG) == 8, "which cannot be written");
	w8(d.bar + NOTIFY, 0);
	w32(d.bar + NOTIFY, 0xffffffff);
	w16(d.bar + NOTIFY, 0xffff);
	w16(d.bar + NOTIFY + 4, 1);
	w32(d.bar + MSIX + 16 * 2, 1);
	w64(d.bar + MSIX + 0xff8, ~0ul);
	check(r32(d.bar + MSIX + 16 * 2) == ~0u, "the table ends");
	works("after all that a sector is read");
}

static void
config_space(void)
{
	volatile uint8_t *c = d.config;
	unsigned int off, cap;
	uint32_t id = r32(c), bar = r32(c + 0x10);

	w32(c, 0);
	check(r32(c) == id, "the identity cannot be written");
	w32(c + 0x10, ~0u);
	check(r32(c + 0x10) == 0xffff8000, "the BAR is sized");
	w32(c + 0x10, 0x12340000);
	check(r8(d.bar + C_STATUS) == 0xff, "and moves");
	w32(c + 0x10, bar);
	works("and back");
	check(r32(c + 256) == ~0u && r32(c + 4095 - 3) == ~0u,
	    "no extended configuration");
	check(r32((volatile uint8_t *)ECAM + (31 << 15)) == ~0u,
	    "nobody in slot 31");
	check(r64(c) == ~0ul, "no access of 8 bytes");
	(void)r32(c + 255);
	for (off = 0; off < 256; off++)
		w8(c + off, 0xff);
	w32(c + 0x10, bar);
	for (cap = r8(c + 0x34); cap != 0; cap = r8(c + cap + 1))
		if (r8(c + cap) == 9 && r8(c + cap + 3) == 5)
			break;
	check(cap != 0, "there is a window to the BAR");
	w8(c + cap + 4, 0);
	w32(c + cap + 8, C_NQUEUES);
	w32(c + cap + 12, 2);
	check((r32(c + cap + 16) & 0xffff) == 1, "it shows the queues");
	w8(c + cap + 4, 1);
	(void)r32(c + cap + 16);
	w8(c + cap + 4, 0);
	w32(c + cap + 12, 3);
	(void)r32(c + cap + 16);
	w32(c + cap + 12, 0xffffffff);
	w32(c + cap + 16, 0xffffffff);
	w32(c + cap + 12, 4);
	w32(c + cap + 8, 0xfffffffc);
	(void)r32(c + cap + 16);
	w32(c + cap + 16, 0);
	w32(c + cap + 8, 0x7ffd);
	(void)r32(c + cap + 16);
	w32(c + cap + 8, 0x8000);
	w32(c + cap + 16, 0);
	up();
	works("after all that a sector is read");
}

/* Rewrite a request again and again while the device reads it. */
static void
race(void)
{
	unsigned int i, k;

	for (i = 0; i < 200; i++) {
		request(0, 0, 512, WRITE);
		submit(&d, 0, &q, 0);
		for (k = 0; k < 8; k++) {
			q.desc[1].len = 0xffffff00;
			q.desc[1].addr = 0xc0000000;
			q.desc[0].next = 0xffff;
			header.type = 1;
			q.desc[1].addr = (uintptr_t)data;
			q.desc[0].next = 1;
			q.desc[1].len = 512;
			q.desc[2].len = 0;
			header.sector = ~0ull;
			q.desc[2].len = 1;
		}
		if ((r8(d.bar + C_STATUS) & NEEDS_RESET) != 0)
			up();
	}
	up();
	works("after a race a sector is read");
	device_start(&d, F_INDIRECT, &q, 1, QUEUE);
	for (i = 0; i < 200; i++) {
		indirect_request();
		submit(&d, 0, &q, 0);
		for (k = 0; k < 8; k++) {
			q.desc[0].addr = END - 16;
			q.desc[0].len = 0xfffffff0;
			table[1].flags = INDIRECT;
			table[1].next = 0xffff;
			table[1].addr = 0xc0000000;
			table[1].len = 0xffffff00;
			table[0].next = 0xffff;
			indirect_request();
		}
		if ((r8(d.bar + C_STATUS) & NEEDS_RESET) != 0)
			device_start(&d, F_INDIRECT, &q, 1, QUEUE);
	}
	up();
	works("and after a race of tables");
}

int
main(void)
{
	device_want(&d, 2, "there is a disk");
	normal();
	chains();
	indirect_tables();
	events();
	addresses();
	sums();
	setup();
	frozen();
	widths();
	config_space();
	race();
	done();
}
