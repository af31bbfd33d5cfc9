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
#define PAUSE_STEP 5000000	/* ns */

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
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_cond_init(&vm->pause_over, NULL);
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

static void
count(struct vcpu *cpu, enum exit_kind kind)
{
	uint64_t n = atomic_load_explicit(&cpu->exits[kind], memory_order_relaxed);

	atomic_store_explicit(&cpu->exits[kind], n + 1, memory_order_relaxed);
}

/* Handle an exit. Returns false if this vCPU must not run any more. */
static bool
handle_exit(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		count(cpu, EXITS_PIO);
		do_io(cpu);
		return true;
	case KVM_EXIT_MMIO:
		count(cpu, EXITS_MMIO);
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
		count(cpu, EXITS_OTHER);
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

/* While the guest is paused, stand still. */
static void
park(struct vcpu *cpu)
{
	struct vm *vm = cpu->vm;

	if (!atomic_load(&vm->paused))
		return;
	pthread_mutex_lock(&vm->pause_lock);
	atomic_fetch_add(&vm->parked, 1);
	io_wake(&vm->io);
	while (atomic_load(&vm->paused))
		pthread_cond_wait(&vm->pause_over, &vm->pause_lock);
	atomic_fetch_sub(&vm->parked, 1);
	pthread_mutex_unlock(&vm->pause_lock);
	arch_vcpu_stopped(cpu);
}

/*
 * Run the guest until it exits, and tell it of a pause. A stop interrupts KVM_RUN;
 * one that comes while KVM_RUN returns shows only as a long time inside.
 * Returns false if the guest cannot run.
 */
static bool
enter(struct vcpu *cpu)
{
	int64_t since;

	park(cpu);
	since = clock_coarse_ms();
	if (cpu->left != 0 && since - cpu->left >= STOPPED)
		arch_vcpu_stopped(cpu);
	while (kvm_call_n(cpu->fd, KVM_RUN, 0) == -1) {
		if (errno == EINTR) {
			arch_vcpu_stopped(cpu);
			park(cpu);
			since = clock_coarse_ms();
		} else if (errno != EAGAIN) {
			crash(cpu, errno != EFAULT ? strerror(errno) :
			    cpu->vm->ram.nfiles > 0 ? "no memory for the guest, or "
			    "a file of pmem= has become shorter" :
			    "no memory for the guest");
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
			LOCK_VCPU, &vm->cpu[i].timer) == -1)
			err(EXIT_LINK, "thread of vCPU %u", i);
}

/* Let each vCPU's timer interrupt KVM_RUN every few ms, or no more. */
static void
alarm_all(struct vm *vm, bool on)
{
	const struct timespec t = { .tv_nsec = on ? PAUSE_STEP : 0 };
	const struct itimerspec it = { t, t };
	unsigned int i;

	for (i = 0; i < vm->ncpus; i++)
		(void)timer_settime(vm->cpu[i].timer, 0, &it, NULL);
	vm->alarmed = on;
}

/*
 * I/O thread: let the vCPUs stand still, or go on. The timers repeat, because a signal may
 * come just before KVM_RUN.
 */
void
vcpu_pause(struct vm *vm, bool yes)
{
	pthread_mutex_lock(&vm->pause_lock);
	atomic_store(&vm->paused, yes);
	pthread_cond_broadcast(&vm->pause_over);
	pthread_mutex_unlock(&vm->pause_lock);
	alarm_all(vm, yes);
}

/* I/O thread, before each poll(2): stop the timers once all stand still. */
void
vcpu_pause_step(struct vm *vm)
{
	if (vm->alarmed && atomic_load(&vm->parked) == vm->ncpus)
		alarm_all(vm, false);
}
