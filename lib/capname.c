#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "capname.h"
#include "value.h"

/* By number, without "CAP_". A newer one is known by its number alone. */
static const char *const names[] = {
#include "caps.inc"
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/*
 * The number of a capability: by its name, in letters of either case, with or without
 * "CAP_", or by the number itself. Returns -1 and EINVAL if there is none.
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

/* The name of a capability, without "CAP_", or NULL if it has none here. */
const char *
capname_of(unsigned int cap)
{
	return cap < NAMES ? names[cap] : NULL;
}

/* How many have names: those of the kernel that volt was built with. */
size_t
capname_known(void)
{
	return NAMES;
}
