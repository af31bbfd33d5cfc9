/* lease_name.c: the names of leases. */
#include <string.h>

#include "../../cmd/volt-net/net.h"
#include "unit.h"

static void
names_there_and_back(void)
{
	static const struct bridge b = { .mask = 0xffff0000,
		.net6 = { .s6_addr = { 0xfd, 0x76 } } };
	static const uint8_t mac[6] = { 0x02, 0x76, 0x0a, 0x58, 0x01, 0x02 };
	static const struct in6_addr addr6 = { .s6_addr = { 0xfd, 0x76,
	    [14] = 1, [15] = 2 } };
	struct lease l = { 0 }, again = { 0 };

	lease_fill(&b, &l, 0x0a580102);
	CHECK_STR(l.name, "volt0a580102");
	CHECK(memcmp(l.mac, mac, sizeof(mac)) == 0);
	CHECK(memcmp(&l.addr6, &addr6, sizeof(addr6)) == 0);
	CHECK(lease_parse(l.name, &again));
	CHECK_INT(again.addr, 0x0a580102);
	lease_fill(&b, &l, UINT32_MAX);
	CHECK(lease_parse(l.name, &again));
	CHECK_INT(again.addr, UINT32_MAX);
}

static void
names_of_others(void)
{
	static const char *const bad[] = { "", "volt", "voltbr0", "volt0a58010",
		"volt0a5801022", "volt0A580102", "volt0a58010g", "vol00a580102",
		"volt 0a58010", "volt+a580102", "volt0a58010\n" };
	struct lease l = { .addr = 7 };
	size_t i;

	for (i = 0; i < UNIT_COUNT(bad); i++)
		CHECK(!lease_parse(bad[i], &l));
	CHECK_INT(l.addr, 7);
}

static void
processes(void)
{
	static const char *const bad[] = { "", "volt-net", "volt-net ",
		"volt-net -1", "volt-net 01", "volt-net 2147483648",
		"volt-net 4711 ", "volt-net  4711", "volt-nets 4711" };
	struct iface i = { .alias = "volt-net 4711" };
	pid_t pid = 7;
	size_t k;

	CHECK(lease_process(&i, &pid));
	CHECK_INT(pid, 4711);
	for (k = 0; k < UNIT_COUNT(bad); k++) {
		strcpy(i.alias, bad[k]);
		CHECK(!lease_process(&i, &pid));
	}
	CHECK_INT(pid, 4711);
}

static const struct unit tests[] = {
	UNIT(names_there_and_back),
	UNIT(names_of_others),
	UNIT(processes),
};

UNIT_MAIN(tests)
