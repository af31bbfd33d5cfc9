/* The name of a lease, and everything else that follows from its address. */
#include <stdio.h>
#include <string.h>

#include "value.h"

#include "net.h"

#define PREFIX "volt"

/* Is this the name of a lease? If so, fill in its address. */
bool
lease_parse(const char *name, struct lease *l)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t addr = 0;
	int i;

	if (strncmp(name, PREFIX, 4) != 0 || strlen(name) != 12 ||
	    strspn(name + 4, digits) != 8)
		return false;
	for (i = 4; i < 12; i++)
		addr = addr << 4 |
		    (uint32_t)(strchr(digits, name[i]) - digits);
	l->addr = addr;
	return true;
}

/* Find the process that a lease was made for. Its PID is in the alias. */
bool
lease_process(const struct iface *i, pid_t *pid)
{
	uint64_t n;

	if (strncmp(i->alias, NET_ALIAS " ", sizeof(NET_ALIAS)) != 0 ||
	    value_uint(i->alias + sizeof(NET_ALIAS), INT32_MAX, &n) == -1)
		return false;
	*pid = (pid_t)n;
	return true;
}

/* Fill in everything that follows from the address. */
void
lease_fill(const struct bridge *b, struct lease *l, uint32_t addr)
{
	const uint8_t *bytes = l->mac + 2;
	uint32_t host = addr & ~b->mask;
	int i;

	l->addr = addr;
	snprintf(l->name, sizeof(l->name), PREFIX "%08x", addr);
	mac_of(addr, l->mac);
	l->addr6 = b->net6;
	for (i = 0; i < 4; i++)
		l->addr6.s6_addr[15 - i] |= (uint8_t)(host >> 8 * i);
	/* RFC 4291, appendix A: the modified EUI-64 of the MAC. */
	l->link6 = (struct in6_addr){ .s6_addr = { 0xfe, 0x80, 0, 0, 0, 0, 0,
	    0, 0x00, 0x76, bytes[0], 0xff, 0xfe, bytes[1], bytes[2],
	    bytes[3] } };
}
