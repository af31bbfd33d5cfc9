/*
 * A guest that checks its memory map: it marks both ends of each range, and then
 * reads the marks.
 */
#include "guest.h"

#define GIB (1ul << 30)
#define RANGES 16

/* Fields of the zero page (Linux's boot protocol). */
#define ENTRIES ((volatile uint8_t *)0x71e8)
#define TABLE ((volatile uint8_t *)0x72d0)

static uint64_t start[RANGES], last[RANGES];

/* Map the next 4 GiB, in the page tables that volt-kvm made. */
static void
map_high(void)
{
	static uint64_t pages[4][512] __attribute__((aligned(4096)));
	uint64_t *third, i, cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	third = (uint64_t *)(*(uint64_t *)(cr3 & ~0xffful) & ~0xffful);
	for (i = 0; i < 4 * 512; i++)
		pages[i / 512][i % 512] = (4 * GIB + (i << 21)) | 0x83;
	for (i = 0; i < 4; i++)
		third[4 + i] = (uintptr_t)pages[i] | 3;
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void
say_hex(uint64_t v)
{
	char buf[17];
	int i;

	for (i = 15; i >= 0; i--, v >>= 4)
		buf[i] = "0123456789abcdef"[v & 15];
	buf[16] = '\0';
	say(buf);
}

int
main(void)
{
	unsigned int i, n = 0;
	uint64_t base, size, saved[2 * RANGES];
	bool good = true;

	map_high();
	for (i = 0; i < r8(ENTRIES) && n < RANGES; i++) {
		base = r64(TABLE + 20 * i);
		size = r64(TABLE + 20 * i + 8);
		if (r32(TABLE + 20 * i + 16) != 1)
			continue;
		start[n] = base;
		last[n++] = base + size - 8;
		say_hex(base);
		say(" ");
		say_hex(base + size);
		say("\n");
	}
	for (i = 0; i < n; i++) {
		saved[2 * i] = r64((volatile void *)start[i]);
		saved[2 * i + 1] = r64((volatile void *)last[i]);
		w64((volatile void *)start[i], ~start[i]);
		w64((volatile void *)last[i], ~last[i]);
	}
	for (i = 0; i < n; i++)
		good = good && r64((volatile void *)start[i]) == ~start[i] &&
		    r64((volatile void *)last[i]) == ~last[i];
	for (i = 0; i < n; i++) {
		w64((volatile void *)start[i], saved[2 * i]);
		w64((volatile void *)last[i], saved[2 * i + 1]);
	}
	check(good, "all of it is there, once");
	done();
}
