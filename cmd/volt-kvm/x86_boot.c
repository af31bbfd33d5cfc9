/*
 * Load a kernel: a bzImage by the 64-bit boot protocol (the kernel's
 * Documentation/arch/x86/boot.rst); an ELF file by PVH if it has the note, else
 * by the 64-bit protocol. The file is not trusted: each offset and size in it is
 * checked against the size of the file and the guest's RAM.
 */
#include <asm/bootparam.h>

#include <elf.h>
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "chain.h"
#include "config.h"
#include "guest.h"
#include "x86.h"

#define NOTE_PHYS32_ENTRY 18	/* xen/include/public/elfnote.h */
#define START_MAGIC 0x336ec578
#define E820_MAX 6
enum { E820_RAM = 1, E820_RESERVED };

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

/* What is being loaded, and where. */
struct boot {
	struct vm *vm;	/* NULL: only check whether the kernel would fit */
	const struct config *cfg;
	struct x86_entry entry;
	uint64_t kernel_end;
	uint64_t initrd_at, initrd_size, initrd_limit;
	struct setup_header header;
};

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

/* The len bytes at off in the file. Ends the program if they are not there. */
static const void *
image_at(const struct config *cfg, uint64_t off, uint64_t len)
{
	if (off > cfg->image.len || len > cfg->image.len - off)
		bad_kernel(cfg, "the file is truncated");
	return (const uint8_t *)cfg->image.data + off;
}

/*
 * Copy the filesz bytes at off in the file to the guest's address gpa. The kernel
 * needs memsz bytes there.
 */
static void
load(struct boot *b, uint64_t gpa, uint64_t memsz, uint64_t off,
    uint64_t filesz)
{
	const struct config *cfg = b->cfg;
	const void *from = image_at(cfg, off, filesz);
	uint64_t low = cfg->memory < RAM_HOLE ? cfg->memory : RAM_HOLE;
	void *to;

	if (gpa < X86_KERNEL)
		bad_kernel(cfg, "it wants to be loaded below 1 MiB");
	if (filesz > memsz)
		bad_kernel(cfg, "a segment is larger than its memory");
	if (gpa >= low || memsz > low - gpa)
		bad_kernel(cfg, "no room in the guest's memory; memory= gives "
		    "more");
	if (b->vm == NULL)
		return;
	if ((to = ram_at(&b->vm->ram, gpa, memsz)) == NULL)
		bad_kernel(cfg, "no room in the guest's memory");
	memcpy(to, from, filesz);
	if (gpa + memsz > b->kernel_end)
		b->kernel_end = gpa + memsz;
}

/* Look for PVH's entry among the notes of one segment. */
static void
find_note(struct boot *b, const Elf64_Phdr *ph)
{
	const struct config *cfg = b->cfg;
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
			b->entry.pvh = true;
			b->entry.rip = addr;
			return;
		}
		off += ((uint64_t)n.n_descsz + 3) & ~UINT64_C(3);
		if (off > end)
			return;
	}
}

static void
load_elf(struct boot *b)
{
	const struct config *cfg = b->cfg;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	uint64_t i;

	memcpy(&eh, image_at(cfg, 0, sizeof(eh)), sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(ph))
		bad_kernel(cfg, "not an x86-64 kernel");
	b->entry.rip = eh.e_entry;
	if (eh.e_phoff > cfg->image.len)
		bad_kernel(cfg, "the file is truncated");
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, image_at(cfg, eh.e_phoff + i * sizeof(ph),
		    sizeof(ph)), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			load(b, ph.p_paddr, ph.p_memsz, ph.p_offset,
			    ph.p_filesz);
		else if (ph.p_type == PT_NOTE)
			find_note(b, &ph);
	}
	if (b->vm != NULL && b->kernel_end == 0)
		bad_kernel(cfg, "nothing to load");
	b->header.boot_flag = 0xaa55;
	memcpy(&b->header.header, "HdrS", 4);
	b->header.kernel_alignment = 0x1000000;
}

static void
load_bzimage(struct boot *b)
{
	const size_t at = offsetof(struct boot_params, hdr);
	const struct config *cfg = b->cfg;
	struct setup_header *h = &b->header;
	uint64_t to, setup, size;

	memcpy(h, image_at(cfg, at, sizeof(*h)), sizeof(*h));
	if (h->version < 0x020c || (h->xloadflags & XLF_KERNEL_64) == 0)
		bad_kernel(cfg, "not a 64-bit kernel");
	setup = ((h->setup_sects != 0 ? h->setup_sects : 4u) + 1u) * 512u;
	/* syssize is in units of 16 bytes. A signature may follow. */
	(void)image_at(cfg, setup, h->syssize * UINT64_C(16));
	size = cfg->image.len - setup;
	to = h->relocatable_kernel ? h->pref_address : X86_KERNEL;
	load(b, to, size > h->init_size ? size : h->init_size, setup, size);
	b->entry.rip = to + 0x200; /* the 64-bit entry point */
	b->initrd_limit = h->initrd_addr_max;
}

static bool
is_bzimage(const struct config *cfg)
{
	return cfg->image.len > sizeof(struct boot_params) &&
	    memcmp((const char *)cfg->image.data + 0x202, "HdrS", 4) == 0;
}

