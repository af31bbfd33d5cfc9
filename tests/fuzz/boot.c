/*
 * Fuzz the loading of a kernel. The input is the kernel's file, "%%", and the
 * initrd. A file that is no ELF file goes on with zeroes: a bzImage is larger than
 * an input. The guest's memory is a buffer of its exact size.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/x86_boot.c"
#include "../../cmd/volt-kvm/check.h"
#include "fuzz.h"

#define MORE 8192

#define MEMORY (X86_KERNEL + 0x80000)

static void
check_version(const struct config *cfg)
{
	const char *s = arch_kernel_version(cfg);

	if (s != NULL && (strlen(s) > 64 || *s == '\0' || *s == '.' ||
	    strchr(s, '/') != NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char *argv[] = { NULL };
	static struct vm vm = { .ncpus = 1 };
	const unsigned char *cut = memmem(data, size, "%%", 2);
	size_t len = cut == NULL ? size : (size_t)(cut - data);
	struct boot b = { 0 };
	struct config cfg = { .kernel = "k", .initrd = "i", .argv = argv,
		.memory = MEMORY, .cmdline = { "quiet" }, .ncmdline = 1 };

	if (len == 0)
		return 0;
	cfg.image.len = *data == ELFMAG0 ? len : len + MORE;
	cfg.image.data = calloc(1, cfg.image.len);
	cfg.user_initrd.len = cut == NULL ? 0 : size - len - 2;
	cfg.user_initrd.data = malloc(cfg.user_initrd.len + 1);
	vm.ram = (struct ram){ .base = malloc(MEMORY), .size = MEMORY, .low = MEMORY };
	if (cfg.image.data == NULL || cfg.user_initrd.data == NULL ||
	    vm.ram.base == NULL)
		abort();
	memcpy(cfg.image.data, data, len);
	if (cut != NULL)
		memcpy(cfg.user_initrd.data, cut + 2, cfg.user_initrd.len);
	check_version(&cfg);
	FUZZ(check_initrd(&cfg));
	FUZZ(arch_check(&cfg));
	if (!fuzz_ended) {
		memset(vm.ram.base, 0, X86_KERNEL);
		b = (struct boot){ .vm = &vm, .cfg = &cfg };
		FUZZ(load_all(&b));
		if (!fuzz_ended && (b.kernel_end > MEMORY ||
		    b.initrd_at + b.initrd_size > MEMORY ||
		    (b.initrd_size > 0 && b.initrd_at < b.kernel_end)))
			abort();
	}
	fuzz_free();
	free(cfg.image.data);
	free(cfg.user_initrd.data);
	free(vm.ram.base);
	return 0;
}
