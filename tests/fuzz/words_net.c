/*
 * Fuzz the words of volt-net, and the files of DNS that it makes of them.
 * Link: volt-net -lmnl -l:libcap.a
 */
#include "../../cmd/volt-net/net.h"
#include "tap.h"
#include "grammar.h"

/* The lease of the first chain in the subnet that the words name. */
static void
first_lease(const struct subnets *sn)
{
	struct bridge b = { .net = sn->net, .mask = ~(UINT32_MAX >> sn->len),
		.net6 = sn->net6, .len6 = sn->len6 };
	struct lease l;

	if (sn->len > 32 || sn->len6 > 128 || (sn->net & ~b.mask) != 0)
		abort();
	lease_fill(&b, &l, b.net + 2);
}

static void
parse(int argc, char *argv[])
{
	static struct plan plan;
	static struct plug_offer offer;
	const struct forward *f;

	plan = (struct plan){ .isolate = true, .queues = 1,
		.subnets = { .bridge = "voltbr0", .net = 0x0a580000,
			.len = 16 } };
	argv = words_parse(argc, argv, &net_grammar, &plan);
	net_check(&plan, *argv != NULL);
	first_lease(&plan.subnets);
	memset(&offer, 0, sizeof(offer));
	dns_offer(&plan, &offer);
	if (memchr(offer.resolv, '\0', PLUG_TEXT) == NULL ||
	    memchr(offer.hosts, '\0', PLUG_TEXT) == NULL)
		abort();
	if (plan.forwards.n > NET_FORWARDS || plan.queues > TAP_QUEUES)
		abort();
	for (f = plan.forwards.item; f < plan.forwards.item + plan.forwards.n;
	    f++)
		if (f->count == 0 || f->host == 0 ||
		    f->host + f->count > 65536 || f->guest + f->count > 65536)
			abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
