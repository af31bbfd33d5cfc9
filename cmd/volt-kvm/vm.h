/* The virtual machine: what the parts share. */
#ifndef VOLT_KVM_VM_H
#define VOLT_KVM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dev_uart.h"
#include "guest.h"
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

struct balloon;
struct config;
struct blk;
struct lane;
struct net;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	timer_t timer;	/* interrupts it */
	_Atomic uint64_t exits[EXITS];	/* only its own thread writes them */
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
	struct blk *disk[GUEST_DISKS];	/* vda and so on */
	unsigned int ndisks;
	struct net *net;	/* or NULL */
	struct lane *lane;	/* of the command; NULL: there is none */
	struct lane *joins;	/* GUEST_JOINS lanes; NULL: no control= or no command */
	struct balloon *balloon;
	pthread_mutex_t continue_lock;
	unsigned int continued;	/* how many SIGCONTs were read */
	/* pause= (vcpu.c) */
	pthread_mutex_t pause_lock;
	pthread_cond_t pause_over;
	_Atomic bool paused;	/* the vCPUs must stand still */
	_Atomic unsigned int parked;	/* so many do */
	bool alarmed;	/* I/O thread: their timers run */
	_Atomic int end;	/* enum vm_end; the first one stands */
	_Atomic bool panicked;	/* by pvpanic */
	const char *why;	/* the reason of a VM_CRASH */
};

void vm_open(struct vm *vm, const struct config *cfg);
void vm_end(struct vm *vm, enum vm_end end);
void vm_panic(struct vm *vm);

#endif
