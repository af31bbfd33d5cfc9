/* idmap.c of volt-ns: what uidmap= says. */
#include <string.h>

#include "../../cmd/volt-ns/ns.h"
#include "unit.h"

static void
ranges_add_up(void)
{
	static struct idmap m;
	uint32_t outside = 0;

	idmap_parse(&m, "uidmap", "0:100000:1000,1000:1000:1");
	idmap_parse(&m, "uidmap", "2000:0:4294965295");
	CHECK(m.given && !m.automatic);
	CHECK_STR(m.key, "uidmap");
	CHECK_INT(m.n, 3);
	CHECK(idmap_outside(&m, 0, &outside));
	CHECK_INT(outside, 100000);
	CHECK(idmap_outside(&m, 999, &outside));
	CHECK_INT(outside, 100999);
	CHECK(idmap_outside(&m, 1000, &outside));
	CHECK_INT(outside, 1000);
	CHECK(!idmap_has(&m, 1001) && !idmap_has(&m, 1999));
	CHECK(idmap_has(&m, UINT32_MAX - 1));
	CHECK(!idmap_has(&m, UINT32_MAX));
}

static void
automatic(void)
{
	static struct idmap m;

	idmap_parse(&m, "gidmap", "auto");
	CHECK(m.given && m.automatic);
	CHECK_INT(m.n, 0);
}

static void
parse(void *value)
{
	static struct idmap m;

	idmap_parse(&m, "uidmap", value);
}

static void
no_ranges(void)
{
	static const char *const bad[] = { "", ",", "0", "0:1", "0:1:", "0:1:0",
		":1:1", "0:1:1:", "0:1:1:1", "0:1:1,", "-1:0:1", "00:1:1",
		"0:1:1x", " 0:1:1", "0:1:4294967295", "4294967295:0:1",
		"4294967294:0:2", "0:4294967296:1", "automatic",
		"0:18446744073709551616:1" };
	struct unit_result r;
	char want[128];
	size_t i;

	for (i = 0; i < UNIT_COUNT(bad); i++) {
		unit_run(&r, parse, (void *)(uintptr_t)bad[i]);
		CHECK_INT(r.wstatus, UNIT_WAIT(125, 0));
		CHECK_STR(r.out, "");
		strcpy(want, ": uidmap=");
		strcat(want, bad[i]);
		strcat(want, ": not IN:OUT:N\n");
		CHECK(strstr(r.err, want) != NULL);
	}
}

static void
too_many(void)
{
	static char value[NS_EXTENTS * 6 + 7];
	struct unit_result r;
	int i;

	for (i = 0; i <= NS_EXTENTS; i++)
		strcpy(value + 6 * i, "0:0:1,");
	value[6 * NS_EXTENTS - 1] = '\0';
	unit_run(&r, parse, value);
	CHECK_INT(r.wstatus, 0);
	value[6 * NS_EXTENTS - 1] = ',';
	value[6 * NS_EXTENTS + 5] = '\0';
	unit_run(&r, parse, value);
	CHECK_INT(r.wstatus, UNIT_WAIT(125, 0));
	CHECK(strstr(r.err, ": uidmap: more than 64 ranges\n") != NULL);
}

static const struct unit tests[] = {
	UNIT(ranges_add_up),
	UNIT(automatic),
	UNIT(no_ranges),
	UNIT(too_many),
};

UNIT_MAIN(tests)
