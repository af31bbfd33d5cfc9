#include <sys/mman.h>

#include <err.h>
#include <errno.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "arch.h"
#include "chain.h"
#include "clock.h"
#include "devices.h"
#include "kvm.h"
#include "thread.h"
#include "vcpu.h"
#include "vm.h"

#define STOPPED 1000	/* ms outside the guest that count as a pause */

static void
create(struct vm *vm, unsigned int id)
{
	struct vcpu *cpu = &vm->cpu[id];

	cpu->vm = vm;
	cpu->id = id;
	if ((cpu->fd = kvm_call_n(vm->fd, KVM_CREATE_VCPU, id)) == -1)
		err(EXIT_LINK, "KVM: create vCPU %u", id);
	cpu->run = mmap(NULL, (size_t)vm->run_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		err(EXIT_LINK, "KVM: map vCPU %u", id);
	arch_vcpu_init(cpu);
}

/* Make n vCPUs, which do not run yet. */
void
vcpu_create_all(struct vm *vm, unsigned int n)
{
	unsigned int i;

	vm->ncpus = n; /* CPUID has this number */
	pthread_mutex_init(&vm->continue_lock, NULL);
	for (i = 0; i < n; i++)
		create(vm, i);
}

static void
do_io(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count; i++)
		devices_pio(cpu->vm, run->io.port, data + i * run->io.size,
		    run->io.size, run->io.direction == KVM_EXIT_IO_OUT);
}

static void
do_mmio(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;
	bool write = run->mmio.is_write != 0;

	if (run->mmio.len > sizeof(run->mmio.data))
		return;
	if (!devices_mmio(cpu->vm, run->mmio.phys_addr, run->mmio.data,
		run->mmio.len, write) && !write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

static void
crash(struct vcpu *cpu, const char *why)
{
	if (cpu->vm->why == NULL)
		cpu->vm->why = why;
	vm_end(cpu->vm, VM_CRASH);
}

/* Handle an exit. Returns false if this vCPU must not run any more. */
static bool
handle_exit(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		cpu->exits[EXITS_PIO]++;
		do_io(cpu);
		return true;
	case KVM_EXIT_MMIO:
		cpu->exits[EXITS_MMIO]++;
		do_mmio(cpu);
		return true;
	case KVM_EXIT_SHUTDOWN:
		crash(cpu, "triple fault");
		return false;
	case KVM_EXIT_SYSTEM_EVENT:
		vm_end(cpu->vm, run->system_event.type ==
		    KVM_SYSTEM_EVENT_SHUTDOWN ? VM_POWEROFF : VM_RESET);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		crash(cpu, "the processor refused the vCPU's state");
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		crash(cpu, run->internal.suberror ==
		    KVM_INTERNAL_ERROR_EMULATION ?
		    "an instruction that KVM cannot emulate" :
		    "KVM's internal error");
		return false;
	case KVM_EXIT_INTR:
		cpu->exits[EXITS_OTHER]++;
		return true;
	default:
		crash(cpu, "an unknown exit");
		return false;
	}
}

/* Was there a SIGCONT since the last look? */
static bool
continued(struct vcpu *cpu)
{
	struct vm *vm = cpu->vm;
	sigset_t pending;
	bool yes;

	pthread_mutex_lock(&vm->continue_lock);
	yes = cpu->continued != vm->continued ||
	    (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1);
	cpu->continued = vm->continued;
	pthread_mutex_unlock(&vm->continue_lock);
	return yes;
}

/*
 * Run the guest until it exits, and tell it of a pause. A stop interrupts KVM_RUN;
 * one that comes while KVM_RUN returns shows only as a long time inside.
 * Returns false if the guest cannot run.
 */
static bool
enter(struct vcpu *cpu)
{
	int64_t since = clock_coarse_ms();

	if (cpu->left != 0 && since - cpu->left >= STOPPED)
		arch_vcpu_stopped(cpu);
	while (kvm_call_n(cpu->fd, KVM_RUN, 0) == -1) {
		if (errno == EINTR) {
			arch_vcpu_stopped(cpu);
			since = clock_coarse_ms();
		} else if (errno != EAGAIN) {
			crash(cpu, errno == EFAULT ?
			    "no memory for the guest" : strerror(errno));
			return false;
		}
		if (atomic_load_explicit(&cpu->vm->end, memory_order_relaxed) !=
		    VM_RUNS)
			return false;
	}
	cpu->left = clock_coarse_ms();
	if (cpu->left - since >= STOPPED && continued(cpu))
		arch_vcpu_stopped(cpu);
	return true;
}

static void *
run(void *arg)
{
	struct vcpu *cpu = arg;

	while (atomic_load_explicit(&cpu->vm->end, memory_order_relaxed) ==
	    VM_RUNS && enter(cpu) && handle_exit(cpu))
		;
	return NULL;
}

/* Start them all. They run when thread_go() is called. */
void
vcpu_start_all(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->ncpus; i++)
		if (thread_start(&vm->cpu[i].thread, run, &vm->cpu[i],
			LOCK_VCPU) == -1)
			err(EXIT_LINK, "thread of vCPU %u", i);
}
