/* Why volt-ns cannot, with advice. */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"

#include "ns.h"

/*
 * End with errno's message, as err(3) does, and if errno is cause with a line of
 * advice behind it.
 */
_Noreturn void
fail(int cause, const char *advice, const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	vwarn(fmt, ap);
	va_end(ap);
	if (error == cause)
		warnx("%s", advice);
	exit(EXIT_LINK);
}
