/* A guest that prints its command line. */
#include "guest.h"

int
main(void)
{
	say((const char *)0x20000); /* X86_CMDLINE */
	say("\n");
	done();
}
