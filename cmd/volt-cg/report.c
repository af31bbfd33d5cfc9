/* Report what the command used, and what the kernel killed. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "kfile.h"
#include "value.h"

#include "cg.h"

#define OOM_LINES 10	/* until the command ends */

/*
 * Read the number behind key in a file of "key number" lines; if key is NULL,
 * the file is a number. Returns false if there is none.
 */
bool
report_value(int dir, const char *file, const char *key, uint64_t *out)
{
	char buf[8192];
	char *line, *save;
	size_t len = key != NULL ? strlen(key) : 0;

	if (kfile_read(dir, file, buf, sizeof(buf)) == -1)
		return false;
	for (line = strtok_r(buf, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (key == NULL)
			return value_uint(line, UINT64_MAX, out) == 0;
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return value_uint(line + len + 1, UINT64_MAX, out) == 0;
	}
	return false;
}

static uint64_t
count(int dir, const char *file, const char *key)
{
	uint64_t n;

	return report_value(dir, file, key, &n) ? n : 0;
}

/* A size in the largest unit of which it is a whole number. */
static const char *
size_text(uint64_t n, char *buf, size_t size)
{
	static const char units[] = "\0KMGT";
	const char *unit = units;

	while (n != 0 && n % 1024 == 0 && unit[1] != '\0') {
		n /= 1024;
		unit++;
	}
	snprintf(buf, size, "%" PRIu64 "%.1s", n, unit);
	return buf;
}

/* Write to buf the memory.max of the nearest group above ours that has one. */
static bool
limit_above(const struct cg *cg, char *buf, size_t size)
{
	char path[PATH_MAX], text[32];
	char *slash;
	uint64_t max;
	bool found = false;
	int fd;

	strcpy(path, cg->place);
	while (!found && *path != '\0') {
		if ((fd = cgroup_open(cg->tree.top, path)) != -1) {
			if ((found = report_value(fd, "memory.max", NULL,
				 &max)))
				snprintf(buf, size, "memory.max=%s of %.512s",
				    size_text(max, text, sizeof(text)), path);
			close(fd);
		}
		if (!found && (slash = strrchr(path, '/')) != NULL)
			*slash = '\0';
	}
	return found;
}

/*
 * Open a file that has POLLPRI when the group runs out of memory. Returns -1 if
 * there is no memory controller.
 */
int
report_watch(const struct cg *cg)
{
	char buf[1024];
	int fd = openat(cg->dir, "memory.events", O_RDONLY | O_CLOEXEC);

	/* Read it: POLLPRI comes when it changes from now on. */
	if (fd != -1 && read(fd, buf, sizeof(buf)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Report the OOM kills since the last report, and the limit that was hit. If
 * that is the group's own, "oom" is in its local events; if it is that of a
 * group below, only in those that add up; if it is that of a group above, in
 * neither. Until the command ends, a few lines are enough. Returns whether
 * there was any.
 */
bool
report_oom(struct cg *cg, bool end)
{
	char limit[1024], text[32];
	uint64_t all, killed, max = 0;
	bool own;

	all = count(cg->dir, "memory.events", "oom_kill");
	if (all <= cg->oom_said || (!end && cg->oom_lines == OOM_LINES))
		return all > 0;
	killed = all - cg->oom_said;
	cg->oom_said = all;
	cg->oom_lines++;
	own = report_value(cg->dir, "memory.max", NULL, &max);
	if (own && count(cg->dir, faccessat(cg->dir, "memory.events.local",
		F_OK, 0) == 0 ? "memory.events.local" : "memory.events",
		"oom") > 0)
		snprintf(limit, sizeof(limit), "memory.max=%s",
		    size_text(max, text, sizeof(text)));
	else if (count(cg->dir, "memory.events", "oom") > 0)
		snprintf(limit, sizeof(limit), "memory.max of a group below");
	else if (!limit_above(cg, limit, sizeof(limit)))
		snprintf(limit, sizeof(limit), "the memory of this machine");
	warnx("%s: out of memory, %" PRIu64 " process%s killed; the limit is "
	    "%s", group_name(cg), killed, killed == 1 ? "" : "es", limit);
	return true;
}

/* Print one line of the summary; with -j, one member of it. */
static void
line(const struct cg *cg, bool *first, const char *key, const char *value)
{
	if (!cg->json) {
		fprintf(stderr, "volt-cg: %s %s\n", key, value);
		return;
	}
	fputs(*first ? "{" : ",", stderr);
	*first = false;
	json_string(stderr, key);
	putc(':', stderr);
	json_value(stderr, value);
}

void
report_seconds(char *buf, size_t size, uint64_t usec)
{
	snprintf(buf, size, "%" PRIu64 ".%06" PRIu64, usec / 1000000,
	    usec % 1000000);
}

/* Read the total of a pressure file's "some" line: us that some task waited. */
static bool
pressure(int dir, const char *file, uint64_t *out)
{
	char buf[512];
	char *s;

	if (kfile_read(dir, file, buf, sizeof(buf)) == -1 ||
	    (s = strstr(buf, "total=")) == NULL)
		return false;
	s += strlen("total=");
	s[strcspn(s, " \n")] = '\0';
	return value_uint(s, UINT64_MAX, out) == 0;
}

/* -s: print the summary. Leave out what this kernel does not count. */
void
report_summary(const struct cg *cg, uint64_t wall)
{
	static const struct {
		const char *name, *file, *key;
		bool time;
	} values[] = {
		{ "cpu", "cpu.stat", "usage_usec", true },
		{ "cpu.user", "cpu.stat", "user_usec", true },
		{ "cpu.system", "cpu.stat", "system_usec", true },
		{ "cpu.throttled", "cpu.stat", "throttled_usec", true },
		{ "memory.peak", "memory.peak", NULL, false },
		{ "memory.oom_kill", "memory.events", "oom_kill", false },
		{ "pids.peak", "pids.peak", NULL, false },
	};
	static const char *const pressures[] = { "cpu.pressure",
		"memory.pressure", "io.pressure" };
	char buf[32];
	bool first = true;
	uint64_t n;
	size_t i;

	report_seconds(buf, sizeof(buf), wall);
	line(cg, &first, "wall", buf);
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!report_value(cg->dir, values[i].file, values[i].key, &n))
			continue;
		if (values[i].time)
			report_seconds(buf, sizeof(buf), n);
		else
			snprintf(buf, sizeof(buf), "%" PRIu64, n);
		line(cg, &first, values[i].name, buf);
	}
	for (i = 0; i < sizeof(pressures) / sizeof(pressures[0]); i++) {
		if (!pressure(cg->dir, pressures[i], &n))
			continue;
		report_seconds(buf, sizeof(buf), n);
		line(cg, &first, pressures[i], buf);
	}
	if (cg->json)
		fputs("}\n", stderr);
	fflush(stderr);
}
