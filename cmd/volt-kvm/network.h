/* The network card's tap and the guest's addresses. */
#ifndef VOLT_KVM_NETWORK_H
#define VOLT_KVM_NETWORK_H

struct config;

void network_open(struct config *cfg);

#endif
