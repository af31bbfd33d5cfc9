/* The vCPUs, and their threads. */
#ifndef VOLT_KVM_VCPU_H
#define VOLT_KVM_VCPU_H

struct vm;

void vcpu_create_all(struct vm *vm, unsigned int n);
void vcpu_start_all(struct vm *vm);

#endif
