/*
 * The ID maps of a user namespace (user_namespaces(7)). "auto" means:
 *
 * An ordinary caller becomes root inside. The ranges that /etc/subuid and
 * /etc/subgid grant, if any, follow that ID; newuidmap(1) and newgidmap(1) write
 * them.
 *
 * The host's root does not become root inside: user 0 of the host owns /proc/sys
 * and /sys, with or without capabilities. The container gets 65536 IDs that no
 * user has, and its root directory is ID-mapped, so that files keep the owners
 * that they have on disk.
 *
 * The root of a user namespace has no such rights on the host, and keeps all the
 * IDs that it has, unchanged.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "identity.h"
#include "kfile.h"
#include "ns.h"
#include "say.h"
#include "sys.h"
#include "userns.h"
#include "value.h"

#define FILE_MAX ((size_t)1 << 20)
#define RANGE 65536u
#define RANGE_FIRST 0x30000000u
#define RANGES 16384u

static void
add_extent(struct idmap *m, uint64_t inside, uint64_t outside, uint64_t count)
{
	if (m->n == NS_EXTENTS)
		errx(EXIT_LINK, "%s: more than %d ranges", m->key, NS_EXTENTS);
	m->extent[m->n++] = (struct extent){ (uint32_t)inside,
		(uint32_t)outside, (uint32_t)count };
}

/* Parse uidmap=auto, or IN:OUT:N ranges. Repeated words add ranges. */
void
idmap_parse(void *map, const char *key, const char *value)
{
	struct idmap *m = map;
	const char *cursor = value, *part;
	char range[64], number[16];
	uint64_t n[3];
	int i;

	m->key = key;
	m->given = true;
	if (strcmp(value, "auto") == 0) {
		m->automatic = true;
		return;
	}
	if (strncmp(value, "wait:", 5) == 0 && strcmp(key, "uidmap") == 0) {
		m->waits = true;
		m->wait_fd = word_fd(key, value + 5);
		return;
	}
	while (value_field(&cursor, ',', range, sizeof(range)) == 1) {
		part = range;
		for (i = 0; i < 3; i++)
			if (value_field(&part, ':', number, sizeof(number)) != 1 ||
			    value_uint(number, UINT32_MAX, &n[i]) == -1)
				word_bad(key, value, "not IN:OUT:N");
		if (part != NULL || n[2] == 0 || n[0] + n[2] > UINT32_MAX ||
		    n[1] + n[2] > UINT32_MAX)
			word_bad(key, value, "not IN:OUT:N");
		add_extent(m, n[0], n[1], n[2]);
	}
	if (errno != 0)
		word_bad(key, value, "not IN:OUT:N");
}

/* Translate the ID inside to the one outside. Returns false if it is not mapped. */
bool
idmap_outside(const struct idmap *m, uint32_t inside, uint32_t *outside)
{
	const struct extent *e;

	for (e = m->extent; e < m->extent + m->n; e++)
		if (inside >= e->inside && inside - e->inside < e->count) {
			*outside = e->outside + (inside - e->inside);
			return true;
		}
	return false;
}

bool
idmap_has(const struct idmap *m, uint32_t inside)
{
	uint32_t outside;

	return idmap_outside(m, inside, &outside);
}

/* Does the map have only the caller's own ID? Then anyone may write it. */
static bool
is_own(const struct idmap *m, uint32_t id)
{
	return m->n == 1 && m->extent[0].count == 1 &&
	    m->extent[0].outside == id;
}

/* Read a file, to be freed. A missing file is like an empty one. */
static char *
read_whole(const char *path)
{
	char *buf;

	if ((buf = malloc(FILE_MAX)) == NULL)
		err(EXIT_LINK, "%s", path);
	if (kfile_read(AT_FDCWD, path, buf, FILE_MAX) == -1) {
		if (errno != ENOENT && errno != ENOTDIR)
			err(EXIT_LINK, "%s", path);
		buf[0] = '\0';
	}
	return buf;
}

/* Map each ID of our own namespace to itself. own is the file with our map. */
static void
add_identity(struct idmap *m, const char *own)
{
	char *text = read_whole(own), *line, *save;
	unsigned long inside, outside, count;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3)
			add_extent(m, inside, inside, count);
	free(text);
	if (m->n == 0)
		errx(EXIT_LINK, "%s: cannot be read", own);
}

/*
 * Does the user namespace in which the container's files are made have group gid?
 * Without /proc we cannot know, and the answer is no.
 */
