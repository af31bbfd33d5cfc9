/*
 * The ACPI tables (ACPI 6.5, 5.2). They are hardware-reduced, so that almost no
 * ACPI hardware must be emulated. They say that there is no CMOS clock and no VGA,
 * which a kernel would otherwise probe at the cost of thousands of exits. And they
 * describe COM1, pvpanic and PCI's configuration space.
 */
#include <string.h>

#include "config.h"
#include "x86.h"

#define FADT_SIZE 276
#define FADT_FLAGS (1u << 0 | 1u << 4 | 1u << 5 | 1u << 10 | 1u << 20)
#define FADT_NO_VGA_NO_CMOS (1u << 2 | 1u << 5)

/* Where tables are being built. Each follows the last. */
struct build {
	uint8_t *base;
	uint32_t gpa;
	size_t len;
};

static void
put(struct build *b, const void *p, size_t n)
{
	memcpy(b->base + b->len, p, n);
	b->len += n;
}

static void
put8(struct build *b, unsigned int v)
{
	b->base[b->len++] = (uint8_t)v;
}

static void
put16(struct build *b, uint16_t v)
{
	put(b, &v, sizeof(v));
}

static void
put32(struct build *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static void
put64(struct build *b, uint64_t v)
{
	put(b, &v, sizeof(v));
}

static uint8_t
checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static size_t
table_begin(struct build *b, const char *signature, uint8_t revision)
{
	size_t at;

	b->len = (b->len + 15) & ~(size_t)15;
	at = b->len;
	put(b, signature, 4);
	put32(b, 0); /* length */
	put8(b, revision);
	put8(b, 0); /* checksum */
	put(b, "VOLT  VOLTKVM ", 14);
	put32(b, 1);
	put(b, "VOLT", 4);
	put32(b, 1);
	return at;
}

/* Returns the guest's address of the table. */
static uint32_t
table_end(struct build *b, size_t at)
{
	uint32_t len = (uint32_t)(b->len - at);

	memcpy(b->base + at + 4, &len, sizeof(len));
	b->base[at + 9] = checksum(b->base + at, len);
	return b->gpa + (uint32_t)at;
}

/* AML (20.2): begin a package. aml_close() fills in its length. */
static size_t
aml_open(struct build *b, const char *op, size_t oplen)
{
	put(b, op, oplen);
	b->len += 2;
	return b->len - 2;
}

static void
aml_close(struct build *b, size_t at)
{
	size_t n = b->len - at;

	b->base[at] = (uint8_t)(0x40 | (n & 0x0f));
	b->base[at + 1] = (uint8_t)(n >> 4);
}

static void
aml_name(struct build *b, const char *name)
{
	put8(b, 0x08);
	put(b, name, 4);
}

/* A _HID or _CID of the form PNPxxxx, as a compressed EISA ID. */
static void
aml_pnp(struct build *b, const char *name, uint16_t id)
{
	aml_name(b, name);
	put(b, "\x0c\x41\xd0", 3);
	put8(b, id >> 8);
	put8(b, id & 0xff);
}

/* A resource descriptor of n I/O ports. */
static void
aml_ports(struct build *b, uint16_t port, uint8_t n)
{
	put(b, "\x47\x01", 2); /* all 16 bits are decoded */
	put16(b, port);
	put16(b, port);
	put8(b, 1);
	put8(b, n);
}

static size_t
aml_device(struct build *b, const char *name)
{
	size_t at = aml_open(b, "\x5b\x82", 2);

	put(b, name, 4);
	return at;
}

/* _CRS: a buffer of resource descriptors. Its length is stated twice. */
static size_t
aml_crs(struct build *b)
{
	size_t at;

	aml_name(b, "_CRS");
	at = aml_open(b, "\x11", 1);
	put8(b, 0x0b); /* word */
	put16(b, 0);
	return at;
}

static void
aml_crs_end(struct build *b, size_t at)
{
	uint16_t n;

	put16(b, 0x0079);
	n = (uint16_t)(b->len - at - 5);
	memcpy(b->base + at + 3, &n, sizeof(n));
	aml_close(b, at);
}

static void
aml_pci(struct build *b)
{
	size_t device, crs;

	device = aml_device(b, "PCI0");
	aml_pnp(b, "_HID", 0x0a08);
	aml_pnp(b, "_CID", 0x0a03);
	aml_name(b, "_UID");
	put8(b, 0);
	crs = aml_crs(b);
	put(b, "\x88\x0d\x00\x02\x0c\x00", 6); /* bus 0 alone */
	put64(b, 0);
	put16(b, 1);
	put(b, "\x87\x17\x00\x00\x0c\x01", 6); /* memory, read and write */
	put32(b, 0);
	put32(b, (uint32_t)PCI_BAR_BASE);
	put32(b, (uint32_t)(PCI_BAR_BASE + PCI_WINDOW_SIZE - 1));
	put32(b, 0);
	put32(b, (uint32_t)PCI_WINDOW_SIZE);
	aml_crs_end(b, crs);
	aml_close(b, device);

	/* Linux uses ECAM only if it is reserved as a motherboard resource. */
	device = aml_device(b, "MBRD");
	aml_pnp(b, "_HID", 0x0c02);
	crs = aml_crs(b);
	put(b, "\x86\x09\x00\x01", 4);
	put32(b, (uint32_t)PCI_ECAM_BASE);
	put32(b, (uint32_t)PCI_ECAM_SIZE);
	aml_crs_end(b, crs);
	aml_close(b, device);
}

static void
aml_com1(struct build *b)
{
	size_t device, crs;

	device = aml_device(b, "COM1");
	aml_pnp(b, "_HID", 0x0501);
	aml_name(b, "_UID");
	put8(b, 0);
	crs = aml_crs(b);
	aml_ports(b, UART_PORT, UART_PORTS);
	put(b, "\x89\x06\x00\x03\x01", 5); /* edge, active high, exclusive */
	put32(b, UART_IRQ);
	aml_crs_end(b, crs);
	aml_close(b, device);
}

/* pvpanic: a kernel that panics reports it, even if it does not reset. */
static void
aml_pvpanic(struct build *b)
{
	size_t device, crs;

	device = aml_device(b, "PEVT");
	aml_name(b, "_HID");
	put(b, "\x0dQEMU0001", 10); /* a string, with its NUL */
	crs = aml_crs(b);
	aml_ports(b, X86_PANIC, 1);
	aml_crs_end(b, crs);
	aml_close(b, device);
}

static uint32_t
dsdt(struct build *b)
{
	size_t at = table_begin(b, "DSDT", 2), scope;

	scope = aml_open(b, "\x10", 1);
	put(b, "\\_SB_", 5);
	aml_pci(b);
	aml_com1(b);
	aml_pvpanic(b);
	aml_close(b, scope);
	aml_name(b, "_S5_");
	put(b, "\x12\x07\x04\x0a", 4); /* four elements */
	put8(b, X86_S5);
	put(b, "\x00\x00\x00", 3);
	return table_end(b, at);
}

/* A generic address: an I/O port of eight bits. */
static void
put_port(struct build *b, uint16_t port)
{
	put(b, "\x01\x08\x00\x01", 4);
	put64(b, port);
}

static uint32_t
fadt(struct build *b, uint32_t dsdt_gpa)
{
	size_t at = table_begin(b, "FACP", 6);

	memset(b->base + b->len, 0, FADT_SIZE - 36);
	b->len = at + 40;
	put32(b, dsdt_gpa);
	b->len = at + 109;
	put16(b, FADT_NO_VGA_NO_CMOS);
	b->len = at + 112;
	put32(b, FADT_FLAGS);
	put_port(b, X86_RESET);
	put8(b, 1); /* the value of a reset */
	b->len = at + 140;
	put64(b, dsdt_gpa);
	b->len = at + 244;
	put_port(b, X86_SLEEP_CONTROL);
	put_port(b, X86_SLEEP_STATUS);
	put(b, "VOLT\0\0\0\0", 8);
	return table_end(b, at);
}

static uint32_t
madt(struct build *b, unsigned int ncpus)
{
	size_t at = table_begin(b, "APIC", 5);
	unsigned int i;

	put32(b, X86_LAPIC);
	put32(b, 0); /* the guest need not disable any 8259 */
	for (i = 0; i < ncpus; i++) {
		put16(b, 0x0800); /* a local APIC */
		put8(b, i);
		put8(b, i);
		put32(b, 1); /* enabled */
	}
	put16(b, 0x0c01); /* the I/O APIC */
	put16(b, 0);
	put32(b, X86_IOAPIC);
	put32(b, 0);
	put(b, "\x04\x06\xff\x00\x00\x01", 6); /* all vCPUs: NMI at LINT1 */
	return table_end(b, at);
}

static uint32_t
mcfg(struct build *b)
{
	size_t at = table_begin(b, "MCFG", 1);

	put64(b, 0);
	put64(b, PCI_ECAM_BASE);
	put64(b, 0); /* segment 0, bus 0 alone */
	return table_end(b, at);
}

/* Write the tables; the RSDP is at X86_ACPI. */
void
x86_acpi(struct vm *vm)
{
	struct build b = {
		.base = ram_at(&vm->ram, X86_ACPI, X86_RESET_STUB - X86_ACPI),
		.gpa = X86_ACPI,
		.len = 64, /* after the RSDP */
	};
	struct build root = { .base = b.base, .gpa = b.gpa };
	uint32_t tables[3], xsdt;
	size_t at, i;

	tables[0] = fadt(&b, dsdt(&b));
	tables[1] = madt(&b, vm->ncpus);
	tables[2] = mcfg(&b);
	at = table_begin(&b, "XSDT", 1);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		put64(&b, tables[i]);
	xsdt = table_end(&b, at);

	put(&root, "RSD PTR \0VOLT  \x02", 16);
	put32(&root, 0);
	put32(&root, 36);
	put64(&root, xsdt);
	put32(&root, 0);
	root.base[8] = checksum(root.base, 20);
	root.base[32] = checksum(root.base, 36);
}
