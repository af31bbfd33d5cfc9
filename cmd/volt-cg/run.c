/*
 * Run the command: in a new group, in one that is kept (-k), in one of join=.
 */
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "say.h"
#include "status.h"
#include "supervise.h"
#include "sys.h"

#include "cg.h"

/* What -N says. */
static _Noreturn void
describe(const struct cg *cg, const char *path, const char *name,
    char *argv[])
{
	const struct limit *l;

	if (cg->inside && !cg->keep)
		say("leave %s", shown(path));
	say("%s %s/%s", cg->join != NULL ? "enter" : "make", path, name);
	for (l = cg->limits; l < cg->limits + cg->nlimits; l++)
		say("%s=%s", l->file, l->value);
	if (cg->delegate)
		say("delegate it");
	group_say_owner(cg, false);
	chain_dry(argv, false, false);
}

/*
 * Start the child inside the group. If the kernel has no CLONE_INTO_CGROUP
 * (before 5.7), or a filter forbids clone3(2), the child enters by itself,
 * which takes milliseconds instead of microseconds. Returns as fork(2) does.
 */
static pid_t
clone_into(const struct cg *cg)
{
	const struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)(unsigned int)cg->dir,
	};
	pid_t pid = sys_clone3(&args);

	if (pid != -1 ||
	    (errno != ENOSYS && errno != EINVAL && errno != E2BIG))
		return pid;
	if ((pid = fork()) == 0)
		group_enter(cg->dir, group_name(cg));
	return pid;
}

static _Noreturn void
not_started(const struct cg *cg)
{
	int error = errno;

	warn("start in %s/%s", cg->place, group_name(cg));
	if (error == EAGAIN)
		warnx("the limit on processes is reached: pids.max, ulimit -u");
	else if (error == EBUSY)
		warnx("a group with limits below it cannot have processes");
	else if (error == EACCES || error == EPERM)
		warnx("this needs the right to write cgroup.procs there, and "
		    "in the group above both it and ours");
	exit(EXIT_LINK);
}

/* Something changed in memory.events. */
static void
look_at_memory(struct supervise *s)
{
	char buf[1024];

	if ((s->fds[0].revents & POLLPRI) == 0)
		return;
	/* Reading clears POLLPRI, unless the group is gone. */
	if (pread(s->fds[0].fd, buf, sizeof(buf), 0) == -1)
		s->fds[0].fd = -1;
	else
		(void)report_oom(s->ctx, false);
}

/* Make the group, and start the child in it. */
static pid_t
start(struct supervise *s)
{
	struct cg *cg = s->ctx;
	pid_t pid;

	/* Signals are blocked here, so none can leave a group behind. */
	group_make(cg);
	s->fds[0] = (struct pollfd){ .fd = report_watch(cg),
		.events = POLLPRI };
	s->nfds = s->fds[0].fd != -1;
	if ((pid = clone_into(cg)) == -1)
		not_started(cg);
	return pid;
}

_Noreturn void
run(struct cg *cg, char *argv[])
{
	struct supervise s = { .status_fd = cg->status_fd,
		.poll_cb = look_at_memory, .ctx = cg };
	int64_t begin = clock_us();
	int wstatus;
	bool oom;

	if (cg->dry)
		describe(cg, cg->place,
		    cg->name != NULL ? cg->name : "run-PID", argv);
	if (supervise_fork(&s, start) == 0) {
		close(cg->lock);
		if (cg->retreat_lock != -1)
			close(cg->retreat_lock);
		chain_exec(argv);
	}
	group_sweep(cg);
	if (supervise_wait(&s, &wstatus) == -1)
		err(EXIT_LINK, "wait");
	if (kill_group(cg->dir, CG_PATIENCE) == -1)
		warn("kill what is left in %s/%s", cg->place, group_name(cg));
	oom = report_oom(cg, true);
	if (cg->summary)
		report_summary(cg, (uint64_t)(clock_us() - begin));
	group_finish(cg);
	if (oom && supervise_exit_code(wstatus) == EXIT_SIGNAL + SIGKILL &&
	    status_tell_why(STATUS_OOM) == -1)
		warn(STATUS_VARIABLE);
	supervise_exit(&s, wstatus, false);
}

/* -k: somebody else removes the group, so we need not wait. */
_Noreturn void
run_keep(struct cg *cg, char *argv[])
{
	if (cg->dry)
		describe(cg, cg->place,
		    cg->name != NULL ? cg->name : "run-PID", argv);
	group_make(cg);
	group_sweep(cg);
	chain_exec(argv);
}

/* join=NAME */
_Noreturn void
run_join(struct cg *cg, char *argv[])
{
	place_find(cg, cg->join);
	if (cg->dry)
		describe(cg, cg->place, cg->join, argv);
	group_enter(cg->dir, cg->join);
	chain_exec(argv);
}
