/* port=: parse the word, and reserve the host's ports. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "value.h"

#include "net.h"

/* The caller's limit on descriptors, which we raise for a time. */
static struct rlimit caller_limit;

#define SHIFTED 256	/* most ports if the numbers differ: a rule for each */

/* Parse "N" or "N-M". Returns false if these are no ports. */
static bool
parse_ports(const char *s, uint16_t *first, uint32_t *count)
{
	const char *cursor = s;
	char field[8];
	uint64_t a, b;

	if (value_field(&cursor, '-', field, sizeof(field)) != 1 ||
	    value_uint(field, 65535, &a) == -1 || a == 0)
		return false;
	b = a;
	if (cursor != NULL && (value_uint(cursor, 65535, &b) == -1 || b < a))
		return false;
	*first = (uint16_t)a;
	*count = (uint32_t)(b - a + 1);
	return true;
}

/* Parse the address before the ports, if there is one. Returns what follows. */
static const char *
parse_address(struct forward *f, const char *key, const char *value)
{
	char buf[INET6_ADDRSTRLEN];
	const char *end, *s = value;
	size_t len;

	f->family = AF_UNSPEC;
	if (*s == '[') {
		end = strchr(++s, ']');
		if (end == NULL || end[1] != ':' ||
		    (len = (size_t)(end - s)) >= sizeof(buf))
			word_bad(key, value, "no address in [ ]");
		memcpy(buf, s, len);
		buf[len] = '\0';
		if (inet_pton(AF_INET6, buf, &f->addr6) != 1)
			word_bad(key, value, "no IPv6 address in [ ]");
		/* The kernel accepts ::1 on the loopback interface only. */
		if (IN6_IS_ADDR_LOOPBACK(&f->addr6))
			word_bad(key, value, "nothing can be forwarded from "
			    "::1");
		f->family = AF_INET6;
		return end + 2;
	}
	/* If there are two colons, the first field is an address. */
	end = strchr(s, ':');
	if (end == NULL || strchr(end + 1, ':') == NULL)
		return s;
	if ((len = (size_t)(end - s)) >= sizeof(buf))
		word_bad(key, value, "not an IPv4 address");
	memcpy(buf, s, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET, buf, &f->addr) != 1)
		word_bad(key, value, "not an IPv4 address");
	f->family = AF_INET;
	return end + 1;
}

/*
 * Parse [IP:]HOST:GUEST[/tcp|udp]. HOST and GUEST are ports, or equal ranges.
 */
void
forward_parse(struct forwards *fs, const char *key, const char *value)
{
	struct forward *f = &fs->item[fs->n];
	const char *cursor;
	char host[16], guest[16];
	uint32_t count;

	if (fs->n == NET_FORWARDS)
		word_bad(key, value, "too many forwards");
	if (strlen(value) > 100)
		word_bad(key, "...", "too long");
	fs->n++;
	*f = (struct forward){ .text = value, .proto = IPPROTO_TCP };
	cursor = parse_address(f, key, value);
	if (value_field(&cursor, ':', host, sizeof(host)) != 1 ||
	    cursor == NULL ||
	    value_field(&cursor, '/', guest, sizeof(guest)) != 1)
		word_bad(key, value, "[IP:]HOST:GUEST[/tcp|udp]");
	if (cursor != NULL && strcmp(cursor, "udp") == 0)
		f->proto = IPPROTO_UDP;
	else if (cursor != NULL && strcmp(cursor, "tcp") != 0)
		word_bad(key, value, "the protocol is tcp or udp");
	if (!parse_ports(host, &f->host, &f->count) ||
	    !parse_ports(guest, &f->guest, &count))
		word_bad(key, value, "ports are 1 to 65535, or a range");
	if (count != f->count)
		word_bad(key, value, "the ranges differ in size");
	if (f->host != f->guest && f->count > SHIFTED)
		word_bad(key, value, "a range to other numbers has at most "
		    "256 ports");
}