bool
idmap_has_group(const struct ns *ns, uint32_t gid)
{
	unsigned long inside, outside, count;
	char *text, *line, *save;
	bool has = false;

	if ((ns->flags & CLONE_NEWUSER) != 0)
		return idmap_has(&ns->gidmap, gid);
	text = read_whole("/proc/self/gid_map");
	for (line = strtok_r(text, "\n", &save); line != NULL && !has;
	     line = strtok_r(NULL, "\n", &save))
		has = sscanf(line, "%lu %lu %lu", &inside, &outside,
		    &count) == 3 && gid >= inside && gid - inside < count;
	free(text);
	return has;
}

/* The name of user uid in /etc/passwd, or "" if it has none. */
static void
user_name(uid_t uid, char *buf, size_t size)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char number[16];
	uid_t found = uid;
	gid_t gid;

	if (root == -1)
		err(EXIT_LINK, "/");
	snprintf(number, sizeof(number), "%u", uid);
	if (identity_user(root, number, &found, &gid, buf, size) == -1) {
		if (errno != ESRCH && errno != ENOENT && errno != ENOTDIR)
			err(EXIT_LINK, "/etc/passwd");
		buf[0] = '\0';
	}
	if (found != uid) /* a user whose name is that number */
		buf[0] = '\0';
	close(root);
}

/*
 * Add the ranges that path (subuid(5), subgid(5)) grants the user, after those in
 * m. If the user has no name, only a line with the number counts. Returns whether
 * there was any range.
 */
static bool
add_granted(struct idmap *m, const char *path, const char *user, uid_t uid)
{
	char *text = read_whole(path), *line, *save;
	char owner[256], number[16];
	const char *cursor;
	uint64_t start, count, id, next = 1;
	bool any = false;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		cursor = line;
		if (value_field(&cursor, ':', owner, sizeof(owner)) != 1 ||
		    !((*user != '\0' && strcmp(owner, user) == 0) ||
			(value_uint(owner, UINT32_MAX, &id) == 0 && id == uid)))
			continue;
		if (value_field(&cursor, ':', number, sizeof(number)) != 1 ||
		    value_uint(number, UINT32_MAX, &start) == -1 ||
		    value_field(&cursor, ':', number, sizeof(number)) != 1 ||
		    value_uint(number, UINT32_MAX, &count) == -1 ||
		    count == 0 || next + count > UINT32_MAX ||
		    start + count > UINT32_MAX ||
		    m->n == NS_EXTENTS)
			continue;
		add_extent(m, next, start, count);
		next += count;
		any = true;
	}
	free(text);
	return any;
}

