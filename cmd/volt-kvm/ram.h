/*
 * The guest's memory. Only ram_at() turns a guest's address into a pointer, and
 * ram_read_at() one that is only read.
 *
 * A vCPU may change the memory behind such a pointer at any time. So a field is
 * read once, and the copy is checked and used.
 */
#ifndef VOLT_KVM_RAM_H
#define VOLT_KVM_RAM_H

#include <stdint.h>

#include "must.h"

/* RAM starts at 0, stops at the hole for devices, and goes on at 4 GiB. */
#define RAM_HOLE UINT64_C(0xc0000000)
#define RAM_HIGH UINT64_C(0x100000000)
#define RAM_ALIGN (UINT64_C(2) << 20)
#define RAM_SECTION (UINT64_C(128) << 20)	/* Linux adds memory by these */
#define RAM_FILES 8

/* A file above the RAM, which the guest can only read. */
struct ram_file {
	uint64_t gpa, size;	/* whole RAM_ALIGN */
	uint8_t *base;
};

struct ram {
	uint8_t *base;	/* one mapping, without the hole */
	uint64_t size;
	uint64_t low;	/* bytes below the hole */
	struct ram_file file[RAM_FILES];
	unsigned int nfiles;
};

MUST_CHECK int ram_init(struct ram *r, int vmfd, uint64_t size);
MUST_CHECK int ram_add_file(struct ram *r, int vmfd, int fd, uint64_t size);
uint64_t ram_end(const struct ram *r);
void *ram_at(const struct ram *r, uint64_t gpa, uint64_t len);
void *ram_read_at(const struct ram *r, uint64_t gpa, uint64_t len);
void ram_release(void *p, uint64_t len);

#endif
