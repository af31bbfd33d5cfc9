/*
 * volt-init: the first process of a PID namespace. It starts the command, reaps
 * what is orphaned, passes signals on and ends with the command's status.
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

#include "guest.h"
#include "init.h"

static void
set_flag(void *ctx, char letter)
{
	struct init *in = ctx;

	switch (letter) {
	case 'N':
		in->dry = say_on = true;
		break;
	case 'b':
		in->boot = true;
		break;
	case 'g':
		in->group = true;
		break;
	case 'k':
		in->die_with_parent = true;
		break;
	default:
		say_on = true;
	}
}

static void
set_grace(void *ctx, const char *key, const char *value)
{
	struct init *in = ctx;

	if ((in->grace = word_time(key, value)) == 0)
		word_bad(key, value, "must be longer than nothing");
}

static void
set_ready(void *ctx, const char *key, const char *value)
{
	struct init *in = ctx;

	if (*value != '/')
		word_bad(key, value, "the path must begin with /");
	in->ready = value;
}

static void
set_status(void *ctx, const char *key, const char *value)
{
	struct init *in = ctx;

	in->status_fd = word_fd(key, value);
}

static void
set_stop(void *ctx, const char *key, const char *value)
{
	struct init *in = ctx;

	in->stop_signal = word_signal(key, value);
}

static const struct flag flags[] = {
	{ 'N', set_flag, "dry run: say what would be done, and do nothing" },
	{ 'b', set_flag, "boot: become a full init system as PID 1" },
	{ 'g', set_flag, "pass signals to the command's process group" },
	{ 'k', set_flag, "die when the parent of volt-init dies" },
	{ 'v', set_flag, "say on standard error what is done" },
	{ 0, NULL, NULL },
};

static const struct word words[] = {
	{ "grace", set_grace, "TIME", "from a SIGTERM to SIGKILL for all" },
	{ "ready", set_ready, "PATH", "pass on what the command tells by sd_notify" },
	{ "stop", set_stop, "SIGNAL", "what a SIGTERM is passed on as" },
	{ "status", set_status, "FD", "write to FD how the command ended" },
	{ NULL, NULL, NULL, NULL },
};

static const struct grammar grammar = {
	.purpose = "Be PID 1 for a command: reap, pass signals on, end with it.",
	.flags = flags,
	.words = words,
};

/* When grace is over: as PID 1 everything, else the command. */
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
	say(getpid() == 1 ? "wait as PID 1" : "wait as a subreaper");
	if (in->ready != NULL)
		say("pass notifications on");
}

/* A shell that has us go on gives the terminal to us: it is the command's. */
static void
go_on(struct supervise *s, int signo)
{
	if (signo == SIGCONT && tcgetpgrp(STDIN_FILENO) == getpgrp())
		(void)tcsetpgrp(STDIN_FILENO, s->child);
}

/* In the child: what the command finds is what we found, plus its group. */
static _Noreturn void
run_command(const struct init *in, const struct supervise *s, char *argv[])
{
	if (in->group) {
		if (setpgid(0, 0) == -1)
			err(EXIT_LINK, "process group");
		/* SIGTTOU is blocked still: this cannot stop us. */
		if (s->foreground)
			(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	}
	if (supervise_child(s) == -1)
		err(EXIT_LINK, "wait for our parent");
	chain_exec(argv);
}

int
main(int argc, char *argv[])
{
	static struct init in = { .status_fd = -1 };
	struct supervise s = { 0 };
	struct status status;
	int wstatus, code;

	if (guest_here())
		guest_main();
	argv = words_parse(argc, argv, &grammar, &in);
	if (*argv == NULL && !in.dry && !in.boot)
		errx(EXIT_LINK, "no command; -h shows the words");
	describe(&in);
	if (in.dry)
		return 0;
	if (in.boot)
		boot(argv);

	s.to_group = in.group;
	s.own_session = in.group;
	s.sigterm = in.stop_signal;
	s.grace = in.grace;
	s.kill_all = kill_all;
	if (in.ready != NULL)
		ready_open(&in, &s);
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		err(EXIT_LINK, "subreaper");
	if (in.die_with_parent && supervise_die_with_parent() == -1 &&
	    errno != 0)
		err(EXIT_LINK, "death signal");
	if (in.status_fd != -1 && status_watch(&status) == -1)
		err(EXIT_LINK, "status=%d", in.status_fd);
	if (supervise_begin(&s) == -1)
		err(EXIT_LINK, "signals");
	s.unstoppable = in.group && s.foreground && getpid() == 1;
	if (in.group && s.foreground && getpid() != 1)
		s.signal_cb = go_on;
	if ((s.child = fork()) == -1)
		err(EXIT_LINK, "fork");
	if (s.child == 0)
		run_command(&in, &s, argv);
	if (supervise_parent(&s) == -1)
		err(EXIT_LINK, "let the command start");
	if (in.group)
		(void)setpgid(s.child, s.child); /* whoever is first */

	if (supervise_wait(&s, &wstatus) == -1)
		err(EXIT_LINK, "wait");
	if (in.ready != NULL)
		unlink(in.ready);
	code = supervise_exit_code(wstatus);
	if (in.status_fd == -1 && status_tell(wstatus) == -1)
		warn(STATUS_VARIABLE);
	if (in.status_fd != -1 &&
	    status_report(&status, in.status_fd, wstatus) == -1) {
		warn("status=%d", in.status_fd);
		code = code == 0 ? EXIT_LINK : code;
	}
	_exit(code);
}
