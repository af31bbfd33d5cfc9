/*
 * Single mounts. Each is made detached, gets its attributes while nobody can
 * see it, and is then moved to a place that was resolved inside the root.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "path.h"
#include "sys.h"
#include "value.h"

#define ATTR_DEFAULT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define ATTR_KERNEL (ATTR_DEFAULT | MOUNT_ATTR_NOEXEC)

/* What each kind of mount is, where it differs. */
static const struct {
	const char *fstype;	/* made by fsopen(2) */
	const char *fsopts;	/* unless told otherwise */
	uint64_t attrs;
	bool has_src, has_dst;
	bool more_fsopts;	/* a word may add to them */
} kinds[] = {
	[MOUNT_ROOT] = { .attrs = ATTR_DEFAULT, .has_src = true },
	[MOUNT_IMAGE] = { .attrs = ATTR_DEFAULT | MOUNT_ATTR_RDONLY,
		.has_src = true },
	[MOUNT_LOWER] = { .attrs = ATTR_DEFAULT, .has_src = true },
	[MOUNT_OVERLAY] = { .fsopts = "size=1G", .attrs = ATTR_DEFAULT,
		.has_src = true, .more_fsopts = true },
	[MOUNT_BIND] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.has_dst = true },
	[MOUNT_MASK] = { .has_dst = true },
	[MOUNT_RO] = { .has_dst = true },
	[MOUNT_DEV] = { .fstype = "tmpfs", .fsopts = "size=64K,mode=755",
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		.has_dst = true },
	[MOUNT_TMPFS] = { .fstype = "tmpfs", .fsopts = "size=512M,mode=1777",
		.attrs = ATTR_DEFAULT, .has_dst = true, .more_fsopts = true },
	[MOUNT_PROC] = { .fstype = "proc", .attrs = ATTR_KERNEL,
		.has_dst = true, .more_fsopts = true },
	[MOUNT_SYS] = { .fstype = "sysfs",
		.attrs = ATTR_KERNEL | MOUNT_ATTR_RDONLY, .has_dst = true },
	[MOUNT_CGROUP] = { .fstype = "cgroup2",
		.attrs = ATTR_KERNEL | MOUNT_ATTR_RDONLY, .has_dst = true },
};

/* Apply one option of a mount; returns whether there is one of that name. */
static bool
apply_option(struct mount *m, const char *name)
{
	static const struct {
		const char *name;
		uint64_t set, clear;
	} options[] = {
		{ "ro", MOUNT_ATTR_RDONLY, 0 },
		{ "rw", 0, MOUNT_ATTR_RDONLY },
		{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
		{ "suid", 0, MOUNT_ATTR_NOSUID },
		{ "nodev", MOUNT_ATTR_NODEV, 0 },
		{ "dev", 0, MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
		{ "exec", 0, MOUNT_ATTR_NOEXEC },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) == 0) {
			m->attrs |= options[i].set;
			m->attrs &= ~options[i].clear;
			return true;
		}
	}
	if (!kinds[m->kind].has_src || m->kind == MOUNT_OVERLAY)
		return false;
	if (strcmp(name, "rec") == 0)
		return m->rec = true;
	if (strcmp(name, "idmap") == 0)
		return m->idmap = true;
	return false;
}

static void
parse_options(struct mount *m, const char *key, const char *value,
    const char *list)
{
	size_t size = 64 + (list != NULL ? strlen(list) : 0);
	char option[256];
	size_t len;

	if ((m->fsopts = malloc(size)) == NULL)
		err(EXIT_LINK, "%s", m->what);
	len = (size_t)snprintf(m->fsopts, size, "%s",
	    kinds[m->kind].fsopts != NULL ? kinds[m->kind].fsopts : "");
	while (value_field(&list, ',', option, sizeof(option))) {
		if (apply_option(m, option))
			continue;
		if (!kinds[m->kind].more_fsopts || *option == '\0')
			word_bad(key, value, "unknown option");
		/* The last one wins, as in fsconfig(2). */
		len += (size_t)snprintf(m->fsopts + len, size - len, "%s%s",
		    len > 0 ? "," : "", option);
	}
	if (errno != 0)
		word_bad(key, value, "option too long");
}

/* The next field of a word, in memory of its own. */
static char *
take_field(const char **cursor, const char *key, const char *value)
{
	char buf[PATH_MAX], *copy;

	if (!value_field(cursor, ':', buf, sizeof(buf))) {
		if (errno != 0)
			word_bad(key, value, "path too long");
		return NULL;
	}
	if ((copy = strdup(buf)) == NULL)
		err(EXIT_LINK, "%s=", key);
	return copy;
}

