/* One disk, and one request at a time, with its data in one buffer (virtio 1.2, 5.2.6). */
#ifndef VOLT_TESTS_DISK_H
#define VOLT_TESTS_DISK_H

#include "guest.h"

enum { IN, OUT, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };

static struct device d;
static struct queue q;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static struct {
	uint64_t sector;
	uint32_t sectors, flags;
} range;
static uint8_t status;

/* Without data if len is 0. flags is WRITE for data that the device writes. */
static inline void
disk_submit(uint32_t type, uint64_t sector, void *p, uint32_t len,
    uint16_t flags)
{
	header.type = type;
	header.sector = sector;
	status = 0xff;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, len > 0 ? 1 : 2 };
	q.desc[1] = (struct desc){ (uintptr_t)p, len, NEXT | flags, 2 };
	q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	submit(&d, 0, &q, 0);
}

/* Returns the status; 0xee if the device has not answered. */
static inline uint8_t
disk_ask(uint32_t type, uint64_t sector, void *p, uint32_t len, uint16_t flags)
{
	uint16_t idx = q.used.idx;

	disk_submit(type, sector, p, len, flags);
	return wait_used(&q, (uint16_t)(idx + 1)) ? r8(&status) : 0xee;
}

static inline uint8_t
disk_ask_range(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	range.sector = sector;
	range.sectors = sectors;
	range.flags = flags;
	return disk_ask(type, 0, &range, sizeof(range), 0);
}

#endif
