/*
 * A guest that waits until kvm-clock tells it of a pause: first while its vCPU is
 * mostly inside the guest, and then while it is mostly outside.
 */
#include "guest.h"

#define MSR_SYSTEM_TIME 0x4b564d01	/* MSR_KVM_SYSTEM_TIME_NEW */
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

static void
wait_for_it(bool outside, const char *what)
{
	check((r8(&clock.flags) & GUEST_STOPPED) == 0, "not stopped yet");
	say(what);
	while ((r8(&clock.flags) & GUEST_STOPPED) == 0)
		if (outside)
			outb(0x80, 0);
	w8(&clock.flags, 0);
}

int
main(void)
{
	uint32_t at = (uint32_t)(uintptr_t)&clock | 1;

	__asm__ volatile("wrmsr" : : "c"(MSR_SYSTEM_TIME), "a"(at), "d"(0));
	wait_for_it(false, "inside\n");
	wait_for_it(true, "outside\n");
	done();
}
