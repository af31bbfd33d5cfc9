#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#include "kfile.h"
#include "userns.h"

/*
 * Are we in the initial user namespace, where 0 is the host's root? Returns 1 or 0; or
 * -1 and errno if /proc does not say.
 */
int
userns_is_initial(void)
{
	char map[16384];
	unsigned long inside, outside, count;

	if (kfile_read(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) == -1)
		return -1;
	return sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	    outside == 0 && inside == 0 && count == UINT32_MAX;
}
