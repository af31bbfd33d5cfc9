/*
 * Load a kernel: a bzImage by the 64-bit boot protocol (the kernel's
 * Documentation/arch/x86/boot.rst); an ELF file by PVH if it has the note, else
 * by the 64-bit protocol. The file is trusted no more than others: it is
 * bounded by its own size and by the guest's RAM.
 */
#include <asm/bootparam.h>

#include <elf.h>
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "config.h"
#include "guest.h"
#include "x86.h"

#define NOTE_PHYS32_ENTRY 18	/* xen/include/public/elfnote.h */
#define START_MAGIC 0x336ec578
#define E820_MAX 6

/* xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t addr, size, cmdline, reserved;
};

struct memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* What has been loaded so far. */
static struct x86_entry entry;
static uint64_t kernel_end;
static uint64_t initrd_at, initrd_size, initrd_limit = UINT32_MAX;
static struct setup_header header;

static _Noreturn void
no_room(const char *what)
{
	errx(EXIT_LINK, "%s: no room in the guest's memory; memory= gives more",
	    what);
}

static _Noreturn void
bad_kernel(const struct config *cfg, const char *why)
{
	errx(EXIT_LINK, "kernel=%s: %s", cfg->kernel, why);
}

/* The len bytes of the file at off, or the end. */
static const void *
image_at(const struct config *cfg, uint64_t off, uint64_t len)
{
	if (off > cfg->image.len || len > cfg->image.len - off)
		bad_kernel(cfg, "the file is truncated");
	return (const uint8_t *)cfg->image.data + off;
}

/*
 * Copy a part of the file to guest address gpa, where memsz bytes are needed.
 * Here and below vm may be NULL: then it is only seen whether that will do.
 */
static void
load(struct vm *vm, const struct config *cfg, uint64_t gpa, uint64_t memsz,
    uint64_t off, uint64_t filesz)
{
	const void *from = image_at(cfg, off, filesz);
	uint64_t low = cfg->memory < RAM_HOLE ? cfg->memory : RAM_HOLE;
	void *to;

	if (gpa < X86_KERNEL)
		bad_kernel(cfg, "it wants to be loaded below 1 MiB");
	if (filesz > memsz)
		bad_kernel(cfg, "a segment is larger than its place");
	if (gpa >= low || memsz > low - gpa)
		bad_kernel(cfg, "no room in the guest's memory; memory= gives "
		    "more");
	if (vm == NULL)
		return;
	if ((to = ram_at(&vm->ram, gpa, memsz)) == NULL)
		bad_kernel(cfg, "no room in the guest's memory");
	memcpy(to, from, filesz);
	if (gpa + memsz > kernel_end)
		kernel_end = gpa + memsz;
}

/* Look for PVH's entry among the notes of one segment. */
static void
find_note(const struct config *cfg, const Elf64_Phdr *ph)
{
	uint64_t off = ph->p_offset, end;
	const char *name;
	Elf64_Nhdr n;
	uint32_t addr;

	(void)image_at(cfg, ph->p_offset, ph->p_filesz);
	end = ph->p_offset + ph->p_filesz;
	while (end - off >= sizeof(n)) {
		memcpy(&n, image_at(cfg, off, sizeof(n)), sizeof(n));
		off += sizeof(n);
		name = image_at(cfg, off, n.n_namesz);
		off += ((uint64_t)n.n_namesz + 3) & ~UINT64_C(3);
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    memcmp(name, "Xen", 4) == 0 && n.n_descsz >= sizeof(addr)) {
			memcpy(&addr, image_at(cfg, off, sizeof(addr)),
			    sizeof(addr));
			entry.pvh = true;
			entry.rip = addr;
			return;
		}
		off += ((uint64_t)n.n_descsz + 3) & ~UINT64_C(3);
		if (off > end)
			return;
	}
}

static void
load_elf(struct vm *vm, const struct config *cfg)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	uint64_t i;

	memcpy(&eh, image_at(cfg, 0, sizeof(eh)), sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(ph))
		bad_kernel(cfg, "not an x86-64 kernel");
	entry.rip = eh.e_entry;
	if (eh.e_phoff > cfg->image.len)
		bad_kernel(cfg, "the file is truncated");
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, image_at(cfg, eh.e_phoff + i * sizeof(ph),
		    sizeof(ph)), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			load(vm, cfg, ph.p_paddr, ph.p_memsz, ph.p_offset,
			    ph.p_filesz);
		else if (ph.p_type == PT_NOTE)
			find_note(cfg, &ph);
	}
	if (vm != NULL && kernel_end == 0)
		bad_kernel(cfg, "nothing to load");
	header.boot_flag = 0xaa55;
	memcpy(&header.header, "HdrS", 4);
	header.kernel_alignment = 0x1000000;
}

