/* What the chain's /etc/resolv.conf and /etc/hosts say. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"
#include "value.h"

#include "net.h"

#define NAME_MAX_LEN 253
#define LOCALHOST "127.0.0.1\tlocalhost\n::1\tlocalhost\n"

/* Is it a host or domain name that resolvers accept? */
static bool
is_name(const char *s)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(s);

	return len > 0 && len <= NAME_MAX_LEN && strspn(s, valid) == len &&
	    s[0] != '-' && s[0] != '.';
}

static bool
is_address(const char *s)
{
	struct in6_addr a;

	return inet_pton(AF_INET, s, &a) == 1 ||
	    inet_pton(AF_INET6, s, &a) == 1;
}

/* Is it an address? It may be link-local with an interface: fe80::1%eth0. */
static bool
is_scoped(const char *s)
{
	char buf[INET6_ADDRSTRLEN];
	const char *zone = strchr(s, '%');
	size_t len;

	if (zone == NULL)
		return is_address(s);
	if ((len = (size_t)(zone - s)) >= sizeof(buf) || zone[1] == '\0' ||
	    strlen(zone + 1) >= IFNAMSIZ)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return strchr(buf, ':') != NULL && is_address(buf) &&
	    strspn(zone + 1, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(zone + 1);
}

/* Does the address have another meaning, or none, in the chain's namespace? */
static bool
is_local4(struct in_addr a)
{
	return ntohl(a.s_addr) >> 24 == 127 || a.s_addr == 0;
}

static bool
is_local6(const struct in6_addr *a)
{
	struct in_addr v4;

	memcpy(&v4, a->s6_addr + 12, sizeof(v4));
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
	    IN6_IS_ADDR_LINKLOCAL(a) ||
	    (IN6_IS_ADDR_V4MAPPED(a) && is_local4(v4));
}

/*
 * The address by which the chain reaches the resolver, or NULL. The chain
 * cannot reach the host's own addresses. But a resolver that listens on all of
 * them also answers at the gateway's address.
 */
static const char *
reached(const struct bridge *b, struct nl *route, const char *s,
    char buf[static INET6_ADDRSTRLEN])
{
	struct in6_addr a6;
	struct in_addr a;
	bool v4 = inet_pton(AF_INET, s, &a) == 1;

	if (v4 ? is_local4(a) : inet_pton(AF_INET6, s, &a6) != 1 ||
	    is_local6(&a6) || !b->has6)
		return NULL;
	if (!route_is_local(route, v4 ? AF_INET : AF_INET6, v4 ?
	    (const void *)&a : &a6))
		return s;
	if (v4)
		ip4_text(b->gw, buf);
	else
		ip6_text(&b->gw6, buf);
	say("resolver %s is the host itself: %s", s, buf);
	return buf;
}

/* Is it an option of resolv.conf(5)? */
static bool
is_option(const char *s)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-";

	return strspn(s, valid) == strlen(s) && strlen(s) < 64;
}

/* Is it in the comma list? */
static bool
listed(const char *list, const char *item)
{
	const char *cursor = *list != '\0' ? list : NULL;
	char field[NAME_MAX_LEN + 1];

	while (value_field(&cursor, ',', field, sizeof(field)) == 1)
		if (strcmp(field, item) == 0)
			return true;
	return false;
}

/* Append item to a comma list. Returns false if it does not fit. */
static bool
append(char list[static NET_TEXT], const char *item)
{
	size_t len = strlen(list), more = strlen(item) + 2;

	if (len + more > NET_TEXT)
		return false;
	snprintf(list + len, NET_TEXT - len, "%s%s", len > 0 ? "," : "", item);
	return true;
}

/* Add the items of one word to the list. */
static void
add_items(char list[static NET_TEXT], const char *key, const char *value,
    bool (*valid)(const char *), const char *why)
{
	const char *cursor = value;
	char field[NAME_MAX_LEN + 1];

	while (value_field(&cursor, ',', field, sizeof(field)) == 1) {
		if (!valid(field))
			word_bad(key, value, why);
		if (!append(list, field))
			word_bad(key, value, "too long");
	}
	if (errno != 0)
		word_bad(key, value, "too long");
}

/* dns=IP,... */
void
dns_servers(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;

	add_items(plan->names.dns, key, value, is_address,
	    "not an IP address");
	plan->names.given = true;
}

/* search=DOMAIN,... */
void
dns_search(void *ctx, const char *key, const char *value)
{
	struct plan *plan = ctx;

	add_items(plan->names.search, key, value, is_name, "not a domain");
	plan->names.given = true;
}

/* hosts=NAME:IP: add a line to /etc/hosts. */
void
dns_hosts(void *ctx, const char *key, const char *value)
{
	struct names *names = &((struct plan *)ctx)->names;
	size_t len = strlen(names->hosts);
	const char *cursor = value;
	char name[NAME_MAX_LEN + 1];
	int n;

	if (value_field(&cursor, ':', name, sizeof(name)) != 1 ||
	    cursor == NULL || !is_name(name) || !is_address(cursor))
		word_bad(key, value, "NAME:IP");
	n = snprintf(names->hosts + len, sizeof(names->hosts) - len,
	    "%s%s\t%s\n", len == 0 ? LOCALHOST : "", cursor, name);
	if (n < 0 || (size_t)n >= sizeof(names->hosts) - len)
		word_bad(key, value, "too many");
	names->given = true;
}

