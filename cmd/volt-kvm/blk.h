/* A disk of the guest, for control= (vio_blk.c). */
#ifndef VOLT_KVM_BLK_H
#define VOLT_KVM_BLK_H

#include <stdint.h>

#include "must.h"
#include "rate.h"

struct blk;

enum blk_count { BLK_READS, BLK_READ, BLK_WRITES, BLK_WRITTEN, BLK_FLUSHES, BLK_ERRORS,
	BLK_COUNTS };

uint64_t blk_size(const struct blk *b);
uint64_t blk_counted(const struct blk *b, enum blk_count what);
void blk_limit(struct blk *b, const struct rate_word *w);
MUST_CHECK int blk_grow(struct blk *b);

#endif
