/* A command of the guest: its arguments and variables, and how it runs. */
#include <sys/ioctl.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "chain.h"
#include "inside.h"

extern char **environ;

/*
 * The strings of a text, each with its NUL, as a vector that refers to the text. what
 * names them in the message if that fails, which ends the program.
 */
char **
command_strings(char *text, size_t len, const char *what)
{
	char **list, *s;
	size_t n, i;

	if (!guest_strings(text, len, &n))
		errx(EXIT_LINK, "%s: not whole strings", what);
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		err(EXIT_LINK, "%s", what);
	for (s = text, i = 0; i < n; s += strlen(s) + 1)
		list[i++] = s;
	return list;
}

/* Make our environment the command's. */
void
command_environment(char *const env[])
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	    "/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/root", term[] = "TERM=linux";

	environ = NULL;
	if (putenv(path) != 0 || putenv(home) != 0 || putenv(term) != 0)
		err(EXIT_LINK, "environment");
	for (; *env != NULL; env++)
		if (!carry_is_variable(*env) && putenv(*env) != 0)
			err(EXIT_LINK, "environment");
}

static _Noreturn void
become(const struct inside *in, const int ends[3])
{
	int i;

	for (i = 0; i < 3; i++)
		if (dup2(ends[i], i) == -1)
			err(EXIT_LINK, "descriptor %d", i);
	if (setsid() == -1)
		err(EXIT_LINK, "session");
	if (in->words.console != NULL && ioctl(STDIN_FILENO, TIOCSCTTY, 0) == -1)
		err(EXIT_LINK, "console=pty");
	chain_exec(in->argv);
}

/*
 * Run the command with the ports as its streams, and wait for its end. Store its status
 * as waitpid(2) has it. A failure ends the program.
 */
void
command_run(struct inside *in, struct supervise *s, int *wstatus)
{
	int ends[3];
	pid_t pid;

	if (in->words.chdir != NULL && chdir(in->words.chdir) == -1)
		err(EXIT_LINK, "chdir=%s", in->words.chdir);
	pump_open(in, ends);
	dprintf(in->port[GUEST_CONTROL], GUEST_UP "\n");
	s->status_fd = in->port[GUEST_CONTROL];
	if ((pid = supervise_fork(s, NULL)) == -1)
		err(EXIT_LINK, "fork");
	if (pid == 0)
		become(in, ends);
	close(ends[0]);
	close(ends[1]);
	close(ends[2]);
	pump_begin(in, s);
	if (supervise_wait(s, wstatus) == -1)
		err(EXIT_LINK, "wait");
}
