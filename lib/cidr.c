#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cidr.h"
#include "value.h"

/*
 * Parse "ADDRESS/LENGTH" of family into addr (an in_addr or in6_addr, in network byte
 * order) and len (at most 32 or 128). Returns whether s is of that form.
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

/* Write the address and len, at most 128, to buf as text. Returns buf. */
const char *
cidr_text(int family, const void *addr, unsigned int len,
    char buf[static CIDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, ip, sizeof(ip));
	snprintf(buf, CIDR_TEXT, "%s/%u", ip, len);
	return buf;
}

/* Set the first len bits of mask, at most 128, and clear the others. */
void
cidr_mask(unsigned int len, uint8_t mask[static 16])
{
	unsigned int i;

	memset(mask, 0, 16);
	for (i = 0; i < len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}
