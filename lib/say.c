#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

bool say_on;

/* In one write(2), so that the lines of a chain's links do not mix. */
void
say(const char *fmt, ...)
{
	char line[PATH_MAX + 256];
	va_list ap;

	if (!say_on)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "%s: %s\n", program_invocation_short_name, line);
}

/*
 * Words, files and names of commands may be somebody else's: as much of s as
 * fits into buf, with a '?' for each character that a terminal would not print
 * as one line.
 */
const char *
say_one_line(const char *s, char buf[static SAY_NAME])
{
	size_t i;

	for (i = 0; i < SAY_NAME - 1 && s[i] != '\0'; i++)
		buf[i] = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i];
	buf[i] = '\0';
	if (s[i] != '\0')
		memcpy(buf + i - 3, "...", 3);
	return buf;
}
