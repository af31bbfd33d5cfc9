/* Wait until the kernel, or a helper, releases something. */
#include <time.h>

#include "clock.h"

#include "net.h"

/*
 * Sleep for a moment, so that the caller can try again. *begin must be 0 before
 * the first call. Returns false when ms have passed since the first call.
 */
bool
wait_more(int64_t *begin, int ms)
{
	const struct timespec moment = { .tv_nsec = 5000000 };

	if (*begin == 0)
		*begin = clock_ms();
	if (clock_ms() - *begin >= ms)
		return false;
	nanosleep(&moment, NULL);
	return true;
}
