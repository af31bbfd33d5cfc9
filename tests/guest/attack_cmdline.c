/* A guest that says its command line. */
#include "guest.h"

int
main(void)
{
	say((const char *)0x20000); /* where volt-kvm has it */
	say("\n");
	done();
}
