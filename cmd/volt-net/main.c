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
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "netns.h"
#include "say.h"

#include "net.h"

/* The sockets that reach the host's namespace, wherever we are later. */
static void
open_host(struct net *net)
{
	if (nl_open(&net->route, NETLINK_ROUTE) == -1 ||
	    nl_open(&net->nft, NETLINK_NETFILTER) == -1 ||
	    (net->nforwards > 0 &&
	    nl_open(&net->track, NETLINK_NETFILTER) == -1))
		err(EXIT_LINK, "netlink");
}

/* Enter a network namespace of our own, with what each of them gets. */
static int
enter_namespace(void)
{
	const char *path;
	int route;

	if (unshare(CLONE_NEWNET) == -1) {
		if (errno == EPERM)
			errx(EXIT_LINK, "network namespace: Operation not "
			    "permitted; without root, pasta(1) takes the place "
			    "of volt-net");
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

/* Leave the files, and that the network is made, for a volt-ns with a root. */
static void
leave_files(const struct net *net)
{
	static struct plug_offer offer;
	int pair[2];

	offer.kind = PLUG_MADE;
	dns_offer(net, &offer);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    plug_offer(pair[1], &offer) == -1 || plug_announce(pair[0]) == -1)
		err(EXIT_LINK, "plug");
	close(pair[1]);
}

static void
make_network(struct net *net)
{
	bridge_open(net);
	rules_bridge(net);
	foreign_tell(net);
	forward_reserve(net);
	if (net->defer) {
		if (plug_announce(helper_defer(net)) == -1)
			err(EXIT_LINK, "plug");
		forward_reserved(net);
		return;
	}
	if (net->tap)
		tap_attach(net);
	else
		veth_attach(net, enter_namespace());
	if (net->nforwards > 0) {
		rules_forwards(net);
		helper_hold(net);
	}
	if (!net->tap)
		leave_files(net);
	forward_reserved(net);
}

/* -N: what the chain would get; bridge_plan() has told of the bridge. */
static void
describe(const struct net *net)
{
	char ip[INET_ADDRSTRLEN];
	size_t i;

	say("%s%s, address %s%s", net->tap ? "a tap" : "a veth pair",
	    net->defer ? " when a volt-ns -n asks for it" : "",
	    net->asked != 0 ? ip4_text(net->asked, ip) : "the next free one",
	    net->isolate ? ", isolated" : "");
	for (i = 0; i < net->nforwards; i++)
		say("forward %s", net->forward[i].text);
	if (net->rate_in != 0)
		say("at most %" PRIu64 " bytes a second in", net->rate_in);
	if (net->rate_out != 0)
		say("at most %" PRIu64 " bytes a second out", net->rate_out);
}

/* What a volt-net before us left must not be lost when we leave our own. */
static void
refuse_second(void)
{
	static struct plug_offer before;
	int sock = plug_find();

	if (sock == -1) {
		if (errno == ENOENT || errno == EPROTOTYPE ||
		    errno == EINVAL || errno == ERANGE)
			return;
		err(EXIT_LINK, PLUG_VARIABLE);
	}
	if (plug_peek(sock, &before) == 0 &&
	    (before.kind == PLUG_DEFERRED || (before.flags & PLUG_FILES) != 0))
		errx(EXIT_LINK, "a volt-net before this one left a network or "
		    "files that nobody took");
	plug_close(sock);
}

/* Is what follows a link, which may take files? */
static bool
is_link(const char *command)
{
	const char *slash;

	if (command == NULL)
		return false;
	slash = strrchr(command, '/');
	return strncmp(slash != NULL ? slash + 1 : command, "volt-", 5) == 0;
}

int
main(int argc, char *argv[])
{
	static struct net net = {
		.isolate = true, .queues = 1,
		.bridge = { .name = "voltbr0", .net = 0x0a580000, .len = 16 },
	};

	argv = words_parse(argc, argv, &net_grammar, &net);
	net_check(&net, *argv != NULL);
	net.pid = getpid();
	if (*argv == NULL && !net.dry) {
		open_host(&net);
		if (net.remove)
			bridge_remove(&net);
		else
			return print_state(&net);
		return 0;
	}
	if (!net.dry)
		refuse_second();
	switch (net.mode) {
	case MODE_HOST:
		dns_plan(&net, false);
		say("mode=host: the network is the host's");
		if (!net.dry)
			leave_files(&net);
		break;
	case MODE_NONE:
		dns_plan(&net, false);
		if (net.dry)
			say("new network namespace");
		else {
			close(enter_namespace());
			leave_files(&net);
		}
		break;
	case MODE_PRIVATE:
		open_host(&net);
		bridge_plan(&net);
		dns_plan(&net, net.tap || is_link(*argv));
		if (net.dry)
			describe(&net);
		else
			make_network(&net);
	}
	if (net.dry)
		chain_dry(argv, false, false);
	chain_exec(argv);
}
