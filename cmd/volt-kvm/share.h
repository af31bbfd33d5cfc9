/*
 * The daemons that serve shares: one for each, in a jail of our own links, started
 * before the guest. Each ends with volt-kvm.
 */
#ifndef VOLT_KVM_SHARE_H
#define VOLT_KVM_SHARE_H

#include <stddef.h>

#include "config.h"
#include "fuse.h"

struct shadow;

void share_check(const struct config *cfg);
void share_start(struct config *cfg);
void share_meet(const struct share *s, const struct shadow *shadow,
    struct fuse_rules *rules);

#endif
