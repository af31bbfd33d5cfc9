/* A vCPU at the start: CPUID, its registers and its local APIC. */
#include <asm/processor-flags.h>

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "chain.h"
#include "kvm.h"
#include "x86.h"

#define CPUID_ENTRIES 256

#define EFER_LME 0x100u
#define EFER_LMA 0x400u

#define PAGE_PRESENT 0x1u
#define PAGE_WRITE 0x2u
#define PAGE_LARGE 0x80u	/* 2 MiB */

#define MSR_MISC_ENABLE 0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_MODE_EXTINT 0x700u
#define APIC_MODE_NMI 0x400u

/* The CPUID that KVM supports for a guest. The caller frees it. */
static struct kvm_cpuid2 *
supported(int kvm)
{
	struct kvm_cpuid2 *c;

	c = calloc(1, sizeof(*c) + CPUID_ENTRIES * sizeof(c->entries[0]));
	if (c == NULL)
		err(EXIT_LINK, "CPUID");
	c->nent = CPUID_ENTRIES;
	if (kvm_call(kvm, KVM_GET_SUPPORTED_CPUID, c) == -1)
		err(EXIT_LINK, "KVM: supported CPUID");
	return c;
}

/* The number of bits of a physical address. */
unsigned int
arch_address_bits(int kvm)
{
	struct kvm_cpuid2 *c = supported(kvm);
	unsigned int bits = 0;
	uint32_t i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x80000008)
			bits = c->entries[i].eax & 0xff;
	free(c);
	return bits >= 32 && bits < 64 ? bits : 36;
}

/* Before the first vCPU. */
void
arch_vm_init(struct vm *vm)
{
	uint64_t identity = X86_IDENTITY_MAP;

	if (kvm_call_n(vm->fd, KVM_SET_TSS_ADDR, X86_TSS) == -1 ||
	    kvm_call(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) == -1)
		err(EXIT_LINK, "KVM: reserved pages");
	if (kvm_call_n(vm->fd, KVM_CREATE_IRQCHIP, 0) == -1)
		err(EXIT_LINK, "KVM: interrupt controllers");
}

/* KVM's own first routes: all lines to the I/O APIC, and 16 to the PICs, too. */
unsigned int
arch_irq_routes(struct kvm_irq_routing_entry *e)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARCH_IRQ_LINES; i++) {
		e[n++] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { KVM_IRQCHIP_IOAPIC, i },
		};
		if (i < 16)
			e[n++] = (struct kvm_irq_routing_entry){
				.gsi = i,
				.type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = { i < 8 ? KVM_IRQCHIP_PIC_MASTER :
				    KVM_IRQCHIP_PIC_SLAVE, i % 8 },
			};
	}
	return n;
}

