/* The words of volt-net, and which of them go together. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "cidr.h"
#include "say.h"
#include "tap.h"
#include "value.h"

#include "net.h"

/*
 * The bridge's name is also the name of files below /proc/sys, where "all" and
 * "default" have another meaning, and part of the name of an nftables table.
 * "volt" with eight hexadecimal digits is the name of a lease.
 */
static void
set_bridge(void *ctx, const char *key, const char *value)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct plan *plan = ctx;
	struct lease l;
	size_t len = strlen(value);

	if (len == 0 || len >= IFNAMSIZ || strspn(value, valid) != len ||
	    value[0] == '-' || strcmp(value, "all") == 0 ||
	    strcmp(value, "default") == 0 || lease_parse(value, &l))
		word_bad(key, value, "not the name of a bridge: 1 to 15 of "
		    "a-z A-Z 0-9 _ -");
	memcpy(plan->subnets.bridge, value, len + 1);
	plan->private_word = "bridge=";
}

static void
set_subnet(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;
	struct subnets *s = &plan->subnets;
	struct in_addr a;

	if (!cidr_parse(value, AF_INET, &a, &s->len) || s->len < 8 ||
	    s->len > 30)
		word_bad(key, value, "not an IPv4 network from /8 to /30");
	s->net = ntohl(a.s_addr);
	if ((s->net & (UINT32_MAX >> s->len)) != 0)
		word_bad(key, value, "bits are set after the prefix");
	if (s->net >> 24 == 0 || s->net >> 24 == 127 || s->net >> 28 >= 0xe)
		word_bad(key, value, "not a network for hosts");
	s->given = true;
	plan->private_word = "subnet=";
}

static void
set_subnet6(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;
	struct subnets *s = &plan->subnets;
	uint8_t mask[16];
	unsigned int i;

	plan->private_word = "subnet6=";
	s->given6 = true;
	s->no6 = strcmp(value, "none") == 0;
	if (s->no6)
		return;
	if (!cidr_parse(value, AF_INET6, &s->net6, &s->len6) || s->len6 < 8 ||
	    s->len6 > 96)
		word_bad(key, value, "not an IPv6 network from /8 to /96");
	cidr_mask(s->len6, mask);
	for (i = 0; i < sizeof(mask); i++)
		if ((s->net6.s6_addr[i] & ~mask[i]) != 0)
			word_bad(key, value, "bits are set after the prefix");
	if (s->net6.s6_addr[0] == 0 || s->net6.s6_addr[0] >= 0xfe)
		word_bad(key, value, "not a network for hosts");
}

static void
set_ip(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;
	struct in_addr a;

	if (inet_pton(AF_INET, value, &a) != 1 || a.s_addr == 0)
		word_bad(key, value, "not an IPv4 address");
	plan->ip = ntohl(a.s_addr);
	plan->private_word = "ip=";
}

static void
set_port(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;

	forward_parse(&plan->forwards, key, value);
	plan->private_word = "port=";
}

static void
set_isolate(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;

	plan->isolate = word_choice(key, value, "yes|no") == 0;
	plan->private_word = "isolate=";
}

static void
set_mtu(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;

	plan->mtu = (unsigned int)word_uint(key, value, 65535);
	if (plan->mtu < 1280)
		word_bad(key, value, "at least 1280, for IPv6");
	plan->private_word = "mtu=";
}

static void
set_rate(void *ctx, const char *key, const char *value)
{
	const char *cursor = value;
	struct plan *plan = ctx;
	char field[32], *size;
	uint64_t n;

	plan->private_word = "rate=";
	while (value_field(&cursor, ',', field, sizeof(field)) == 1) {
		if ((size = strchr(field, ':')) == NULL)
			word_bad(key, value, "in:SIZE, out:SIZE or both");
		*size++ = '\0';
		n = word_size(key, size);
		if (n < 1000 || n > UINT32_MAX)
			word_bad(key, value, "1000 bytes a second to 4G");
		if (strcmp(field, "in") == 0)
			plan->rate_in = n;
		else if (strcmp(field, "out") == 0)
			plan->rate_out = n;
		else
			word_bad(key, value, "in:SIZE, out:SIZE or both");
	}
	if (errno != 0)
		word_bad(key, value, "in:SIZE, out:SIZE or both");
}

