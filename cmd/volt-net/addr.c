/* Addresses as text. */
#include <arpa/inet.h>

#include "net.h"

/* addr is in host byte order. Both return buf. */
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
