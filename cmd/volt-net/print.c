/* Without a command: print the bridges and leases, one a line, or as JSON. */
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

#define MANY 65536	/* interfaces that we look at */

/* An interface. */
struct item {
	struct iface iface;
	bool bridge;	/* one of ours, or one that has a lease as a port */
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
		if (s->item[i].iface.index == index)
			return &s->item[i];
	return NULL;
}

static void
see_iface(const struct nlmsghdr *msg, void *ctx)
{
	struct state *s = ctx;
	struct item *it;
	struct iface i;

	if (!iface_parse(msg, &i) || s->n == MANY)
		return;
	it = realloc(s->item, (s->n + 1) * sizeof(*it));
	if (it == NULL) {
		s->failed = true;
		return;
	}
	s->item = it;
	it += s->n++;
	*it = (struct item){ .iface = i };
	it->bridge = strcmp(i.kind, "bridge") == 0 &&
	    strcmp(i.alias, NET_ALIAS) == 0;
	it->lease = lease_parse(i.name, &it->l) && lease_process(&i, &it->pid);
}

static void
see_address(const struct nlmsghdr *msg, void *ctx)
{
	struct iface_addr a;
	struct item *it;
	bool v6;

	if (!iface_parse_address(msg, &a) || a.scope != RT_SCOPE_UNIVERSE ||
	    (it = item_of(ctx, a.index)) == NULL)
		return;
	v6 = a.family == AF_INET6;
	if (it->addr[v6][0] == '\0')
		cidr_text(a.family, a.addr, a.len, it->addr[v6]);
}

static void
look(struct nl *route, struct state *s)
{
	struct item *on;
	struct nlreq r;
	size_t i;

	nlreq_init(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	if (nl_dump(route, &r, see_iface, s) == -1)
		nl_fail(route, "interfaces");
	if (s->failed)
		errx(EXIT_LINK, "interfaces: out of memory");
	nlreq_init(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	if (nl_dump(route, &r, see_address, s) == -1)
		nl_fail(route, "addresses");
	for (i = 0; i < s->n; i++) {
		on = item_of(s, s->item[i].iface.master);
		if (s->item[i].lease && on != NULL)
			on->bridge = true;
	}
}

/* For print_forward(). */
struct printing {
	bool json;
	char last[128];
	unsigned int n;
};

/* Print a forward only once, although it has a rule for each family. */
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

/*
 * Nothing here needs escapes in JSON: names without quotes, addresses, ports.
 */
static void
print_lease(struct nl *nft, bool json, const struct state *s,
    const struct item *it, bool first)
{
	const struct item *on = item_of((struct state *)(uintptr_t)s,
	    it->iface.master);
	const char *bridge = on != NULL ? on->iface.name : "";
	struct printing p = { .json = json };
	char ip[INET_ADDRSTRLEN], path[PATH_MAX], buf[256];
	const char *unit = "-";
	bool seen;

	ip4_text(it->l.addr, ip);
	if (cgroup_of(it->pid, path, sizeof(path)) == 0)
		unit = cgroup_unit(path, buf, sizeof(buf));
	if (json)
		printf("%s{\"address\":\"%s\",\"bridge\":\"%s\","
		    "\"interface\":\"%s\",\"kind\":\"%s\",\"pid\":%d,"
		    "\"forwards\":", first ? "" : ",", ip, bridge,
		    it->iface.name, it->iface.kind, (int)it->pid);
	else
		printf("lease %s bridge %s interface %s kind %s pid %d", ip,
		    *bridge != '\0' ? bridge : "-", it->iface.name,
		    it->iface.kind, (int)it->pid);
	/* ENOENT: the lease has no forwards. Another error: we cannot know. */
	seen = rules_comments(nft, it->iface.name, print_forward, &p) == 0 ||
	    errno == ENOENT;
	/* What the host's end has sent, the chain has received. */
	if (json) {
		printf("%s,\"unit\":", p.n > 0 ? "]" : seen ? "[]" : "null");
		json_string(stdout, strcmp(unit, "-") == 0 ? "" : unit);
		printf(",\"received\":%" PRIu64 ",\"sent\":%" PRIu64 "}",
		    it->iface.sent, it->iface.received);
	} else {
		printf("%s unit %s received %" PRIu64 " sent %" PRIu64 "\n",
		    p.n == 0 && !seen ? " forwards ?" : "", unit,
		    it->iface.sent, it->iface.received);
	}
}

static void
print_bridge(bool json, const struct item *it, bool first)
{
	if (json)
		printf("%s{\"name\":\"%s\",\"address\":\"%s\",\"address6\":"
		    "\"%s\"}", first ? "" : ",", it->iface.name, it->addr[0],
		    it->addr[1]);
	else
		printf("bridge %s address %s address6 %s\n", it->iface.name,
		    it->addr[0][0] != '\0' ? it->addr[0] : "-",
		    it->addr[1][0] != '\0' ? it->addr[1] : "-");
}

int
print_state(struct nl *route, struct nl *nft, bool json)
{
	struct state s = { NULL, 0, false };
	bool first = true;
	size_t i;

	look(route, &s);
	if (json)
		printf("{\"bridges\":[");
	for (i = 0; i < s.n; i++) {
		if (!s.item[i].bridge)
			continue;
		print_bridge(json, &s.item[i], first);
		first = false;
	}
	if (json)
		printf("],\"leases\":[");
	first = true;
	for (i = 0; i < s.n; i++) {
		if (!s.item[i].lease)
			continue;
		print_lease(nft, json, &s, &s.item[i], first);
		first = false;
	}
	if (json)
		printf("]}\n");
	free(s.item);
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
	return 0;
}