static const struct flag flags[] = {
	FLAG_DRY(struct plan),
	FLAG('d', struct plan, defer,
	    "defer: the following volt-ns -n makes the namespace"),
	FLAG('j', struct plan, json, "print JSON"),
	FLAG('r', struct plan, remove,
	    "without a command: remove an idle bridge and its rules"),
	FLAG('t', struct plan, tap,
	    "a tap for a guest, in VOLT_TAP, and no namespace"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CHOICE_WORD("mode", struct plan, mode, enum net_mode,
	    "private|host|none",
	    "a network of its own, the host's, or loopback only"),
	CTX_WORD("bridge", set_bridge, "NAME",
	    "the bridge, made if missing; default voltbr0"),
	CTX_WORD("subnet", set_subnet, "NET/LEN",
	    "its IPv4 network; default 10.88.0.0/16"),
	CTX_WORD("subnet6", set_subnet6, "NET/LEN|none",
	    "its IPv6 network; default one of its own"),
	CTX_WORD("ip", set_ip, "ADDRESS",
	    "the chain's IPv4 address; default a free one"),
	CTX_WORD("port", set_port, "[IP:]HOST:GUEST[/PROTO]",
	    "forward a port of the host, or a range"),
	CTX_WORD("dns", dns_servers, "IP,...", "resolvers; default the host's"),
	CTX_WORD("search", dns_search, "DOMAIN,...",
	    "domains to search; default the host's"),
	CTX_WORD("hosts", dns_hosts, "NAME:IP", "a line for /etc/hosts"),
	CTX_WORD("isolate", set_isolate, "yes|no",
	    "no traffic from or to other chains; default yes"),
	CTX_WORD("mtu", set_mtu, "BYTES",
	    "the MTU; default that of the host's uplink"),
	CTX_WORD("rate", set_rate, "in:SIZE,out:SIZE",
	    "bytes a second to and from the chain"),
	UINT_WORD("queues", struct plan, queues, 1, TAP_QUEUES, "N",
	    "queues of the tap; default 1"),
	WORD_END,
};

const struct grammar net_grammar = {
	.purpose = "Give a command a network of its own.",
	.flags = flags,
	.words = words,
};

/*
 * Refuse words and flags that make no sense together, before anything is done.
 */
void
net_check(const struct plan *plan, bool command)
{
	const struct subnets *s = &plan->subnets;

	if (!command && !plan->dry)
		return;
	if (plan->remove)
		errx(EXIT_LINK, "-r takes no command");
	if (plan->mode != MODE_PRIVATE) {
		if (plan->private_word != NULL)
			errx(EXIT_LINK, "%s needs mode=private",
			    plan->private_word);
		if (plan->tap)
			errx(EXIT_LINK, "-t needs mode=private");
		if (plan->defer)
			errx(EXIT_LINK, "-d needs mode=private; a volt-ns -n "
			    "alone makes a namespace with loopback");
	}
	if (plan->tap && plan->defer)
		errx(EXIT_LINK, "-t and -d do not go together: a tap needs "
		    "no namespace");
	if (!plan->tap && plan->queues > 1)
		errx(EXIT_LINK, "queues= needs -t");
	if (plan->tap && *plan->names.hosts != '\0')
		errx(EXIT_LINK, "hosts= cannot be passed on with -t");
	if (plan->forwards.n > 0 && plan->ip != 0 && s->given &&
	    (plan->ip & ~(UINT32_MAX >> s->len)) != s->net)
		errx(EXIT_LINK, "ip= is outside subnet=");
}