/* Fill in m from its word: [SRC][:DST][:OPTS], as its kind wants them. */
void
mount_parse(struct mount *m, enum mount_kind kind, const char *key,
    const char *value)
{
	const char *cursor = value;
	size_t size = strlen(key) + strlen(value) + 2;
	char *what;

	if ((what = malloc(size)) == NULL)
		err(EXIT_LINK, "%s=", key);
	snprintf(what, size, "%s=%s", key, value);
	*m = (struct mount){ .kind = kind, .what = what, .fd = -1,
		.attrs = kinds[kind].attrs,
		.rec = kind == MOUNT_ROOT };
	if (kinds[kind].has_src) {
		m->src = take_field(&cursor, key, value);
		if (*m->src == '\0')
			word_bad(key, value, "no source");
	}
	if (kinds[kind].has_dst) {
		m->dst = take_field(&cursor, key, value);
		if ((m->dst == NULL || *m->dst == '\0') && m->src != NULL)
			m->dst = m->src;
		if (m->dst[0] != '/')
			word_bad(key, value, "the place must begin with /");
	}
	parse_options(m, key, value, cursor);
}

/* A mount that comes with a root of its own; skipped where it cannot be. */
void
mount_default(struct ns *ns, enum mount_kind kind, const char *dst)
{
	struct mount *m;

	if (ns->ndefaults == NS_DEFAULTS)
		errx(EXIT_LINK, "too many mounts");
	m = &ns->defaults[ns->ndefaults++];
	*m = (struct mount){ .kind = kind, .fd = -1, .optional = true,
		.attrs = kinds[kind].attrs, .what = dst,
		.dst = (char *)(uintptr_t)dst,
		.fsopts = (char *)(uintptr_t)kinds[kind].fsopts };
}

/* End with what the kernel's log of this fs context says, or errno. */
static _Noreturn void
fs_failed(const struct mount *m, int fs, const char *type)
{
	char log[256];
	int saved = errno;
	ssize_t n = fs != -1 ? read(fs, log, sizeof(log) - 1) : -1;

	errno = saved;
	if (n > 2) {
		log[n] = '\0';
		log[strcspn(log, "\n")] = '\0';
		errx(EXIT_LINK, "%s: %s", m->what, log + 2);
	}
	if (strcmp(type, "proc") == 0)
		fail(EPERM, "a new /proc needs -p, and outside of it one that "
		    "is not masked itself", "%s: mount proc", m->what);
	if (strcmp(type, "sysfs") == 0)
		fail(EPERM, "in a user namespace a new /sys needs -n",
		    "%s: mount sysfs", m->what);
	if (strcmp(type, "overlay") == 0)
		fail(EINVAL, "in a user namespace no layer may have mounts "
		    "below it", "%s: mount overlay", m->what);
	err(EXIT_LINK, "%s: mount %s", m->what, type);
}

/*
 * Make the detached mount of a file system of type, told fsopts (a comma list
 * of key=value and flags). Ends the program on error, unless m is optional and
 * the kernel does not permit it: -1 then.
 */
int
mount_fs(const struct mount *m, const char *type)
{
	const char *cursor = m->fsopts;
	char option[256], *equals;
	int fs, fd;

	if ((fs = sys_fsopen(type, FSOPEN_CLOEXEC)) == -1) {
		if (m->optional && (errno == EPERM || errno == ENODEV))
			return -1;
		fs_failed(m, fs, type);
	}
	while (value_field(&cursor, ',', option, sizeof(option))) {
		if (*option == '\0')
			continue;
		if ((equals = strchr(option, '=')) != NULL)
			*equals++ = '\0';
		if (sys_fsconfig(fs, equals != NULL ? FSCONFIG_SET_STRING :
			FSCONFIG_SET_FLAG, option, equals, 0) == -1)
			fs_failed(m, fs, type);
	}
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1 ||
	    (fd = sys_fsmount(fs, FSMOUNT_CLOEXEC,
		(unsigned int)m->attrs)) == -1) {
		if (!m->optional || (errno != EPERM && errno != EBUSY))
			fs_failed(m, fs, type);
		fd = -1;
	}
	close(fs);
	return fd;
}

/*
 * The detached mount of m's source: a clone of a directory, a file or an image,
 * with m's attributes, its IDs mapped as in userns if that was asked for.
 */
int
mount_source(const struct mount *m, int userns)
{
	struct mount_attr attr = { .attr_set = m->attrs };
	unsigned int rec = m->rec ? AT_RECURSIVE : 0;
	int fd;

	if (m->kind == MOUNT_IMAGE)
		fd = image_open(m);
	else
		fd = sys_open_tree(AT_FDCWD, m->src, OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | rec);
	if (fd == -1)
		fail(m->rec ? 0 : EINVAL, "there are mounts below it: add the "
		    "option rec", "%s", m->what);
	if (m->idmap) {
		attr.attr_set |= (uint64_t)MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)(unsigned int)userns;
	}
	if (sys_mount_setattr(fd, "", AT_EMPTY_PATH | rec, &attr) == -1)
		fail(m->idmap ? EINVAL : 0, "this kernel cannot map the IDs of "
		    "that file system", "%s: mount attributes", m->what);
	return fd;
}

/*
 * Open m's place below root. It is made, of type S_IFDIR or S_IFREG, if it is
 * missing; with type 0 it must be there. Returns -1 if m is optional and it is
 * not. The root itself cannot be a place: it would hide the new root from us.
 */
