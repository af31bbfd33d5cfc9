/*
 * ready=PATH: relay sd_notify(3). The socket that NOTIFY_SOCKET names is not in the
 * new root. So volt-ns connects to it and passes the descriptor in VOLT_NOTIFY. We
 * give the command a socket of its own and pass its messages on.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "notify.h"

#include "init.h"

/*
 * Bind the command's socket and name it in NOTIFY_SOCKET, unless there is no
 * VOLT_NOTIFY.
 */
void
ready_open(struct init *in, struct supervise *s)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	static struct notify_relay relay;
	struct stat st;
	mode_t mask;

	if (notify_handed() == -1) {
		if (errno != ENOENT)
			err(EXIT_LINK, "ready=%s", in->ready);
		in->ready = NULL;
		return;
	}
	/* A copy, because chain_prepare() closes the descriptor of VOLT_NOTIFY. */
	if ((relay.out = fcntl(notify_handed(), F_DUPFD_CLOEXEC, 3)) == -1)
		err(EXIT_LINK, "ready=%s", in->ready);
	if (strlen(in->ready) >= sizeof(sun.sun_path))
		errx(EXIT_LINK, "ready=%s: path too long", in->ready);
	memcpy(sun.sun_path, in->ready, strlen(in->ready) + 1);
	if (lstat(in->ready, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(in->ready); /* a volt-init that was killed left it */
	relay.in = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	mask = umask(0); /* the command may change its user */
	if (relay.in == -1 ||
	    bind(relay.in, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    setenv("NOTIFY_SOCKET", in->ready, 1) == -1)
		err(EXIT_LINK, "ready=%s", in->ready);
	umask(mask);
	s->relay = &relay;
}
