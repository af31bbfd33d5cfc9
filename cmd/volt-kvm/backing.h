/* What is behind a disk: a file or a block device of the host's, opened. */
#ifndef VOLT_KVM_BACKING_H
#define VOLT_KVM_BACKING_H

#include <stdbool.h>
#include <stdint.h>

struct disk;

#define BACKING_SECTOR 512u	/* in which virtio counts, always */

struct backing {
	int fd;
	bool is_device;
	uint64_t size;	/* bytes; whole blocks */

	/* Bytes each. */
	uint32_t block;	/* as the guest sees it */
	uint32_t physical, offset, least, best;	/* a device's topology */
	uint32_t discard;	/* what is given back in one piece; 0: nothing */
};

void backing_open(struct backing *b, const struct disk *d);

#endif