/*
 * The kernel's release, such as "6.1.0-18-amd64", from the setup header or from
 * the banner in an ELF file; or NULL if it is not found.
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

/* Copy the payload and then the initrd= to the top of the low RAM. */
static void
load_initrd(struct boot *b)
{
	const struct blob *payload = &b->cfg->payload;
	const struct blob *user = &b->cfg->user_initrd;
	uint64_t top = b->vm->ram.low, pad;
	uint8_t *p;

	pad = (payload->len + 511) & ~UINT64_C(511);
	b->initrd_size = pad + user->len;
	if (b->initrd_size == 0)
		return;
	if (b->initrd_limit < top)
		top = b->initrd_limit;
	if (b->initrd_size > top)
		no_room("initrd");
	b->initrd_at = (top - b->initrd_size) & ~UINT64_C(4095);
	p = ram_at(&b->vm->ram, b->initrd_at, b->initrd_size);
	if (b->initrd_at < b->kernel_end || p == NULL)
		no_room("initrd");
	if (payload->len > 0)
		memcpy(p, payload->data, payload->len);
	if (user->len > 0)
		memcpy(p + pad, user->data, user->len);
}

/*
 * The kernel's command line. pci=noearly: on older AMD processors a kernel with
 * GART_IOMMU would look for an AGP bridge on 256 buses, twice.
 */
static void
load_cmdline(struct boot *b)
{
	const struct config *cfg = b->cfg;
	static const char defaults[] = "console=ttyS0 quiet panic=-1 "
	    "8250.nr_uarts=1 cryptomgr.notests audit=0 tsc=reliable "
	    "no_timer_check pci=noearly";
	char *p = ram_at(&b->vm->ram, X86_CMDLINE, X86_CMDLINE_SIZE);
	size_t size = X86_CMDLINE_SIZE, len;
	unsigned int i;

	if (b->header.version >= 0x0206 && b->header.cmdline_size != 0 &&
	    b->header.cmdline_size < size)
		size = b->header.cmdline_size;
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

	map[n++] = (struct memmap){ 0, X86_LOW_END, E820_RAM, 0 };
	map[n++] = (struct memmap){ X86_ACPI, X86_KERNEL - X86_ACPI,
		E820_RESERVED, 0 };
	map[n++] = (struct memmap){ X86_KERNEL, vm->ram.low - X86_KERNEL,
		E820_RAM, 0 };
	map[n++] = (struct memmap){ PCI_ECAM_BASE, PCI_ECAM_SIZE,
		E820_RESERVED, 0 };
	if (vm->ram.size > vm->ram.low)
		map[n++] = (struct memmap){ RAM_HIGH,
			vm->ram.size - vm->ram.low, E820_RAM, 0 };
	return n;
}

static void
start_info(const struct boot *b)
{
	struct {
		struct start_info info;
		struct module module;
		struct memmap map[E820_MAX];
	} *p = ram_at(&b->vm->ram, X86_START_INFO, sizeof(*p));

	p->info = (struct start_info){
		.magic = START_MAGIC,
		.version = 1,
		.nr_modules = b->initrd_size != 0,
		.modlist = X86_START_INFO + sizeof(p->info),
		.cmdline = X86_CMDLINE,
		.rsdp = X86_ACPI,
		.memmap = X86_START_INFO + sizeof(p->info) + sizeof(p->module),
		.memmap_entries = memory_map(b->vm, p->map),
	};
	p->module = (struct module){ b->initrd_at, b->initrd_size, 0, 0 };
}

static void
zero_page(const struct boot *b)
{
	struct boot_params *bp = ram_at(&b->vm->ram, X86_ZERO_PAGE, sizeof(*bp));
	struct memmap map[E820_MAX];
	unsigned int i, n = memory_map(b->vm, map);

	bp->hdr = b->header;
	bp->hdr.type_of_loader = 0xff;
	bp->hdr.cmd_line_ptr = X86_CMDLINE;
	bp->hdr.ramdisk_image = (uint32_t)b->initrd_at;
	bp->hdr.ramdisk_size = (uint32_t)b->initrd_size;
	bp->acpi_rsdp_addr = X86_ACPI;
	bp->e820_entries = (uint8_t)n;
	for (i = 0; i < n; i++) {
		bp->e820_table[i].addr = map[i].addr;
		bp->e820_table[i].size = map[i].size;
		bp->e820_table[i].type = map[i].type;
	}
}

static void
load_kernel(struct boot *b)
{
	const struct blob *image = &b->cfg->image;

	if (image->len > SELFMAG && memcmp(image->data, ELFMAG, SELFMAG) == 0)
		load_elf(b);
	else if (is_bzimage(b->cfg))
		load_bzimage(b);
	else
		bad_kernel(b->cfg, "neither a bzImage nor an ELF file");
}

/* Before the machine is made: refuse a kernel or an initrd that cannot work. */
void
arch_check(const struct config *cfg)
{
	struct boot b = { .cfg = cfg };

	load_kernel(&b);
	if (cfg->user_initrd.len > cfg->memory)
		no_room("initrd");
}

/* Fill the RAM with all that the kernel finds when it starts. */
static void
load_all(struct boot *b)
{
	/* mov $0xfe, %al; out %al, $0x64; hlt: where a reset jumps to. */
	static const uint8_t stub[] = { 0xb0, 0xfe, 0xe6, 0x64, 0xf4 };

	b->initrd_limit = UINT32_MAX;
	load_kernel(b);
	load_initrd(b);
	load_cmdline(b);
	x86_acpi(b->vm);
	memcpy(ram_at(&b->vm->ram, X86_RESET_STUB, sizeof(stub)), stub,
	    sizeof(stub));
	if (b->entry.pvh)
		start_info(b);
	else
		zero_page(b);
}

/* Load the kernel. The first vCPU enters it; the others wait for an INIT. */
void
arch_load(struct vm *vm, const struct config *cfg)
{
	struct boot b = { .vm = vm, .cfg = cfg };

	load_all(&b);
	x86_cpu_entry(&vm->cpu[0], &b.entry);
}
