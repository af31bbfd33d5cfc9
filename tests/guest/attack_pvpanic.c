/* A guest that reports a panic by pvpanic, and then neither resets nor ends. */
#include "guest.h"

int
main(void)
{
	uint8_t events;

	__asm__ volatile("inb %1, %0" : "=a"(events) : "Nd"((uint16_t)0x505));
	check(events == 1, "a panic is heard, and no other event");
	outb(0x505, 2);
	say("Kernel panic\n");
	outb(0x505, 1);
	for (;;)
		;
}
