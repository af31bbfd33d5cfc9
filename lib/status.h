/*
 * How a link tells a failed set-up from a command that ends with the same status.
 *
 * A reporter, that is a link with status=, makes two socket pairs and keeps an end of
 * each. The other ends are passed along the chain, and VOLT_STATUS names them:
 * "TOLD:START[:START...]".
 *
 * START says whether the command was started. The last link writes 'S' to it just
 * before its exec, which closes it, and 'F' if the exec failed. So the answer is
 * complete before the command runs. The command cannot change it later, even if it
 * takes the descriptors of a link that waits inside of a container: that link closes
 * its copy before the command runs (supervise_parent()). Each outer reporter has a
 * START of its own.
 *
 * TOLD belongs to the nearest reporter. A link that waited for a command writes to it:
 * N if signal N ended the command and the link exits with 128+N; STATUS_TIMEOUT if the
 * link ended the command after its time limit and exits with 124; STATUS_OOM if the
 * command was killed because memory ran out. A command can write there, too. So the
 * message counts only together with that exit status, which a command can choose anyway.
 */
#ifndef VOLT_STATUS_H
#define VOLT_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define STATUS_VARIABLE "VOLT_STATUS"
#define STATUS_MOST 16	/* reporters in a chain */
#define STATUS_TIMED_OUT 124	/* exit status, as of timeout(1) */

/* Why a link or the kernel ended the command. These are no numbers of signals. */
#define STATUS_TIMEOUT 255	/* after its time limit */
#define STATUS_OOM 254	/* because its group was out of memory */

/* What a reporter keeps. */
struct status {
	int start, told;	/* its own ends */
	int next;	/* TOLD of the next outer reporter, or -1 */
};

/* What a link has for the outer reporters. */
struct status_ends {
	int told;	/* or -1 */
	int start[STATUS_MOST];
	size_t n;
};

MUST_CHECK int status_is_ours(int fd);
MUST_CHECK int status_find(struct status_ends *e);
MUST_CHECK int status_watch(struct status *st);
MUST_CHECK int status_started(const struct status_ends *e);
void status_failed(const struct status_ends *e);
MUST_CHECK int status_let_go(void);
MUST_CHECK int status_tell(int wstatus);
MUST_CHECK int status_tell_why(int why);
MUST_CHECK int status_report(const struct status *st, int fd, int wstatus, bool json);

#endif
