/*
 * ready=PATH: sd_notify(3) passed through. The socket that NOTIFY_SOCKET names
 * is the host's and not in the root; volt-ns hands it on, connected, in
 * VOLT_NOTIFY. We give the command a socket of its own and pass on what comes.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "notify.h"

#include "init.h"

#define MESSAGE_MAX 4096

/*
 * Pass one message on, without the lines that mean nothing outside: process IDs
 * are the container's own.
 */
static void
pass_on(struct supervise *s)
{
	const struct init *in = s->ctx;
	char buf[MESSAGE_MAX + 1], out[MESSAGE_MAX + 1];
	char *line, *save;
	size_t len = 0;
	ssize_t n;

	if (s->fds[0].revents == 0)
		return;
	if ((n = recv(in->notify_in, buf, MESSAGE_MAX, MSG_DONTWAIT)) <= 0)
		return;
	buf[n] = '\0';
	for (line = strtok_r(buf, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "MAINPID", 7) != 0 &&
		    strncmp(line, "FDSTORE", 7) != 0 &&
		    strncmp(line, "FDNAME", 6) != 0 &&
		    strncmp(line, "BARRIER", 7) != 0)
			len += (size_t)snprintf(out + len, sizeof(out) - len,
			    "%s%s", len > 0 ? "\n" : "", line);
	if (len > 0)
		(void)send(in->notify_out, out, len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Bind the command's socket and name it in NOTIFY_SOCKET. Without anybody to
 * tell, the command is not asked to tell either.
 */
void
ready_open(struct init *in, struct supervise *s)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;

	/* A copy of our own: what came with us is let go of. */
	if ((in->notify_out = notify_handed()) == -1) {
		in->ready = NULL;
		return;
	}
	if ((in->notify_out = fcntl(in->notify_out, F_DUPFD_CLOEXEC, 3)) == -1)
		err(EXIT_LINK, "ready=%s", in->ready);
	if (strlen(in->ready) >= sizeof(sun.sun_path))
		errx(EXIT_LINK, "ready=%s: path too long", in->ready);
	memcpy(sun.sun_path, in->ready, strlen(in->ready) + 1);
	if (lstat(in->ready, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(in->ready); /* of one that was killed */
	in->notify_in = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	mask = umask(0); /* the command may be anybody */
	if (in->notify_in == -1 ||
	    bind(in->notify_in, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    setenv("NOTIFY_SOCKET", in->ready, 1) == -1)
		err(EXIT_LINK, "ready=%s", in->ready);
	umask(mask);
	s->fds[0] = (struct pollfd){ .fd = in->notify_in, .events = POLLIN };
	s->nfds = 1;
	s->poll_cb = pass_on;
	s->ctx = in;
}
