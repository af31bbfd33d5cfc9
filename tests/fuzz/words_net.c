/*
 * Fuzz the words of volt-net, and the files of DNS that it makes of them.
 * Link: volt-net -lmnl -l:libcap.a
 */
#include "../../cmd/volt-net/net.h"
#include "grammar.h"

static void
parse(int argc, char *argv[])
{
	static struct net net;
	static struct plug_offer offer;
	size_t i;

	net = (struct net){ .isolate = true, .queues = 1,
		.bridge = { .name = "voltbr0", .net = 0x0a580000, .len = 16 } };
	argv = words_parse(argc, argv, &net_grammar, &net);
	net_check(&net, *argv != NULL);
	lease_fill(&net.bridge, &net.lease, net.bridge.net + 2);
	dns_offer(&net, &offer);
	if (memchr(offer.resolv, '\0', PLUG_TEXT) == NULL ||
	    memchr(offer.hosts, '\0', PLUG_TEXT) == NULL)
		abort();
	if (net.nforwards > NET_FORWARDS || net.queues > TAP_QUEUES ||
	    net.bridge.len > 32 || net.bridge.len6 > 128 ||
	    (net.bridge.net & ~net.bridge.mask) != 0)
		abort();
	for (i = 0; i < net.nforwards; i++)
		if (net.forward[i].count == 0 || net.forward[i].host == 0 ||
		    net.forward[i].host + net.forward[i].count > 65536 ||
		    net.forward[i].guest + net.forward[i].count > 65536)
			abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
