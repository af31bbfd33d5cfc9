/* The words of volt-net: what may be said, and what must not be said together. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "cidr.h"
#include "say.h"
#include "value.h"

#include "net.h"

/*
 * The name of an interface, and of files below /proc/sys and of a table. "all"
 * and "default" mean something else there; volt and eight hexadecimal digits
 * is a lease.
 */
static void
set_bridge(void *ctx, const char *key, const char *value)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct net *net = ctx;
	struct lease l;
	size_t len = strlen(value);

	if (len == 0 || len >= IFNAMSIZ || strspn(value, valid) != len ||
	    value[0] == '-' || strcmp(value, "all") == 0 ||
	    strcmp(value, "default") == 0 || lease_parse(value, &l))
		word_bad(key, value, "not the name of a bridge: 1 to 15 of "
		    "a-z A-Z 0-9 _ -");
	memcpy(net->bridge.name, value, len + 1);
	net->private_word = "bridge=";
}

static void
set_subnet(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;
	struct bridge *b = &net->bridge;
	struct in_addr a;

	if (!cidr_parse(value, AF_INET, &a, &b->len) || b->len < 8 ||
	    b->len > 30)
		word_bad(key, value, "not an IPv4 network from /8 to /30");
	b->net = ntohl(a.s_addr);
	if ((b->net & (UINT32_MAX >> b->len)) != 0)
		word_bad(key, value, "bits are set behind the prefix");
	if (b->net >> 24 == 0 || b->net >> 24 == 127 || b->net >> 28 >= 0xe)
		word_bad(key, value, "not a network for hosts");
	b->given = true;
	net->private_word = "subnet=";
}

static void
set_subnet6(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;
	struct bridge *b = &net->bridge;
	uint8_t mask[16];
	unsigned int i;

	net->private_word = "subnet6=";
	b->given6 = true;
	b->no6 = strcmp(value, "none") == 0;
	if (b->no6)
		return;
	if (!cidr_parse(value, AF_INET6, &b->net6, &b->len6) || b->len6 < 8 ||
	    b->len6 > 96)
		word_bad(key, value, "not an IPv6 network from /8 to /96");
	cidr_mask(b->len6, mask);
	for (i = 0; i < sizeof(mask); i++)
		if ((b->net6.s6_addr[i] & ~mask[i]) != 0)
			word_bad(key, value, "bits are set behind the prefix");
	if (b->net6.s6_addr[0] == 0 || b->net6.s6_addr[0] >= 0xfe)
		word_bad(key, value, "not a network for hosts");
}

static void
set_ip(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;
	struct in_addr a;

	if (inet_pton(AF_INET, value, &a) != 1 || a.s_addr == 0)
		word_bad(key, value, "not an IPv4 address");
	net->asked = ntohl(a.s_addr);
	net->private_word = "ip=";
}

static void
set_port(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;

	forward_parse(net, key, value);
	net->private_word = "port=";
}

static void
set_isolate(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;

	net->isolate = word_choice(key, value, "yes|no") == 0;
	net->private_word = "isolate=";
}

static void
set_mtu(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;

	net->mtu = (unsigned int)word_uint(key, value, 65535);
	if (net->mtu < 1280)
		word_bad(key, value, "at least 1280, for IPv6");
	net->private_word = "mtu=";
}

static void
set_rate(void *ctx, const char *key, const char *value)
{
	const char *cursor = value;
	struct net *net = ctx;
	char field[32], *size;
	uint64_t n;

	net->private_word = "rate=";
	while (value_field(&cursor, ',', field, sizeof(field)) == 1) {
		if ((size = strchr(field, ':')) == NULL)
			word_bad(key, value, "in:SIZE, out:SIZE or both");
		*size++ = '\0';
		n = word_size(key, size);
		if (n < 1000 || n > UINT32_MAX)
			word_bad(key, value, "1000 bytes a second to 4G");
		if (strcmp(field, "in") == 0)
			net->rate_in = n;
		else if (strcmp(field, "out") == 0)
			net->rate_out = n;
		else
			word_bad(key, value, "in:SIZE, out:SIZE or both");
	}
	if (errno != 0)
		word_bad(key, value, "in:SIZE, out:SIZE or both");
}

static const struct flag flags[] = {
	FLAG_DRY(struct net),
	FLAG('d', struct net, defer, "defer: the volt-ns -n that follows makes the namespace"),
	FLAG('j', struct net, json, "print JSON"),
	FLAG('r', struct net, remove, "without a command: remove an idle bridge and its rules"),
	FLAG('t', struct net, tap, "a tap for a guest, in VOLT_TAP, and no namespace"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CHOICE_WORD("mode", struct net, mode, enum net_mode, "private|host|none",
	    "a network of its own, the host's, or loopback only"),
	CTX_WORD("bridge", set_bridge, "NAME",
	    "the bridge, made if missing; default voltbr0"),
	CTX_WORD("subnet", set_subnet, "NET/LEN",
	    "its IPv4 network; default 10.88.0.0/16"),
	CTX_WORD("subnet6", set_subnet6, "NET/LEN|none",
	    "its IPv6 network; default one of its own"),
	CTX_WORD("ip", set_ip, "ADDRESS", "the IPv4 address to have; default a free one"),
	CTX_WORD("port", set_port, "[IP:]HOST:GUEST[/PROTO]",
	    "forward a port of the host's, or a range"),
	CTX_WORD("dns", dns_servers, "IP,...", "resolvers; default the host's"),
	CTX_WORD("search", dns_search, "DOMAIN,...", "domains to search; default the host's"),
	CTX_WORD("hosts", dns_hosts, "NAME:IP", "a line of /etc/hosts"),
	CTX_WORD("isolate", set_isolate, "yes|no",
	    "keep away from other chains; default yes"),
	CTX_WORD("mtu", set_mtu, "BYTES", "default that of the host's uplink"),
	CTX_WORD("rate", set_rate, "in:SIZE,out:SIZE",
	    "bytes a second to and from the chain"),
	UINT_WORD("queues", struct net, queues, 1, TAP_QUEUES, "N",
	    "queues of the tap; default 1"),
	WORD_END,
};

const struct grammar net_grammar = {
	.purpose = "Give a command a network of its own.",
	.flags = flags,
	.words = words,
};

/* Refuse what cannot mean anything, before anything is done. */
void
net_check(struct net *net, bool command)
{
	struct bridge *b = &net->bridge;

	b->mask = ~(UINT32_MAX >> b->len);
	b->gw = b->net + 1;
	if (!command && !net->dry)
		return;
	if (net->remove)
		errx(EXIT_LINK, "-r takes no command");
	if (net->mode != MODE_PRIVATE) {
		if (net->private_word != NULL)
			errx(EXIT_LINK, "%s needs mode=private",
			    net->private_word);
		if (net->tap)
			errx(EXIT_LINK, "-t needs mode=private");
		if (net->defer)
			errx(EXIT_LINK, "-d needs mode=private; a volt-ns -n "
			    "alone makes a namespace with loopback");
	}
	if (net->tap && net->defer)
		errx(EXIT_LINK, "-t and -d do not go together: a tap needs "
		    "no namespace");
	if (!net->tap && net->queues > 1)
		errx(EXIT_LINK, "queues= needs -t");
	if (net->tap && *net->hosts != '\0')
		errx(EXIT_LINK, "hosts= cannot be handed on with -t");
	if (net->nforwards > 0 && net->asked != 0 && b->given &&
	    (net->asked & b->mask) != b->net)
		errx(EXIT_LINK, "ip= is outside subnet=");
}
