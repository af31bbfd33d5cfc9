#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "chain.h"
#include "death.h"

/*
 * A parent that has ended meanwhile is noticed by its end of a pipe, which the kernel
 * closes before it looks for our death signal; or by getppid(2), since the kernel
 * gives us a new parent before it looks.
 *
 * PID 1 of a PID namespace sees no parent, and may have no pipe. But each thread has
 * a death signal of its own, and keeps it when another thread changes its IDs. So a
 * second thread holds the signal while the first one has none. If no thread can be
 * made (pids.max, RLIMIT_NPROC), a parent's end in these microseconds is missed.
 */

enum { STARTED, HELD, OVER };

static void
futex_wait(atomic_int *word, int value)
{
	while (atomic_load(word) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void
futex_set(atomic_int *word, int value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int
guard(void *arg)
{
	struct death *d = arg;

	prctl(PR_SET_PDEATHSIG, d->signo);
	futex_set(&d->state, HELD);
	futex_wait(&d->state, HELD);
	return 0;
}

static bool
guard_start(struct death *d)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
	    CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

	atomic_init(&d->state, STARTED);
	atomic_init(&d->tid, 1);
	if (clone(guard, d->stack + sizeof(d->stack), flags, d, NULL, NULL,
		&d->tid) == -1)
		return false;
	futex_wait(&d->state, STARTED);
	return true;
}

/* Wait until the kernel, too, has ended the thread: unshare(2) refuses threads. */
static void
guard_end(struct death *d)
{
	futex_set(&d->state, OVER);
	/* The kernel wakes us when the thread has left its stack. */
	futex_wait(&d->tid, 1);
	while (unshare(CLONE_THREAD) == -1 && errno == EINVAL)
		sched_yield();
}

/*
 * Before a change of the IDs. watch is a descriptor that is readable once the parent
 * has ended, or -1. Returns 0, or -1 and errno.
 */
int
death_hold(struct death *d, int watch)
{
	if (prctl(PR_GET_PDEATHSIG, &d->signo) == -1)
		return -1;
	d->watch = watch;
	d->parent = getppid();
	d->guarded = d->signo != 0 && d->parent == 0 && watch == -1 &&
	    !d->alone && guard_start(d);
	return 0;
}

static bool
is_orphan(const struct death *d)
{
	struct pollfd parent = { .fd = d->watch, .events = POLLIN };

	return getppid() != d->parent || poll(&parent, 1, 0) == 1;
}

/*
 * After the change. Returns 0, or -1 and errno. If the parent has ended and the death
 * signal kills, it does not return.
 */
int
death_release(struct death *d)
{
	if (d->signo == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, d->signo) == -1)
		return -1;
	if (d->guarded)
		guard_end(d);
	if (is_orphan(d)) {
		kill(getpid(), d->signo);
		if (d->signo == SIGKILL) /* PID 1 cannot kill itself */
			_exit(EXIT_LINK);
	}
	return 0;
}
