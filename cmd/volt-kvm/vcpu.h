/* The vCPUs, and their threads. */
#ifndef VOLT_KVM_VCPU_H
#define VOLT_KVM_VCPU_H

#include <stdbool.h>

struct vm;

void vcpu_create_all(struct vm *vm, unsigned int n);
void vcpu_start_all(struct vm *vm);
void vcpu_pause(struct vm *vm, bool yes);
void vcpu_pause_step(struct vm *vm);

#endif
