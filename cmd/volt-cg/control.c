/*
 * Enable the controllers that the limits need, or say why that is impossible.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"

#include "cg.h"

/* Open the group whose path is the first len bytes of place. */
static int
level_open(const struct cg *cg, size_t len, char *path)
{
	memcpy(path, cg->place, len);
	path[len] = '\0';
	return cgroup_open(cg->tree.top, path);
}

static bool
level_lists(const struct cg *cg, size_t len, const char *file,
    const char *name)
{
	char path[PATH_MAX];
	bool lists = false;
	int fd;

	if ((fd = level_open(cg, len, path)) != -1) {
		lists = cgroup_lists(fd, file, name);
		close(fd);
	}
	return lists;
}

/*
 * What /proc/cgroups says of a controller: 1 if a v1 hierarchy has it, 0 if it
 * was disabled at boot, -1 otherwise.
 */
static int
old_state(const char *name)
{
	char *field[4], *save, *line = NULL;
	size_t size = 0;
	int i, state = -1;
	FILE *f;

	if (strcmp(name, "io") == 0)
		name = "blkio";
	if ((f = fopen("/proc/cgroups", "re")) == NULL)
		return -1;
	while (getline(&line, &size, f) != -1) {
		for (i = 0; i < 4; i++)
			if ((field[i] = strtok_r(i == 0 ? line : NULL, "\t\n",
				 &save)) == NULL)
				break;
		/* name, hierarchy, groups, enabled */
		if (i == 4 && strcmp(field[0], name) == 0)
			state = strcmp(field[1], "0") != 0 ? 1 :
			    strcmp(field[3], "0") == 0 ? 0 : -1;
	}
	free(line);
	fclose(f);
	return state;
}

/* Say why the group at len lacks the controller. */
static _Noreturn void
missing(const struct cg *cg, const char *name, size_t len)
{
	char path[PATH_MAX], list[512] = "";
	int fd = level_open(cg, len, path);
	bool top = cgroup_lists(cg->tree.top, "cgroup.controllers", name);
	int state = old_state(name);

	if (!top && state == 1) {
		warnx("controller %s: bound to cgroup v1", name);
		errx(EXIT_LINK, "boot with cgroup_no_v1=%s, or with "
		    "systemd.unified_cgroup_hierarchy=1", name);
	}
	if (!top && state == 0) {
		warnx("controller %s: disabled when the system was booted",
		    name);
		errx(EXIT_LINK, "boot without cgroup_disable=%s, or with "
		    "cgroup_enable=%s", name, name);
	}
	if (fd != -1 &&
	    kfile_read(fd, "cgroup.controllers", list, sizeof(list)) != -1)
		list[strcspn(list, "\n")] = '\0';
	if (top || !look_is_root(cg->tree.top)) {
		warnx("controller %s: not delegated to %s, which has: %s",
		    name, shown(path), *list != '\0' ? list : "none");
		errx(EXIT_LINK, "in a systemd unit, set Delegate=%s", name);
	}
	errx(EXIT_LINK, "controller %s: this kernel has none; there are: %s",
	    name, *list != '\0' ? list : "none");
}

/* Remember that we enabled it in place: group_finish() disables it again. */
static void
remember(struct cg *cg, const char *name)
{
	size_t len = strlen(cg->enabled);

	snprintf(cg->enabled + len, sizeof(cg->enabled) - len, "%s-%s",
	    len > 0 ? " " : "", name);
}

/*
 * Enable a controller below one group. If that fails: ends, or false without
 * must.
 */
static bool
level_enable(struct cg *cg, size_t len, const char *name, bool must)
{
	char path[PATH_MAX], text[72];
	int fd, saved;

	if ((fd = level_open(cg, len, path)) == -1)
		err(EXIT_LINK, "%s", shown(path));
	if (cgroup_lists(fd, "cgroup.subtree_control", name)) {
		close(fd);
		return true;
	}
	snprintf(text, sizeof(text), "+%s", name);
	if (kfile_write(fd, "cgroup.subtree_control", text) == 0) {
		if (cg->place[len] == '\0')
			remember(cg, name);
		say("%s: enabled %s", shown(path), name);
		close(fd);
		return true;
	}
	saved = errno;
	close(fd);
	if (!must)
		return false;
	errno = saved;
	warn("%s: enable %s", shown(path), name);
	if (saved == EBUSY)
		warnx("processes are in that group itself: "
		    "they must be in groups below it");
	else if (saved == EACCES || saved == EPERM)
		warnx("in a systemd unit, set Delegate=%s", name);
	else if (saved == EOPNOTSUPP)
		warnx("that group is threaded: it has limits for threads only");
	exit(EXIT_LINK);
}

/*
 * Enable a controller in place. First find the nearest group above that has it
 * and is ours to change; then enable it from there down.
 */
static void
enable(struct cg *cg, const char *name, bool must)
{
	size_t len = strlen(cg->place);

	while (!level_lists(cg, len, "cgroup.controllers", name)) {
		if (len == cg->floor) {
			if (must)
				missing(cg, name, len);
			return;
		}
		while (cg->place[--len] != '/')
			;
	}
	while (level_enable(cg, len, name, must) && cg->place[len] != '\0')
		len += 1 + strcspn(cg->place + len + 1, "/");
}

/*
 * Enable what the limits need. If it is possible, also enable the memory
 * controller, to report OOM kills, and what -s and -d want.
 */
void
control_enable(struct cg *cg)
{
	static const char *const counted[] = { "cpu", "io", "memory", "pids" };
	char name[64], all[512];
	char *s, *save;
	size_t i;

	for (i = 0; i < cg->nlimits; i++)
		if (limit_controller(&cg->limits[i], name, sizeof(name)))
			enable(cg, name, true);
	enable(cg, "memory", false);
	for (i = 0; cg->summary && i < sizeof(counted) / sizeof(counted[0]);
	     i++)
		enable(cg, counted[i], false);
	if (!cg->delegate ||
	    kfile_read(cg->place_fd, "cgroup.controllers", all, sizeof(all)) ==
	    -1)
		return;
	for (s = strtok_r(all, " \n", &save); s != NULL;
	     s = strtok_r(NULL, " \n", &save))
		enable(cg, s, false);
}