/* How many bits of an APIC ID number n things? */
static uint32_t
id_bits(uint32_t n)
{
	uint32_t bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

/* The topology: one package, a core for each vCPU, one thread for each core. */
static void
topology(struct kvm_cpuid_entry2 *e, uint32_t id, uint32_t n)
{
	bool core = e->index == 1;

	switch (e->function) {
	case 0x1:
		e->ebx = (e->ebx & 0x0000ffff) | id << 24 | n << 16;
		e->ecx |= 1u << 31; /* a hypervisor */
		e->edx = n > 1 ? e->edx | 1u << 28 : e->edx & ~(1u << 28);
		break;
	case 0x4:
		if ((e->eax & 0x1f) == 0)
			break;
		e->eax = (e->eax & 0x3fff) | (n - 1) << 26;
		if ((e->eax >> 5 & 7) == 3) /* all cores share the L3 cache */
			e->eax |= (n - 1) << 14;
		break;
	case 0xb:
	case 0x1f:
		e->edx = id;
		e->ebx = e->index == 0 ? 1 : core ? n : 0;
		e->eax = core ? id_bits(n) : 0;
		e->ecx = e->index | (e->index == 0 ? 0x100 : core ? 0x200 : 0);
		break;
	case 0x80000001:
		e->ecx &= ~(1u << 22); /* no AMD extended topology */
		e->ecx = n > 1 ? e->ecx | 2 : e->ecx & ~2u;
		break;
	case 0x80000008:
		e->ecx = n > 1 ? id_bits(n) << 12 | (n - 1) : 0;
		break;
	default:
		break;
	}
}

/*
 * From Linux 6.2 on KVM reports only one entry of an extended topology leaf: add
 * the levels, which topology() fills in.
 */
static void
add_levels(struct kvm_cpuid2 *c, uint32_t function)
{
	uint32_t seen = 0, i, n = c->nent;

	for (i = 0; i < n; i++)
		if (c->entries[i].function == function)
			seen |= 1u << (c->entries[i].index & 31);
	if (seen == 0)
		return;
	for (i = 0; i < 3 && c->nent < CPUID_ENTRIES; i++)
		if ((seen & 1u << i) == 0)
			c->entries[c->nent++] = (struct kvm_cpuid_entry2){
				.function = function, .index = i,
				.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
}

/*
 * Hide VMX and SVM unless the guest may run guests of its own: it can then reach
 * much less of KVM. Returns whether KVM has either.
 */
static bool
virtualization(struct kvm_cpuid_entry2 *e, bool nested)
{
	uint32_t bit;

	switch (e->function) {
	case 0x1:
		bit = 1u << 5; /* VMX */
		break;
	case 0x80000001:
		bit = 1u << 2; /* SVM */
		break;
	case 0x8000000a: /* how much of SVM */
		if (!nested)
			e->eax = e->ebx = e->ecx = e->edx = 0;
		return false;
	default:
		return false;
	}
	if ((e->ecx & bit) == 0)
		return false;
	if (!nested)
		e->ecx &= ~bit;
	return true;
}

/*
 * The guest gets the CPUID that KVM supports, but for the performance counters,
 * nested virtualization and the topology.
 */
static void
set_cpuid(struct vcpu *cpu)
{
	struct kvm_cpuid2 *c = supported(cpu->vm->kvm);
	uint32_t i;
	bool deadline, nests = false;

	deadline = kvm_call_n(cpu->vm->kvm, KVM_CHECK_EXTENSION,
	    KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	add_levels(c, 0xb);
	add_levels(c, 0x1f);
	for (i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		topology(e, cpu->id, cpu->vm->ncpus);
		if (e->function == 0x1 && deadline)
			e->ecx |= 1u << 24;
		if (e->function == 0xa)
			e->eax = e->ebx = e->ecx = e->edx = 0;
		nests |= virtualization(e, cpu->vm->nested);
	}
	if (cpu->vm->nested && !nests)
		errx(EXIT_LINK, "nested=yes: this host's KVM cannot do that");
	if (kvm_call(cpu->fd, KVM_SET_CPUID2, c) == -1)
		err(EXIT_LINK, "KVM: CPUID of vCPU %u", cpu->id);
	free(c);
}

static void
set_lapic(struct vcpu *cpu)
{
	struct kvm_lapic_state apic;
	uint32_t lvt;

	if (kvm_call(cpu->fd, KVM_GET_LAPIC, &apic) == -1)
		err(EXIT_LINK, "KVM: local APIC");
	lvt = APIC_MODE_EXTINT;
	memcpy(apic.regs + APIC_LVT0, &lvt, sizeof(lvt));
	lvt = APIC_MODE_NMI;
	memcpy(apic.regs + APIC_LVT1, &lvt, sizeof(lvt));
	if (kvm_call(cpu->fd, KVM_SET_LAPIC, &apic) == -1)
		err(EXIT_LINK, "KVM: local APIC");
}

/* All memory is write-back, as after a firmware. */
static void
set_msrs(struct vcpu *cpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MTRR_DEF_TYPE, .data = 0x806 },
		{ .index = MSR_MISC_ENABLE, .data = 1 },
	};
	struct kvm_msrs *m;

	if ((m = calloc(1, sizeof(*m) + sizeof(entries))) == NULL)
		err(EXIT_LINK, "MSRs");
	m->nmsrs = sizeof(entries) / sizeof(entries[0]);
	memcpy(m->entries, entries, sizeof(entries));
	if (kvm_call(cpu->fd, KVM_SET_MSRS, m) == -1)
		err(EXIT_LINK, "KVM: registers of vCPU %u", cpu->id);
	free(m);
}

void
arch_vcpu_init(struct vcpu *cpu)
{
	set_cpuid(cpu);
	set_lapic(cpu);
	set_msrs(cpu);
}

/*
 * The vCPU did not run for a while: this process was stopped or frozen, or waited
 * for a reader. Tell the guest by kvm-clock, so that its watchdogs do not report a
 * hang. A guest without kvm-clock cannot be told.
 */
void
arch_vcpu_stopped(const struct vcpu *cpu)
{
	(void)kvm_call_n(cpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

static void
set_segments(struct kvm_sregs *s, bool pvh)
{
	struct kvm_segment code = {
		.limit = UINT32_MAX, .selector = 0x10, .type = 0xb,
		.present = 1, .s = 1, .g = 1, .l = !pvh, .db = pvh,
	};
	struct kvm_segment data = {
		.limit = UINT32_MAX, .selector = 0x18, .type = 0x3,
		.present = 1, .s = 1, .g = 1, .db = 1,
	};

	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){ .limit = 0x67, .selector = 0x20,
		.type = 0xb, .present = 1 };
	s->gdt.base = X86_GDT;
	s->gdt.limit = 5 * 8 - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
}

/* Page tables that map the first 4 GiB one to one, in pages of 2 MiB. */
static void
page_tables(const struct ram *ram)
{
	uint64_t *p = ram_at(ram, X86_PAGE_TABLES, 6 * 4096);
	uint64_t i;

	p[0] = (X86_PAGE_TABLES + 4096) | PAGE_PRESENT | PAGE_WRITE;
	for (i = 0; i < 4; i++)
		p[512 + i] = (X86_PAGE_TABLES + (2 + i) * 4096) |
		    PAGE_PRESENT | PAGE_WRITE;
	for (i = 0; i < 2048; i++)
		p[1024 + i] = i << 21 | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
}

/* Set the boot processor to the entry of the kernel. */
void
x86_cpu_entry(struct vcpu *cpu, const struct x86_entry *e)
{
	const uint64_t gdt[] = { 0, 0,
		e->pvh ? 0x00cf9b000000ffff : 0x00af9b000000ffff,
		0x00cf93000000ffff, 0x00008b0000000067 };
	struct kvm_sregs s;
	struct kvm_regs r = { .rflags = X86_EFLAGS_FIXED, .rip = e->rip,
		.rsp = X86_STACK };

	memcpy(ram_at(&cpu->vm->ram, X86_GDT, sizeof(gdt)), gdt, sizeof(gdt));
	if (kvm_call(cpu->fd, KVM_GET_SREGS, &s) == -1)
		err(EXIT_LINK, "KVM: registers");
	set_segments(&s, e->pvh);
	s.cr0 = X86_CR0_PE | X86_CR0_ET;
	if (e->pvh) {
		r.rbx = X86_START_INFO;
	} else {
		page_tables(&cpu->vm->ram);
		r.rsi = X86_ZERO_PAGE;
		s.cr0 |= X86_CR0_PG;
		s.cr3 = X86_PAGE_TABLES;
		s.cr4 = X86_CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	if (kvm_call(cpu->fd, KVM_SET_SREGS, &s) == -1 ||
	    kvm_call(cpu->fd, KVM_SET_REGS, &r) == -1)
		err(EXIT_LINK, "KVM: registers");
}
