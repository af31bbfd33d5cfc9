/* What control= prints of a guest. */
#ifndef VOLT_KVM_STATE_H
#define VOLT_KVM_STATE_H

#include <stddef.h>

struct session;

void state_print(const struct session *s, char *buf, size_t size);

#endif