static void
load_bzimage(struct vm *vm, const struct config *cfg)
{
	const size_t at = offsetof(struct boot_params, hdr);
	uint64_t to, setup, size;

	memcpy(&header, image_at(cfg, at, sizeof(header)), sizeof(header));
	if (header.version < 0x020c || (header.xloadflags & XLF_KERNEL_64) == 0)
		bad_kernel(cfg, "not a 64-bit kernel");
	setup = ((header.setup_sects != 0 ? header.setup_sects : 4u) + 1u) *
	    512u;
	/* What follows, in paragraphs of 16 bytes; a signature may be behind. */
	(void)image_at(cfg, setup, header.syssize * UINT64_C(16));
	size = cfg->image.len - setup;
	to = header.relocatable_kernel ? header.pref_address : X86_KERNEL;
	load(vm, cfg, to, size > header.init_size ? size : header.init_size,
	    setup, size);
	entry.rip = to + 0x200;
	initrd_limit = header.initrd_addr_max;
}

static bool
is_bzimage(const struct config *cfg)
{
	return cfg->image.len > sizeof(struct boot_params) &&
	    memcmp((const char *)cfg->image.data + 0x202, "HdrS", 4) == 0;
}

/*
 * The kernel's release, as "6.1.0-18-amd64", or NULL if it cannot be told: from
 * the setup header, or from the banner in an ELF file.
 */
const char *
arch_kernel_version(const struct config *cfg)
{
	static const char banner[] = "Linux version ";
	static char version[65];
	const char *image = cfg->image.data, *s = NULL;
	uint16_t off;

	if (is_bzimage(cfg)) {
		memcpy(&off, image + 0x20e, sizeof(off));
		if (off != 0 && off + 0x200u + sizeof(version) <
		    cfg->image.len)
			s = image + 0x200 + off;
	} else {
		s = memmem(image, cfg->image.len, banner, sizeof(banner) - 1);
		if (s != NULL)
			s += sizeof(banner) - 1;
		if (s != NULL && (size_t)(image + cfg->image.len - s) <
		    sizeof(version))
			s = NULL;
	}
	if (s == NULL)
		return NULL;
	memcpy(version, s, sizeof(version) - 1);
	version[strcspn(version, " ")] = '\0';
	if (version[0] == '\0' || version[0] == '.' ||
	    strchr(version, '/') != NULL)
		return NULL;
	return version;
}

/* Our initramfs and the user's, one after the other, at the top. */
static void
load_initrd(struct vm *vm, const struct config *cfg)
{
	uint64_t top = vm->ram.low, pad;
	uint8_t *p;

	pad = (cfg->payload.len + 511) & ~UINT64_C(511);
	initrd_size = pad + cfg->user_initrd.len;
	if (initrd_size == 0)
		return;
	if (initrd_limit < top)
		top = initrd_limit;
	if (initrd_size > top)
		no_room("initrd");
	initrd_at = (top - initrd_size) & ~UINT64_C(4095);
	p = ram_at(&vm->ram, initrd_at, initrd_size);
	if (initrd_at < kernel_end || p == NULL)
		no_room("initrd");
	if (cfg->payload.len > 0)
		memcpy(p, cfg->payload.data, cfg->payload.len);
	if (cfg->user_initrd.len > 0)
		memcpy(p + pad, cfg->user_initrd.data, cfg->user_initrd.len);
}

/*
 * The kernel's command line. pci=noearly: there is no AGP bridge to be looked
 * for on 256 buses, twice, as kernels with GART_IOMMU do on older AMD
 * processors.
 */
static void
load_cmdline(struct vm *vm, const struct config *cfg)
{
	static const char defaults[] = "console=ttyS0 quiet panic=-1 "
	    "8250.nr_uarts=1 cryptomgr.notests audit=0 tsc=reliable "
	    "no_timer_check pci=noearly";
	char *p = ram_at(&vm->ram, X86_CMDLINE, X86_CMDLINE_SIZE);
	size_t size = X86_CMDLINE_SIZE, len;
	unsigned int i;

	if (header.version >= 0x0206 && header.cmdline_size != 0 &&
	    header.cmdline_size < size)
		size = header.cmdline_size;
	len = (size_t)snprintf(p, size, "%s%s", defaults,
	    cfg->payload.len > 0 ? " rdinit=/" GUEST_INIT : "");
	for (i = 0; i < cfg->ncmdline && len < size; i++)
		len += (size_t)snprintf(p + len, size - len, " %s",
		    cfg->cmdline[i]);
	if (len >= size)
		errx(EXIT_LINK, "cmdline=: longer than the kernel takes");
}

