/*
 * The guest's memory. Only ram_at() turns a guest address into a pointer.
 *
 * What is behind such a pointer may change at any moment: another vCPU writes
 * it. So a field is read once, and the copy is checked and used.
 */
#ifndef VOLT_KVM_RAM_H
#define VOLT_KVM_RAM_H

#include <stdint.h>

#include "must.h"

/* RAM is at 0 up to the hole for devices, and goes on at 4 GiB. */
#define RAM_HOLE UINT64_C(0xc0000000)
#define RAM_HIGH UINT64_C(0x100000000)
#define RAM_ALIGN (UINT64_C(2) << 20)

struct ram {
	uint8_t *base;	/* contiguous here */
	uint64_t size;
	uint64_t low;	/* bytes of it below the hole */
};

MUST_CHECK int ram_init(struct ram *r, int vmfd, uint64_t size);
void *ram_at(const struct ram *r, uint64_t gpa, uint64_t len);

#endif
