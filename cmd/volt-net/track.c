/*
 * Connections that the kernel tracks. The first packet decides where a
 * connection goes, and UDP packets from one socket without a pause are one
 * connection for ever. So when a forward begins, connections to its port may
 * still go to the chain that had the port before. When it ends, they may go to
 * a chain that no longer exists. We make the kernel forget these connections:
 * then the next packet counts as a first one.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define TUPLE 128	/* bytes: enough for IPv6 addresses and a zone */

/* The address and port of one end, in network byte order. */
struct end {
	uint8_t addr[16];
	uint16_t port;
};

/* A connection. */
struct entry {
	int family;
	struct end to;	/* where the first packet was sent to */
	uint32_t id;
	uint16_t zone;	/* 0: none */
	size_t len;
	char tuple[TUPLE];	/* of the first packet, as in the dump */
};

/* The connections to look for, and those that were found. */
struct search {
	const struct forwards *forwards;
	const struct lease *lease;
	bool ours;	/* true: those to our chain; false: all others */
	struct entry *entry;
	size_t n;
	bool failed;	/* out of memory */
};

/* Copy an attribute. Returns false if it is missing or has another size. */
static bool
take(const void *nest, size_t size, int attr, void *to, size_t want)
{
	size_t len;
	const void *data = nl_inside(nest, size, attr, &len);

	if (data == NULL || len != want)
		return false;
	memcpy(to, data, want);
	return true;
}

/* Read the source of a tuple's packets, or with dst their destination. */
static bool
read_end(const void *tuple, size_t size, int family, bool dst, struct end *e,
    uint8_t *proto)
{
	const void *ip, *l4;
	size_t iplen, l4len;
	int attr = family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;

	memset(e, 0, sizeof(*e));
	ip = nl_inside(tuple, size, CTA_TUPLE_IP, &iplen);
	l4 = nl_inside(tuple, size, CTA_TUPLE_PROTO, &l4len);
	return ip != NULL && l4 != NULL &&
	    take(ip, iplen, attr + dst, e->addr, family == AF_INET ? 4 : 16) &&
	    take(l4, l4len, CTA_PROTO_NUM, proto, 1) &&
	    take(l4, l4len, CTA_PROTO_SRC_PORT + dst, &e->port, 2);
}

/* The forward for this protocol, address and port, or NULL. */
static const struct forward *
forward_of(const struct forwards *fs, uint8_t proto, int family,
    const struct end *to)
{
	const struct forward *f;
	uint16_t port = ntohs(to->port);

	for (f = fs->item; f < fs->item + fs->n; f++) {
		if (f->proto != proto || port < f->host ||
		    port - f->host >= (int)f->count ||
		    (f->family != AF_UNSPEC && f->family != family))
			continue;
		if (forward_from_any(f) || memcmp(to->addr, family == AF_INET ?
		    (const void *)&f->addr : &f->addr6, family == AF_INET ? 4 :
		    16) == 0)
			return f;
	}
	return NULL;
}

/* Does the connection go where a new one would go? */
static bool
goes_to_us(const struct lease *l, const struct forward *f, int family,
    const struct end *to, const struct end *from)
{
	const uint32_t addr = htonl(l->addr);
	uint16_t guest = (uint16_t)(f->guest + (ntohs(to->port) - f->host));

	return ntohs(from->port) == guest && memcmp(from->addr,
	    family == AF_INET ? (const void *)&addr : &l->addr6,
	    family == AF_INET ? 4 : 16) == 0;
}

static void
see_entry(const struct nlmsghdr *msg, void *ctx)
{
	const struct nfgenmsg *nf = nl_header(msg, sizeof(*nf));
	int family = nf == NULL ? AF_UNSPEC : nf->nfgen_family;
	struct search *s = ctx;
	struct entry e = { .family = family }, *grown;
	const struct forward *f;
	const void *orig, *reply;
	size_t olen, rlen, len;
	const void *data;
	struct end from;
	uint8_t proto;

	orig = nl_find(msg, sizeof(*nf), CTA_TUPLE_ORIG, &olen);
	reply = nl_find(msg, sizeof(*nf), CTA_TUPLE_REPLY, &rlen);
	if ((family != AF_INET && family != AF_INET6) || orig == NULL ||
	    reply == NULL || olen > sizeof(e.tuple) ||
	    !read_end(orig, olen, family, true, &e.to, &proto) ||
	    !read_end(reply, rlen, family, false, &from, &proto) ||
	    (f = forward_of(s->forwards, proto, family, &e.to)) == NULL ||
	    goes_to_us(s->lease, f, family, &e.to, &from) != s->ours)
		return;
	memcpy(e.tuple, orig, olen);
	e.len = olen;
	data = nl_find(msg, sizeof(*nf), CTA_ID, &len);
	if (data != NULL && len == sizeof(e.id))
		memcpy(&e.id, data, len);
	data = nl_find(msg, sizeof(*nf), CTA_ZONE, &len);
	if (data != NULL && len == sizeof(e.zone))
		memcpy(&e.zone, data, len);
	grown = realloc(s->entry, (s->n + 1) * sizeof(e));
	if (grown == NULL) {
		s->failed = true;
		return;
	}
	s->entry = grown;
	s->entry[s->n++] = e;
}

/* Begin a request to conntrack. */
static void
begin(struct nlreq *r, int type, int flags, int family)
{
	struct nfgenmsg *nf;

	nf = nlreq_init(r, NFNL_SUBSYS_CTNETLINK << 8 | type, flags,
	    sizeof(*nf));
	nf->nfgen_family = (uint8_t)family;
}

/* Delete an entry, by its ID: another entry may have the same tuple by now. */
static int
delete(struct nl *nl, const struct entry *e)
{
	struct nlreq r;

	begin(&r, IPCTNL_MSG_CT_DELETE, 0, e->family);
	nlreq_put(&r, CTA_TUPLE_ORIG | NLA_F_NESTED, e->tuple, e->len);
	nlreq_put(&r, CTA_ID, &e->id, sizeof(e->id));
	if (e->zone != 0)
		nlreq_put(&r, CTA_ZONE, &e->zone, sizeof(e->zone));
	return nl_talk(nl, &r) == -1 && errno != ENOENT ? -1 : 0;
}

/*
 * Leave out connections that only pass through the host, to a port of the same
 * number. Consecutive connections to the same address need only one question.
 */
static void
leave_others(struct search *s, struct nl *route)
{
	struct entry last = { .family = AF_UNSPEC };
	bool local = false;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (last.family != s->entry[i].family || memcmp(last.to.addr,
		    s->entry[i].to.addr, sizeof(last.to.addr)) != 0)
			local = route_is_local(route, s->entry[i].family,
			    s->entry[i].to.addr);
		last = s->entry[i];
		if (local)
			s->entry[n++] = s->entry[i];
	}
	s->n = n;
}

/*
 * Forget the connections to the forwarded ports that do not go to our chain, or
 * with ours those that do. Returns 0, or -1 and errno.
 */
int
track_forget(const struct forwards *fs, const struct lease *l, bool ours,
    struct nl *track, struct nl *route)
{
	struct search s = { .forwards = fs, .lease = l, .ours = ours };
	struct nlreq r;
	size_t i;
	int rc;

	begin(&r, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
	rc = nl_run(track, &r, see_entry, &s);
	if (!ours)
		leave_others(&s, route);
	for (i = 0; i < s.n && rc == 0; i++)
		rc = delete(track, &s.entry[i]);
	if (rc == 0 && s.failed) {
		errno = ENOMEM;
		rc = -1;
	}
	free(s.entry);
	return rc;
}
