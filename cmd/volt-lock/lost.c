#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"

#define LINE 1024

/* What was asked for cannot be had: the end, or with -b a line about it. */
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
