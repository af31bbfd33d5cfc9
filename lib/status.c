#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "chain.h"
#include "kfile.h"
#include "sock.h"
#include "status.h"
#include "supervise.h"

#define TOLD_MOST 64	/* messages that are read */

/*
 * Is fd an end that a reporter may have made? It does not matter who made it: it only
 * learns that the command starts.
 */
int
status_is_ours(int fd)
{
	int domain = sock_option(fd, SO_DOMAIN);
	int type = sock_option(fd, SO_TYPE);

	if (domain == -1 || type == -1)
		return carry_unlike();
	return domain == AF_UNIX && type == SOCK_SEQPACKET;
}

/*
 * The ends in VOLT_STATUS. One that no reporter can have made is ignored. Returns 0,
 * or -1 and errno.
 */
int
status_find(struct status_ends *e)
{
	const char *cursor = getenv(STATUS_VARIABLE);
	bool first = true;
	int fd, ours;

	*e = (struct status_ends){ .told = -1 };
	for (; carry_next(&cursor, &fd); first = false) {
		if (fd <= 2)
			continue;
		if ((ours = status_is_ours(fd)) == -1)
			return -1;
		if (ours == 0)
			continue;
		if (first)
			e->told = fd;
		else if (e->n < STATUS_MOST)
			e->start[e->n++] = fd;
	}
	return 0;
}

static int
pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd);
}

/*
 * Become a reporter, before the fork. The outer reporters still get their reports.
 * Returns 0, or -1 and errno.
 */
