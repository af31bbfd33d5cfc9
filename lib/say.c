#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
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
