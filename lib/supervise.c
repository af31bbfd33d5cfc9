#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "kfile.h"
#include "status.h"
#include "supervise.h"
#include "sys.h"

#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

#define HOLD_FOR 10000	/* ms */
#define HOLD_STEP 5
#define RETRY 10000000	/* ns */
#define RELAY_REST 1000	/* messages that are passed on at the end */
#define MASK_MOST 1000	/* ms that a C library may block all signals */
#define GRACE_MAX ((uint64_t)INT64_MAX / 2)	/* ms; no limit in practice */

/*
 * Before the fork: block all signals, make children waitable, and become
 * non-dumpable. A fault in our own code still kills us: the kernel does not let that
 * be blocked. Returns 0, or -1 and errno.
 */
int
supervise_begin(struct supervise *s)
{
	const uint64_t mask = UINT64_MAX;
	struct sigaction sa;

	if (prctl(PR_SET_DUMPABLE, 0) == -1 ||
	    sys_sigprocmask(SIG_BLOCK, &mask, &s->old_mask) == -1 ||
	    sigaction(SIGCHLD, NULL, &sa) == -1)
		return -1;
	if (sa.sa_handler == SIG_IGN) {
		s->chld_ignored = true;
		signal(SIGCHLD, SIG_DFL);
	}
	s->hold = getenv(STATUS_VARIABLE) != NULL;
	s->foreground = tcgetpgrp(STDIN_FILENO) == getpgrp();
	s->sigfd = sys_signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd == -1 || pipe2(s->alive, O_CLOEXEC) == -1 ? -1 : 0;
}

static int64_t
deadline_after(uint64_t grace)
{
	return clock_ms() + (int64_t)(grace < GRACE_MAX ? grace : GRACE_MAX);
}

/* In the parent, right after the fork. Returns 0, or -1 and errno. */
int
supervise_parent(struct supervise *s)
{
	ssize_t n = 1;

	close(s->alive[0]);
	chain_let_go();
	if (s->timeout != 0)
		s->end = deadline_after(s->timeout);
	while (s->hold && (n = write(s->alive[1], "", 1)) == -1 &&
	    errno == EINTR)
		;
	/* EPIPE: the child has ended already. */
	return n == -1 && errno != EPIPE ? -1 : 0;
}

/*
 * Let the kernel kill us when our parent dies, also if it is dying already. Returns a
 * descriptor that is readable once it has died; or -1 and errno, which is 0 if the
 * parent cannot be seen (another PID namespace).
 */
int
supervise_die_with_parent(void)
{
	struct pollfd parent = { .events = POLLIN };
	pid_t pid = getppid();

	if (pid != 0 && (parent.fd = sys_pidfd_open(pid, 0)) == -1)
		return -1;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return -1;
	if (pid == 0) {
		errno = 0;
		return -1;
	}
	if (getppid() != pid || poll(&parent, 1, 0) == 1)
		raise(SIGKILL);
	return parent.fd;
}

/*
 * In the child, at once: restore the caller's signals and set the death signal.
 * alive[0] stays open until the exec: it is readable once the parent has ended.
 * Returns 0, or -1 and errno.
 */
