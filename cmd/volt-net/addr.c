/* IP addresses as text, and the hardware address of an IPv4 address. */
#include <arpa/inet.h>
#include <string.h>

#include "net.h"

/* addr is in host byte order. Both functions return buf. */
const char *
ip4_text(uint32_t addr, char buf[static INET_ADDRSTRLEN])
{
	struct in_addr a = { htonl(addr) };

	return inet_ntop(AF_INET, &a, buf, INET_ADDRSTRLEN);
}

const char *
ip6_text(const struct in6_addr *a, char buf[static INET6_ADDRSTRLEN])
{
	return inet_ntop(AF_INET6, a, buf, INET6_ADDRSTRLEN);
}

/* The hardware address is 02:76 and the IPv4 address (host byte order). */
void
mac_of(uint32_t addr, uint8_t mac[static 6])
{
	const uint32_t bytes = htonl(addr);

	mac[0] = 0x02;
	mac[1] = 0x76;
	memcpy(mac + 2, &bytes, sizeof(bytes));
}
