/*
 * One disk, and one request at a time of each queue, with its data in one buffer (virtio
 * 1.2, 5.2.6).
 */
#ifndef VOLT_TESTS_DISK_H
#define VOLT_TESTS_DISK_H

#include "guest.h"

enum { IN, OUT, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };

static struct device d;
static struct queue q;
static struct {
	uint64_t sector;
	uint32_t sectors, flags;
} range;

struct disk_request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;	/* 0xff until the device answers */
};

static struct disk_request disk_last;

/* In queue i, without data if len is 0. flags is WRITE for data that the device writes. */
static inline void
disk_put(uint16_t i, struct queue *on, struct disk_request *r, uint32_t type,
    uint64_t sector, void *p, uint32_t len, uint16_t flags)
{
	*r = (struct disk_request){ type, 0, sector, 0xff };
	on->desc[0] = (struct desc){ (uintptr_t)r, 16, NEXT, len > 0 ? 1 : 2 };
	on->desc[1] = (struct desc){ (uintptr_t)p, len, NEXT | flags, 2 };
	on->desc[2] = (struct desc){ (uintptr_t)&r->status, 1, WRITE, 0 };
	submit(&d, i, on, 0);
}

static inline void
disk_submit(uint32_t type, uint64_t sector, void *p, uint32_t len,
    uint16_t flags)
{
	disk_put(0, &q, &disk_last, type, sector, p, len, flags);
}

/* Returns the status; 0xee if the device has not answered. */
static inline uint8_t
disk_ask(uint32_t type, uint64_t sector, void *p, uint32_t len, uint16_t flags)
{
	uint16_t idx = q.used.idx;

	disk_submit(type, sector, p, len, flags);
	return wait_used(&q, (uint16_t)(idx + 1)) ? r8(&disk_last.status) : 0xee;
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
