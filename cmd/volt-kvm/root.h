/* root= and overlay=: the disk that they name, and what it holds. */
#ifndef VOLT_KVM_ROOT_H
#define VOLT_KVM_ROOT_H

#include <stdbool.h>

struct config;

const char *root_check(const struct config *c, const char *key,
    const char *value, bool given);

#endif
