/* plug.c and tap.c: what is believed of a plug and of VOLT_TAP. */
#include <sys/socket.h>
#include <sys/uio.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plug.h"
#include "tap.h"
#include "unit.h"

#define MAGIC 0x67756c70

static void
pair_of(int type, int pair[2])
{
	CHECK_INT(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

static void
close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void
offer_goes_through(void)
{
	static struct plug_offer in = { .kind = PLUG_DEFERRED,
		.flags = PLUG_FILES, .resolv = "nameserver 1.1.1.1\n",
		.hosts = "127.0.0.1 localhost\n" }, out;
	int pair[2], i;

	pair_of(SOCK_SEQPACKET, pair);
	CHECK_INT(plug_offer(pair[1], &in), 0);
	CHECK_INT(plug_announce(pair[0]), 0);
	CHECK_INT(plug_find(), pair[0]);
	for (i = 0; i < 2; i++) { /* looking takes nothing */
		CHECK_INT(plug_peek(pair[0], &out), 0);
		CHECK_INT(out.kind, PLUG_DEFERRED);
		CHECK_INT(out.flags, PLUG_FILES);
		CHECK_STR(out.resolv, in.resolv);
		CHECK_STR(out.hosts, in.hosts);
	}
	memset(in.resolv, 'x', sizeof(in.resolv) - 1);
	memset(in.hosts, 'y', sizeof(in.hosts) - 1);
	CHECK(recv(pair[0], &out, sizeof(out), 0) > 0);
	CHECK_INT(plug_offer(pair[1], &in), 0);
	CHECK_INT(plug_peek(pair[0], &out), 0);
	CHECK_STR(out.resolv, in.resolv);
	CHECK_STR(out.hosts, in.hosts);
	close_pair(pair);
}

static void
no_offer(void)
{
	static char big[3 * PLUG_TEXT];
	static struct plug_offer out;
	const struct plug_message bad[] = {
		{ .magic = 0, .kind = PLUG_MADE },
		{ .magic = MAGIC, .kind = 0 },
		{ .magic = MAGIC, .kind = PLUG_DONE },
		{ .magic = MAGIC, .kind = PLUG_MADE, .resolv = 1 },
		{ .magic = MAGIC, .kind = PLUG_MADE, .hosts = UINT32_MAX },
		{ .magic = MAGIC, .kind = PLUG_MADE, .resolv = PLUG_TEXT },
		{ .magic = MAGIC, .kind = PLUG_MADE, .resolv = UINT32_MAX,
		    .hosts = 1 },
	};
	int pair[2];
	size_t i;

	pair_of(SOCK_SEQPACKET, pair);
	CHECK_ERRNO(plug_peek(pair[0], &out), EAGAIN);
	for (i = 0; i < UNIT_COUNT(bad); i++) {
		CHECK(send(pair[1], &bad[i], sizeof(bad[i]), 0) > 0);
		CHECK_ERRNO(plug_peek(pair[0], &out), EPROTO);
		CHECK(recv(pair[0], big, sizeof(big), 0) > 0);
	}
	CHECK(send(pair[1], big, sizeof(big), 0) > 0);
	CHECK_ERRNO(plug_peek(pair[0], &out), EPROTO);
	CHECK(recv(pair[0], big, sizeof(big), 0) > 0);
	CHECK(send(pair[1], "x", 1, 0) > 0);
	CHECK_ERRNO(plug_peek(pair[0], &out), EPROTO);
	close_pair(pair);
}

static void
no_plug(void)
{
	char value[16];
	int pair[2], null;

	unsetenv(PLUG_VARIABLE);
	CHECK_ERRNO(plug_find(), ENOENT);
	setenv(PLUG_VARIABLE, "", 1);
	CHECK_ERRNO(plug_find(), EINVAL);
	setenv(PLUG_VARIABLE, "1x", 1);
	CHECK_ERRNO(plug_find(), EINVAL);
	setenv(PLUG_VARIABLE, "999", 1);
	CHECK_ERRNO(plug_find(), EPROTOTYPE);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	snprintf(value, sizeof(value), "%d", null);
	setenv(PLUG_VARIABLE, value, 1);
	CHECK_ERRNO(plug_find(), EPROTOTYPE);
	close(null);
	pair_of(SOCK_STREAM, pair);
	snprintf(value, sizeof(value), "%d", pair[0]);
	setenv(PLUG_VARIABLE, value, 1);
	CHECK_ERRNO(plug_find(), EPROTOTYPE);
	close_pair(pair);
}

/* Whoever asks gives one socket, of a namespace that is not the host's. */
static void
no_socket(void)
{
	const struct plug_message ask = { .magic = MAGIC, .kind = PLUG_ASK };
	int pair[2], home, null, route;

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	CHECK_ERRNO(plug_namespace(null), EPROTOTYPE);
	pair_of(SOCK_SEQPACKET, pair);
	CHECK(send(pair[1], &ask, sizeof(ask), 0) > 0);
	CHECK_ERRNO(plug_accept(pair[0], home), EPROTO);
	CHECK(send(pair[1], "x", 1, 0) > 0);
	CHECK_ERRNO(plug_accept(pair[0], home), EPROTO);
	close(pair[1]);
	CHECK_ERRNO(plug_accept(pair[0], home), ECONNRESET);
	close(pair[0]);
	close(home);
	close(null);
	close(route);
}

static void
no_tap(void)
{
	static const char *const bad[] = { "", " ", "x", "0", "0: ", ": x=y",
		"0: name=x", "999: name=x", "-: name=x",
		"1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17: name=x" };
	struct tap t;
	size_t i;

	unsetenv(TAP_VARIABLE);
	CHECK_ERRNO(tap_find(&t), ENOENT);
	for (i = 0; i < UNIT_COUNT(bad); i++) {
		setenv(TAP_VARIABLE, bad[i], 1);
		CHECK_ERRNO(tap_find(&t), EPROTO);
	}
}

/* What volt-net writes is read, and nothing that only looks like it. */
static void
tap_there_and_back(void)
{
	static const char *const bad[] = { "0: mac=2:76:0a:58:01:02",
		"0: mac=02:76:0A:58:01:02", "0: mac=02:76:0a:58:01:+2",
		"0: mac=-1:76:0a:58:01:02", "0: mac=02:76:0a:58:01:\t2",
		"0: mac=02:76:0a:58:01:02x", "0: mac=02:76:0a:58:01",
		"0: mac=02-76-0a-58-01-02", "0: mac=" };
	struct tap in = { .nfds = 2, .fd = { 1, 2 }, .name = "volt0a580102",
		.mac = { 2, 0x76, 0x0a, 0x58, 1, 2 }, .mtu = 1400, .len = 16,
		.dns = "1.1.1.1,::1", .search = "a,b", .options = "ndots:2" };
	struct tap out;
	size_t i;

	CHECK_INT(tap_announce(&in), 0);
	CHECK_INT(tap_parse(&out, getenv(TAP_VARIABLE)), 0);
	CHECK(memcmp(&in, &out, sizeof(in)) == 0);
	for (i = 0; i < UNIT_COUNT(bad); i++)
		CHECK_ERRNO(tap_parse(&out, bad[i]), EPROTO);
}

static const struct unit tests[] = {
	UNIT(offer_goes_through),
	UNIT(no_offer),
	UNIT(no_plug),
	UNIT(no_socket),
	UNIT(no_tap),
	UNIT(tap_there_and_back),
};

UNIT_MAIN(tests)
