/* Addresses in the guest's memory, and what the files x86_*.c share. */
#ifndef VOLT_KVM_X86_H
#define VOLT_KVM_X86_H

#include <stdint.h>

#include "vm.h"

enum {
	X86_GDT = 0x500,
	X86_START_INFO = 0x6000,	/* PVH's start info and its lists */
	X86_ZERO_PAGE = 0x7000,
	X86_STACK = 0x8ff0,
	X86_PAGE_TABLES = 0x9000,	/* six pages */
	X86_CMDLINE = 0x20000,
	X86_CMDLINE_SIZE = 0x10000,
	X86_LOW_END = 0xa0000,
	X86_ACPI = 0xe0000,
	X86_RESET_STUB = 0xffff0,
	X86_KERNEL = 0x100000,	/* the lowest address of a kernel */
};

#define X86_IOAPIC UINT32_C(0xfec00000)
#define X86_LAPIC UINT32_C(0xfee00000)
#define X86_IDENTITY_MAP UINT64_C(0xfffbc000)	/* KVM on Intel needs it */
#define X86_TSS UINT64_C(0xfffbd000)

/* The I/O ports of ACPI's registers. */
enum { X86_SLEEP_CONTROL = 0x600, X86_SLEEP_STATUS, X86_RESET };
#define X86_S5 5	/* the sleep type of a power-off */

/* The I/O port of pvpanic, and its bit for a panic. */
enum { X86_PANIC = 0x505, X86_PANICKED = 1 };

/* How the boot processor starts. */
struct x86_entry {
	bool pvh;	/* in flat 32-bit mode; else in 64-bit mode */
	uint64_t rip;
};

void x86_acpi(struct vm *vm);
void x86_cpu_entry(struct vcpu *cpu, const struct x86_entry *e);

#endif
