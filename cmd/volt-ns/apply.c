/* Carry out the mounts of the plan, one by one. */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "path.h"
#include "sys.h"

#include "ns.h"

static mode_t
type_of(const struct mount *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	return S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG;
}

/*
 * Return a detached read-only mount of an empty directory, or -1 and errno. The
 * first one is made. Once it is attached, all others are clones of it.
 */
static int
empty_directory(const struct mount *m, struct build *b)
{
	char opts[] = "size=4K,nr_inodes=2,mode=555";
	const struct mount dir = { .what = m->what, .fsopts = opts,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		    MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY };

	if (b->empty == -1)
		return b->empty = mount_fs(&dir, "tmpfs");
	return sys_open_tree(b->empty, "", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

/* Hide what is at the place behind an empty directory or /dev/null. */
static bool
apply_mask(const struct mount *m, struct build *b, int root)
{
	struct stat st;
	int place, fd;

	if ((place = mount_place(m, root, 0)) == -1)
		return false;
	if (fstat(place, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	fd = S_ISDIR(st.st_mode) ? empty_directory(m, b) : dev_null(b);
	if (fd == -1 || sys_move_mount(fd, "", place, "",
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (fd != b->empty)
		close(fd);
	close(place);
	return true;
}

/* Make the mount at the place read-only, but not the mounts below it. */
static void
apply_top(const struct mount *m, int place)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (sys_mount_setattr(place, "", AT_EMPTY_PATH, &attr) == -1)
		fail(EINVAL, "nothing is mounted there: leave out the option top",
		    "%s", m->what);
}

/* Put a read-only clone of what is at the place on top of it. */
static bool
apply_ro(const struct mount *m, int root)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int place, fd;

	if ((place = mount_place(m, root, 0)) == -1)
		return false;
	if (m->top) {
		apply_top(m, place);
		close(place);
		return true;
	}
	fd = sys_open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
	    AT_EMPTY_PATH | AT_RECURSIVE);
	if (fd == -1 || sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
		&attr) == -1 || sys_move_mount(fd, "", place, "",
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s", m->what);
	close(fd);
	close(place);
	return true;
}

/* What OCI runtimes mask or make read-only below a root's /proc and /sys. */
static const struct {
	enum mount_kind fs, kind;
	const char *path;
} guarded[] = {
	{ MOUNT_PROC, MOUNT_MASK, "acpi" },
	{ MOUNT_PROC, MOUNT_MASK, "asound" },
	{ MOUNT_PROC, MOUNT_MASK, "interrupts" },
	{ MOUNT_PROC, MOUNT_MASK, "kcore" },
	{ MOUNT_PROC, MOUNT_MASK, "keys" },
	{ MOUNT_PROC, MOUNT_MASK, "latency_stats" },
	{ MOUNT_PROC, MOUNT_MASK, "sched_debug" },
	{ MOUNT_PROC, MOUNT_MASK, "scsi" },
	{ MOUNT_PROC, MOUNT_MASK, "timer_list" },
	{ MOUNT_PROC, MOUNT_MASK, "timer_stats" },
	{ MOUNT_PROC, MOUNT_RO, "bus" },
	{ MOUNT_PROC, MOUNT_RO, "fs" },
	{ MOUNT_PROC, MOUNT_RO, "irq" },
	{ MOUNT_PROC, MOUNT_RO, "sys" },
	{ MOUNT_PROC, MOUNT_RO, "sysrq-trigger" },
	{ MOUNT_SYS, MOUNT_MASK, "devices/virtual/powercap" },
	{ MOUNT_SYS, MOUNT_MASK, "firmware" },
};

/*
 * Mask or make read-only what guarded[] names below the file system m, whose mount
 * is fd. If b is NULL, only say so. The names are looked up from the mount: after
 * it is attached, the path to its place may lead elsewhere.
 */
static void
guard(const struct ns *ns, const struct mount *m, int fd, struct build *b)
{
	struct mount g = { .optional = true, .fd = -1 };
	char path[PATH_MAX];
	bool done = true;
	size_t i;

	if (ns->no_mask)
		return;
	for (i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		if (guarded[i].fs != m->kind)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", m->dst,
			guarded[i].path) >= (int)sizeof(path))
			errx(EXIT_LINK, "%s: path too long", m->what);
		g.kind = guarded[i].kind;
		g.what = path;
		g.dst = path + strlen(m->dst);
		if (b != NULL)
			done = g.kind == MOUNT_MASK ? apply_mask(&g, b, fd) :
			    apply_ro(&g, fd);
		g.dst = path;
		if (done)
			mount_describe(&g);
	}
}

/* Say what apply_mount() would do. */
void
apply_describe(const struct ns *ns, const struct mount *m)
{
	mount_describe(m);
	guard(ns, m, -1, NULL);
}

/*
 * Clone the /proc that we have. Without a new PID namespace, the kernel may refuse
 * a new /proc: it permits one only to the owner of the PID namespace.
 */
static int
old_proc(void)
{
	return sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

/* Make the file systems of m, whose kind is made by fsopen(2). */
void
apply_make(const struct ns *ns, const struct mount *m, struct parts *p)
{
	size_t i;

	for (i = 0; i < NS_PARTS; i++)
		p->fd[i] = -1;
	if (m->kind == MOUNT_DEV)
		dev_make(ns, m, p);
	else if (m->kind == MOUNT_LAYERS)
		p->fd[PART_FS] = overlay_layers(ns, m->layers);
	else
		p->fd[PART_FS] = mount_fs(m, mount_fstype(m));
	/* Without a PID namespace, apply_fs() tries old_proc(). */
	if (p->fd[PART_FS] == -1 && m->kind == MOUNT_PROC &&
	    (ns->flags & CLONE_NEWPID) != 0) {
		errno = EPERM;
		mount_failed(m, "proc");
	}
}

static void
apply_fs(struct ns *ns, const struct mount *m, const struct parts *p,
    struct build *b)
{
	int fd = p->fd[PART_FS];

	if (fd == -1 && m->kind == MOUNT_PROC && (fd = old_proc()) == -1)
		mount_failed(m, "proc");
	if (fd == -1)
		return; /* a default that is impossible here */
	/* Without /sys there is no place for the default cgroup tree. */
	if (mount_attach(m, fd, b->root, m->kind == MOUNT_CGROUP &&
		m->optional ? 0 : S_IFDIR)) {
		mount_describe(m);
		guard(ns, m, fd, b);
	}
	if (fd != p->fd[PART_FS])
		close(fd);
}

/* Make the file systems of m, or get them from the inner actor, and place them. */
static void
apply_new(struct ns *ns, const struct mount *m, struct build *b)
{
	struct parts p;
	size_t i;

	if (b->inner == -1)
		apply_make(ns, m, &p);
	else
		stage_recv(b->inner, m, &p);
	if (m->kind == MOUNT_DEV) {
		dev_place(m, &p, b);
		mount_describe(m);
	} else {
		apply_fs(ns, m, &p, b);
	}
	for (i = 0; i < NS_PARTS; i++)
		if (p.fd[i] != -1)
			close(p.fd[i]);
}

/* Set the mode of the file or directory that is open at place to that of m. */
static void
set_mode(const struct mount *m, int place)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	if (chmod(path, (mode_t)m->mode) == -1)
		err(EXIT_LINK, "%s", m->what);
}

static void
apply_mode(const struct mount *m, int root)
{
	int place;

	if ((place = path_open(root, m->dst, O_PATH)) == -1)
		err(EXIT_LINK, "%s", m->what);
	set_mode(m, place);
	close(place);
}

/* Make the directory of m. If it exists, leave it as it is. */
static void
apply_dir(const struct mount *m, int root)
{
	int place;

	if ((place = path_open(root, m->dst, O_PATH | O_DIRECTORY)) == -1) {
		if (errno != ENOENT || (place = path_make_with(root, m->dst,
			S_IFDIR, mount_way(m), (mode_t)m->mode)) == -1)
			err(EXIT_LINK, "%s", m->what);
		if ((m->mode & (S_ISUID | S_ISGID)) != 0)
			set_mode(m, place);
	}
	close(place);
}

/* Make the symlink of m. It may exist already if its target is the same. */
static void
apply_link(const struct mount *m, int root)
{
	char parent[PATH_MAX], target[PATH_MAX], *name;
	size_t len = strlen(m->dst);
	ssize_t n;
	int dir;

	memcpy(parent, m->dst, len + 1); /* mount_parse() checked the length */
	while (len > 1 && parent[len - 1] == '/')
		parent[--len] = '\0';
	name = strrchr(parent, '/');
	*name++ = '\0';
	dir = *parent == '\0' ? dup(root) : path_make(root, parent, S_IFDIR);
	if (dir == -1)
		err(EXIT_LINK, "%s", m->what);
	if (symlinkat(m->src, dir, name) == -1) {
		if (errno != EEXIST || (n = readlinkat(dir, name, target,
			sizeof(target) - 1)) == -1) {
			errno = errno == EINVAL ? EEXIST : errno;
			err(EXIT_LINK, "%s", m->what);
		}
		target[n] = '\0';
		if (strcmp(target, m->src) != 0)
			errx(EXIT_LINK, "%s: Can't make symlink here: existing "
			    "destination is %s", m->what, target);
	}
	close(dir);
}

/* Carry out one mount below the root. */
void
apply_mount(struct ns *ns, const struct mount *m, struct build *b)
{
	bool done = true;

	switch (m->kind) {
	case MOUNT_DIR:
		apply_dir(m, b->root);
		break;
	case MOUNT_LINK:
		apply_link(m, b->root);
		break;
	case MOUNT_MODE:
		apply_mode(m, b->root);
		break;
	case MOUNT_BIND:
	case MOUNT_FILE:
	case MOUNT_TEXT:
		if (m->plain) {
			files_put(m, b->root);
			break;
		}
		if (m->fd == -1)
			return; /* try */
		done = mount_attach(m, m->fd, b->root, type_of(m, m->fd));
		close(m->fd);
		break;
	case MOUNT_MASK:
		done = apply_mask(m, b, b->root);
		break;
	case MOUNT_RO:
		done = apply_ro(m, b->root);
		break;
	default:
		apply_new(ns, m, b);
		return;
	}
	if (done)
		mount_describe(m);
}
