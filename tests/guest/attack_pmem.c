/*
 * A guest of 64 MiB that breaks the rules of a pmem device, of 2 MiB, and tries to write
 * to the file behind it. It also writes what is in the file to a disk.
 */
#include "disk.h"

#define START 0x100000000ul	/* above the hole for devices */
#define SIZE 0x200000ul
#define LARGE 0x83ul	/* of a page table: present, to be written, 2 MiB */

static struct device p;
static struct queue pq;
static uint32_t asked, answer;
static uint64_t table[512] __attribute__((aligned(4096)));

static void
up(void)
{
	device_start(&p, 0, &pq, 1, QUEUE);
}

static void
send(uint64_t from, uint32_t len, uint64_t to, uint32_t room)
{
	answer = 0xee;
	pq.desc[0] = (struct desc){ from, len, NEXT, 1 };
	pq.desc[1] = (struct desc){ to, room, WRITE, 0 };
	submit(&p, 0, &pq, 0);
}

/* The answer to a request of that type; 0xee if there is none. */
static uint32_t
ask(uint64_t from, uint32_t len, uint32_t room)
{
	uint16_t idx = pq.used.idx;

	send(from, len, (uintptr_t)&answer, room);
	return wait_used(&pq, (uint16_t)(idx + 1)) ? r32(&answer) : 0xee;
}

/* Map the first 2 MiB of the file at its own address. */
static volatile uint64_t *
map(void)
{
	uint64_t *top, *dir;

	__asm__ volatile("mov %%cr3, %0" : "=r"(top));
	dir = (uint64_t *)(top[0] & ~0xffful);
	table[START >> 21 & 511] = START | LARGE;
	dir[START >> 30] = (uintptr_t)table | 3;
	__asm__ volatile("mov %0, %%cr3" : : "r"(top) : "memory");
	return (volatile uint64_t *)START;
}

static void
requests(void)
{
	up();
	check(r64(p.bar + DEVICE_CONFIG) == START && r64(p.bar + DEVICE_CONFIG + 8) == SIZE,
	    "where it is");
	w64(p.bar + DEVICE_CONFIG, 0);
	check(r64(p.bar + DEVICE_CONFIG) == START, "that is not ours to set");
	check(ask((uintptr_t)&asked, 4, 4) == 0, "a flush");
	asked = 1;
	check(ask((uintptr_t)&asked, 4, 4) == 5, "an unknown request");
	check(ask((uintptr_t)&asked, 3, 4) == 5, "a request that is too short");
	asked = 0;
	check(ask((uintptr_t)&asked, 4, 2) == 0, "half of an answer");
	check(ask(START + SIZE - 4, 4, 4) == 0, "a request that is in the file");
	send((uintptr_t)&asked, 4, START, 4);
	check(wait_broken(&p), "an answer that would be in the file");
	up();
	send(START + SIZE - 2, 4, (uintptr_t)&answer, 4);
	check(wait_broken(&p), "a request that leaves it");
	up();
	send(START - 4, 8, (uintptr_t)&answer, 4);
	check(wait_broken(&p), "a request that begins before it");
	device_begin(&p, 0);
	queue_set(&p, 0, &pq, QUEUE);
	w32(p.bar + C_QDESC, (uint32_t)START);
	w32(p.bar + C_QDESC + 4, START >> 32);
	queue_enable(&p, 0);
	device_go(&p);
	check(wait_broken(&p), "rings that are in the file");
	up();
	check(ask((uintptr_t)&asked, 4, 4) == 0, "after all that it works");
}

int
main(void)
{
	volatile uint64_t *file;
	uint64_t was;

	if (!device_find(&p, 27, 0) || !device_find(&d, 2, 0)) {
		check(false, "there are a pmem device and a disk");
		done();
	}
	requests();
	device_start(&d, 0, &q, 1, QUEUE);
	check(disk_ask(OUT, 0, (void *)START, 4096, 0) == 0, "from the file to a disk");
	check(disk_ask(IN, 0, (void *)START, 4096, WRITE) == 0xee,
	    "not from a disk to the file");
	file = map();
	was = file[1];
	file[1] = ~was;
	check(file[1] == was, "a write of ours changes nothing");
	check(file[0] == 0x656c696620656874ul, "it begins with \"the file\"");
	check(file[SIZE / 8 - 1] == 0, "and behind it are zeroes");
	done();
}
