/*
 * volt-init: the first process of a PID namespace. It starts the command, reaps
 * orphans, passes signals on and exits with the command's status.
 */
#include <sys/prctl.h>
#include <sys/ioctl.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "say.h"
#include "status.h"
#include "supervise.h"
#include "sys.h"
#include "words.h"

#include "init.h"

static void
set_ready(void *path, const char *key, const char *value)
{
	if (*value != '/')
		word_bad(key, value, "the path must begin with /");
	*(const char **)path = value;
}

static const struct flag flags[] = {
	FLAG_DRY(struct init),
	FLAG('b', struct init, boot, "boot: become a full init system as PID 1"),
	FLAG('g', struct init, group, "pass signals to the command's process group"),
	FLAG('k', struct init, die_with_parent, "die when the parent of volt-init dies"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	TIME_WORD("grace", struct init, grace, UINT64_MAX, "TIME",
	    "from a SIGTERM to a SIGKILL for all"),
	TIME_WORD("timeout", struct init, timeout, UINT64_MAX, "TIME",
	    "the command's limit; then a SIGTERM and status 124"),
	ENV_WORDS(struct init, env),
	CTX_WORD("lock", locks_add, "FILE", "hold a lock of FILE while the command runs"),
	CTX_WORD("hold", locks_hold, "FD", "keep FD open while the command runs"),
	CALL_WORD("ready", set_ready, struct init, ready, "PATH",
	    "pass on the command's notifications (sd_notify)"),
	STOP_WORD(struct init),
	STATUS_WORD(struct init),
	WORD_END,
};

static const struct grammar grammar = {
	.purpose = "Be PID 1 for a command: reap, pass signals on, end with it.",
	.flags = flags,
	.words = words,
};

/* The grace time is over: as PID 1 kill all, else the command or its group. */
static void
kill_all(const struct supervise *s)
{
	kill(getpid() == 1 ? -1 : s->to_group ? -s->child : s->child, SIGKILL);
}

static void
describe(const struct init *in)
{
	if (in->boot)
		say("boot");
	say(getpid() == 1 || (in->dry && chain_is_to(CHAIN_INIT)) ? "wait as PID 1" : "wait as a subreaper");
	if (in->ready != NULL)
		say("pass notifications on");
}

/* After a SIGCONT the shell has given us the terminal: give it to the command. */
static void
go_on(struct supervise *s, int signo)
{
	if (signo == SIGCONT && tcgetpgrp(STDIN_FILENO) == getpgrp())
		(void)tcsetpgrp(STDIN_FILENO, s->child);
}

/* In the child: with -g make the group of the command; then exec the command. */
static pid_t
start(struct supervise *s)
{
	pid_t pid = fork();

	if (pid == 0 && s->to_group) {
		if (setpgid(0, 0) == -1)
			err(EXIT_LINK, "process group");
		/* SIGTTOU is still blocked, so this cannot stop us. */
		if (s->foreground)
			(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	}
	return pid;
}

int
main(int argc, char *argv[])
{
	static struct init in = { .status_fd = -1 };
	struct supervise s = { 0 };
	int wstatus;
	pid_t pid;

	argv = words_parse(argc, argv, &grammar, &in);
	if (*argv == NULL && !in.dry && !in.boot)
		errx(EXIT_LINK, "no command; -h shows the words");
	if (in.boot && in.nlocks + in.nholds > 0)
		errx(EXIT_LINK, "lock= and hold= need a volt-init that waits: not -b");
	describe(&in);
	if (in.dry)
		chain_dry(argv, false, false);
	if (env_apply(&in.env) == -1)
		err(EXIT_LINK, "environment");
	if (in.boot)
		boot(argv);
	locks_take(&in);

	s.status_fd = in.status_fd;
	s.to_group = in.group;
	s.own_session = in.group;
	s.sigterm = in.stop_signal;
	s.grace = in.grace;
	s.timeout = in.timeout;
	s.kill_all = kill_all;
	if (in.ready != NULL)
		ready_open(&in, &s);
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		err(EXIT_LINK, "subreaper");
	if (in.die_with_parent && supervise_die_with_parent() == -1 &&
	    errno != 0)
		err(EXIT_LINK, "death signal");
	if ((pid = supervise_fork(&s, start)) == -1)
		err(EXIT_LINK, "fork");
	if (pid == 0)
		chain_exec(argv);
	if (in.group)
		(void)setpgid(pid, pid); /* the child does it, too */
	s.unstoppable = in.group && s.foreground && getpid() == 1;
	if (in.group && s.foreground && getpid() != 1)
		s.signal_cb = go_on;

	if (supervise_wait(&s, &wstatus) == -1)
		err(EXIT_LINK, "wait");
	if (in.ready != NULL)
		unlink(in.ready);
	if (s.timed_out) {
		warnx("timeout=: the command ran too long and was terminated");
		if (status_tell_why(STATUS_TIMEOUT) == -1)
			warn(STATUS_VARIABLE);
		wstatus = STATUS_TIMED_OUT << 8;
	}
	supervise_exit(&s, wstatus, false);
}