static unsigned int
memory_map(const struct vm *vm, struct memmap map[E820_MAX])
{
	unsigned int n = 0;

	map[n++] = (struct memmap){ 0, X86_LOW_END, 1, 0 };
	map[n++] = (struct memmap){ X86_ACPI, X86_KERNEL - X86_ACPI, 2, 0 };
	map[n++] = (struct memmap){ X86_KERNEL, vm->ram.low - X86_KERNEL, 1,
		0 };
	map[n++] = (struct memmap){ PCI_ECAM_BASE, PCI_ECAM_SIZE, 2, 0 };
	if (vm->ram.size > vm->ram.low)
		map[n++] = (struct memmap){ RAM_HIGH,
			vm->ram.size - vm->ram.low, 1, 0 };
	return n;
}

static void
start_info(struct vm *vm)
{
	struct {
		struct start_info info;
		struct module module;
		struct memmap map[E820_MAX];
	} *p = ram_at(&vm->ram, X86_START_INFO, sizeof(*p));

	p->info = (struct start_info){
		.magic = START_MAGIC,
		.version = 1,
		.nr_modules = initrd_size != 0,
		.modlist = X86_START_INFO + sizeof(p->info),
		.cmdline = X86_CMDLINE,
		.rsdp = X86_ACPI,
		.memmap = X86_START_INFO + sizeof(p->info) + sizeof(p->module),
		.memmap_entries = memory_map(vm, p->map),
	};
	p->module = (struct module){ initrd_at, initrd_size, 0, 0 };
}

static void
zero_page(struct vm *vm)
{
	struct boot_params *bp = ram_at(&vm->ram, X86_ZERO_PAGE, sizeof(*bp));
	struct memmap map[E820_MAX];
	unsigned int i, n = memory_map(vm, map);

	bp->hdr = header;
	bp->hdr.type_of_loader = 0xff;
	bp->hdr.cmd_line_ptr = X86_CMDLINE;
	bp->hdr.ramdisk_image = (uint32_t)initrd_at;
	bp->hdr.ramdisk_size = (uint32_t)initrd_size;
	bp->acpi_rsdp_addr = X86_ACPI;
	bp->e820_entries = (uint8_t)n;
	for (i = 0; i < n; i++) {
		bp->e820_table[i].addr = map[i].addr;
		bp->e820_table[i].size = map[i].size;
		bp->e820_table[i].type = map[i].type;
	}
}

static void
load_kernel(struct vm *vm, const struct config *cfg)
{
	if (cfg->image.len > SELFMAG &&
	    memcmp(cfg->image.data, ELFMAG, SELFMAG) == 0)
		load_elf(vm, cfg);
	else if (is_bzimage(cfg))
		load_bzimage(vm, cfg);
	else
		bad_kernel(cfg, "neither a bzImage nor an ELF file");
}

/* Before there is a machine: would the kernel, and the initrd, do? */
void
arch_check(const struct config *cfg)
{
	load_kernel(NULL, cfg);
	if (cfg->user_initrd.len > cfg->memory)
		no_room("initrd");
}

/* Fill the RAM with all that the kernel finds at its start. */
void
arch_load(struct vm *vm, const struct config *cfg)
{
	/* mov $0xfe, %al; out %al, $0x64; hlt: where a reset jumps to. */
	static const uint8_t stub[] = { 0xb0, 0xfe, 0xe6, 0x64, 0xf4 };

	load_kernel(vm, cfg);
	load_initrd(vm, cfg);
	load_cmdline(vm, cfg);
	x86_acpi(vm);
	memcpy(ram_at(&vm->ram, X86_RESET_STUB, sizeof(stub)), stub,
	    sizeof(stub));
	if (entry.pvh)
		start_info(vm);
	else
		zero_page(vm);
}

/* Start the vCPUs: the first runs the kernel, the others wait for its INIT. */
void
arch_boot(struct vm *vm)
{
	unsigned int i;

	x86_cpu_entry(&vm->cpu[0], &entry);
	for (i = 0; i < vm->ncpus; i++)
		vcpu_start(&vm->cpu[i]);
}
