/*
 * A guest on COM1: it says what it is told, until it is told a 'q'; an 'f' makes
 * it talk for ever.
 */
#include "guest.h"

int
main(void)
{
	uint8_t c;

	outb(0x3f8 + 2, 1);
	say("ready\n");
	for (;;) {
		c = hear();
		if (c == 'q')
			done();
		while (c == 'f')
			say("talk talk talk talk talk talk talk talk\n");
		outb(0x3f8, c);
	}
}
