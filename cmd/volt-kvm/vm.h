/* The virtual machine: what the parts share. */
#ifndef VOLT_KVM_VM_H
#define VOLT_KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dev_uart.h"
#include "io.h"
#include "must.h"
#include "pci.h"
#include "ram.h"

#define VM_CPUS 64

/* Why the machine ended. */
enum vm_end {
	VM_RUNS,
	VM_POWEROFF,
	VM_RESET,
	VM_CRASH,	/* a triple fault, or what KVM cannot run */
};

enum exit_kind { EXITS_PIO, EXITS_MMIO, EXITS_OTHER, EXITS };

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	uint64_t exits[EXITS];
	int64_t left;	/* when the guest was left last; CLOCK_MONOTONIC, ms */
	unsigned int continued;	/* as below, when it looked */
};

struct vm {
	int kvm, fd;
	struct ram ram;
	unsigned int ncpus;
	bool nested;	/* the guest may have guests */
	struct vcpu cpu[VM_CPUS];
	long run_size;
	struct io io;
	struct pci pci;
	struct uart uart;
	pthread_mutex_t continue_lock;
	unsigned int continued;	/* how often SIGCONT was taken */
	_Atomic int end;	/* enum vm_end; the first one stands */
	_Atomic bool panicked;	/* its kernel said so */
	const char *why;	/* for VM_CRASH */
};

struct config;
void vm_open(struct vm *vm, const struct config *cfg);
void vm_end(struct vm *vm, enum vm_end end);
void vm_panic(struct vm *vm);

/* vcpu.c */
void vcpu_create_all(struct vm *vm, unsigned int n);
void vcpu_start(struct vcpu *cpu);

/* devices.c */
void devices_init(struct vm *vm, const struct config *cfg);
void devices_pio(struct vm *vm, uint16_t port, uint8_t *data,
    unsigned int width, bool write);
MUST_CHECK bool devices_mmio(struct vm *vm, uint64_t gpa, void *data, unsigned
    int len, bool write);

/* x86_*.c: what another architecture would do otherwise */
unsigned int arch_address_bits(int kvm);
void arch_vm_init(struct vm *vm);
void arch_vcpu_init(struct vcpu *cpu);
void arch_vcpu_stopped(const struct vcpu *cpu);
void arch_check(const struct config *cfg);
void arch_load(struct vm *vm, const struct config *cfg);
void arch_boot(struct vm *vm);
const char *arch_kernel_version(const struct config *cfg);

/* The lines of the interrupt controllers, and their routes at the start. */
#define ARCH_IRQ_LINES 24u
#define ARCH_IRQ_ROUTES 40u
struct kvm_irq_routing_entry;
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *e);

#endif
