#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "status.h"
#include "supervise.h"
#include "value.h"

/* Could fd be a counter? An eventfd is an anonymous inode, of no type. */
bool
status_is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

/* The counter that came with us, or -1. */
static int
counter_of_ours(void)
{
	const char *value = getenv("VOLT_STATUS");
	uint64_t fd;

	if (value == NULL || value_uint(value, INT_MAX, &fd) == -1 ||
	    !status_is_ours((int)fd))
		return -1;
	return (int)fd;
}

/*
 * Make the counter and set VOLT_STATUS for the links that follow, before the
 * fork. A counter that came with us is used on, so that those further out are
 * told too. Returns its descriptor, open over exec, or -1 and errno.
 */
int
status_watch(void)
{
	char value[16];
	int fd;

	if ((fd = counter_of_ours()) != -1)
		return fd;
	if ((fd = eventfd(0, EFD_NONBLOCK)) == -1)
		return -1;
	snprintf(value, sizeof(value), "%d", fd);
	return setenv("VOLT_STATUS", value, 1) == -1 ? -1 : fd;
}

/*
 * Tell the counter that came with us, if any, that the command starts now.
 * Returns its descriptor, or -1, for status_unstart().
 */
int
status_start(void)
{
	int counter = counter_of_ours();

	if (counter != -1)
		(void)eventfd_write(counter, 1);
	return counter;
}

/* Take it back: exec(2) failed. */
void
status_unstart(int counter)
{
	eventfd_t n;

	if (counter != -1)
		(void)eventfd_read(counter, &n);
}

/*
 * Tell those further out that a signal ended the command, if one did and nobody
 * has told them. A link that ended before there was a command has failed.
 */
void
status_tell(int wstatus)
{
	int counter = counter_of_ours();
	eventfd_t told;

	if (counter == -1 || !WIFSIGNALED(wstatus) ||
	    eventfd_read(counter, &told) == -1)
		return;
	if (told >> 8 == 0)
		told += (eventfd_t)WTERMSIG(wstatus) << 8;
	(void)eventfd_write(counter, told);
}

/*
 * Write the line of status=FD to fd: "exit N" or "signal N" if the command
 * ended so, "failed N" if it never started and a link ended the chain with
 * status N. wstatus is waitpid(2)'s for the next link or the command.
 */
void
status_report(int fd, int counter, int wstatus)
{
	char line[32];
	eventfd_t told = 0;
	int n;

	if (eventfd_read(counter, &told) == 0) /* it is for others, too */
		(void)eventfd_write(counter, told);
	if (told == 0)
		n = snprintf(line, sizeof(line), "failed %d\n",
		    supervise_exit_code(wstatus));
	else if (told >> 8 != 0)
		n = snprintf(line, sizeof(line), "signal %d\n",
		    (int)(told >> 8));
	else if (WIFSIGNALED(wstatus))
		n = snprintf(line, sizeof(line), "signal %d\n",
		    WTERMSIG(wstatus));
	else
		n = snprintf(line, sizeof(line), "exit %d\n",
		    WEXITSTATUS(wstatus));
	while (write(fd, line, (size_t)n) == -1 && errno == EINTR)
		;
}
