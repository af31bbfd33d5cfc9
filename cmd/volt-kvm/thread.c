#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "thread.h"

#define STACK_SIZE ((size_t)64 << 10)

/*
 * Start a thread with a small stack. It blocks all signals: the main thread
 * handles them. Returns 0, or -1 and errno.
 */
int
thread_start(pthread_t *t, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	e = pthread_create(t, &attr, run, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e == 0)
		return 0;
	errno = e;
	return -1;
}
