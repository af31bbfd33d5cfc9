/* json.c: strings are escaped, numbers are numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "unit.h"

static const char *
written(void (*f)(FILE *, const char *), const char *s)
{
	static char buf[256];
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	CHECK(out != NULL);
	f(out, s);
	fclose(out);
	return buf;
}

static void
strings_are_escaped(void)
{
	CHECK_STR(written(json_string, ""), "\"\"");
	CHECK_STR(written(json_string, "a b"), "\"a b\"");
	CHECK_STR(written(json_string, "\"\\/"), "\"\\\"\\\\/\"");
	CHECK_STR(written(json_string, "\n\t\x01\x7f"),
	    "\"\\u000a\\u0009\\u0001\\u007f\"");
	CHECK_STR(written(json_string, "\xc3\xa4"), "\"\xc3\xa4\"");
}

static void
numbers_are_told_from_the_rest(void)
{
	static const char *const numbers[] = { "0", "-1", "42", "0.5",
		"18446744073709551615", "-0.25" };
	static const char *const others[] = { "", "-", "01", "1.", ".5", "1e3",
		"0x1", "max", "1 2", "+1", "1.2.3", "-01" };
	char quoted[64];
	size_t i;

	for (i = 0; i < UNIT_COUNT(numbers); i++)
		CHECK_STR(written(json_value, numbers[i]), numbers[i]);
	for (i = 0; i < UNIT_COUNT(others); i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", others[i]);
		CHECK_STR(written(json_value, others[i]), quoted);
	}
}

static const struct unit tests[] = {
	UNIT(strings_are_escaped),
	UNIT(numbers_are_told_from_the_rest),
};

UNIT_MAIN(tests)