/* Is it from every address of the host, of one family or of both? */
bool
forward_from_any(const struct forward *f)
{
	return f->family == AF_UNSPEC ||
	    (f->family == AF_INET && f->addr.s_addr == 0) ||
	    (f->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&f->addr6));
}

/* Is one of them from 127.0.0.1? */
bool
forward_from_loopback(const struct forwards *fs)
{
	const struct forward *f;

	for (f = fs->item; f < fs->item + fs->n; f++)
		if (f->family != AF_INET6 && (forward_from_any(f) ||
		    ntohl(f->addr.s_addr) >> 24 == 127))
			return true;
	return false;
}

/* Is it from addresses of this family? has6 says that the chain has IPv6. */
bool
forward_has(const struct forward *f, int family, bool has6)
{
	return f->family == family ||
	    (f->family == AF_UNSPEC && (family == AF_INET || has6));
}

/* Bind one port of the host. Returns 0, or -1 and errno. */
static int
bind_port(int fd, const struct forward *f, int family, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	int on = 1;

	if (family == AF_INET) {
		if (f->family == AF_INET)
			in.sin_addr = f->addr;
		return bind(fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (f->family == AF_INET6)
		in6.sin6_addr = f->addr6;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	return bind(fd, (struct sockaddr *)&in6, sizeof(in6));
}

/*
 * Bind the port to a socket that never listens. No other process can bind the
 * port while that socket is open. If a chain has just ended, its helper may
 * keep the port for a moment.
 */
static void
reserve(const struct forward *f, int family, uint16_t port, int64_t *begin)
{
	int fd, rc;

	fd = socket(family, (f->proto == IPPROTO_TCP ? SOCK_STREAM :
	    SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(EXIT_LINK, "port=%s", f->text);
	do
		rc = bind_port(fd, f, family, port);
	while (rc == -1 && errno == EADDRINUSE &&
	    wait_more(begin, NET_PERHAPS));
	if (rc == 0)
		/* cppcheck-suppress resourceLeak ; the socket has the port */
		return;
	if (errno == EADDRINUSE)
		errx(EXIT_LINK, "port=%s: port %u of the host is in use or "
		    "forwarded already", f->text, port);
	if (errno == EADDRNOTAVAIL)
		errx(EXIT_LINK, "port=%s: the host has no such address",
		    f->text);
	err(EXIT_LINK, "port=%s: port %u", f->text, port);
}

/*
 * Reserve the ports of all forwards, or end. This may need more descriptors
 * than the caller's limit, so the limit is raised until forward_reserved().
 * exec(2) closes the descriptors; the helper keeps its copies.
 */
void
forward_reserve(const struct forwards *fs, bool has6)
{
	struct rlimit most;
	const struct forward *f;
	int64_t begin = 0;
	uint16_t port;
	uint32_t k;

	if (fs->n == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &caller_limit) == -1)
		err(EXIT_LINK, "limit on descriptors");
	most = (struct rlimit){ caller_limit.rlim_max, caller_limit.rlim_max };
	(void)setrlimit(RLIMIT_NOFILE, &most);
	for (f = fs->item; f < fs->item + fs->n; f++) {
		if (f->family == AF_INET6 && !has6)
			errx(EXIT_LINK, "port=%s: the chain has no IPv6",
			    f->text);
		for (k = 0; k < f->count; k++) {
			port = (uint16_t)(f->host + k);
			if (forward_has(f, AF_INET, has6))
				reserve(f, AF_INET, port, &begin);
			if (forward_has(f, AF_INET6, has6))
				reserve(f, AF_INET6, port, &begin);
		}
	}
}

/* Just before exec(2): set the limit back to the caller's. */
void
forward_reserved(const struct forwards *fs)
{
	if (fs->n > 0 && setrlimit(RLIMIT_NOFILE, &caller_limit) == -1)
		err(EXIT_LINK, "limit on descriptors");
}
