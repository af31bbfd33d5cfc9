/* Errors with a line of advice. */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"

#include "ns.h"

/*
 * End with errno's message, as err(3) does. If errno is cause, a line of advice
 * follows.
 */
_Noreturn void
fail(int cause, const char *advice, const char *fmt, ...)
{
	int error = errno;
	char line[2 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	errno = error;
	warn_last("%s", line);
	if (error == cause)
		warnx("%s", advice);
	exit(EXIT_LINK);
}

/* End because clone3(2) or unshare(2) failed, with advice on the common causes. */
_Noreturn void
fail_namespaces(const struct ns *ns)
{
	int error = errno;

	warn_last("namespaces");
	if ((ns->flags & CLONE_NEWUSER) != 0)
		idmap_advise(error);
	else if (error == EPERM)
		warnx("without root, add -U for a user namespace");
	if (error == EAGAIN)
		warnx("the limit on processes is reached: pids.max, ulimit -u");
	exit(EXIT_LINK);
}
