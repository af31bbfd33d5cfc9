/* value.c: numbers, sizes, times, lists. */
#include <limits.h>
#include <string.h>

#include "unit.h"
#include "value.h"

static void
uint_values(void)
{
	static const struct {
		const char *s;
		uint64_t max;
		int error;
		uint64_t n;
	} cases[] = {
		{ "0", UINT64_MAX, 0, 0 },
		{ "1", 1, 0, 1 },
		{ "2", 1, ERANGE, 0 },
		{ "10", 9, ERANGE, 0 },
		{ "9", 9, 0, 9 },
		{ "0", 0, 0, 0 },
		{ "1", 0, ERANGE, 0 },
		{ "255", 255, 0, 255 },
		{ "256", 255, ERANGE, 0 },
		{ "2147483648", INT_MAX, ERANGE, 0 },
		{ "4294967295", UINT32_MAX, 0, UINT32_MAX },
		{ "4294967296", UINT32_MAX, ERANGE, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, ERANGE, 0 },
		{ "18446744073709551620", UINT64_MAX, ERANGE, 0 },
		{ "99999999999999999999999", UINT64_MAX, ERANGE, 0 },
		{ "", 9, EINVAL, 0 },
		{ "01", 9, EINVAL, 0 },
		{ "00", 9, EINVAL, 0 },
		{ "-1", 9, EINVAL, 0 },
		{ "+1", 9, EINVAL, 0 },
		{ " 1", 9, EINVAL, 0 },
		{ "1 ", 9, EINVAL, 0 },
		{ "1x", 9, EINVAL, 0 },
		{ "0x1", 9, EINVAL, 0 },
		{ "1\n", 9, EINVAL, 0 },
		{ "1.0", 9, EINVAL, 0 },
		{ "\xd9\xa1", 9, EINVAL, 0 }, /* a digit, but not ours */
	};
	uint64_t n;
	size_t i;

	for (i = 0; i < UNIT_COUNT(cases); i++) {
		if (cases[i].error != 0) {
			CHECK_ERRNO(value_uint(cases[i].s, cases[i].max, &n),
			    cases[i].error);
			continue;
		}
		CHECK_INT(value_uint(cases[i].s, cases[i].max, &n), 0);
		CHECK(n == cases[i].n);
	}
}

struct text_case {
	const char *s;
	int error;
	uint64_t n;
};

static void
check_texts(const struct text_case *c, size_t count,
    int (*f)(const char *, uint64_t *))
{
	uint64_t n;

	for (; count-- > 0; c++) {
		if (c->error != 0) {
			CHECK_ERRNO(f(c->s, &n), c->error);
			continue;
		}
		CHECK_INT(f(c->s, &n), 0);
		CHECK(n == c->n);
	}
}

static void
size_values(void)
{
	static const struct text_case cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "1K", 0, 1024 },
		{ "3M", 0, 3145728 },
		{ "2G", 0, (uint64_t)2 << 30 },
		{ "1T", 0, (uint64_t)1 << 40 },
		{ "0T", 0, 0 },
		{ "16777215T", 0, (uint64_t)16777215 << 40 },
		{ "16777216T", ERANGE, 0 },
		{ "18014398509481983K", 0, (uint64_t)18014398509481983 << 10 },
		{ "18014398509481984K", ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", ERANGE, 0 },
		{ "", EINVAL, 0 },
		{ "K", EINVAL, 0 },
		{ "1k", 0, 1024 },
		{ "3m", 0, 3145728 },
		{ "2g", 0, (uint64_t)2 << 30 },
		{ "1t", 0, (uint64_t)1 << 40 },
		{ "16777216t", ERANGE, 0 },
		{ "1kk", EINVAL, 0 },
		{ "1KB", EINVAL, 0 },
		{ "1KK", EINVAL, 0 },
		{ "1 K", EINVAL, 0 },
		{ "01K", EINVAL, 0 },
		{ "-1K", EINVAL, 0 },
		{ "1.5G", EINVAL, 0 },
		{ "1P", EINVAL, 0 },
	};

	check_texts(cases, UNIT_COUNT(cases), value_size);
}

static void
time_values(void)
{
	static const struct text_case cases[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "500ms", 0, 500 },
		{ "10s", 0, 10000 },
		{ "2m", 0, 120000 },
		{ "18446744073709551615ms", 0, UINT64_MAX },
		{ "18446744073709551616ms", ERANGE, 0 },
		{ "18446744073709551s", 0, (uint64_t)18446744073709551 * 1000 },
		{ "18446744073709552s", ERANGE, 0 },
		{ "307445734561825m", 0, (uint64_t)307445734561825 * 60000 },
		{ "307445734561826m", ERANGE, 0 },
		{ "", EINVAL, 0 },
		{ "1", EINVAL, 0 },
		{ "s", EINVAL, 0 },
		{ "1h", EINVAL, 0 },
		{ "1S", EINVAL, 0 },
		{ "1sm", EINVAL, 0 },
		{ "1ms ", EINVAL, 0 },
		{ "01s", EINVAL, 0 },
		{ "-1s", EINVAL, 0 },
		{ "1.5s", EINVAL, 0 },
	};

	check_texts(cases, UNIT_COUNT(cases), value_time);
}

/* The fields of s, each in brackets; "!" and errno's name after a failure. */
static const char *
fields(const char *s, char sep, size_t size)
{
	static char all[256];
	const char *cursor = s;
	char buf[64];

	all[0] = '\0';
	while (value_field(&cursor, sep, buf, size) == 1) {
		strcat(all, "[");
		strcat(all, buf);
		strcat(all, "]");
	}
	if (errno == ENAMETOOLONG)
		strcat(all, "!");
	else
		CHECK_INT(errno, 0);
	return all;
}

static void
fields_of_lists(void)
{
	CHECK_STR(fields("a,b,c", ',', 64), "[a][b][c]");
	CHECK_STR(fields("a", ',', 64), "[a]");
	CHECK_STR(fields("", ',', 64), "[]");
	CHECK_STR(fields(",", ',', 64), "[][]");
	CHECK_STR(fields("a,,b,", ',', 64), "[a][][b][]");
	CHECK_STR(fields(NULL, ',', 64), "");
	CHECK_STR(fields("a,b:c", ':', 64), "[a,b][c]");
}

static void
fields_with_escapes(void)
{
	CHECK_STR(fields("a\\:b:c", ':', 64), "[a:b][c]");
	CHECK_STR(fields("a\\\\:b", ':', 64), "[a\\][b]");
	CHECK_STR(fields("\\\\\\:", ':', 64), "[\\:]");
	CHECK_STR(fields("a\\,b", ':', 64), "[a\\,b]");
	CHECK_STR(fields("a\\", ':', 64), "[a\\]");
	CHECK_STR(fields("\\n", ':', 64), "[\\n]");
}

static void
fields_that_do_not_fit(void)
{
	CHECK_STR(fields("abc,d", ',', 4), "[abc][d]");
	CHECK_STR(fields("abcd,d", ',', 4), "!");
	CHECK_STR(fields("a,bcde", ',', 4), "[a]!");
	CHECK_STR(fields("a", ',', 1), "!");
	CHECK_STR(fields("\\,\\,\\,", ',', 4), "[,,,]");
	CHECK_STR(fields("\\,\\,\\,\\,", ',', 4), "!");
}

static const struct unit tests[] = {
	UNIT(uint_values),
	UNIT(size_values),
	UNIT(time_values),
	UNIT(fields_of_lists),
	UNIT(fields_with_escapes),
	UNIT(fields_that_do_not_fit),
};

UNIT_MAIN(tests)
