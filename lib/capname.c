#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "capname.h"
#include "value.h"

/* The names by number, without "CAP_". A newer capability has a number only. */
static const char *const names[] = {
#include "caps.inc"
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/*
 * Returns the number of a capability. name is its name, in upper or lower case, with or
 * without "CAP_", or its number. Returns -1 and EINVAL if there is no such capability.
 */
int
capname_parse(const char *name)
{
	char lower[32];
	uint64_t n;
	size_t i;

	if (value_uint(name, CAPNAME_SETS - 1, &n) == 0)
		return (int)n;
	for (i = 0; i < sizeof(lower) - 1 && name[i] != '\0'; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ?
		    (char)(name[i] - 'A' + 'a') : name[i];
	lower[i] = '\0';
	name = strncmp(lower, "cap_", 4) == 0 ? lower + 4 : lower;
	for (i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	errno = EINVAL;
	return -1;
}

/* Returns the name of a capability, without "CAP_", or NULL if it has a number only. */
const char *
capname_of(unsigned int cap)
{
	return cap < NAMES ? names[cap] : NULL;
}

/* Returns how many capabilities have names: those of the kernel that volt was built for. */
size_t
capname_known(void)
{
	return NAMES;
}
