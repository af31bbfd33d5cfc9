/* The partitions of a disk, as the guest's kernel numbers them. */
#ifndef VOLT_KVM_PARTITION_H
#define VOLT_KVM_PARTITION_H

#include <stdint.h>

#include "must.h"
#include "superblock.h"

#define PARTITIONS 128	/* we look at no more */

MUST_CHECK int partition_find(int fd, uint64_t size, uint32_t block,
    unsigned int number, struct extent *e);

#endif