int
supervise_child(const struct supervise *s)
{
	struct pollfd parent = { .fd = s->alive[0], .events = POLLIN };
	ssize_t n;
	char byte;

	close(s->alive[1]);
	close(s->sigfd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return -1;
	if (s->chld_ignored)
		signal(SIGCHLD, SIG_IGN);
	if (sys_sigprocmask(SIG_SETMASK, &s->old_mask, NULL) == -1)
		return -1;
	while (s->hold && (n = read(s->alive[0], &byte, 1)) == -1)
		if (errno != EINTR)
			return -1;
	if (s->hold && n == 0)
		_exit(EXIT_LINK); /* the parent has failed and printed why */
	/* The parent may have died before the death signal was set. */
	while ((n = poll(&parent, 1, 0)) == -1)
		if (errno != EINTR)
			return -1;
	if (n == 1)
		_exit(EXIT_LINK);
	return 0;
}

/*
 * Did the terminal send this to its whole foreground process group? The SIGHUP of a
 * hangup goes only to the leader of the session.
 */
static bool
from_terminal(const struct signalfd_siginfo *si)
{
	switch (si->ssi_signo) {
	case SIGHUP:
	case SIGCONT:
		if (getsid(0) == getpid())
			return false;
		return si->ssi_code == SI_KERNEL;
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGWINCH:
		return si->ssi_code == SI_KERNEL;
	default:
		return false;
	}
}

/*
 * A process group can ignore the signal by which a terminal stops it, and the kernel
 * ignores it for an orphaned group. So the command's own group gets a SIGSTOP.
 */
static void
send(const struct supervise *s, int signo)
{
	if (s->to_group && (signo == SIGTSTP || signo == SIGTTIN ||
		signo == SIGTTOU))
		signo = SIGSTOP;
	kill(s->to_group ? -s->child : s->child, signo);
}

/* The signals in a line of /proc/PID/status; 0 if the line is missing. */
static uint64_t
signal_set(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line == NULL ? 0 : strtoull(line + strlen(name), NULL, 16);
}

/* Is the child in sigwait(3)? A signal that this waits for is not dropped. */
static bool
waits_for_signals(const struct supervise *s)
{
	char path[32], where[64];

	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)s->child);
	return kfile_read(AT_FDCWD, path, where, sizeof(where)) != -1 &&
	    strstr(where, "sigtimedwait") != NULL;
}

/*
 * Would the kernel drop this signal, since a PID 1 neither catches, blocks nor ignores
 * it (pid_namespaces(7))? A mask with SIGSEGV mostly means that the C library blocks
 * all signals during a call. But if the mask has lasted, or the process sleeps, the
 * program itself blocks them and reads them, as we do, by signalfd(2).
 */
static bool
drops(struct supervise *s, int signo)
{
	char path[32], ppid[32], status[8192];
	uint64_t blocked;

	if (!s->is_init || signo == SIGKILL || signo == SIGSTOP ||
	    signo == SIGCONT || signo == SIGWINCH || signo == SIGURG ||
	    signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU)
		return false; /* nothing is lost */
	snprintf(path, sizeof(path), "/proc/%d/status", (int)s->child);
	snprintf(ppid, sizeof(ppid), "\nPPid:\t%d\n", (int)getpid());
	/* /proc may be that of another PID namespace. */
	if (kfile_read(AT_FDCWD, path, status, sizeof(status)) == -1 ||
	    strstr(status, ppid) == NULL)
		return false;
	blocked = signal_set(status, "\nSigBlk:");
	if ((blocked & SYS_SIGBIT(SIGSEGV)) == 0 ||
	    strstr(status, "\nState:\tS") != NULL)
		s->masked_since = 0;
	else if (s->masked_since == 0)
		s->masked_since = clock_ms();
	if (s->masked_since != 0 && clock_ms() - s->masked_since < MASK_MOST)
		blocked = 0;
	return ((blocked | signal_set(status, "\nSigIgn:") |
	    signal_set(status, "\nSigCgt:")) & SYS_SIGBIT(signo)) == 0 &&
	    !waits_for_signals(s);
}

/* Forward a signal, or hold it back for a while. */
static void
forward(struct supervise *s, int signo)
{
	int sent = signo == SIGTERM && s->sigterm != 0 ? s->sigterm : signo;

	if (s->held == 0)
		s->hold_end = clock_ms() + HOLD_FOR;
	if (clock_ms() < s->hold_end && drops(s, sent)) {
		s->held |= SYS_SIGBIT(signo);
		return;
	}
	s->held &= ~SYS_SIGBIT(signo);
	send(s, sent);
	if (signo == SIGTERM)
		send(s, SIGCONT); /* a stopped command must get it, too */
	if (signo == SIGTERM || sent == SIGCONT)
		s->stopped = false;
}

static void
forward_held(struct supervise *s)
{
	int signo;

	for (signo = 1; signo <= 64; signo++)
		if ((s->held & SYS_SIGBIT(signo)) != 0)
			forward(s, signo);
}

/* Send the child a SIGTERM, and start its grace time. */
static void
end_child(struct supervise *s)
{
	if (s->grace != 0 && s->deadline == 0)
		s->deadline = deadline_after(s->grace);
	forward(s, SIGTERM);
}

