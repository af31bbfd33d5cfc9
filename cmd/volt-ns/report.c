/*
 * Report to the caller who the command is, by info=FD and, with -j, by status=FD. The
 * inner actor looks up its namespaces while it still sees the caller's /proc. When all is
 * ready for the command, it sends them to the parent that waits. The parent knows the
 * process ID, and writes the report.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "ns.h"

/* Does the caller want a report? */
bool
report_wanted(const struct ns *ns)
{
	return ns->info_fd != -1 || (ns->json && ns->status_fd != -1);
}

/*
 * Look up the namespaces of the process that /proc calls pid, as far as the words make
 * or enter them. text gets a line "NAME ID" for each. Leave out those that /proc lacks.
 */
void
report_look(const struct ns *ns, const char *pid, char text[static REPORT_MAX])
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {
		{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC },
		{ "mnt", CLONE_NEWNS }, { "net", CLONE_NEWNET },
		{ "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
		{ "user", CLONE_NEWUSER }, { "uts", CLONE_NEWUTS },
	};
	char path[64];
	struct stat st;
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid,
		    kinds[i].name);
		if (((ns->flags | ns->join_flags) & kinds[i].flag) == 0)
			continue;
		if (stat(path, &st) == -1) {
			if (errno == ENOENT)
				continue;
			err(EXIT_LINK, "info: %s", path);
		}
		len += (size_t)snprintf(text + len, REPORT_MAX - len,
		    "%s %" PRIuMAX "\n", kinds[i].name, (uintmax_t)st.st_ino);
	}
}

enum style { STYLE_LINES, STYLE_JSON, STYLE_JSON_LINE };

/* Write text, of report_look(), to fd, after the process ID. An error ends the program. */
static void
tell(int fd, const char *pid, const char *text, enum style style)
{
	static const char *const gaps[] = { "\n", ",\n    ", ", " };
	static const char *const begins[] = { "", "{\n    ", "{ " };
	static const char *const ends[] = { "\n", "\n}\n", " }\n" };
	const char *quote = style == STYLE_LINES ? "" : "\"";
	const char *colon = style == STYLE_LINES ? "" : ":";
	char out[2 * REPORT_MAX];
	size_t len, name, rest;

	len = (size_t)snprintf(out, sizeof(out), "%s%schild-pid%s%s %s",
	    begins[style], quote, quote, colon, pid);
	for (; *text != '\0'; text += name + 1 + rest + 1) {
		name = strcspn(text, " ");
		rest = strcspn(text + name + 1, "\n");
		len += (size_t)snprintf(out + len, sizeof(out) - len,
		    "%s%s%.*s-namespace%s%s %.*s", gaps[style], quote,
		    (int)name, text, quote, colon, (int)rest, text + name + 1);
	}
	len += (size_t)snprintf(out + len, sizeof(out) - len, "%s",
	    ends[style]);
	if (kfile_put(fd, out, len) == -1)
		err(EXIT_LINK, "info");
}

/* Leave info= to another of our processes. The reader may wait for the end of file. */
void
report_leave(struct ns *ns)
{
	if (ns->info_fd != -1 && !ns->info_closed)
		close(ns->info_fd);
	ns->info_closed = true;
}

/* Write the report to info=, and close it. */
void
report_info(struct ns *ns, const char *pid, const char *text)
{
	if (ns->info_fd == -1 || ns->info_closed)
		return;
	tell(ns->info_fd, pid, text, ns->json ? STYLE_JSON : STYLE_LINES);
	report_leave(ns);
}

/* In the parent that waits: when its child is ready, write all reports. */
void
report_child(struct ns *ns, int sock, pid_t child)
{
	char text[REPORT_MAX], pid[16];

	if (!talk_text(sock, text, sizeof(text)))
		return; /* it has failed, and has printed why */
	snprintf(pid, sizeof(pid), "%d", (int)child);
	report_info(ns, pid, text);
	if (ns->json && ns->status_fd != -1)
		tell(ns->status_fd, pid, text, STYLE_JSON_LINE);
	talk_send(sock, -1);
}

/* In the inner actor: all is ready. text is that of report_look(). */
void
report_ready(struct ns *ns, const char *text)
{
	char pid[16];

	if (ns->outer != -1 && ns->waited) {
		talk_tell(ns->outer, text);
		talk_wait(ns->outer);
	} else {
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		report_info(ns, pid, text);
	}
}

/* Wait until fd has a byte to read, or is at its end. Close it. */
void
report_await(int fd, const char *word)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	while (read(fd, &byte, 1) == -1) {
		if (errno != EINTR && errno != EAGAIN)
			err(EXIT_LINK, "%s", word);
		if (errno == EAGAIN)
			(void)poll(&p, 1, -1);
	}
	close(fd);
}
