#include <sys/signalfd.h>

#include <signal.h>
#include <stddef.h>

#include "signals.h"

/* The terminating signals: they end volt-kvm if they cannot end the command. */
static const struct {
	int signo;
	const char *name;
} ends[] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" },
	{ SIGHUP, "SIGHUP" }, { SIGQUIT, "SIGQUIT" } };

/* The name of a terminating signal, or NULL if it is another. */
const char *
signals_terminating(int signo)
{
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].signo == signo)
			return ends[i].name;
	return NULL;
}

/* Is the signal for volt-kvm itself, and not for a command? */
bool
signals_ours(int signo)
{
	static const int ours[] = { SIGWINCH, SIGPIPE, SIGXFSZ, SIGCHLD, SIGCONT,
		SIGURG };
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i] == signo)
			return true;
	return false;
}

/*
 * Block all signals but those of faults, of job control and SIGALRM (stream.h). Returns
 * a signalfd, which the caller closes; or -1 and errno.
 */
int
signals_open(void)
{
	static const int others[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM };
	sigset_t mask;
	size_t i;

	sigfillset(&mask);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		sigdelset(&mask, others[i]);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) == -1)
		return -1;
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}
