#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cidr.h"
#include "value.h"

/*
 * Read "ADDRESS/LENGTH" of family into addr, network byte order (an in_addr or
 * an in6_addr), and len, at most 32 or 128. Returns whether s was that.
 */
bool
cidr_parse(const char *s, int family, void *addr, unsigned int *len)
{
	char buf[INET6_ADDRSTRLEN];
	const char *cursor = s;
	uint64_t n;

	if (value_field(&cursor, '/', buf, sizeof(buf)) != 1 || cursor == NULL ||
	    inet_pton(family, buf, addr) != 1 ||
	    value_uint(cursor, family == AF_INET ? 32 : 128, &n) == -1)
		return false;
	*len = (unsigned int)n;
	return true;
}

/* Write it as text, with len at most 128, into buf, which is returned. */
const char *
cidr_text(int family, const void *addr, unsigned int len,
    char buf[static CIDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, ip, sizeof(ip));
	snprintf(buf, CIDR_TEXT, "%s/%u", ip, len);
	return buf;
}

/* Set the first len bits of mask, at most 128, and no other. */
void
cidr_mask(unsigned int len, uint8_t mask[static 16])
{
	unsigned int i;

	memset(mask, 0, 16);
	for (i = 0; i < len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}
