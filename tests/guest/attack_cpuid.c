/*
 * A guest that checks its CPUID: one package with a core for each vCPU; and prints
 * whether the processor can run guests.
 */
#include "guest.h"

struct regs {
	uint32_t a, b, c, d;
};

static struct regs
cpuid(uint32_t leaf, uint32_t index)
{
	struct regs r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) :
	    "a"(leaf), "c"(index));
	return r;
}

static void
levels(uint32_t leaf, uint32_t cpus)
{
	struct regs thread = cpuid(leaf, 0), core = cpuid(leaf, 1);

	if (cpuid(0, 0).a < leaf || (thread.a | thread.b | thread.c) == 0)
		return; /* it has none */
	check((thread.c >> 8) == 1 && thread.b == 1, "a thread a core");
	check((core.c >> 8) == 2 && core.b == cpus, "a core each vCPU");
	check(1u << (core.a & 31) >= cpus, "in one package");
	check((cpuid(leaf, 2).c >> 8) == 0, "and no level more");
}

int
main(void)
{
	uint32_t cpus = cpuid(1, 0).b >> 16 & 0xff;

	check(cpus == 3, "three logical processors");
	levels(0xb, cpus);
	levels(0x1f, cpus);
	say((cpuid(1, 0).c & 1u << 5) != 0 ||
	    (cpuid(0x80000001, 0).c & 1u << 2) != 0 ||
	    (cpuid(0x80000000, 0).a >= 0x8000000a &&
		(cpuid(0x8000000a, 0).a | cpuid(0x8000000a, 0).d) != 0) ?
	    "nests\n" : "does not nest\n");
	done();
}
