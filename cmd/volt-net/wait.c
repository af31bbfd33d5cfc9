/* Waiting for what the kernel, or a helper, is about to let go of. */
#include <time.h>

#include "clock.h"

#include "net.h"

/*
 * Nap, unless ms have gone by since the first call, before which *begin is 0.
 * Returns whether it is worth another try.
 */
bool
wait_more(int64_t *begin, int ms)
{
	const struct timespec nap = { .tv_nsec = 5000000 };

	if (*begin == 0)
		*begin = clock_ms();
	if (clock_ms() - *begin >= ms)
		return false;
	nanosleep(&nap, NULL);
	return true;
}
