/* talk.c: the orders of a client of control=, and the reports of a guest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../cmd/volt-kvm/talk.h"
#include "unit.h"

/* Parse text as a message of that length. */
static int
parse_bytes(struct talk *t, const char *text, size_t len)
{
	static char line[TALK_LINE];

	memcpy(line, text, len);
	memset(line + len, 'x', sizeof(line) - len); /* what was there before */
	return talk_parse(t, line, len);
}

static int
parse(struct talk *t, const char *text)
{
	return parse_bytes(t, text, strlen(text));
}

static void
orders(void)
{
	static const struct {
		const char *text;
		enum talk_order order;
		uint64_t number;
	} good[] = { { "stdin", TALK_STDIN, 0 }, { "stderr", TALK_STDERR, 0 },
		{ "join", TALK_JOIN, 0 }, { "signal 1", TALK_SIGNAL, 1 },
		{ "signal 64", TALK_SIGNAL, 64 }, { "state", TALK_STATE, 0 },
		{ "pause yes", TALK_PAUSE, 1 }, { "pause no", TALK_PAUSE, 0 },
		{ "balloon 0", TALK_BALLOON, 0 },
		{ "balloon 18446744073709551615", TALK_BALLOON, UINT64_MAX } };
	struct talk t;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_INT(parse(&t, good[i].text), 0);
		CHECK_INT(t.order, good[i].order);
		CHECK(t.number == good[i].number);
	}
	CHECK_INT(parse(&t, "size 24 80"), 0);
	CHECK_INT(t.order, TALK_SIZE);
	CHECK_STR(t.text, "24 80");
	CHECK_INT(parse(&t, "grow vda"), 0);
	CHECK_STR(t.text, "vda");
}

static void
no_orders(void)
{
	static const char *const bad[] = { "x", "joinx", "join ", "join 1", " join",
		"JOIN", "signal", "signal ", "signal 0", "signal 65", "signal -1",
		"signal 1 ", "signal 01", "size", "size 1", "size 1 ", "size 1 2 3",
		"size 65536 1", "size 1 65536", "pause", "pause ", "pause y",
		"balloon", "balloon 1M", "balloon 18446744073709551616", "grow",
		"grow ", "state\n", "state\nstate", "exit 0", "up", "state 1" };
	struct talk t;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERRNO(parse(&t, bad[i]), EINVAL);
	CHECK_ERRNO(parse_bytes(&t, "", 0), EINVAL);
	CHECK_ERRNO(parse_bytes(&t, "state\0", 6), EINVAL);
	CHECK_ERRNO(parse_bytes(&t, "\0state", 6), EINVAL);
}

static void
ends(void)
{
	static const char *const bad[] = { "", "exit", "exit ", "exit -1", "exit 256",
		"exit 1x", "exit 01", "exit 1 ", "exits 1", "signal 65", "failed",
		"failed 256", "up", "Exit 1" };
	struct talk_end e = { 'x', 1 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!talk_end_parse(&e, bad[i]));
	CHECK(e.how == 'x' && e.code == 1);
	CHECK(talk_end_parse(&e, "exit 255") && e.how == 'e' && e.code == 255);
	CHECK_STR(talk_end_word(e.how), "exit");
	CHECK(talk_end_parse(&e, "signal 9") && e.how == 's' && e.code == 9);
	CHECK_STR(talk_end_word(e.how), "signal");
	CHECK(talk_end_parse(&e, "failed 125") && e.how == 'f' && e.code == 125);
	CHECK_STR(talk_end_word(e.how), "failed");
}

static const struct unit tests[] = {
	UNIT(orders),
	UNIT(no_orders),
	UNIT(ends),
};

UNIT_MAIN(tests)
