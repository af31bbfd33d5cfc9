/* The backing of a disk: a file or a block device of the host, opened. */
#ifndef VOLT_KVM_BACKING_H
#define VOLT_KVM_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

struct disk;

#define BACKING_SECTOR 512u	/* virtio's unit, whatever the block size is */

struct backing {
	int fd;
	bool is_device;
	uint64_t size;	/* bytes; whole blocks */

	/* In bytes. */
	uint32_t block;	/* the block size that the guest sees */
	uint32_t physical, offset, least, best;	/* a device's topology */
	uint32_t align;	/* of buffers, lengths and offsets, if direct; else 0 */
	uint32_t discard;	/* the granularity of a discard; 0: no discard */
};

uint32_t backing_block(int fd, const struct disk *d, bool is_device);
MUST_CHECK int backing_size(const struct backing *b, uint64_t *size);
void backing_open(struct backing *b, const char *key, const struct disk *d);

#endif