/* Is there a program of that name along PATH? */
static bool
on_path(const char *name)
{
	const char *cursor = getenv("PATH");
	char dir[PATH_MAX], path[PATH_MAX + 32];

	while (value_field(&cursor, ':', dir, sizeof(dir)) == 1) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Are we in the initial user namespace, where 0 is the host's root? */
static bool
is_initial(void)
{
	int initial = userns_is_initial();

	if (initial == -1)
		err(EXIT_LINK, "/proc/self/uid_map");
	return initial == 1;
}

/*
 * The first ID of a range for one container. It lies in the upper part of the IDs
 * that systemd reserves for containers, above the usual ranges of /etc/subuid. Our
 * process ID makes the range differ from those of all other containers of our PID
 * namespace. The number of that namespace, by Knuth's multiplicative hash, makes
 * it differ from those of other PID namespaces, except by a rare coincidence.
 */
static uint32_t
free_range(void)
{
	struct stat st = { 0 };

	if (stat("/proc/self/ns/pid", &st) == -1)
		err(EXIT_LINK, "/proc/self/ns/pid");
	return RANGE_FIRST + ((uint32_t)getpid() +
	    (uint32_t)st.st_ino * 2654435761u) % RANGES * RANGE;
}

/* ID-map the root and the directory for its changes: files keep their owners. */
static void
shift_root(struct ns *ns)
{
	size_t i;

	ns->root.idmap = ns->root.kind != MOUNT_EMPTY;
	for (i = 0; i < ns->nlower; i++)
		ns->lower[i].idmap = true;
	if (ns->overlay.what != NULL && strcmp(ns->overlay.src, "tmpfs") != 0)
		ns->overlay.idmap = true;
}

/* Say which bind= words keep the host's owners, because that is easily missed. */
static void
tell_of_binds(const struct ns *ns)
{
	const struct mount *m;

	for (m = ns->mounts; m < ns->mounts + ns->nmounts; m++)
		if (m->kind == MOUNT_BIND && !m->idmap &&
		    (m->attrs & MOUNT_ATTR_RDONLY) == 0)
			say("%s: its files keep the host's owners, who are "
			    "nobody inside; the option idmap maps them",
			    m->what);
}

static void
plan_auto(struct ns *ns)
{
	char user[256];
	bool uids, gids;

	if (geteuid() == 0 && is_initial()) {
		add_extent(&ns->uidmap, 0, free_range(), RANGE);
		add_extent(&ns->gidmap, 0, free_range(), RANGE);
		shift_root(ns);
		tell_of_binds(ns);
		return;
	}
	if (geteuid() == 0) {
		add_identity(&ns->uidmap, "/proc/self/uid_map");
		add_identity(&ns->gidmap, "/proc/self/gid_map");
		return;
	}
	add_extent(&ns->uidmap, 0, geteuid(), 1);
	add_extent(&ns->gidmap, 0, getegid(), 1);
	if (!on_path("newuidmap") || !on_path("newgidmap")) {
		say("no newuidmap: only the caller's own IDs are mapped");
		return;
	}
	user_name(geteuid(), user, sizeof(user));
	uids = add_granted(&ns->uidmap, "/etc/subuid", user, geteuid());
	gids = add_granted(&ns->gidmap, "/etc/subgid", user, geteuid());
	if (uids != gids)
		warnx("%s has no range in %s: only the caller's own IDs are "
		    "mapped", user, uids ? "/etc/subgid" : "/etc/subuid");
	if (!uids || !gids) {
		say("no /etc/subuid range: only the caller's own IDs are mapped");
		ns->uidmap.n = ns->gidmap.n = 1;
	}
}

static void
describe(const struct idmap *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		say("%s %" PRIu32 ":%" PRIu32 ":%" PRIu32 "%s", m->key,
		    m->extent[i].inside, m->extent[i].outside,
		    m->extent[i].count, m->by_helper ? " by helper" : "");
}

/*
 * Complete the maps before anything is done. If only one map is given, the other
 * gets the same numbers. If none is given, both are auto.
 */
void
idmap_plan(struct ns *ns)
{
	struct idmap *u = &ns->uidmap, *g = &ns->gidmap;

	u->key = "uidmap";
	g->key = "gidmap";
	if (u->waits) {
		if (u->n > 0 || u->automatic || g->given)
			errx(EXIT_LINK, "uidmap=wait: sets both ID maps, "
			    "and allows no other");
		say("wait for both ID maps");
		return;
	}
	if (u->automatic != g->automatic && u->given && g->given)
		errx(EXIT_LINK, "uidmap= and gidmap=: both auto, or neither");
	if (u->n == 0 && g->n == 0) {
		plan_auto(ns);
	} else if (g->n == 0) {
		memcpy(g->extent, u->extent, sizeof(g->extent));
		g->n = u->n;
	} else if (u->n == 0) {
		memcpy(u->extent, g->extent, sizeof(u->extent));
		u->n = g->n;
	}
	if (geteuid() != 0) {
		u->by_helper = !is_own(u, geteuid());
		g->by_helper = !is_own(g, getegid());
	}
	describe(u);
	describe(g);
}

/* Does the new process need the outer actor, because it cannot write its maps? */
bool
idmap_needs_outer(const struct ns *ns)
{
	return geteuid() == 0 || ns->uidmap.waits || ns->uidmap.by_helper ||
	    ns->gidmap.by_helper;
}

/* Run newuidmap(1) or newgidmap(1) for pid, and wait for it. */
static void
write_by_helper(const struct idmap *m, const char *helper, const char *pid)
{
	static char text[3 * NS_EXTENTS][16];
	char *argv[3 * NS_EXTENTS + 3];
	int argc = 0, wstatus;
	pid_t child;
	size_t i;

	argv[argc++] = (char *)(uintptr_t)helper;
	argv[argc++] = (char *)(uintptr_t)pid;
	for (i = 0; i < m->n; i++) {
		const uint32_t n[3] = { m->extent[i].inside,
			m->extent[i].outside, m->extent[i].count };
		size_t j;

		for (j = 0; j < 3; j++) {
			char *s = text[3 * i + j];

			snprintf(s, sizeof(text[0]), "%" PRIu32, n[j]);
			argv[argc++] = s;
		}
	}
	argv[argc] = NULL;
	/* No posix_spawn(3): that of musl would unblock signals 32 to 34. */
	if ((child = fork()) == -1)
		err(EXIT_LINK, "%s", helper);
	if (child == 0) {
		execvp(helper, argv);
		warn("%s", helper);
		_exit(EXIT_NOTFOUND);
	}
	while (waitpid(child, &wstatus, 0) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "%s", helper);
	if (WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0)
		return;
	if (WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == EXIT_NOTFOUND)
		exit(EXIT_LINK); /* the child has said why */
	/* The helper has printed its own error. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		warnx("%s: no_new_privs is set, so it gets no privileges; map "
		    "only your own ID", helper);
	errx(EXIT_LINK, "%s: failed for %s=", helper, m->key);
}

static _Noreturn void
refused(const char *path)
{
	int error = errno;

	warn("%s", path);
	idmap_advise(error);
	exit(EXIT_LINK);
}

static void
write_map(const struct idmap *m, const char *helper, const char *file,
    const char *pid)
{
	char path[64], text[NS_EXTENTS * 34 + 1], *end = text;
	size_t i;

	if (m->by_helper) {
		write_by_helper(m, helper, pid);
		return;
	}
	for (i = 0; i < m->n; i++)
		end += sprintf(end, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
		    m->extent[i].inside, m->extent[i].outside,
		    m->extent[i].count);
	snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
	if (kfile_write(AT_FDCWD, path, text) == -1)
		refused(path);
}

/*
 * Write both maps of the process that /proc calls pid. If the caller has no
 * privileges over groups, deny setgroups(2) first, as the kernel requires: a group
 * may exist to deny its members something.
 */
void
idmap_write(const struct ns *ns, const char *pid)
{
	char path[64];

	if (!ns->gidmap.by_helper && geteuid() != 0) {
		snprintf(path, sizeof(path), "/proc/%s/setgroups", pid);
		if (kfile_write(AT_FDCWD, path, "deny") == -1)
			refused(path);
	}
	write_map(&ns->uidmap, "newuidmap", "uid_map", pid);
	write_map(&ns->gidmap, "newgidmap", "gid_map", pid);
}

/*
 * Like idmap_write(), for a user namespace whose parent has these maps already:
 * map each ID to itself. It inherits from its parent whether setgroups(2) is
 * denied.
 */
void
idmap_write_same(const struct ns *ns, const char *pid)
{
	static struct idmap same[2];
	size_t i, j;

	same[0] = ns->uidmap;
	same[1] = ns->gidmap;
	for (i = 0; i < 2; i++) {
		same[i].by_helper = false;
		for (j = 0; j < same[i].n; j++)
			same[i].extent[j].outside = same[i].extent[j].inside;
	}
	write_map(&same[0], NULL, "uid_map", pid);
	write_map(&same[1], NULL, "gid_map", pid);
}

/* Read a map of the process that /proc calls pid into m. */
static void
learn(struct idmap *m, const char *pid, bool inside)
{
	unsigned long in, out, count;
	char path[64], *text, *line, *save;

	m->n = 0;
	snprintf(path, sizeof(path), "/proc/%s/%s_map", pid,
	    strcmp(m->key, "uidmap") == 0 ? "uid" : "gid");
	text = read_whole(path);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%lu %lu %lu", &in, &out, &count) == 3)
			add_extent(m, in, inside ? in : out, count);
	free(text);
	if (m->n == 0)
		errx(EXIT_LINK, "uidmap=wait: %s is still empty", path);
}

/*
 * With uidmap=wait: read the maps that another process wrote for the process that /proc
 * calls pid. With inside, map the IDs to themselves, as for a namespace below that one.
 */
void
idmap_learn(struct ns *ns, const char *pid, bool inside)
{
	if (!ns->uidmap.waits)
		return;
	learn(&ns->uidmap, pid, inside);
	learn(&ns->gidmap, pid, inside);
}

static bool
sysctl_is(const char *path, const char *value)
{
	char buf[32];

	return kfile_read(AT_FDCWD, path, buf, sizeof(buf)) > 0 &&
	    strncmp(buf, value, strlen(value)) == 0 &&
	    buf[strlen(value)] == '\n';
}

/* Print one line on why this host refuses user namespaces, if we know it. */
void
idmap_advise(int error)
{
	if (error != EPERM && error != EACCES && error != ENOSPC)
		return;
	if (sysctl_is("/proc/sys/user/max_user_namespaces", "0"))
		warnx("this host allows no user namespaces: sysctl "
		    "user.max_user_namespaces is 0");
	else if (error == ENOSPC)
		warnx("too many user namespaces, or nested too deep: sysctl "
		    "user.max_user_namespaces");
	else if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		warnx("this host allows user namespaces to root only: sysctl "
		    "kernel.unprivileged_userns_clone is 0");
	else if (sysctl_is("/proc/sys/kernel/"
		"apparmor_restrict_unprivileged_userns", "1"))
		warnx("AppArmor restricts user namespaces here, by sysctl "
		    "kernel.apparmor_restrict_unprivileged_userns: install the "
		    "profile share/doc/volt/examples/apparmor.volt-ns");
}
