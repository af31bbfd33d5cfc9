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

	if (device == NULL) {
		machine_begin();
		rng_init(&vm, &cfg);
		machine_keep(&rng, sizeof(rng));
		machine_ready(&rng.vio);
	}
	machine_run(data, size);
	return 0;
}