/*
 * The child has stopped: stop with it. The SIGCONT that continues us is forwarded.
 * PID 1 cannot stop, and a try would drop a SIGCONT that is already pending.
 */
static void
stop_too(const struct supervise *s, int signo)
{
	if (getpid() != 1 && !s->stays)
		kill(getpid(), SIGSTOP);
	if (s->unstoppable && signo == SIGTSTP)
		send(s, SIGCONT);
}

/*
 * A process group was sent SIGSTOP, and had stopped before: a stop signal discards
 * the SIGCONT in front of it that we had not read yet (signal(7)). No new report
 * comes of that, so stop now.
 */
static void
stop_again(const struct supervise *s, int signo)
{
	siginfo_t si;

	stop_too(s, signo);
	/* Another process may have continued the group: then there is a report. */
	(void)waitid(P_PID, (id_t)s->child, &si, WSTOPPED | WNOHANG);
}

static void
handle_signal(struct supervise *s, const struct signalfd_siginfo *si)
{
	int signo = (int)si->ssi_signo;

	if (signo == SIGCHLD)
		return; /* reap() is called in any case */
	if ((signo == SIGPIPE || signo == SIGXFSZ) &&
	    (pid_t)si->ssi_pid == getpid())
		return; /* a write of ours failed */
	if (s->signal_cb != NULL)
		s->signal_cb(s, signo);
	if (from_terminal(si) && !s->own_session) {
		if (signo == SIGTSTP && s->is_init)
			kill(getpid(), SIGSTOP);
		if (!drops(s, signo))
			return; /* the terminal has sent it to the command */
	}
	if (signo == SIGTERM)
		end_child(s);
	else
		forward(s, signo);
	if (s->stopped && s->to_group &&
	    (signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU))
		stop_again(s, signo);
}

/*
 * Reap all processes that have ended. Returns 1 and *wstatus once our child is one of
 * them, and 0 before; -1 and errno if there are no children. Before the child itself is
 * reaped the rest of its process group is terminated: while the child is a zombie no
 * other group can have that number.
 */
static int
reap(struct supervise *s, int *wstatus)
{
	siginfo_t si;
	int status;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WSTOPPED | WNOHANG |
			WNOWAIT) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (si.si_pid == 0)
			return 0;
		if (si.si_code == CLD_STOPPED) {
			if (waitid(P_PID, (id_t)si.si_pid, &si,
				WSTOPPED | WNOHANG) == 0 &&
			    si.si_pid == s->child) {
				s->stopped = true;
				stop_too(s, si.si_status);
			}
			continue;
		}
		if (si.si_pid == s->child && s->to_group) {
			send(s, SIGTERM);
			send(s, SIGCONT);
		}
		if (waitpid(si.si_pid, &status, 0) == s->child) {
			*wstatus = status;
			return 1;
		}
	}
}

/* How many ms until then: 0 if it is over, INT_MAX if there is no such time. */
static int
left_until(int64_t time)
{
	int64_t left;

	if (time <= 0)
		return INT_MAX;
	left = time - clock_ms();
	if (left < 0)
		return 0;
	return left > 1000000 ? 1000000 : (int)left;
}

static int
timeout_ms(const struct supervise *s)
{
	int grace = left_until(s->deadline), end = left_until(s->end);

	if (end < grace)
		grace = end;
	return grace == INT_MAX ? -1 : grace;
}

/* Make our group the terminal's foreground group again: the command's has ended. */
static void
terminal_back(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	if (group > 0 && kill(-group, 0) == -1 && errno == ESRCH)
		(void)tcsetpgrp(STDIN_FILENO, getpgrp());
}

/*
 * Sleep until there is work: signals, notifications, a deadline, or the caller's own
 * descriptors.
 */