/* For take_line(): what is read from the host's files, and where to. */
struct reading {
	struct names *names;
	const struct bridge *bridge;	/* NULL: the network is the host's */
	struct nl *route;
	bool search;	/* there was no search= */
	bool cut;	/* some domains did not fit */
	bool trust;	/* this file has the option trust-ad */
};

/* nameserver ADDRESS */
static void
take_server(struct reading *r, const char *item)
{
	char *list = r->names->dns, ip[INET6_ADDRSTRLEN];

	if (item == NULL || !is_scoped(item))
		return;
	if (r->bridge != NULL)
		item = reached(r->bridge, r->route, item, ip);
	if (item != NULL && !listed(list, item))
		(void)append(list, item); /* resolvers use three */
}

/*
 * Read one line of the host's resolv.conf. Its keyword must begin in the first
 * column. A carriage return counts as a blank.
 */
static void
take_line(struct reading *r, char *line)
{
	static const char blank[] = " \t\r";
	struct names *n = r->names;
	char *key, *item, *rest = NULL;

	if (strchr(blank, *line) != NULL ||
	    (key = strtok_r(line, blank, &rest)) == NULL)
		return;
	item = strtok_r(NULL, blank, &rest);
	if (strcmp(key, "nameserver") == 0) {
		take_server(r, item);
	} else if (strcmp(key, "options") == 0) {
		for (; item != NULL; item = strtok_r(NULL, blank, &rest))
			if (strcmp(item, "trust-ad") == 0)
				r->trust = true;
			else if (is_option(item) && !listed(n->options, item))
				(void)append(n->options, item);
	} else if (r->search && (strcmp(key, "search") == 0 ||
	    strcmp(key, "domain") == 0)) {
		n->search[0] = '\0'; /* the last such line counts */
		r->cut = false;
		for (; item != NULL; item = strtok_r(NULL, blank, &rest)) {
			if ((is_name(item) || strcmp(item, ".") == 0) &&
			    !append(n->search, item))
				r->cut = true;
			if (key[0] == 'd')
				break; /* "domain" has one item */
		}
	}
}

static void
read_file(struct reading *r, const char *path)
{
	static char buf[65536];
	char *line, *next;

	if (kfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1) {
		if (errno != ENOENT)
			warn("%s", path);
		return;
	}
	for (line = buf; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		take_line(r, line);
	}
}

/*
 * Unless there is a dns=, read the host's configuration and fill in what the
 * words leave open. A resolver on the host's loopback is a stub, which a chain
 * cannot reach. systemd-resolved has another file, with the resolvers that its
 * stub uses. taken says that a program which uses the files may follow.
 */
void
dns_plan(struct plan *plan, const struct bridge *b, struct nl *route,
    bool taken)
{
	static const char *const files[] = { "/etc/resolv.conf",
		"/run/systemd/resolve/resolv.conf" };
	struct names *n = &plan->names;
	struct reading r = { .names = n, .route = route,
		.bridge = plan->mode == MODE_HOST ? NULL : b,
		.search = *n->search == '\0' };
	bool given = *n->dns != '\0';
	size_t i;

	if (plan->mode == MODE_NONE)
		return;
	for (i = 0; i < 2 && *n->dns == '\0'; i++) {
		r.trust = false;
		read_file(&r, files[i]);
	}
	if (r.trust && !given && *n->dns != '\0')
		(void)append(n->options, "trust-ad");
	if (r.cut)
		warnx("search=: not all of the host's domains fit");
	if (*n->dns != '\0')
		say("resolvers %s", n->dns);
	else if (taken && plan->mode == MODE_PRIVATE)
		warnx("the chain can reach no resolver: name one by dns=");
	else
		say("the chain can reach no resolver: name one by dns=");
}

/*
 * Add one line with all items of a list, or a line for each. Returns the new
 * end.
 */
static char *
add_lines(char *end, const char *limit, const char *key, const char *list,
    bool one_each)
{
	const char *cursor = *list != '\0' ? list : NULL;
	char item[NAME_MAX_LEN + 1];
	bool first = true;

	while (value_field(&cursor, ',', item, sizeof(item)) == 1) {
		end += snprintf(end, (size_t)(limit - end), "%s%s %s",
		    first ? "" : one_each ? "\n" : "",
		    first || one_each ? key : "", item);
		first = false;
	}
	if (!first)
		end += snprintf(end, (size_t)(limit - end), "\n");
	return end;
}

/* Write the files that volt-ns puts into a new root. */
void
dns_offer(const struct plan *plan, struct plug_offer *o)
{
	const struct names *n = &plan->names;
	char *end = o->resolv, *limit = o->resolv + sizeof(o->resolv);

	if (n->given)
		o->flags |= PLUG_FILES;
	memcpy(o->hosts, n->hosts, sizeof(o->hosts));
	if (plan->mode == MODE_NONE && *n->dns == '\0')
		return;
	end = add_lines(end, limit, "nameserver", n->dns, true);
	if (*n->dns == '\0')
		end += snprintf(end, (size_t)(limit - end),
		    "# no resolver is known\n");
	end = add_lines(end, limit, "search", n->search, false);
	(void)add_lines(end, limit, "options", n->options, false);
}
