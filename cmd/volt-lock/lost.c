#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"

#define LINE 1024

/*
 * A request cannot be enforced: end with the message, or with -b only print it.
 */
void
lost(const struct lock *lock, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!lock->best_effort)
		errx(EXIT_LINK, "%s", line);
	warnx("lost: %s", line);
}
