/* rate.c: limits of bytes and requests each second. */
#include <errno.h>

#include "../../cmd/volt-kvm/rate.h"
#include "unit.h"

#define SECOND 1000000

static void
words(void)
{
	struct rate_word w;

	CHECK_INT(rate_parse(&w, "vda:bytes=1M:ops=100"), 0);
	CHECK_STR(w.device, "vda");
	CHECK_INT(w.bytes, 1 << 20);
	CHECK_INT(w.ops, 100);
	CHECK_INT(rate_parse(&w, "net"), 0);
	CHECK_STR(w.device, "net");
	CHECK(w.bytes == 0 && w.ops == 0);
	CHECK_INT(rate_parse(&w, "vda:bytes=1T"), 0);
	CHECK_ERRNO(rate_parse(&w, ""), EINVAL);
	CHECK_ERRNO(rate_parse(&w, ":ops=1"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vda:"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vda:speed=1"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vda:ops=-1"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vda:ops=1K"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vdabcdef:ops=1"), EINVAL);
	CHECK_ERRNO(rate_parse(&w, "vda:bytes=2T"), ERANGE);
	CHECK_ERRNO(rate_parse(&w, "vda:ops=9999999999999"), ERANGE);
}

static void
no_limit(void)
{
	struct rate r = { { 0, 0 }, { 0, 0 } };

	rate_take(&r, UINT64_MAX, 5);
	CHECK_INT(rate_wait(&r, 5), 0);
}

/* What a second's tokens allow at once, and each second after that. */
static void
bytes(void)
{
	const struct rate_word w = { .bytes = 1000 };
	int64_t now = 7 * SECOND;
	struct rate r;
	int i;

	rate_set(&r, &w, now);
	for (i = 0; i < 10; i++) {
		CHECK_INT(rate_wait(&r, now), 0);
		rate_take(&r, 100, now);
	}
	CHECK_INT(rate_wait(&r, now), 0); /* empty, and owes nothing */
	rate_take(&r, 500, now);
	CHECK_INT(rate_wait(&r, now), SECOND / 2);
	CHECK_INT(rate_wait(&r, now + SECOND / 2 - 1), 1);
	CHECK_INT(rate_wait(&r, now + SECOND / 2), 0);
	/* It does not hold more than a second's. */
	now += 100 * SECOND;
	rate_take(&r, 1500, now);
	CHECK_INT(rate_wait(&r, now), SECOND / 2);
}

static void
operations(void)
{
	const struct rate_word w = { .ops = 2, .bytes = 1 << 30 };
	struct rate r;

	rate_set(&r, &w, 0);
	rate_take(&r, 1, 0);
	rate_take(&r, 1, 0);
	CHECK_INT(rate_wait(&r, 0), 0);
	rate_take(&r, 1, 0);
	CHECK_INT(rate_wait(&r, 0), SECOND / 2);
}

static void
the_largest_request(void)
{
	const struct rate_word w = { .bytes = 1 };
	struct rate r;

	rate_set(&r, &w, 0);
	rate_take(&r, UINT64_MAX, 0);
	CHECK(rate_wait(&r, 0) > 0);
	rate_set(&r, &w, 0);
	CHECK_INT(rate_wait(&r, 0), 0);
}

static const struct unit tests[] = {
	UNIT(words),
	UNIT(no_limit),
	UNIT(bytes),
	UNIT(operations),
	UNIT(the_largest_request),
};

UNIT_MAIN(tests)
