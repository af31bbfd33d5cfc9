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

/* A host or domain name as resolvers take it. */
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

	return inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1;
}

/* An address, or a link-local one with its interface: fe80::1%eth0. */
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

/* Does it mean something else, or nothing, in the chain's namespace? */
static bool
is_loopback4(struct in_addr a)
{
	return ntohl(a.s_addr) >> 24 == 127 || a.s_addr == 0;
}

static bool
is_loopback6(const struct in6_addr *a)
{
	struct in_addr v4;

	memcpy(&v4, a->s6_addr + 12, sizeof(v4));
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
	    IN6_IS_ADDR_LINKLOCAL(a) ||
	    (IN6_IS_ADDR_V4MAPPED(a) && is_loopback4(v4));
}

/*
 * The resolver as the chain reaches it, or NULL if it does not. An address of
 * the host's own is not reached, but what listens on all of them, or forwards
 * from all, is at the gateway's.
 */
static const char *
reached(struct net *net, const char *s, char buf[static INET6_ADDRSTRLEN])
{
	const struct bridge *b = &net->bridge;
	struct in6_addr a6;
	struct in_addr a;
	bool v4 = inet_pton(AF_INET, s, &a) == 1;

	if (net->mode == MODE_HOST)
		return s;
	if (v4 ? is_loopback4(a) : inet_pton(AF_INET6, s, &a6) != 1 ||
	    is_loopback6(&a6) || !b->has6)
		return NULL;
	if (!link_is_local(&net->route, v4 ? AF_INET : AF_INET6, v4 ?
	    (const void *)&a : &a6))
		return s;
	if (v4)
		ip4_text(b->gw, buf);
	else
		ip6_text(&b->gw6, buf);
	say("resolver %s is the host itself: %s", s, buf);
	return buf;
}

/* An option of resolv.conf(5). */
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

/* Append item to a comma list; returns whether it fitted. */
static bool
append(char list[static NET_TEXT], const char *item)
{
	size_t len = strlen(list), more = strlen(item) + 2;

	if (len + more > NET_TEXT)
		return false;
	snprintf(list + len, NET_TEXT - len, "%s%s", len > 0 ? "," : "", item);
	return true;
}

/* The items of a word, which several words add up to. */
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
	struct net *net = ctx;

	add_items(net->dns, key, value, is_address, "not an IP address");
	net->dns_given = true;
}

/* search=DOMAIN,... */
void
dns_search(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;

	add_items(net->search, key, value, is_name, "not a domain");
	net->dns_given = true;
}

/* hosts=NAME:IP: one line more of /etc/hosts. */
void
dns_hosts(void *ctx, const char *key, const char *value)
{
	struct net *net = ctx;
	size_t len = strlen(net->hosts);
	const char *cursor = value;
	char name[NAME_MAX_LEN + 1];
	int n;

	if (value_field(&cursor, ':', name, sizeof(name)) != 1 || cursor == NULL ||
	    !is_name(name) || !is_address(cursor))
		word_bad(key, value, "NAME:IP");
	n = snprintf(net->hosts + len, sizeof(net->hosts) - len, "%s%s\t%s\n",
	    len == 0 ? "127.0.0.1\tlocalhost\n::1\tlocalhost\n" : "", cursor,
	    name);
	if (n < 0 || (size_t)n >= sizeof(net->hosts) - len)
		word_bad(key, value, "too many");
	net->dns_given = true;
}

/* What is read of the host's files. */
struct reading {
	bool search;	/* no word says it */
	bool cut;	/* not all domains fitted */
	bool trust;	/* trust-ad, of the resolvers in this very file */
};

/*
 * One line of a resolv.conf of the host's. The word that begins it must be in
 * its first column, so comments are no words; a carriage return is no part.
 */
static void
take_line(struct net *net, struct reading *r, char *line)
{
	static const char blank[] = " \t\r";
	char *key, *item, *rest = NULL, ip[INET6_ADDRSTRLEN];
	const char *server;

	if (strchr(blank, *line) != NULL ||
	    (key = strtok_r(line, blank, &rest)) == NULL)
		return;
	item = strtok_r(NULL, blank, &rest);
	if (strcmp(key, "nameserver") == 0) {
		if (item != NULL && is_scoped(item) &&
		    (server = reached(net, item, ip)) != NULL &&
		    !listed(net->dns, server))
			(void)append(net->dns, server); /* three are used */
	} else if (strcmp(key, "options") == 0) {
		for (; item != NULL; item = strtok_r(NULL, blank, &rest))
			if (strcmp(item, "trust-ad") == 0)
				r->trust = true;
			else if (is_option(item) && !listed(net->options, item))
				(void)append(net->options, item);
	} else if (r->search && (strcmp(key, "search") == 0 ||
	    strcmp(key, "domain") == 0)) {
		net->search[0] = '\0'; /* the last line counts */
		r->cut = false;
		for (; item != NULL; item = strtok_r(NULL, blank, &rest)) {
			if ((is_name(item) || strcmp(item, ".") == 0) &&
			    !append(net->search, item))
				r->cut = true;
			if (key[0] == 'd')
				break; /* of domain the first */
		}
	}
}

static void
read_file(struct net *net, struct reading *r, const char *path)
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
		take_line(net, r, line);
	}
}

/*
 * Fill in what no word said from the host's configuration, unless a word names
 * resolvers. One on the host's loopback is a stub that a chain cannot reach;
 * systemd-resolved keeps those behind it in a file of its own. taken says that
 * somebody may take the files.
 */
void
dns_plan(struct net *net, bool taken)
{
	static const char *const files[] = { "/etc/resolv.conf",
		"/run/systemd/resolve/resolv.conf" };
	struct reading r = { .search = *net->search == '\0' };
	bool given = *net->dns != '\0';
	size_t i;

	if (net->mode == MODE_NONE)
		return;
	for (i = 0; i < 2 && *net->dns == '\0'; i++) {
		r.trust = false;
		read_file(net, &r, files[i]);
	}
	if (r.trust && !given && *net->dns != '\0')
		(void)append(net->options, "trust-ad");
	if (r.cut)
		warnx("search=: not all of the host's domains fit");
	if (*net->dns != '\0')
		say("resolvers %s", net->dns);
	else if (taken && net->mode == MODE_PRIVATE)
		warnx("no resolver that the chain could reach: dns= names one");
	else
		say("no resolver that the chain could reach: dns= names "
		    "one");
}

/* Add a line for each item of a list, or all in one. Returns the new end. */
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

/* The files, for whoever builds a root. */
void
dns_offer(const struct net *net, struct plug_offer *o)
{
	char *end = o->resolv, *limit = o->resolv + sizeof(o->resolv);

	if (net->dns_given)
		o->flags |= PLUG_FILES;
	memcpy(o->hosts, net->hosts, sizeof(o->hosts));
	if (net->mode == MODE_NONE && *net->dns == '\0')
		return;
	end = add_lines(end, limit, "nameserver", net->dns, true);
	if (*net->dns == '\0')
		end += snprintf(end, (size_t)(limit - end),
		    "# no resolver is known\n");
	end = add_lines(end, limit, "search", net->search, false);
	(void)add_lines(end, limit, "options", net->options, false);
}
