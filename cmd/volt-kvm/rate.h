/*
 * A limit of a device: so many bytes and requests each second, by a token bucket that has
 * room for the tokens of one second. A request begins when the bucket is not empty, and
 * takes as many tokens as it needs: what the bucket lacks comes off the next ones.
 */
#ifndef VOLT_KVM_RATE_H
#define VOLT_KVM_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define RATE_NAME 8	/* bytes of a device's name and its NUL, at most */

/* One kind of token. Zeroes: no limit. Times are CLOCK_MONOTONIC, in us. */
struct bucket {
	uint64_t rate;	/* tokens each second; 0: no limit */
	int64_t full_at;	/* when the bucket will be full */
};

struct rate {
	struct bucket bytes, ops;
};

/* rate=DEVICE[:bytes=SIZE][:ops=N] */
struct rate_word {
	char device[RATE_NAME];
	uint64_t bytes, ops;	/* 0: no limit */
};

MUST_CHECK bool rate_is_set(const struct rate *r);
MUST_CHECK int rate_parse(struct rate_word *w, const char *text);
void rate_set(struct rate *r, const struct rate_word *w, int64_t now);
int64_t rate_wait(const struct rate *r, int64_t now);
void rate_take(struct rate *r, uint64_t bytes, int64_t now);

#endif
