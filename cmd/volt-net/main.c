/*
 * volt-net: give the chain a network, become the next command.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "carry.h"
#include "chain.h"
#include "netns.h"
#include "say.h"

#include "net.h"

/*
 * Open the sockets that reach the host's namespace when we are in another one.
 */
static void
open_host(struct net *net)
{
	if (nl_open(&net->route, NETLINK_ROUTE) == -1 ||
	    nl_open(&net->nft, NETLINK_NETFILTER) == -1 ||
	    (net->plan->forwards.n > 0 &&
	    nl_open(&net->track, NETLINK_NETFILTER) == -1))
		err(EXIT_LINK, "netlink");
}

/*
 * Make a network namespace and enter it. Returns a route netlink socket of it.
 */
static int
enter_namespace(void)
{
	const char *path;
	int route;

	if (unshare(CLONE_NEWNET) == -1) {
		if (errno == EPERM)
			errx(EXIT_LINK, "network namespace: Operation not "
			    "permitted; without root, use pasta(1) in place of "
			    "volt-net");
		err(EXIT_LINK, "network namespace");
	}
	if (netns_loopback() == -1)
		err(EXIT_LINK, "loopback");
	if (netns_settings(&path) == -1)
		warn("%s stays as it is", path);
	say("new network namespace");
	route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (route == -1)
		err(EXIT_LINK, "netlink");
	return route;
}

/*
 * Leave the files for a volt-ns with a root, and say that the network is made.
 */
static void
leave_files(const struct plan *plan)
{
	static struct plug_offer offer;
	int pair[2];

	offer.kind = PLUG_MADE;
	dns_offer(plan, &offer);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    plug_offer(pair[1], &offer) == -1 || plug_announce(pair[0]) == -1)
		err(EXIT_LINK, "plug");
	close(pair[1]);
}

static void
make_network(struct net *net)
{
	const struct plan *plan = net->plan;
	const struct forwards *fs = &plan->forwards;
	struct bridge *b = &net->bridge;

	bridge_open(b, forward_from_loopback(fs), &net->route);
	rules_bridge(b, &net->nft);
	foreign_tell(b->name, &net->nft);
	forward_reserve(fs, b->has6);
	if (plan->defer) {
		if (plug_announce(helper_defer(net)) == -1)
			err(EXIT_LINK, "plug");
		forward_reserved(fs);
		return;
	}
	if (plan->tap)
		tap_attach(net);
	else
		veth_attach(net, enter_namespace());
	if (fs->n > 0) {
		rules_forwards(fs, &net->lease, b->has6, &net->nft);
		helper_hold(net);
	}
	if (!plan->tap)
		leave_files(plan);
	forward_reserved(fs);
}

/* -N: say what the chain would get. bridge_plan() has said which bridge. */
static void
describe(const struct plan *plan)
{
	char ip[INET_ADDRSTRLEN];
	size_t i;

	say("%s%s, address %s%s", plan->tap ? "a tap" : "a veth pair",
	    plan->defer ? " when a volt-ns -n asks for it" : "",
	    plan->ip != 0 ? ip4_text(plan->ip, ip) : "the next free one",
	    plan->isolate ? ", isolated" : "");
	for (i = 0; i < plan->forwards.n; i++)
		say("forward %s", plan->forwards.item[i].text);
	if (plan->rate_in != 0)
		say("at most %" PRIu64 " bytes a second in", plan->rate_in);
	if (plan->rate_out != 0)
		say("at most %" PRIu64 " bytes a second out", plan->rate_out);
}

/* End if an earlier volt-net left a network or files that no link has used. */
static void
refuse_second(void)
{
	static struct plug_offer before;
	int sock = plug_find();

	if (sock == -1) {
		if (carry_is_none(errno))
			return;
		err(EXIT_LINK, PLUG_VARIABLE);
	}
	if (plug_peek(sock, &before) == 0 &&
	    (before.kind == PLUG_DEFERRED || (before.flags & PLUG_FILES) != 0))
		errx(EXIT_LINK, "an earlier volt-net left a network or files "
		    "that no link has used");
	plug_close(sock);
}

int
main(int argc, char *argv[])
{
	static struct plan plan = {
		.isolate = true, .queues = 1,
		.subnets = { .bridge = "voltbr0", .net = 0x0a580000,
			.len = 16 },
	};
	static struct net net = { .plan = &plan };

	argv = words_parse(argc, argv, &net_grammar, &plan);
	net_check(&plan, *argv != NULL);
	net.pid = getpid();
	if (*argv == NULL && !plan.dry) {
		open_host(&net);
		if (!plan.remove)
			return print_state(&net.route, &net.nft, plan.json);
		bridge_remove(plan.subnets.bridge, &net.route, &net.nft);
		return 0;
	}
	if (!plan.dry)
		refuse_second();
	switch (plan.mode) {
	case MODE_HOST:
		dns_plan(&plan, &net.bridge, &net.route, false);
		say("mode=host: the network is the host's");
		if (!plan.dry)
			leave_files(&plan);
		break;
	case MODE_NONE:
		dns_plan(&plan, &net.bridge, &net.route, false);
		if (plan.dry)
			say("new network namespace");
		else {
			close(enter_namespace());
			leave_files(&plan);
		}
		break;
	case MODE_PRIVATE:
		open_host(&net);
		bridge_plan(&net.bridge, &plan, &net.route);
		dns_plan(&plan, &net.bridge, &net.route,
		    plan.tap || (*argv != NULL && chain_may_be_link(*argv)));
		if (plan.dry)
			describe(&plan);
		else
			make_network(&net);
	}
	if (plan.dry)
		chain_dry(argv, false, false);
	chain_exec(argv);
}
