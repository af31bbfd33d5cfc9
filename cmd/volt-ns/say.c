/* What volt-ns says: what it does, and why it cannot. */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"

#include "ns.h"

/* Say what is about to be done, if that was asked for. */
void
say(const struct ns *ns, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (!ns->verbose && !ns->dry)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "volt-ns: %s\n", line);
}

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
