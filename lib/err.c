#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "say.h"

/* Print the message, followed by that of error unless error is 0. */
static void ERR_FORMAT(3, 0)
line(int level, int error, const char *fmt, va_list ap)
{
	char text[2 * PATH_MAX];
	size_t size = sizeof(text) - 64; /* leave room for strerror() */
	int n = vsnprintf(text, size, fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;

	if (error != 0)
		snprintf(text + len, sizeof(text) - len, ": %s",
		    strerror(error));
	say_line(level, text);
}

void
vwarn(const char *fmt, va_list ap)
{
	line(LOG_WARNING, errno, fmt, ap);
}

void
vwarnx(const char *fmt, va_list ap)
{
	line(LOG_WARNING, 0, fmt, ap);
}

void
warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(fmt, ap);
	va_end(ap);
}

void
warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
}

void
warn_last(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_ERR, errno, fmt, ap);
	va_end(ap);
}

_Noreturn void
err(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_ERR, errno, fmt, ap);
	va_end(ap);
	exit(status);
}

_Noreturn void
errx(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_ERR, 0, fmt, ap);
	va_end(ap);
	exit(status);
}
