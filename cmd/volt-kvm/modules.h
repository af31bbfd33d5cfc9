/* The kernel modules in the payload. */
#ifndef VOLT_KVM_MODULES_H
#define VOLT_KVM_MODULES_H

#include "cpio.h"

struct config;

void modules_add(struct cpio *c, const struct config *cfg,
    const char *version);

#endif
