/*
 * Telling a failed set-up from a command that ends with the same status.
 *
 * Who reports (status=) makes two socket pairs and keeps an end of each. The
 * other ends travel down the chain, named in VOLT_STATUS: "TOLD:START[:START...]".
 *
 * START says whether the command began. The last link writes 'S' to it just
 * before its exec, which closes it, and 'F' if that failed. It is decided before
 * the command runs, and not to be changed after that, not even by a command that
 * takes the descriptors of a link that waits inside of a container: that link
 * lets go of its copy before the command runs (supervise_parent()). Each
 * reporter further out has a START of its own.
 *
 * TOLD is the nearest reporter's. A link that waited for a command that signal N
 * ended, and ends with 128+N itself, sends N. One that ended the command because its time was
 * over, and ends with 124, sends STATUS_TIMEOUT; one whose command was killed for
 * want of memory, STATUS_OOM. A command may do that in its place: it is believed
 * only beside that status, with which a command may end anyway.
 */
#ifndef VOLT_STATUS_H
#define VOLT_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define STATUS_VARIABLE "VOLT_STATUS"
#define STATUS_MOST 16	/* reporters in a chain */
#define STATUS_TIMED_OUT 124	/* exit status, as of timeout(1) */

/* Why a link ended the command, or the kernel did; no signal's number. */
#define STATUS_TIMEOUT 255	/* its time was over */
#define STATUS_OOM 254	/* its group was out of memory */

/* What a reporter holds. */
struct status {
	int start, told;	/* its own ends */
	int next;	/* TOLD of the reporter further out, or -1 */
};

/* What a link holds for the reporters further out. */
struct status_ends {
	int told;	/* or -1 */
	int start[STATUS_MOST];
	size_t n;
};

MUST_CHECK int status_is_ours(int fd);
MUST_CHECK int status_find(struct status_ends *e);
MUST_CHECK int status_watch(struct status *st);
void status_started(const struct status_ends *e);
void status_failed(const struct status_ends *e);
MUST_CHECK int status_let_go(void);
MUST_CHECK int status_tell(int wstatus);
MUST_CHECK int status_tell_why(int why);
MUST_CHECK int status_report(const struct status *st, int fd, int wstatus);

#endif
