/* cidr.c: addresses with the length of their prefix. */
#include <arpa/inet.h>
#include <string.h>

#include "cidr.h"
#include "unit.h"

static void
addresses_with_lengths(void)
{
	static const struct {
		const char *s;
		int family;
		bool ok;
		unsigned int len;
	} cases[] = {
		{ "10.88.0.0/16", AF_INET, true, 16 },
		{ "0.0.0.0/0", AF_INET, true, 0 },
		{ "192.0.2.1/32", AF_INET, true, 32 },
		{ "192.0.2.1/33", AF_INET, false, 0 },
		{ "192.0.2.1", AF_INET, false, 0 },
		{ "192.0.2.1/", AF_INET, false, 0 },
		{ "192.0.2.1/024", AF_INET, false, 0 },
		{ "192.0.2.1/24/24", AF_INET, false, 0 },
		{ "192.0.2/24", AF_INET, false, 0 },
		{ "/24", AF_INET, false, 0 },
		{ "", AF_INET, false, 0 },
		{ "fd00::1/64", AF_INET, false, 0 },
		{ "fd00::1/64", AF_INET6, true, 64 },
		{ "::/0", AF_INET6, true, 0 },
		{ "fd00::1/128", AF_INET6, true, 128 },
		{ "fd00::1/129", AF_INET6, false, 0 },
		{ "10.0.0.1/8", AF_INET6, false, 0 },
		{ "00000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
		    AF_INET6, false, 0 },
	};
	struct in6_addr a;
	char text[CIDR_TEXT];
	unsigned int len;
	size_t i;

	for (i = 0; i < UNIT_COUNT(cases); i++) {
		len = 0;
		CHECK_INT(cidr_parse(cases[i].s, cases[i].family, &a, &len),
		    cases[i].ok);
		CHECK_INT(len, cases[i].len);
	}
	CHECK(cidr_parse("192.0.2.1/24", AF_INET, &a, &len));
	CHECK(memcmp(&a, "\300\0\2\1", 4) == 0);
	CHECK_STR(cidr_text(AF_INET, &a, len, text), "192.0.2.1/24");
	memset(&a, 0xff, sizeof(a));
	CHECK_STR(cidr_text(AF_INET6, &a, 128, text),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void
masks(void)
{
	uint8_t mask[16], none[16] = { 0 };

	cidr_mask(0, mask);
	CHECK(memcmp(mask, none, sizeof(mask)) == 0);
	cidr_mask(9, mask);
	CHECK(memcmp(mask, "\377\200", 2) == 0);
	CHECK(memcmp(mask + 2, none, sizeof(mask) - 2) == 0);
	cidr_mask(128, mask);
	CHECK_INT(mask[0], 255);
	CHECK_INT(mask[15], 255);
}

static const struct unit tests[] = {
	UNIT(addresses_with_lengths),
	UNIT(masks),
};

UNIT_MAIN(tests)
