/* The outer actor: what only the caller's own privileges can do (ns.h). */
#include <signal.h>

#include "ns.h"

/* Write the ID maps of the process that /proc calls pid, or have them written. */
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
 * Serve one that is in its user namespace, or is about to be: write its ID
 * maps. Errors end this process, and by the closed socket the other one too.
 */
void
outer_serve(struct ns *ns, int sock)
{
	char pid[16];

	/* The caller may ignore it, and newuidmap(1) is to be waited for. */
	signal(SIGCHLD, SIG_DFL);
	/* Until it says so it may still be in our namespaces. */
	talk_heard(sock, pid, sizeof(pid));
	outer_map(ns, pid);
	talk_send(sock, -1);
}

/* The other side of outer_serve(). */
void
outer_ask(int sock)
{
	talk_hello(sock);
	talk_wait(sock);
}
