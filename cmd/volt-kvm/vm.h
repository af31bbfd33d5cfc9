/* The virtual machine: what the parts share. */
#ifndef VOLT_KVM_VM_H
#define VOLT_KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dev_uart.h"
#include "io.h"
#include "irq.h"
#include "pci.h"
#include "ram.h"

#define VM_CPUS 64

/* Why the machine ended. */
enum vm_end {
	VM_RUNS,
	VM_POWEROFF,
	VM_RESET,
	VM_CRASH,	/* a triple fault, or KVM cannot go on */
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
	int64_t left;	/* when it last left the guest; CLOCK_MONOTONIC, ms */
	unsigned int continued;	/* vm's continued, at the last look */
};

struct vm {
	int kvm, fd;
	struct ram ram;
	unsigned int ncpus;
	bool nested;	/* the guest may run guests */
	struct vcpu cpu[VM_CPUS];
	long run_size;
	struct io io;
	struct irqs irqs;
	struct pci pci;
	struct uart uart;
	struct console *console;	/* NULL: no command */
	pthread_mutex_t continue_lock;
	unsigned int continued;	/* how many SIGCONTs were read */
	_Atomic int end;	/* enum vm_end; the first one stands */
	_Atomic bool panicked;	/* by pvpanic */
	const char *why;	/* the reason of a VM_CRASH */
};

struct config;
struct console;
void vm_open(struct vm *vm, const struct config *cfg);
void vm_end(struct vm *vm, enum vm_end end);
void vm_panic(struct vm *vm);

/* vcpu.c */
void vcpu_create_all(struct vm *vm, unsigned int n);
void vcpu_start_all(struct vm *vm);

/* devices.c */
void devices_init(struct vm *vm, const struct config *cfg);
void devices_pio(struct vm *vm, uint16_t port, uint8_t *data,
    unsigned int width, bool write);
MUST_CHECK bool devices_mmio(struct vm *vm, uint64_t gpa, void *data, unsigned
    int len, bool write);

/* x86_*.c: what depends on the architecture. */
unsigned int arch_address_bits(int kvm);
void arch_vm_init(struct vm *vm);
void arch_vcpu_init(struct vcpu *cpu);
void arch_vcpu_stopped(const struct vcpu *cpu);
void arch_check(const struct config *cfg);
void arch_load(struct vm *vm, const struct config *cfg);
const char *arch_kernel_version(const struct config *cfg);

/* The lines of the interrupt controllers, and the routes that KVM starts with. */
#define ARCH_IRQ_LINES 24u
#define ARCH_IRQ_ROUTES 40u
struct kvm_irq_routing_entry;
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *e);

#endif
