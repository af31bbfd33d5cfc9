/*
 * The parent that waits. supervise_fork() and supervise_exit() end the program with a
 * message on failure; the other functions return -1 and errno.
 *
 * A link that owns something outside of its command forks, and its parent half stands
 * for the command: it forwards signals to the command, stops and continues with it,
 * and exits with its status. supervise_begin(), before the fork, blocks all signals
 * that can be blocked, so that none is lost. supervise_child(), in the child, undoes
 * that. supervise_wait(), in the parent, reads signals from a signalfd until the child
 * has ended. It reaps all other children, too, so it serves PID 1 and subreapers.
 *
 * The command may be hostile and have the same user ID. So the parent is not dumpable
 * (PR_SET_DUMPABLE) from before the fork: a process without CAP_SYS_PTRACE over it
 * cannot trace it, write to its memory or take its descriptors. The child is not
 * dumpable either until its exec. A child that writes to its own files in /proc, which
 * belong to root meanwhile, must change that.
 *
 * supervise_parent(), right after the fork, closes the chain's descriptors in the
 * parent (chain_let_go()); they are found before the fork. If status= depends on that
 * the child waits for it.
 *
 * The child's death signal is SIGKILL (death.h). If the parent is killed before that is
 * set the child notices by a pipe, of which only the parent has the other end.
 *
 * A ^C at the terminal goes to the whole foreground process group, and so to the
 * command. So signals of the terminal are not forwarded, unless the command has a
 * session of its own. At the end our group is the foreground group again.
 *
 * A child that is PID 1 of its namespace loses each signal that it does not handle,
 * and handles none while it is set up and during each exec. A signal that would be
 * lost is held back until the child can get it, for HOLD_FOR at most.
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
	pid_t child;	/* the process to wait for */
	int status_fd;	/* of status=, or -1 */
	bool json;	/* write to status_fd as JSON */
	bool own_session;	/* the terminal's signals do not reach the child */
	bool is_init;	/* the child is PID 1 of its namespace */
	bool to_group;	/* forward to the child's process group */
	bool unstoppable;	/* we cannot stop, so the child must not either */
	bool stays;	/* do not stop with the child */
	int sigterm;	/* forward this in place of SIGTERM; 0: SIGTERM */
	uint64_t grace;	/* ms from a SIGTERM to SIGKILL for all; 0: never */
	uint64_t timeout;	/* ms until the child gets a SIGTERM; 0: never */
	void (*kill_all)(const struct supervise *s); /* after the grace time */

	struct notify_relay *relay; /* or NULL */

	/* More descriptors to poll. poll_cb is called when one is ready. */
	struct pollfd fds[SUPERVISE_FDS];
	unsigned int nfds;
	void (*poll_cb)(struct supervise *s);
	void (*signal_cb)(struct supervise *s, int signo); /* and SIGWINCH */
	void *ctx;

	struct status status;	/* if there is a status_fd */
	uint64_t old_mask;
	bool chld_ignored;
	bool foreground;	/* our group was the foreground group at the start */
	int sigfd;
	int alive[2];	/* a pipe: the child's end, the parent's end */
	bool hold;	/* the child waits until we have closed our START */
	int64_t deadline;	/* of grace, CLOCK_MONOTONIC ms; 0: none; -1: over */
	int64_t end;	/* of timeout, likewise */
	bool timed_out;	/* the timeout came before the child's end */
	bool stopped;	/* the child, and no SIGCONT was forwarded since */
	uint64_t held;	/* signals that are held back, until hold_end */
	int64_t hold_end;
	int64_t masked_since;	/* it blocks all signals since then; 0: it does not */
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
