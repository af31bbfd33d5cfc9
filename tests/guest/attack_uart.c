/*
 * A guest on COM1: it says what it is told, until it is told a 'q'; an 'f' makes
 * it talk for ever.
 */
#include "guest.h"

static inline uint8_t
inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

int
main(void)
{
	uint8_t c;

	outb(0x3f8 + 2, 1);
	say("ready\n");
	for (;;) {
		if ((inb(0x3f8 + 5) & 1) == 0)
			continue;
		c = inb(0x3f8);
		if (c == 'q')
			done();
		while (c == 'f')
			say("talk talk talk talk talk talk talk talk\n");
		outb(0x3f8, c);
	}
}
