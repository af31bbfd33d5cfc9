/* death.c: the death signal outlives a change of IDs, and so does no orphan. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "death.h"
#include "sys.h"
#include "unit.h"

/* What setresuid(2) does with it. */
static void
forget(void)
{
	CHECK_INT(prctl(PR_SET_PDEATHSIG, 0), 0);
}

static int
death_signal(void)
{
	int signo;

	CHECK_INT(prctl(PR_GET_PDEATHSIG, &signo), 0);
	return signo;
}

static int
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	CHECK(dir != NULL);
	while ((e = readdir(dir)) != NULL)
		n += *e->d_name != '.';
	closedir(dir);
	return n;
}

static void
is_kept(void)
{
	static const int signals[] = { 0, SIGKILL, SIGTERM, SIGUSR1 };

	for (size_t i = 0; i < UNIT_COUNT(signals); i++) {
		struct death d = { 0 };

		CHECK_INT(prctl(PR_SET_PDEATHSIG, signals[i]), 0);
		CHECK_INT(death_hold(&d, -1), 0);
		CHECK_INT(death_signal(), signals[i]);
		CHECK_INT(count_threads(), 1);
		forget();
		CHECK_INT(death_release(&d), 0);
		CHECK_INT(death_signal(), signals[i]);
	}
}

/* A parent that the test kills at a given moment, and a child that says when. */
struct family {
	pid_t parent;
	int said[2];	/* child to test: a byte, then it is over */
	int go[2];	/* test to child */
	int life[2];	/* the parent holds the other end */
};

/*
 * The child forgets its death signal, is told when its parent is gone, and goes
 * on. With watch it has the pipe to look at.
 */
static void
orphan(struct family *f, bool watch)
{
	struct death d = { 0 };
	char c;

	close(f->said[0]), close(f->go[1]), close(f->life[1]);
	CHECK_INT(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	CHECK_INT(death_hold(&d, watch ? f->life[0] : -1), 0);
	forget();
	CHECK_INT(write(f->said[1], "1", 1), 1);
	CHECK_INT(read(f->go[0], &c, 1), 1);
	CHECK_INT(death_release(&d), 0);
	CHECK_INT(write(f->said[1], "2", 1), 1);
	_exit(0);
}

static void
start_family(struct family *f, uint64_t namespaces, bool watch)
{
	struct clone_args args = { .flags = namespaces, .exit_signal = SIGCHLD };
	pid_t child;
	char c;

	CHECK(pipe(f->said) == 0 && pipe(f->go) == 0 && pipe(f->life) == 0);
	CHECK((f->parent = fork()) != -1);
	if (f->parent == 0) {
		if ((child = sys_clone3(&args)) == -1)
			_exit(77);
		if (child == 0)
			orphan(f, watch);
		close(f->life[0]);
		pause();
		_exit(0);
	}
	close(f->said[1]), close(f->go[0]);
	close(f->life[0]), close(f->life[1]);
	if (read(f->said[0], &c, 1) != 1)
		unit_skip("no user namespaces");
	CHECK_INT(c, '1');
}

/* The parent is killed; returns what the child says after that, 0 for nothing. */
static int
end_family(struct family *f)
{
	char c = 0;
	int rc;

	CHECK_INT(kill(f->parent, SIGKILL), 0);
	CHECK_INT(waitpid(f->parent, NULL, 0), f->parent);
	rc = (int)write(f->go[1], "x", 1);
	(void)rc; /* it may be dead already */
	rc = (int)read(f->said[0], &c, 1);
	CHECK(rc == 0 || rc == 1);
	close(f->said[0]), close(f->go[1]);
	return c;
}

static void
an_orphan_ends(void)
{
	struct family f;

	signal(SIGPIPE, SIG_IGN);
	start_family(&f, 0, false);
	CHECK_INT(end_family(&f), 0);
	start_family(&f, 0, true);
	CHECK_INT(end_family(&f), 0);
}

static void
pid_1_ends_by_a_pipe(void)
{
	struct family f;

	signal(SIGPIPE, SIG_IGN);
	start_family(&f, CLONE_NEWUSER | CLONE_NEWPID, true);
	CHECK_INT(end_family(&f), 0);
}

/* The signal ends it, though it has forgotten it: another thread has not. */
static void
pid_1_ends_without_one(void)
{
	struct family f;
	char c;

	signal(SIGPIPE, SIG_IGN);
	start_family(&f, CLONE_NEWUSER | CLONE_NEWPID, false);
	CHECK_INT(kill(f.parent, SIGKILL), 0);
	CHECK_INT(waitpid(f.parent, NULL, 0), f.parent);
	CHECK_INT(read(f.said[0], &c, 1), 0);
	close(f.said[0]), close(f.go[1]);
}

/* Once released, it is a single thread again, that may make namespaces. */
static void
no_thread_is_left(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWPID,
		.exit_signal = SIGCHLD };
	int wstatus;
	pid_t pid;

	if ((pid = sys_clone3(&args)) == -1)
		unit_skip("no user namespaces");
	if (pid == 0) {
		struct death d = { 0 };

		CHECK_INT(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
		for (int i = 0; i < 200; i++) {
			CHECK_INT(death_hold(&d, -1), 0);
			CHECK(d.guarded);
			forget();
			CHECK_INT(death_release(&d), 0);
			/* Two threads would be EINVAL; this one has no ID. */
			CHECK_ERRNO(unshare(CLONE_NEWUSER), EPERM);
		}
		CHECK_INT(count_threads(), 1);
		CHECK_INT(death_signal(), SIGKILL);
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(wstatus, 0);
}

static const struct unit tests[] = {
	UNIT(is_kept),
	UNIT(an_orphan_ends),
	UNIT(pid_1_ends_by_a_pipe),
	UNIT(pid_1_ends_without_one),
	UNIT(no_thread_is_left),
};

UNIT_MAIN(tests)
