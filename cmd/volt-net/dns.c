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

/* Is this a resolver that only the host itself can reach? */
static bool
is_loopback(const char *s)
{
	struct in6_addr a6;
	struct in_addr a;

	if (inet_pton(AF_INET, s, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127 || a.s_addr == 0;
	return inet_pton(AF_INET6, s, &a6) == 1 &&
	    (IN6_IS_ADDR_LOOPBACK(&a6) || IN6_IS_ADDR_UNSPECIFIED(&a6) ||
	    IN6_IS_ADDR_LINKLOCAL(&a6));
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

/* dns=IP,... and search=DOMAIN,...; several words add up. */
void
dns_parse(struct net *net, const char *key, const char *value)
{
	bool dns = key[0] == 'd';
	const char *cursor = value;
	char field[NAME_MAX_LEN + 1];

	while (value_field(&cursor, ',', field, sizeof(field))) {
		if (dns ? !is_address(field) : !is_name(field))
			word_bad(key, value, dns ? "not an IP address" :
			    "not a domain");
		if (!append(dns ? net->dns : net->search, field))
			word_bad(key, value, "too long");
	}
	if (errno != 0)
		word_bad(key, value, "too long");
	net->dns_given = true;
}

/* hosts=NAME:IP: one line more of /etc/hosts. */
void
dns_hosts(struct net *net, const char *key, const char *value)
{
	size_t len = strlen(net->hosts);
	const char *cursor = value;
	char name[NAME_MAX_LEN + 1];
	int n;

	if (!value_field(&cursor, ':', name, sizeof(name)) || cursor == NULL ||
	    !is_name(name) || !is_address(cursor))
		word_bad(key, value, "NAME:IP");
	n = snprintf(net->hosts + len, sizeof(net->hosts) - len, "%s%s\t%s\n",
	    len == 0 ? "127.0.0.1\tlocalhost\n::1\tlocalhost\n" : "", cursor,
	    name);
	if (n < 0 || (size_t)n >= sizeof(net->hosts) - len)
		word_bad(key, value, "too many");
	net->dns_given = true;
}

/* One line of a resolv.conf of the host's. */
static void
take_line(struct net *net, char *line, bool dns, bool search, bool stub)
{
	char *key, *item, *rest = NULL;

	if ((key = strtok_r(line, " \t\r", &rest)) == NULL)
		return;
	if (dns && strcmp(key, "nameserver") == 0) {
		item = strtok_r(NULL, " \t\r", &rest);
		if (item != NULL && is_address(item) &&
		    (stub || !is_loopback(item)))
			append(net->dns, item);
	} else if (search && (strcmp(key, "search") == 0 ||
	    strcmp(key, "domain") == 0)) {
		net->search[0] = '\0'; /* the last line counts */
		while ((item = strtok_r(NULL, " \t\r", &rest)) != NULL)
			if (is_name(item))
				append(net->search, item);
	}
}

/*
 * Fill in what no word said from the host's configuration. A resolver on the
 * host's loopback is a stub that a chain cannot reach; systemd-resolved keeps
 * those behind it in a file of its own.
 */
void
dns_plan(struct net *net)
{
	static const char *const files[] = { "/etc/resolv.conf",
		"/run/systemd/resolve/resolv.conf" };
	bool search = *net->search == '\0';
	bool stub = net->mode == MODE_HOST;
	static char buf[65536];
	char *line, *next;
	size_t i;

	for (i = 0; i < 2 && *net->dns == '\0'; i++) {
		if (kfile_read(AT_FDCWD, files[i], buf, sizeof(buf)) == -1)
			continue;
		for (line = buf; line != NULL; line = next) {
			if ((next = strchr(line, '\n')) != NULL)
				*next++ = '\0';
			take_line(net, line, true, search, stub);
		}
	}
	if (net->mode == MODE_NONE)
		return;
	if (*net->dns != '\0')
		say("resolvers %s", net->dns);
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

	while (value_field(&cursor, ',', item, sizeof(item))) {
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
	end = add_lines(end, limit, "search", net->search, false);
	if (end == o->resolv)
		snprintf(end, sizeof(o->resolv), "# no resolver is known\n");
}
