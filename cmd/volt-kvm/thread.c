#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chain.h"
#include "thread.h"

#define STACK_SIZE ((size_t)64 << 10)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* A thread waits here until all are locked, so that none is open to the guest. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int started, locked;
	bool go;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct start {
	void *(*run)(void *);
	void *arg;
	enum lock_kind kind;
	timer_t *timer;
};

/*
 * Make a timer that sends SIGALRM to the calling thread, with the address of timer as its
 * value, and unblock that signal. Any thread may set the timer. Returns 0, or -1 and errno.
 */
int
thread_timer(timer_t *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGALRM, .sigev_value = { .sival_ptr = timer } };
	sigset_t mask;

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, timer) == -1)
		return -1;
	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	errno = pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	return errno == 0 ? 0 : -1;
}

static void *
begin(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	if (s.timer != NULL && thread_timer(s.timer) == -1)
		err(EXIT_LINK, "timer of a thread");
	lock_thread(s.kind);
	pthread_mutex_lock(&gate.lock);
	gate.locked++;
	pthread_cond_broadcast(&gate.changed);
	while (!gate.go)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return s.run(s.arg);
}

/*
 * Start a thread with a small stack, which locks itself and waits for thread_go(). It
 * blocks all signals: the main thread handles them. If timer is not NULL the thread has
 * one, which interrupts its system calls, and is stored there before thread_go() returns.
 * Returns 0, or -1 and errno.
 */
int
thread_start(pthread_t *t, void *(*run)(void *), void *arg, enum lock_kind kind,
    timer_t *timer)
{
	struct start *s = malloc(sizeof(*s));
	pthread_attr_t attr;
	sigset_t all, old;
	int e;

	if (s == NULL)
		return -1;
	*s = (struct start){ run, arg, kind, timer };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	e = pthread_create(t, &attr, begin, s);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e == 0) {
		gate.started++;
		return 0;
	}
	free(s);
	errno = e;
	return -1;
}

/* Main thread: lock it, too, once the others are locked, and let all of them go. */
void
thread_go(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.locked < gate.started)
		pthread_cond_wait(&gate.changed, &gate.lock);
	lock_thread(LOCK_IO);
	gate.go = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}
