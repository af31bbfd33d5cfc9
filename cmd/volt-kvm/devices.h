/* How each device is added to the machine. A failure ends the program. */
#ifndef VOLT_KVM_DEVICES_H
#define VOLT_KVM_DEVICES_H

#include "vio_pci.h"
#include "vm.h"

struct config;

void console_init(struct vm *vm, const struct config *cfg);
void rng_init(struct vm *vm, const struct config *cfg);
void blk_check(const struct config *cfg);
void blk_init(struct vm *vm, const struct config *cfg);
void net_init(struct vm *vm, const struct config *cfg);

void devices_plug(struct vm *vm, struct vio_pci *p, struct vio *v,
    const struct vio_ops *ops, void *dev);

#endif