static void
await(struct supervise *s)
{
	struct pollfd fds[SUPERVISE_FDS + 2] = {
		{ .fd = s->sigfd, .events = POLLIN },
		{ .fd = -1 },
	};
	unsigned int i;
	int rc;

	if (s->relay != NULL)
		fds[1] = notify_wants(s->relay);
	memcpy(fds + 2, s->fds, s->nfds * sizeof(fds[0]));
	rc = poll(fds, s->nfds + 2, s->held != 0 ? HOLD_STEP : timeout_ms(s));
	if (rc == -1 && errno != EINTR) {
		/* Such as ENOMEM: the command must not end because of that. */
		nanosleep(&(struct timespec){ .tv_nsec = RETRY }, NULL);
	}
	for (i = 0; i < s->nfds; i++)
		s->fds[i].revents = rc == -1 ? 0 : fds[i + 2].revents;
	if (rc != -1 && fds[1].revents != 0)
		may_fail(notify_move(s->relay)); /* more comes with the next poll */
}

/* Pass on the last notifications of the command. */
static void
relay_rest(struct supervise *s)
{
	int n;

	for (n = 0; n < RELAY_REST && s->relay != NULL; n++)
		if (!notify_move(s->relay))
			return;
}

/* Sleep until there is work, and do it. */
static void
step(struct supervise *s)
{
	struct signalfd_siginfo si;

	await(s);
	forward_held(s);
	while (read(s->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		handle_signal(s, &si);
	if (s->nfds > 0)
		s->poll_cb(s);
	if (left_until(s->end) == 0) {
		s->end = -1; /* once */
		s->timed_out = true;
		end_child(s);
	}
	if (left_until(s->deadline) == 0) {
		s->deadline = -1;
		s->kill_all(s);
	}
}

/*
 * The command has ended, and the rest of its group was sent a SIGTERM. With a grace time
 * wait for the group. The time starts now or started at an earlier SIGTERM; if it was
 * over before the command ended, the group was killed. Without a grace time do not wait.
 */
static void
end_group(struct supervise *s)
{
	s->end = 0;
	if (s->grace == 0)
		return;
	if (s->deadline == 0)
		s->deadline = deadline_after(s->grace);
	while (s->deadline > 0 && kill(-s->child, 0) == 0) {
		step(s);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/*
 * Wait for s->child, and store its status as waitpid(2) does. Returns 0, or -1 and
 * errno.
 */
int
supervise_wait(struct supervise *s, int *wstatus)
{
	int rc;

	while ((rc = reap(s, wstatus)) == 0)
		step(s);
	if (rc == -1)
		return -1;
	if (s->to_group)
		end_group(s);
	relay_rest(s);
	if (s->foreground)
		terminal_back();
	return 0;
}

/*
 * Begin, and start the child: by start(), or if that is NULL by fork(2). Returns 0 in
 * the child and its PID in the parent; -1 and errno if the child cannot be started.
 */
pid_t
supervise_fork(struct supervise *s, pid_t (*start)(struct supervise *s))
{
	if (s->status_fd != -1 && status_watch(&s->status) == -1)
		err(EXIT_LINK, "status=%d", s->status_fd);
	chain_find_own();
	if (supervise_begin(s) == -1)
		err(EXIT_LINK, "signals");
	s->child = start != NULL ? start(s) : fork();
	if (s->child == 0 && supervise_child(s) == -1)
		err(EXIT_LINK, "wait for our parent");
	if (s->child > 0 && supervise_parent(s) == -1)
		err(EXIT_LINK, "let the command start");
	return s->child;
}

/* The exit status for a status of waitpid(2): the command's, or 128+N. */
int
supervise_exit_code(int wstatus)
{
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) :
	    EXIT_SIGNAL + WTERMSIG(wstatus);
}

/*
 * Report to status= and to the outer links, and exit with the child's status. lost: the
 * caller has printed that output of the command was lost. Then, and if the line of
 * status= cannot be written, a status of 0 becomes 125.
 */
_Noreturn void
supervise_exit(const struct supervise *s, int wstatus, bool lost)
{
	int code = supervise_exit_code(wstatus);

	if (s->status_fd == -1 && status_tell(wstatus) == -1)
		warn(STATUS_VARIABLE);
	if (s->status_fd != -1 &&
	    status_report(&s->status, s->status_fd, wstatus, s->json) == -1) {
		warn("status=%d", s->status_fd);
		lost = true;
	}
	exit(code == 0 && lost ? EXIT_LINK : code);
}
