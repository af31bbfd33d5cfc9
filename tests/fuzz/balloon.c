/*
 * Fuzz the balloon, as its guest: the input is described in machine.h. HOST sets its
 * size, in pages.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_balloon.c"
#undef BURST
#include "machine.h"

void __wrap_ram_release(void *p, uint64_t len);
void __real_ram_release(void *p, uint64_t len);

/* Only the guest's memory is given back. */
void
__wrap_ram_release(void *p, uint64_t len)
{
	const uint8_t *from = p;

	if (from < vm.ram.base || len > MEMORY ||
	    (size_t)(from - vm.ram.base) > MEMORY - len)
		abort();
	__real_ram_release(p, len);
}

static void
size_of(const uint8_t *data, size_t len)
{
	uint64_t pages = 0;

	memcpy(&pages, data, len < 8 ? len : 8);
	balloon_set(vm.balloon, pages * PAGE);
	if (balloon_wanted(vm.balloon) > MEMORY)
		abort();
	(void)balloon_actual(vm.balloon);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct config cfg = { .balloon = 8192 };
	struct balloon *b;

	if (device == NULL) {
		machine_begin();
		balloon_init(&vm, &cfg);
		b = machine_device(1, sizeof(*b));
		machine_ready(&b->vio);
		machine_host = size_of;
	}
	machine_run(data, size);
	return 0;
}
