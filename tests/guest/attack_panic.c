/*
 * A guest that prints 200 lines, each as long as those of a call trace, and then
 * resets itself, as a kernel does after a panic.
 */
#include "guest.h"

int
main(void)
{
	char line[] = "000  ? filemap_map_pages+0x150/0x710\n";
	unsigned int i;

	for (i = 1; i <= 200; i++) {
		line[0] = (char)('0' + i / 100);
		line[1] = (char)('0' + i / 10 % 10);
		line[2] = (char)('0' + i % 10);
		say(line);
	}
	outb(0x64, 0xfe);
	for (;;)
		;
}
