/*
 * A guest that echoes its input on COM1. At a 'q' it ends; at an 'f' it writes
 * without end.
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
