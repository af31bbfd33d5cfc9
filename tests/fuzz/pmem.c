/*
 * Fuzz a pmem device, as its guest: the input is described in machine.h.
 * Link: volt-kvm
 */
#include <sys/mman.h>

#include "../../cmd/volt-kvm/vio_pmem.c"
#include "machine.h"

unsigned int __wrap_arch_address_bits(int kvm);

unsigned int
__wrap_arch_address_bits(int kvm)
{
	(void)kvm;
	return 40;
}

/* A path to a file of a page, which can be read. */
static char *
file(void)
{
	static char path[32];
	int fd = memfd_create("pmem", 0);

	if (fd == -1 || ftruncate(fd, 4096) == -1)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct config cfg = { .npmems = 1 };
	struct pmem *p;

	if (device == NULL) {
		machine_begin();
		cfg.pmems[0] = (struct disk){ .path = file(), .ro = true };
		pmem_init(&vm, &cfg);
		p = machine_device(1, sizeof(*p));
		machine_ready(&p->vio);
	}
	machine_run(data, size);
	return 0;
}
