#include <err.h>
#include <errno.h>
#include <fcntl.h>

#include "arch.h"
#include "chain.h"
#include "config.h"
#include "kvm.h"
#include "vm.h"

/* The processor must be able to address all of the guest's memory. */
static void
check_addresses(int kvm, const struct config *cfg)
{
	unsigned int bits = arch_address_bits(kvm);
	uint64_t most = (UINT64_C(1) << bits) - (RAM_HIGH - RAM_HOLE);

	if (cfg->memory > most)
		errx(EXIT_LINK, "memory=%s: this processor has addresses for "
		    "%lluM (%u bits)", cfg->memory_text,
		    (unsigned long long)(most >> 20), bits);
}

/* Open KVM and make a machine with RAM and without vCPUs. */
void
vm_open(struct vm *vm, const struct config *cfg)
{
	int version;

	if ((vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC)) == -1) {
		if (errno == EACCES)
			err(EXIT_LINK, "/dev/kvm (the group kvm may use it)");
		if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
			err(EXIT_LINK, "/dev/kvm (no virtualization here)");
		err(EXIT_LINK, "/dev/kvm");
	}
	version = kvm_call_n(vm->kvm, KVM_GET_API_VERSION, 0);
	if (version == -1) /* Landlock may forbid it: fs.dev=/dev/kvm */
		err(EXIT_LINK, "/dev/kvm: ioctl");
	if (version != KVM_API_VERSION)
		errx(EXIT_LINK, "/dev/kvm: unknown API version %d", version);
	vm->run_size = kvm_call_n(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->run_size == -1)
		err(EXIT_LINK, "KVM: size of a vCPU's page");
	do
		vm->fd = kvm_call_n(vm->kvm, KVM_CREATE_VM, 0);
	while (vm->fd == -1 && errno == EINTR);
	if (vm->fd == -1)
		err(EXIT_LINK, "KVM: create a machine");
	check_addresses(vm->kvm, cfg);
	if (ram_init(&vm->ram, vm->fd, cfg->memory) == -1)
		err(EXIT_LINK, errno == ENOMEM ? "memory=%s (a limit, as "
		    "ulimit -v or vm.overcommit_memory=2?)" : "memory=%s",
		    cfg->memory_text);
	irqs_init(&vm->irqs, vm->fd);
	vm->nested = cfg->nested;
	arch_vm_init(vm);
	if (io_init(&vm->io) == -1)
		err(EXIT_LINK, "eventfd");
}

/* From any thread: the machine has ended. */
void
vm_end(struct vm *vm, enum vm_end end)
{
	int runs = VM_RUNS;

	atomic_compare_exchange_strong(&vm->end, &runs, (int)end);
	io_wake(&vm->io);
}

/* From any thread: the guest's kernel panicked, and may still say why. */
void
vm_panic(struct vm *vm)
{
	atomic_store(&vm->panicked, true);
	io_wake(&vm->io);
}
