#ifndef VOLT_KVM_NETWORK_H
#define VOLT_KVM_NETWORK_H

struct config;

void network_open(struct config *cfg);

#endif
