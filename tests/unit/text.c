/* text.c: what may be shown to a person as it is. */
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "unit.h"

static void
characters(void)
{
	static const struct {
		const char *s;
		size_t n;
	} all[] = {
		{ "a", 1 }, { " ", 1 }, { "~", 1 }, { "\\", 1 }, { "ab", 1 },
		{ "\xc2\xa0", 2 }, { "\xc3\xbc", 2 }, { "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 }, { "\xe2\x82\xac", 3 },
		{ "\xef\xbf\xbd", 3 }, { "\xf0\x9f\x90\x8c", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		/* control characters, also those of more than one byte */
		{ "\n", 0 }, { "\r", 0 }, { "\t", 0 }, { "\x1b", 0 },
		{ "\x01", 0 }, { "\x1f", 0 }, { "\x7f", 0 },
		{ "\xc2\x80", 0 }, { "\xc2\x85", 0 }, { "\xc2\x9b", 0 },
		{ "\xc2\x9f", 0 }, { "\xe2\x80\xa8", 0 }, { "\xe2\x80\xa9", 0 },
		{ "\xe2\x80\xae", 0 }, { "\xe2\x81\xa6", 0 },
		{ "\xe2\x80\x8f", 0 }, { "\xef\xbb\xbf", 0 }, { "\xd8\x9c", 0 },
		/* not UTF-8: cut, overlong, surrogates, too high */
		{ "\x80", 0 }, { "\xbf", 0 }, { "\xff", 0 }, { "\xfe", 0 },
		{ "\xc2", 0 }, { "\xc2x", 0 }, { "\xe2\x82", 0 },
		{ "\xe2\x82x", 0 }, { "\xf0\x9f\x90", 0 }, { "\xc0\x8a", 0 },
		{ "\xc1\xbf", 0 }, { "\xe0\x80\x8a", 0 }, { "\xe0\x9f\xbf", 0 },
		{ "\xf0\x80\x80\x8a", 0 }, { "\xed\xa0\x80", 0 },
		{ "\xed\xbf\xbf", 0 }, { "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 }, { "", 0 },
	};

	for (size_t i = 0; i < UNIT_COUNT(all); i++)
		CHECK_INT(text_char(all[i].s, strlen(all[i].s)), all[i].n);
	CHECK_INT(text_char("\0", 1), 0);
	CHECK_INT(text_char("\xc3\xbc", 1), 0);
}

static const char *
show(const char *s, size_t size)
{
	static char buf[64];
	size_t n;

	memset(buf, '#', sizeof(buf));
	n = text_show(s, strlen(s), buf, size);
	CHECK(n <= size);
	CHECK_INT(buf[size], '#');
	buf[n] = '\0';
	return buf;
}

static void
is_one_line(void)
{
	CHECK_STR(show("", 40), "");
	CHECK_STR(show("plain \\ text", 40), "plain \\ text");
	CHECK_STR(show("a\nb\r\tc", 40), "a\\012b\\015\\011c");
	CHECK_STR(show("\x1b[2J", 40), "\\033[2J");
	CHECK_STR(show("gr\xc3\xbc\xc3\x9f", 40), "gr\xc3\xbc\xc3\x9f");
	CHECK_STR(show("\xc2\x9b\xff\xc3", 40), "\\302\\233\\377\\303");
	CHECK_STR(show("\xe2\x80\xaetxt", 40), "\\342\\200\\256txt");
}

/* Characters and escapes are whole, or not there. */
static void
ends_where_there_is_no_room(void)
{
	CHECK_STR(show("12345", 5), "12345");
	CHECK_STR(show("123456", 5), "12...");
	CHECK_STR(show("1234", 4), "1234");
	CHECK_STR(show("12345", 4), "1...");
	CHECK_STR(show("\n\n", 8), "\\012\\012");
	CHECK_STR(show("\n\n", 7), "\\012...");
	CHECK_STR(show("\n\n", 6), "...");
	CHECK_STR(show("12\n", 5), "12...");
	CHECK_STR(show("\xc3\xbc\xc3\xbc\xc3\xbc", 6),
	    "\xc3\xbc\xc3\xbc\xc3\xbc");
	CHECK_STR(show("\xc3\xbc\xc3\xbc\xc3\xbc", 5), "\xc3\xbc...");
}

static const struct unit tests[] = {
	UNIT(characters),
	UNIT(is_one_line),
	UNIT(ends_where_there_is_no_room),
};

UNIT_MAIN(tests)
