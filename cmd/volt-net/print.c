/* Without a command: what there is, a line an item, or JSON. */
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "chain.h"
#include "cidr.h"
#include "json.h"

#include "net.h"

#define MANY 65536	/* links looked at */

struct item {
	struct link link;
	bool bridge;	/* ours, or one that a lease is on */
	bool lease;
	pid_t pid;
	struct lease l;
	char addr[2][CIDR_TEXT];
};

struct state {
	struct item *item;
	size_t n;
	bool failed;	/* out of memory */
};

static struct item *
item_of(struct state *s, int index)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->item[i].link.index == index)
			return &s->item[i];
	return NULL;
}

static void
see_link(const struct nlmsghdr *msg, void *ctx)
{
	struct state *s = ctx;
	struct item *it;
	struct link l;

	if (!link_parse(msg, &l) || s->n == MANY)
		return;
	it = realloc(s->item, (s->n + 1) * sizeof(*it));
	if (it == NULL) {
		s->failed = true;
		return;
	}
	s->item = it;
	it += s->n++;
	*it = (struct item){ .link = l };
	it->bridge = strcmp(l.kind, "bridge") == 0 &&
	    strcmp(l.alias, NET_ALIAS) == 0;
	it->lease = lease_parse(l.name, &it->l) && lease_process(&l, &it->pid);
}

static void
see_address(const struct nlmsghdr *msg, void *ctx)
{
	struct link_addr a;
	struct item *it;
	bool v6;

	if (!link_parse_address(msg, &a) || a.scope != RT_SCOPE_UNIVERSE ||
	    (it = item_of(ctx, a.index)) == NULL)
		return;
	v6 = a.family == AF_INET6;
	if (it->addr[v6][0] == '\0')
		cidr_text(a.family, a.addr, a.len, it->addr[v6]);
}

static void
look(struct net *net, struct state *s)
{
	struct item *on;
	struct nlreq r;
	size_t i;

	nlreq_init(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	if (nl_dump(&net->route, &r, see_link, s) == -1)
		nl_fail(&net->route, "links");
	if (s->failed)
		errx(EXIT_LINK, "links: out of memory");
	nlreq_init(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	if (nl_dump(&net->route, &r, see_address, s) == -1)
		nl_fail(&net->route, "addresses");
	for (i = 0; i < s->n; i++) {
		on = item_of(s, s->item[i].link.master);
		if (s->item[i].lease && on != NULL)
			on->bridge = true;
	}
}

struct printing {
	bool json;
	char last[128];
	unsigned int n;
};

/* A forward has a rule for each family: print it once. */
static void
print_forward(const char *text, void *ctx)
{
	struct printing *p = ctx;

	if (strcmp(p->last, text) == 0)
		return;
	snprintf(p->last, sizeof(p->last), "%s", text);
	if (p->json)
		printf("%s\"%s\"", p->n > 0 ? "," : "[", text);
	else
		printf("%s%s", p->n > 0 ? "," : " forwards ", text);
	p->n++;
}

/* Texts are ours or the kernel's: names without quotes, addresses, ports. */
static void
print_lease(struct net *net, const struct state *s, const struct item *it,
    bool first)
{
	const struct item *on = item_of((struct state *)(uintptr_t)s,
	    it->link.master);
	struct printing p = { .json = net->json };
	char ip[INET_ADDRSTRLEN], path[PATH_MAX], buf[256];
	const char *unit = "-";
	bool seen;

	ip4_text(it->l.addr, ip);
	if (cgroup_of(it->pid, path, sizeof(path)) == 0)
		unit = cgroup_unit(path, buf, sizeof(buf));
	if (net->json)
		printf("%s{\"address\":\"%s\",\"bridge\":\"%s\",\"link\":\"%s\""
		    ",\"kind\":\"%s\",\"pid\":%d,\"forwards\":", first ? "" :
		    ",", ip, on != NULL ? on->link.name : "", it->link.name, it->link.kind,
		    (int)it->pid);
	else
		printf("lease %s bridge %s link %s kind %s pid %d", ip,
		    on != NULL ? on->link.name : "-", it->link.name, it->link.kind,
		    (int)it->pid);
	/* Most leases have no table. Without rights it is not to be known. */
	seen = rules_comments(&net->nft, it->link.name, print_forward, &p) ==
	    0 || errno == ENOENT;
	/* Our end has sent what the chain has received. */
	if (net->json) {
		printf("%s,\"unit\":", p.n > 0 ? "]" : seen ? "[]" : "null");
		json_string(stdout, strcmp(unit, "-") == 0 ? "" : unit);
		printf(",\"received\":%" PRIu64 ",\"sent\":%" PRIu64 "}",
		    it->link.sent, it->link.received);
	} else {
		printf("%s unit %s received %" PRIu64 " sent %" PRIu64 "\n",
		    p.n == 0 && !seen ? " forwards ?" : "", unit,
		    it->link.sent, it->link.received);
	}
}

static void
print_bridge(const struct net *net, const struct item *it, bool first)
{
	if (net->json)
		printf("%s{\"name\":\"%s\",\"address\":\"%s\",\"address6\":"
		    "\"%s\"}", first ? "" : ",", it->link.name, it->addr[0],
		    it->addr[1]);
	else
		printf("bridge %s address %s address6 %s\n", it->link.name,
		    it->addr[0][0] != '\0' ? it->addr[0] : "-",
		    it->addr[1][0] != '\0' ? it->addr[1] : "-");
}

int
print_state(struct net *net)
{
	struct state s = { NULL, 0, false };
	bool first = true;
	size_t i;

	look(net, &s);
	if (net->json)
		printf("{\"bridges\":[");
	for (i = 0; i < s.n; i++) {
		if (!s.item[i].bridge)
			continue;
		print_bridge(net, &s.item[i], first);
		first = false;
	}
	if (net->json)
		printf("],\"leases\":[");
	first = true;
	for (i = 0; i < s.n; i++) {
		if (!s.item[i].lease)
			continue;
		print_lease(net, &s, &s.item[i], first);
		first = false;
	}
	if (net->json)
		printf("]}\n");
	free(s.item);
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
	return 0;
}
