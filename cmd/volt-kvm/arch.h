/* What depends on the architecture; x86_*.c has it for x86-64. */
#ifndef VOLT_KVM_ARCH_H
#define VOLT_KVM_ARCH_H

struct config;
struct vcpu;
struct vm;

unsigned int arch_address_bits(int kvm);
void arch_vm_init(struct vm *vm);
void arch_vcpu_init(struct vcpu *cpu);
void arch_vcpu_stopped(const struct vcpu *cpu);
void arch_check(const struct config *cfg);
void arch_load(struct vm *vm, const struct config *cfg);
const char *arch_kernel_version(const struct config *cfg);

/* The lines of the interrupt controllers, and the routes that KVM starts with. */
#define ARCH_IRQ_LINES 24u
#define ARCH_IRQ_ROUTES 40u
struct kvm_irq_routing_entry;
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *e);

#endif
