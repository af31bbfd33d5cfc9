/*
 * join=: another command in the guest, in a lane of its own (guest.h). A child of PID 1
 * serves it: opens its ports, reads the request, starts the command and waits for it.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "inside.h"
#include "status.h"
#include "sys.h"

#define DESCRIPTORS 256	/* PID 1 has fewer than that */

static struct inside in = { .port = { -1, -1, -1, -1 } };
static pid_t us;	/* the child that serves */

/* At exit: report that there will be no command. */
static void
last_words(void)
{
	if (getpid() == us && in.port[GUEST_CONTROL] != -1)
		dprintf(in.port[GUEST_CONTROL], "failed %d\n", EXIT_LINK);
}

/* Has the kernel heard that volt-kvm has opened the ports? Input may be there first. */
static bool
are_connected(void *arg)
{
	const struct inside *ports = arg;
	struct pollfd p[GUEST_PORTS];
	int i;

	for (i = 0; i < GUEST_PORTS; i++)
		p[i] = (struct pollfd){ .fd = ports->port[i], .events = POLLIN };
	(void)poll(p, GUEST_PORTS, 0);
	for (i = 0; i < GUEST_PORTS; i++)
		if ((p[i].revents & POLLHUP) != 0 && (p[i].revents & POLLIN) == 0)
			return false;
	return true;
}

/* Read all of it from standard input. */
static void
read_input(void *buf, size_t len)
{
	char *at = buf;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n)
		if ((n = read(in.port[GUEST_STDIN], at, len)) <= 0)
			errx(EXIT_LINK, "join=: no request");
}

/* Read the request and do what it says. */
static void
read_request(void)
{
	struct guest_request r;
	char *text, *words;
	int64_t size;

	read_input(&r, sizeof(r));
	if ((size = guest_request_size(&r)) == -1 ||
	    (text = malloc((size_t)size + 1)) == NULL ||
	    (words = malloc((size_t)r.words + 1)) == NULL)
		err(EXIT_LINK, "join=: request");
	read_input(text, (size_t)size);
	memcpy(words, text, r.words);
	words[r.words] = '\0';
	guest_words_parse(&in.words, words);
	text += r.words;
	in.argv = command_strings(text, r.argv, "arguments");
	in.env = command_strings(text + r.argv, r.env, "variables");
	if (in.argv[0] == NULL)
		errx(EXIT_LINK, "join=: no command");
	command_environment(in.env);
}

static _Noreturn void
serve(unsigned int lane, const struct supervise *first)
{
	struct supervise s = { .own_session = true, .stays = true };
	int wstatus, fd;

	us = getpid();
	for (fd = 3; fd < DESCRIPTORS; fd++)
		close(fd);
	atexit(last_words);
	if (sys_sigprocmask(SIG_SETMASK, &first->old_mask, NULL) == -1 ||
	    chdir("/") == -1)
		err(EXIT_LINK, "join=");
	in.lane = lane;
	boot_ports(&in);
	if (!boot_wait(are_connected, &in))
		errx(EXIT_LINK, "join=: the ports are closed");
	if (dup2(in.port[GUEST_STDERR], STDERR_FILENO) == -1)
		err(EXIT_LINK, "stderr");
	read_request();
	command_run(&in, &s, &wstatus);
	pump_end();
	if (status_report(&s.status, s.status_fd, wstatus, false) == -1)
		err(EXIT_LINK, "the command's status");
	_exit(0);
}

/*
 * PID 1, while the first command runs: volt-kvm has a command for that lane. If there can
 * be no process for it, the lane stays silent.
 */
void
join_start(unsigned int lane, const struct supervise *first)
{
	if (fork() == 0)
		serve(lane, first);
}
