#include <err.h>
#include <errno.h>
#include <stdio.h>

#include "chain.h"
#include "ending.h"
#include "status.h"

/* The exit status of that end. */
int
ending_status(const struct talk_end *e)
{
	return e->how == 's' ? EXIT_SIGNAL + e->code : e->code;
}

/*
 * Write the line of status= to status_fd, unless that is -1. Tell the outer links that
 * wait for it whether the command has run, and by which signal we seem to end, unless
 * that is 0.
 */
void
ending_report(const struct talk_end *e, int status_fd, int signo)
{
	struct status_ends further;

	if (status_fd != -1)
		dprintf(status_fd, "%s %d\n", talk_end_word(e->how), e->code);
	if (status_find(&further) == -1 ||
	    (e->how != 'f' && status_started(&further) == -1))
		warn(STATUS_VARIABLE);
	/* As waitpid(2) has it. */
	if (e->how != 'f' && signo != 0 && status_tell(signo) == -1)
		warn(STATUS_VARIABLE);
}

/* Print why some output of the command is lost, as console_lost() has it. */
void
ending_output(int lost)
{
	if (lost == ETIMEDOUT)
		warnx("the command's output: not all of it was read");
	errno = lost;
	if (lost != 0 && lost != ETIMEDOUT)
		warn("the command's output");
}
