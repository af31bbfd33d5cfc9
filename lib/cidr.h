/* ADDRESS/LENGTH: Internet addresses with the length of their prefix. */
#ifndef VOLT_CIDR_H
#define VOLT_CIDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"

#define CIDR_TEXT (INET6_ADDRSTRLEN + 4)

MUST_CHECK bool cidr_parse(const char *s, int family, void *addr, unsigned int
    *len);
const char *cidr_text(int family, const void *addr, unsigned int len,
    char buf[static CIDR_TEXT]);
void cidr_mask(unsigned int len, uint8_t mask[static 16]);

#endif
