/* The devices of the machine. */
#ifndef VOLT_KVM_DEVICES_H
#define VOLT_KVM_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "rate.h"
#include "vio_pci.h"
#include "vm.h"

struct blk;
struct config;

void devices_init(struct vm *vm, const struct config *cfg);
void devices_pio(struct vm *vm, uint16_t port, uint8_t *data,
    unsigned int width, bool write);
struct blk *devices_disk(const struct vm *vm, const char *name);
const char *devices_limit(struct vm *vm, const struct rate_word *w);
bool devices_mmio(struct vm *vm, uint64_t gpa, void *data, unsigned int len,
    bool write);

/* For the devices: how each is added to the machine. A failure ends the program. */
void devices_plug(struct vm *vm, struct vio_pci *p, struct vio *v,
    const struct vio_ops *ops, void *dev);
void console_init(struct vm *vm, const struct config *cfg);
void rng_init(struct vm *vm, const struct config *cfg);
void balloon_init(struct vm *vm, const struct config *cfg);
void blk_check(const struct config *cfg);
void blk_init(struct vm *vm, const struct config *cfg);
void pmem_init(struct vm *vm, const struct config *cfg);
void fs_init(struct vm *vm, const struct config *cfg);
void net_init(struct vm *vm, const struct config *cfg);
void vsock_init(struct vm *vm, const struct config *cfg);

#endif
