/* The initramfs that volt-kvm makes. */
#ifndef VOLT_KVM_PAYLOAD_H
#define VOLT_KVM_PAYLOAD_H

struct config;

void payload_make(struct config *cfg, const char *version);

#endif
