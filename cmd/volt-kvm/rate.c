#include <errno.h>
#include <string.h>

#include "rate.h"
#include "value.h"

#define SECOND INT64_C(1000000)	/* us: the bucket's room, in time */
#define DEBT (3600 * SECOND)	/* no request makes the next ones wait longer */
#define MOST (UINT64_C(1) << 40)	/* tokens each second, and of one request */

/*
 * Parse the word's value. Without a limit of a kind there is none of it. Returns 0, or
 * -1 and errno: EINVAL if it is no such value, ERANGE if a limit is above 1T.
 */
int
rate_parse(struct rate_word *w, const char *text)
{
	const char *cursor = text;
	char field[32];
	int rc;

	*w = (struct rate_word){ .bytes = 0 };
	if (value_field(&cursor, ':', w->device, sizeof(w->device)) != 1 ||
	    w->device[0] == '\0')
		goto invalid;
	while ((rc = value_field(&cursor, ':', field, sizeof(field))) == 1) {
		if (strncmp(field, "bytes=", 6) == 0)
			rc = value_size(field + 6, &w->bytes);
		else if (strncmp(field, "ops=", 4) == 0)
			rc = value_uint(field + 4, MOST, &w->ops);
		else
			goto invalid;
		if (rc == -1)
			return -1;
	}
	if (rc == -1)
		goto invalid;
	if (w->bytes <= MOST)
		return 0;
	errno = ERANGE;
	return -1;

invalid:
	errno = EINVAL;
	return -1;
}

/* Set the limits. The buckets are full. */
void
rate_set(struct rate *r, const struct rate_word *w, int64_t now)
{
	r->bytes = (struct bucket){ w->bytes, now };
	r->ops = (struct bucket){ w->ops, now };
}

/* Is there a limit at all? */
bool
rate_is_set(const struct rate *r)
{
	return r->bytes.rate != 0 || r->ops.rate != 0;
}

/* How long until the bucket has a token, in us. */
static int64_t
wait_for(const struct bucket *b, int64_t now)
{
	return b->rate != 0 && b->full_at - now > SECOND ?
	    b->full_at - now - SECOND : 0;
}

/* How long until a request may begin, in us; 0: it may now. */
int64_t
rate_wait(const struct rate *r, int64_t now)
{
	int64_t bytes = wait_for(&r->bytes, now), ops = wait_for(&r->ops, now);

	return bytes > ops ? bytes : ops;
}

static void
take(struct bucket *b, uint64_t n, int64_t now)
{
	if (b->rate == 0)
		return;
	if (n > MOST)
		n = MOST;
	if (b->full_at < now)
		b->full_at = now;
	b->full_at += (int64_t)(n * (uint64_t)SECOND / b->rate);
	if (b->full_at > now + DEBT)
		b->full_at = now + DEBT;
}

/* A request of so many bytes begins. */
void
rate_take(struct rate *r, uint64_t bytes, int64_t now)
{
	take(&r->bytes, bytes, now);
	take(&r->ops, 1, now);
}
