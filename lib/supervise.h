/*
 * The parent that waits. Theory of operation. Of these functions
 * supervise_fork() and supervise_exit() end the program with a line where they
 * fail; the others return -1 and errno.
 *
 * A link that owns something outside its command forks, and its parent half
 * stands in for the command: a signal sent to it reaches the command, it stops
 * and continues with it and ends with its status. supervise_begin() before the
 * fork blocks all signals that can be blocked, so that none is lost;
 * supervise_child() in the child undoes that; supervise_wait() in the parent
 * reads them from a signalfd until the child is gone, and reaps every other
 * child on the way, so it serves PID 1 and subreapers too.
 *
 * The command may be hostile, and run as the same user. So the parent is not
 * dumpable from before the fork on (PR_SET_DUMPABLE): nobody without
 * CAP_SYS_PTRACE over it may trace it, write its memory or take a descriptor
 * from it. The child is not dumpable either until it execs; one that writes
 * files of its own in /proc, which are root's meanwhile, changes that.
 *
 * supervise_parent(), right after the fork, lets go of what the parent holds of
 * the chain's (chain_let_go()), and where that decides what status= says the
 * child waits for it.
 *
 * The child's death signal is SIGKILL (death.h). A parent that was killed before
 * that was set is noticed by a pipe whose other end nobody else has.
 *
 * A ^C at the terminal goes to the whole foreground process group, that is to
 * the command as well: what the terminal sent is not forwarded, unless the
 * command has a session of its own. The terminal is ours again in the end.
 *
 * A child that is PID 1 of its namespace loses what it does not listen to, and
 * while it is set up, and through each exec, it listens to nothing. A signal
 * that would be lost is held back until it does, for HOLD_FOR at the most.
 */
#ifndef VOLT_SUPERVISE_H
#define VOLT_SUPERVISE_H

#include <sys/types.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "notify.h"
#include "status.h"

#define SUPERVISE_FDS 6

struct supervise {
	pid_t child;	/* whom to wait for */
	int status_fd;	/* of status=, or -1 */
	bool own_session;	/* the terminal's signals do not reach it */
	bool is_init;	/* PID 1 of its namespace */
	bool to_group;	/* forward to the child's process group */
	bool unstoppable;	/* we cannot stop with it: so it must not either */
	int sigterm;	/* what a SIGTERM is forwarded as; 0: SIGTERM */
	uint64_t grace;	/* ms from a SIGTERM to SIGKILL for all; 0: never */
	uint64_t timeout;	/* ms until it is sent a SIGTERM; 0: never */
	void (*kill_all)(const struct supervise *s); /* when grace is over */

	struct notify_relay *relay; /* or NULL */

	/* More to poll; poll_cb is called when any of it is ready. */
	struct pollfd fds[SUPERVISE_FDS];
	unsigned int nfds;
	void (*poll_cb)(struct supervise *s);
	void (*signal_cb)(struct supervise *s, int signo); /* and SIGWINCH */
	void *ctx;

	struct status status;	/* if there is a status_fd */
	uint64_t old_mask;
	bool chld_ignored;
	bool foreground;	/* our group was the terminal's at the begin */
	int sigfd;
	int alive[2];	/* a pipe: the child's end, the parent's end */
	bool hold;	/* the child waits until we have let go */
	int64_t deadline;	/* CLOCK_MONOTONIC ms; 0: none; -1: it is over */
	int64_t end;	/* that of timeout; likewise */
	bool timed_out;	/* and the child had not ended */
	uint64_t held;	/* signals to be forwarded, until hold_end */
	int64_t hold_end;
	int64_t masked_since;	/* it blocks all signals; 0: it does not */
};

MUST_CHECK int supervise_die_with_parent(void);
MUST_CHECK int supervise_begin(struct supervise *s);
MUST_CHECK int supervise_child(const struct supervise *s);
MUST_CHECK int supervise_parent(struct supervise *s);
MUST_CHECK pid_t supervise_fork(struct supervise *s, pid_t (*start)(struct
    supervise *s));
MUST_CHECK int supervise_wait(struct supervise *s, int *wstatus);
_Noreturn void supervise_exit(const struct supervise *s, int wstatus,
    bool lost);
int supervise_exit_code(int wstatus);

#endif
