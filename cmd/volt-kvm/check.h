/* Checks before the machine is made. */
#ifndef VOLT_KVM_CHECK_H
#define VOLT_KVM_CHECK_H

struct config;

void check_memory(const struct config *cfg);
void check_initrd(const struct config *cfg);

#endif