int
status_watch(struct status *st)
{
	int start[2], told[2], all[2 + STATUS_MOST];
	struct status_ends e;

	if (status_find(&e) == -1)
		return -1;
	if (e.n == STATUS_MOST) {
		errno = E2BIG;
		return -1;
	}
	if (pair(start) == -1 || pair(told) == -1)
		return -1;
	/* From here on only we have TOLD of the outer reporter. */
	if (e.told != -1 && fcntl(e.told, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	all[0] = told[1];
	all[1] = start[1];
	memcpy(all + 2, e.start, e.n * sizeof(*all));
	*st = (struct status){ .start = start[0], .told = told[0],
		.next = e.told };
	return carry_announce(STATUS_VARIABLE, all, 2 + e.n, NULL);
}

/*
 * Report that the command starts now. Our ends close on exec. Returns 0, or -1 and
 * errno; a reporter that has ended is no error.
 */
int
status_started(const struct status_ends *e)
{
	ssize_t n;
	size_t i;

	for (i = 0; i < e->n; i++) {
		if (fcntl(e->start[i], F_SETFD, FD_CLOEXEC) == -1)
			return -1;
		while ((n = send(e->start[i], "S", 1,
		    MSG_DONTWAIT | MSG_NOSIGNAL)) == -1 && errno == EINTR)
			;
		if (n == -1 && errno != EPIPE && errno != ECONNRESET)
			return -1;
	}
	return 0;
}

/*
 * Report that it did not start. This uses write(2), because a filter of system calls
 * that allows a message allows that, too.
 */
void
status_failed(const struct status_ends *e)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (write(e->start[i], "F", 1) == -1)
			continue; /* the reporter has ended */
}

/*
 * In a parent that waits, before the command runs: close our START, so that only the
 * command's side can report the start. Returns 0, or -1 and errno.
 */
int
status_let_go(void)
{
	struct status_ends e;
	size_t i;

	if (status_find(&e) == -1)
		return -1;
	for (i = 0; i < e.n; i++)
		close(e.start[i]);
	return 0;
}

static void
tell(int told, int signo)
{
	unsigned char byte = (unsigned char)signo;

	if (told != -1)
		(void)send(told, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Tell the outer reporter if a signal ended our command. Returns 0, or -1 and errno.
 */
int
status_tell(int wstatus)
{
	struct status_ends e;

	if (!WIFSIGNALED(wstatus))
		return 0;
	if (status_find(&e) == -1)
		return -1;
	tell(e.told, WTERMSIG(wstatus));
	return 0;
}

/* Tell the nearest reporter why the command ended: STATUS_TIMEOUT, STATUS_OOM. */
int
status_tell_why(int why)
{
	struct status_ends e;

	if (status_find(&e) == -1)
		return -1;
	tell(e.told, why);
	return 0;
}

/*
 * Read the next byte that was sent to us. Returns 1; 0 if there is none, also if no
 * process can send any more; or -1 and errno.
 */
static int
next_byte(int sock, unsigned char *byte)
{
	ssize_t n;

	while ((n = recv(sock, byte, 1, MSG_DONTWAIT)) == -1 && errno == EINTR)
		;
	return n == -1 ? (errno == EAGAIN ? 0 : -1) : (int)n;
}

/* Did the command start? The last message counts. Returns 1, 0, or -1 and errno. */
static int
has_started(int start)
{
	unsigned char last = 0, byte;
	int rc;

	while ((rc = next_byte(start, &byte)) == 1)
		last = byte;
	return rc == -1 ? -1 : last == 'S';
}

/* Can a link that sends this message exit with that status? */
static bool
goes_with(unsigned char told, int status)
{
	switch (told) {
	case 0:
		return false;
	case STATUS_TIMEOUT:
		return status == STATUS_TIMED_OUT;
	case STATUS_OOM:
		return status == EXIT_SIGNAL + SIGKILL;
	default:
		return status == EXIT_SIGNAL + told;
	}
}

/*
 * Why did a link exit with this status? Returns a signal, STATUS_TIMEOUT or
 * STATUS_OOM; 0 if there was no message; or -1 and errno.
 */
static int
was_told(int told, int status)
{
	unsigned char byte = 0, best = 0;
	int n, rc;

	for (n = 0; n < TOLD_MOST; n++) {
		if ((rc = next_byte(told, &byte)) == -1)
			return -1;
		if (rc == 0)
			break;
		if (goes_with(byte, status) && byte > best)
			best = byte;
	}
	return best;
}

/* Make the line of JSON. It has an exit code if the command was started. */
static int
json_line(char *line, size_t size, int started, int why, int code)
{
	if (started == 0)
		return snprintf(line, size, "{ \"failed\": %d }\n", code);
	if (why == STATUS_TIMEOUT || why == STATUS_OOM)
		return snprintf(line, size, "{ \"exit-code\": %d, \"%s\": true }\n",
		    code, why == STATUS_OOM ? "oom" : "timeout");
	if (why != 0)
		return snprintf(line, size, "{ \"exit-code\": %d, \"signal\": %d }\n",
		    code, why);
	return snprintf(line, size, "{ \"exit-code\": %d }\n", code);
}

/*
 * Write the line of status=FD to fd: "exit N" or "signal N" if the command ended so;
 * "timeout 124" if a link ended it after its time limit; "oom 137" if the kernel
 * killed it because memory ran out; "failed N" if it was never started, because a
 * link failed with status N. wstatus is the status of waitpid(2) for the next link or
 * the command. With json the line is JSON. Returns 0, or -1 and errno.
 */
int
status_report(const struct status *st, int fd, int wstatus, bool json)
{
	int code = supervise_exit_code(wstatus);
	int why = was_told(st->told, code), n;
	int started = has_started(st->start);
	char line[64];
	int rc;

	if (started == -1 || why == -1)
		return -1;
	if (why == 0 && WIFSIGNALED(wstatus))
		why = WTERMSIG(wstatus);
	if (json)
		n = json_line(line, sizeof(line), started, why, code);
	else if (started == 0)
		n = snprintf(line, sizeof(line), "failed %d\n", code);
	else if (why == STATUS_TIMEOUT || why == STATUS_OOM)
		n = snprintf(line, sizeof(line), "%s %d\n",
		    why == STATUS_OOM ? "oom" : "timeout", code);
	else if (why != 0)
		n = snprintf(line, sizeof(line), "signal %d\n", why);
	else
		n = snprintf(line, sizeof(line), "exit %d\n", code);
	rc = kfile_put(fd, line, (size_t)n);
	if (why != 0)
		tell(st->next, why);
	return rc;
}
