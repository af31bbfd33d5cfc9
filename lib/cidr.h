/* ADDRESS/LENGTH: Internet addresses with the length of their prefix. */
#ifndef VOLT_CIDR_H
#define VOLT_CIDR_H

#include <stdbool.h>
#include <stdint.h>

bool cidr_parse(const char *s, int family, void *addr, unsigned int *len);
void cidr_mask(unsigned int len, uint8_t mask[static 16]);

#endif
