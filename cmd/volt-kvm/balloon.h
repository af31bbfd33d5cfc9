/* The balloon: memory of the guest's that the host has back (vio_balloon.c). */
#ifndef VOLT_KVM_BALLOON_H
#define VOLT_KVM_BALLOON_H

#include <stdint.h>

struct balloon;

void balloon_set(struct balloon *b, uint64_t bytes);
uint64_t balloon_wanted(struct balloon *b);
uint64_t balloon_actual(struct balloon *b);

#endif
