/*
 * Fuzz the entropy device, as its guest: the input is described in machine.h.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_rng.c"
#include "machine.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct config cfg;
	struct rng *rng;

	if (device == NULL) {
		machine_begin();
		rng_init(&vm, &cfg);
		rng = machine_device(1, sizeof(*rng));
		machine_ready(&rng->vio);
	}
	machine_run(data, size);
	return 0;
}
