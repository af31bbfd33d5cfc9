/* A guest that waits until kvm-clock tells it that it was stopped. */
#include "guest.h"

#define MSR_SYSTEM_TIME 0x4b564d01	/* KVM's, the newer one */
#define GUEST_STOPPED 2

/* Linux's Documentation/virt/kvm/x86/msr.rst */
static struct {
	uint32_t version, pad;
	uint64_t tsc, time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad2[2];
} clock __attribute__((aligned(32)));

int
main(void)
{
	uint32_t at = (uint32_t)(uintptr_t)&clock | 1;

	__asm__ volatile("wrmsr" : : "c"(MSR_SYSTEM_TIME), "a"(at), "d"(0));
	check((r8(&clock.flags) & GUEST_STOPPED) == 0, "it has not been stopped");
	say("running\n");
	while ((r8(&clock.flags) & GUEST_STOPPED) == 0)
		outb(0x80, 0);
	check(true, "it was told");
	done();
}