static int
place_open(const struct mount *m, int root, mode_t type)
{
	struct stat place, top;
	int fd;

	fd = type != 0 ? path_make(root, m->dst, type) :
	    path_open(root, m->dst, O_PATH);
	if (fd == -1) {
		if (m->optional && type == 0 &&
		    (errno == ENOENT || errno == ENOTDIR))
			return -1;
		if (m->optional)
			err(EXIT_LINK, "%s", m->dst);
		err(EXIT_LINK, "%s: %s", m->what, m->dst);
	}
	if (fstat(fd, &place) == -1 || fstat(root, &top) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (place.st_dev == top.st_dev && place.st_ino == top.st_ino)
		errx(EXIT_LINK, "%s: %s is the root itself", m->what, m->dst);
	return fd;
}

/*
 * Attach the detached mount fd at m's place below root (place_open()). Returns
 * whether there was one.
 */
bool
mount_attach(const struct mount *m, int fd, int root, mode_t type)
{
	int place;

	if ((place = place_open(m, root, type)) == -1)
		return false;
	if (sys_move_mount(fd, "", place, "", MOVE_MOUNT_F_EMPTY_PATH |
		MOVE_MOUNT_T_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: mount at %s", m->what, m->dst);
	close(place);
	return true;
}

static mode_t
type_of(const struct mount *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	return S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG;
}

/*
 * A detached mount of an empty directory, read-only. The first is made and
 * then, attached, cloned for all others.
 */
static int
empty_directory(const struct mount *m, struct build *b)
{
	char opts[] = "size=4K,nr_inodes=2,mode=555";
	const struct mount dir = { .what = m->what, .fsopts = opts,
		.attrs = ATTR_KERNEL | MOUNT_ATTR_RDONLY };

	if (b->empty == -1)
		return b->empty = mount_fs(&dir, "tmpfs");
	return sys_open_tree(b->empty, "", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
}

/* Hide what is at the place behind an empty directory or /dev/null. */
static bool
apply_mask(const struct mount *m, struct build *b)
{
	struct stat st;
	int place, fd;

	if ((place = place_open(m, b->root, 0)) == -1)
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

/* Put a read-only clone of what is at the place on top of it. */
static bool
apply_ro(const struct mount *m, int root)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int place, fd;

	if ((place = place_open(m, root, 0)) == -1)
		return false;
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

/*
 * Without a PID namespace of our own the kernel lets nobody but its owner mount
 * a new /proc; then the one that is there is shown again.
 */
static int
old_proc(const struct ns *ns)
{
	if ((ns->flags & CLONE_NEWPID) != 0)
		return -1;
	return sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static bool
apply_fs(struct ns *ns, const struct mount *m, int root)
{
	int fd = mount_fs(m, kinds[m->kind].fstype);
	bool done;

	if (fd == -1 && m->kind == MOUNT_PROC && (fd = old_proc(ns)) == -1) {
		errno = EPERM;
		fs_failed(m, -1, "proc");
	}
	if (fd == -1)
		return false; /* a default that we cannot have here */
	/* Without /sys there is no place for the default cgroup tree. */
	done = mount_attach(m, fd, root, m->kind == MOUNT_CGROUP &&
	    m->optional ? 0 : S_IFDIR);
	close(fd);
	return done;
}

/* Carry out one mount below the root. */
void
mount_apply(struct ns *ns, const struct mount *m, struct build *b)
{
	bool done = true;

	switch (m->kind) {
	case MOUNT_BIND:
		mount_attach(m, m->fd, b->root, type_of(m, m->fd));
		close(m->fd);
		break;
	case MOUNT_MASK:
		done = apply_mask(m, b);
		break;
	case MOUNT_RO:
		done = apply_ro(m, b->root);
		break;
	case MOUNT_DEV:
		dev_make(ns, m, b);
		break;
	default:
		done = apply_fs(ns, m, b->root);
	}
	if (done)
		mount_describe(ns, m);
}

/* Say what was done, for -v, or would be, for -N. */
void
mount_describe(const struct ns *ns, const struct mount *m)
{
	const char *fs = kinds[m->kind].fstype;

	if (m->kind == MOUNT_MASK)
		say(ns, "mask %s", m->dst);
	else if (m->kind == MOUNT_RO)
		say(ns, "make %s read-only", m->dst);
	else
		say(ns, "mount %s at %s%s%s%s%s%s%s%s%s", fs != NULL ? fs :
		    m->src, m->dst != NULL ? m->dst : "/",
		    m->attrs & MOUNT_ATTR_RDONLY ? " ro" : "",
		    m->attrs & MOUNT_ATTR_NOSUID ? " nosuid" : "",
		    m->attrs & MOUNT_ATTR_NODEV ? " nodev" : "",
		    m->attrs & MOUNT_ATTR_NOEXEC ? " noexec" : "",
		    m->rec ? " rec" : "", m->idmap ? " idmap" : "",
		    m->fsopts != NULL && *m->fsopts != '\0' ? " " : "",
		    m->fsopts != NULL ? m->fsopts : "");
}
