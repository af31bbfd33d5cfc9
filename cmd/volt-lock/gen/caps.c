/*
 * Print the capabilities' names, by number, as libcap has them: the rows of a
 * table in C. It runs when volt is built.
 */
#include <sys/capability.h>

#include <stdio.h>
#include <string.h>

int
main(void)
{
	char *name;
	int i;

	/* What has no name is a number. */
	for (i = 0; i < 64; i++) {
		if ((name = cap_to_name(i)) == NULL)
			return 1;
		if (strncmp(name, "cap_", 4) == 0)
			printf("[%d] = \"%s\",\n", i, name + 4);
		cap_free(name);
	}
	return fflush(stdout) == EOF;
}
