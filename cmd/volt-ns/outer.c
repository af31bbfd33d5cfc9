/* The outer actor does what needs the caller's own privileges (ns.h). */
#include <signal.h>

#include "ns.h"

/* Write the ID maps of the process that /proc calls pid, or wait until another does. */
void
outer_map(struct ns *ns, const char *pid)
{
	char text[REPORT_MAX];

	if (!ns->uidmap.waits) {
		idmap_write(ns, pid);
		return;
	}
	report_look(ns, pid, text);
	report_info(ns, pid, text);
	report_await(ns->uidmap.wait_fd, "uidmap=wait:");
}

/*
 * Write the ID maps of the process at the other end of sock, which is in its
 * user namespace or about to enter it. Errors end this process, and then the
 * closed socket makes the other one end too.
 */
void
outer_serve(struct ns *ns, int sock)
{
	char pid[16];

	/* If the caller ignores SIGCHLD, we could not wait for newuidmap(1). */
	signal(SIGCHLD, SIG_DFL);
	/* Before its message, it may still be in our namespaces. */
	talk_heard(sock, pid, sizeof(pid));
	outer_map(ns, pid);
	talk_send(sock, -1);
}

/* Ask for what outer_serve() does, and wait for it. */
void
outer_ask(int sock)
{
	talk_hello(sock);
	talk_wait(sock);
}
