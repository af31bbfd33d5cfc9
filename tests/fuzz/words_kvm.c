/*
 * Fuzz the words of volt-kvm.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/config.h"
#include "../../cmd/volt-kvm/vm.h"
#include "grammar.h"

static void
parse(int argc, char *argv[])
{
	static struct config cfg;

	config_parse(&cfg, argc, argv);
	if (cfg.ndisks > CONFIG_DISKS || cfg.ncmdline > CONFIG_LIST ||
	    cfg.nenv > CONFIG_LIST || cfg.cpus == 0 || cfg.cpus > VM_CPUS)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
