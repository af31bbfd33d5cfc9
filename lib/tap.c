#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "cidr.h"
#include "tap.h"
#include "value.h"

#define TUN_MAJOR 10
#define TUN_MINOR 200

/* Set VOLT_TAP, and leave the queues open over exec. Returns 0, or -1 and errno. */
int
tap_announce(const struct tap *t)
{
	char text[3 * TAP_LIST + 512], ip[CIDR_TEXT], gw[INET6_ADDRSTRLEN];
	const uint8_t *m = t->mac;
	size_t len;

	len = (size_t)snprintf(text, sizeof(text),
	    " name=%s mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u ip=%s gw=%s",
	    t->name, m[0], m[1], m[2], m[3], m[4], m[5], t->mtu,
	    cidr_text(AF_INET, &t->ip, t->len, ip),
	    inet_ntop(AF_INET, &t->gw, gw, sizeof(gw)));
	if (t->has6)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    " ip6=%s gw6=%s",
		    cidr_text(AF_INET6, &t->ip6, t->len6, ip),
		    inet_ntop(AF_INET6, &t->gw6, gw, sizeof(gw)));
	if (*t->dns != '\0')
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    " dns=%s", t->dns);
	if (*t->search != '\0')
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    " search=%s", t->search);
	if (*t->options != '\0')
		snprintf(text + len, sizeof(text) - len, " options=%s",
		    t->options);
	return carry_announce(TAP_VARIABLE, t->fd, t->nfds, text);
}

/* Is fd a tap with headers, like those of volt-net? Any program may set VOLT_TAP. */
int
tap_is_ours(int fd)
{
	struct ifreq ifr;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return carry_unlike();
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != TUN_MAJOR ||
	    minor(st.st_rdev) != TUN_MINOR)
		return 0;
	/* The type of ioctl(2)'s request differs between C libraries. */
	if (syscall(SYS_ioctl, fd, TUNGETIFF, &ifr) == -1)
		return carry_unlike();
	return ((unsigned int)ifr.ifr_flags & (IFF_TAP | IFF_VNET_HDR)) ==
	    (IFF_TAP | IFF_VNET_HDR);
}

/* Parse six bytes, only in the form that tap_announce() writes. */
static bool
parse_mac(const char *s, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	int i;

	for (i = 0; i < 6; i++, s += 3) {
		if (s[0] == '\0' || (high = strchr(digits, s[0])) == NULL ||
		    s[1] == '\0' || (low = strchr(digits, s[1])) == NULL ||
		    s[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static bool
copy(char *to, size_t size, const char *from)
{
	return (size_t)snprintf(to, size, "%s", from) < size;
}

/* Parse a key=value. An unknown key may come from a newer volt-net: ignore it. */
static bool
apply(struct tap *t, const char *key, const char *value)
{
	uint64_t n;

	if (strcmp(key, "name") == 0)
		return copy(t->name, sizeof(t->name), value);
	if (strcmp(key, "mac") == 0)
		return parse_mac(value, t->mac);
	if (strcmp(key, "mtu") == 0) {
		if (value_uint(value, 65535, &n) == -1)
			return false;
		t->mtu = (unsigned int)n;
		return true;
	}
	if (strcmp(key, "ip") == 0)
		return cidr_parse(value, AF_INET, &t->ip, &t->len);
	if (strcmp(key, "gw") == 0)
		return inet_pton(AF_INET, value, &t->gw) == 1;
	if (strcmp(key, "ip6") == 0)
		return t->has6 = cidr_parse(value, AF_INET6, &t->ip6, &t->len6);
	if (strcmp(key, "gw6") == 0)
		return inet_pton(AF_INET6, value, &t->gw6) == 1;
	if (strcmp(key, "dns") == 0)
		return copy(t->dns, sizeof(t->dns), value);
	if (strcmp(key, "search") == 0)
		return copy(t->search, sizeof(t->search), value);
	if (strcmp(key, "options") == 0)
		return copy(t->options, sizeof(t->options), value);
	return true;
}

/*
 * Parse what tap_announce() writes. The descriptors themselves are not checked.
 * Returns 0 and fills in t, or -1 and errno, EPROTO.
 */
int
tap_parse(struct tap *t, const char *value)
{
	const char *cursor = value;
	char field[TAP_LIST + 16], *equals;
	int fd;

	*t = (struct tap){ .mtu = 1500 };
	while (*cursor != ' ') {
		if (!carry_next(&cursor, &fd) || fd == -1 || cursor == NULL ||
		    t->nfds == TAP_QUEUES)
			goto fail;
		t->fd[t->nfds++] = fd;
	}
	cursor++;
	while (value_field(&cursor, ' ', field, sizeof(field)) == 1) {
		if ((equals = strchr(field, '=')) == NULL)
			goto fail;
		*equals++ = '\0';
		if (!apply(t, field, equals))
			goto fail;
	}
	if (errno == 0 && t->nfds > 0)
		return 0;
fail:
	errno = EPROTO;
	return -1;
}

/*
 * Parse VOLT_TAP and check each descriptor. Returns 0 and fills in t, whose descriptors
 * the caller closes; or -1 and errno: ENOENT if there is none, EPROTO if volt-net
 * cannot have made it.
 */
int
tap_find(struct tap *t)
{
	const char *value = getenv(TAP_VARIABLE);
	unsigned int i;
	int ours;

	if (value == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (tap_parse(t, value) == -1)
		return -1;
	for (i = 0; i < t->nfds; i++)
		if ((ours = tap_is_ours(t->fd[i])) != 1) {
			if (ours == 0)
				errno = EPROTO;
			return -1;
		}
	return 0;
}
