/*
 * A single mount: its word, its file system, its place. A mount is made detached,
 * gets its attributes while no process can see it, and is then moved to a place
 * that was resolved inside the root.
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
#include "mountid.h"
#include "ns.h"
#include "path.h"
#include "say.h"
#include "sys.h"
#include "value.h"

#define ATTR_DEFAULT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define ATTR_KERNEL (ATTR_DEFAULT | MOUNT_ATTR_NOEXEC)

/* How the kinds of mounts differ. */
static const struct {
	const char *fstype;	/* made by fsopen(2) */
	const char *fsopts;	/* the default */
	uint64_t attrs;
	bool has_src, has_dst;
	bool shows;	/* it shows the files at src */
	bool more_fsopts;	/* a word may add options to fsopts */
	mode_t mode;	/* the default; 0: there is no option mode= */
} kinds[] = {
	[MOUNT_ROOT] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.shows = true },
	[MOUNT_IMAGE] = { .attrs = ATTR_DEFAULT | MOUNT_ATTR_RDONLY,
		.has_src = true, .shows = true },
	[MOUNT_EMPTY] = { .fsopts = "size=512M,mode=755",
		.attrs = ATTR_DEFAULT, .has_src = true, .more_fsopts = true },
	[MOUNT_LOWER] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.shows = true },
	[MOUNT_OVERLAY] = { .fsopts = "size=1G", .attrs = ATTR_DEFAULT,
		.has_src = true, .more_fsopts = true },
	[MOUNT_BIND] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.has_dst = true, .shows = true },
	[MOUNT_FILE] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.has_dst = true, .mode = 0644 },
	[MOUNT_TEXT] = { .attrs = ATTR_DEFAULT, .has_src = true,
		.has_dst = true, .mode = 0644 },
	[MOUNT_DIR] = { .has_dst = true, .mode = 0755 },
	[MOUNT_LINK] = { .has_src = true, .has_dst = true },
	[MOUNT_MASK] = { .has_dst = true },
	[MOUNT_RO] = { .has_dst = true },
	[MOUNT_DEV] = { .fstype = "tmpfs", .fsopts = "size=64K,mode=755",
		.attrs = ATTR_KERNEL, .has_dst = true },
	[MOUNT_TMPFS] = { .fstype = "tmpfs", .fsopts = "size=512M,mode=1777",
		.attrs = ATTR_DEFAULT, .has_dst = true, .more_fsopts = true },
	[MOUNT_PROC] = { .fstype = "proc", .attrs = ATTR_KERNEL,
		.has_dst = true, .more_fsopts = true },
	[MOUNT_SYS] = { .fstype = "sysfs",
		.attrs = ATTR_KERNEL | MOUNT_ATTR_RDONLY, .has_dst = true },
	[MOUNT_CGROUP] = { .fstype = "cgroup2",
		.attrs = ATTR_KERNEL | MOUNT_ATTR_RDONLY, .has_dst = true },
};

/* Apply mode=OCTAL. Returns false if option is something else, or not valid. */
static bool
apply_mode(struct mount *m, const char *option)
{
	const char *s = option + strlen("mode=");
	int mode = 0;

	if (strncmp(option, "mode=", strlen("mode=")) != 0 ||
	    kinds[m->kind].mode == 0 || *s == '\0')
		return false;
	for (; *s >= '0' && *s <= '7' && mode <= 07777; s++)
		mode = mode * 8 + (*s - '0');
	m->mode = mode;
	return *s == '\0' && mode <= 07777;
}

/* Apply one option of a mount. Returns false if there is no such option. */
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

	if (apply_mode(m, name))
		return true;
	if (m->kind == MOUNT_MASK || m->kind == MOUNT_RO ||
	    m->kind == MOUNT_DIR || m->kind == MOUNT_LINK)
		return false;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) == 0) {
			m->attrs |= options[i].set;
			m->attrs &= ~options[i].clear;
			m->lifted |= options[i].clear;
			m->lifted &= ~options[i].set;
			return true;
		}
	}
	if (strcmp(name, "try") == 0 && m->kind == MOUNT_BIND)
		return m->try = true;
	if (!kinds[m->kind].shows)
		return false;
	if (strcmp(name, "rec") == 0)
		return m->rec = true;
	if (strcmp(name, "idmap") == 0)
		return m->idmap = true;
	if (strcmp(name, "slave") == 0)
		return m->slave = true;
	return false;
}

static void
parse_options(struct mount *m, const char *key, const char *value,
    const char *list)
{
	size_t size = 64 + (list != NULL ? strlen(list) : 0);
	char option[256];
	uint64_t bytes;
	size_t len;

	if ((m->fsopts = malloc(size)) == NULL)
		err(EXIT_LINK, "%s", m->what);
	len = (size_t)snprintf(m->fsopts, size, "%s",
	    kinds[m->kind].fsopts != NULL ? kinds[m->kind].fsopts : "");
	while (value_field(&list, ',', option, sizeof(option)) == 1) {
		if (apply_option(m, option))
			continue;
		if (!kinds[m->kind].more_fsopts || *option == '\0' ||
		    (m->kind == MOUNT_OVERLAY && strcmp(m->src, "tmpfs") != 0))
			word_bad(key, value, "unknown option");
		/* If a size overflows, the kernel takes it for another size. */
		if (strncmp(option, "size=", 5) == 0 &&
		    option[strlen(option) - 1] != '%' &&
		    value_size(option + 5, &bytes) == -1)
			word_bad(key, value, WORD_NO_SIZE);
		/* The last one wins, as in fsconfig(2). */
		len += (size_t)snprintf(m->fsopts + len, size - len, "%s%s",
		    len > 0 ? "," : "", option);
	}
	if (errno != 0)
		word_bad(key, value, "option too long");
}

/* The next field of a word, in memory of its own. NULL if there is none. */
static char *
take_field(const char **cursor, const char *key, const char *value)
{
	char buf[PATH_MAX], *copy;

	if (value_field(cursor, ':', buf, sizeof(buf)) != 1) {
		if (errno != 0)
			word_bad(key, value, "too long");
		return NULL;
	}
	if ((copy = strdup(buf)) == NULL)
		err(EXIT_LINK, "%s=", key);
	return copy;
}

/* Fill in m from its word: [SRC][:DST][:OPTS]. Its kind says which it has. */
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
		.attrs = kinds[kind].attrs, .mode = (int)kinds[kind].mode,
		.rec = kind == MOUNT_ROOT };
	if (kinds[kind].has_src) {
		m->src = take_field(&cursor, key, value);
		if (*m->src == '\0' && kind != MOUNT_TEXT)
			word_bad(key, value, "no source");
	}
	if (kinds[kind].has_dst) {
		m->dst = take_field(&cursor, key, value);
		if ((m->dst == NULL || *m->dst == '\0') && kind == MOUNT_BIND)
			m->dst = m->src;
		if (m->dst == NULL)
			word_bad(key, value, "no place");
		if (m->dst[0] != '/')
			word_bad(key, value, "the place must begin with /");
	}
	parse_options(m, key, value, cursor);
}

/* Does the value of root= or overlay= name a file system in memory? */
bool
mount_is_tmpfs(const char *value)
{
	const size_t len = strlen("tmpfs");

	return strncmp(value, "tmpfs", len) == 0 &&
	    (value[len] == '\0' || value[len] == ':');
}

/* Add a mount at the end of a list of n. The others may move in memory. */
struct mount *
mount_add(struct mount **list, size_t *n)
{
	struct mount *more = *list;

	/* Room for 1, 2, 4, 8 ... */
	if ((*n & (*n - 1)) == 0 && (more = realloc(*list,
	    (*n == 0 ? 1 : *n * 2) * sizeof(*more))) == NULL)
		err(EXIT_LINK, "mounts");
	*list = more;
	return &more[(*n)++];
}

/* Add a mount that comes with every root. It is skipped where it is impossible. */
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

/* The type of the file system that m makes, or NULL if it makes none. */
const char *
mount_fstype(const struct mount *m)
{
	return kinds[m->kind].fstype;
}

/* End with errno's message for a mount of type, and with advice. */
_Noreturn void
mount_failed(const struct mount *m, const char *type)
{
	static const struct {
		const char *type;
		int cause;
		const char *advice;
	} causes[] = {
		{ "proc", EPERM, "a new /proc needs -p, and a /proc outside "
		    "that is not masked itself" },
		{ "sysfs", EPERM, "in a user namespace a new /sys needs -n" },
		{ "overlay", EINVAL, "in a user namespace no layer may have "
		    "mounts below it" },
	};
	size_t i;

	for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(causes[i].type, type) == 0)
			fail(causes[i].cause, causes[i].advice, "%s: mount %s",
			    m->what, type);
	err(EXIT_LINK, "%s: mount %s", m->what, type);
}

/* End with the kernel's message for this fs context, or else with errno's. */
static _Noreturn void
fs_failed(const struct mount *m, int fs, const char *type)
{
	char log[256];
	int saved = errno;
	ssize_t n = read(fs, log, sizeof(log) - 1);

	errno = saved;
	if (n <= 2)
		mount_failed(m, type);
	log[n] = '\0';
	log[strcspn(log, "\n")] = '\0';
	errx(EXIT_LINK, "%s: %s", m->what, log + 2);
}

/*
 * May a default be left out because of this errno? Yes if the kernel has no such
 * file system, or does not permit a new one. That is reported, except for /proc,
 * because the caller's /proc is shown in its place.
 */
static bool
left_out(const struct mount *m, const char *type)
{
	if (errno == ENODEV)
		say("%s: the kernel has no %s", m->what, type);
	else if (errno != EPERM && errno != EBUSY)
		return false;
	else if (m->silent)
		say("%s: left out", m->what);
	else if (m->kind != MOUNT_PROC)
		warn("%s: left out: mount %s", m->what, type);
	return true;
}

/*
 * Make a detached mount of a new file system of type, with m->fsopts (key=value
 * and flags, separated by commas). Returns its descriptor, or -1 if m is optional
 * and may be left out. Other errors end the program.
 */
int
mount_fs(const struct mount *m, const char *type)
{
	const char *cursor = m->fsopts;
	char option[256], *equals;
	int fs, fd;

	if ((fs = sys_fsopen(type, FSOPEN_CLOEXEC)) == -1) {
		if (!m->optional || !left_out(m, type))
			mount_failed(m, type);
		return -1;
	}
	while (value_field(&cursor, ',', option, sizeof(option)) == 1) {
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
		if (!m->optional || !left_out(m, type))
			fs_failed(m, fs, type);
		fd = -1;
	}
	close(fs);
	return fd;
}

/*
 * Open m's place below root. If it is missing, it is made, of type S_IFDIR or
 * S_IFREG. With type 0 it is not made: if it is missing, the program ends, or if
 * m is optional, -1 is returned. The root itself cannot be a place: the mount
 * would hide the new root from us.
 */
int
mount_place(const struct mount *m, int root, mode_t type)
{
	struct stat place, top;
	uint64_t place_id, top_id;
	int fd;

	fd = type != 0 ? path_make(root, m->dst, type) :
	    path_open(root, m->dst, O_PATH);
	if (fd == -1) {
		if (m->optional && type == 0 &&
		    (errno == ENOENT || errno == ENOTDIR))
			return -1;
		if (m->optional)
			err(EXIT_LINK, "%s", m->dst);
		err(EXIT_LINK, "%s: %s%s", m->what, m->src != NULL ? "place " :
		    "", m->dst);
	}
	if (fstat(fd, &place) == -1 || fstat(root, &top) == -1 ||
	    mountid_get(fd, &place_id) == -1 || mountid_get(root, &top_id) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (place_id == top_id && place.st_ino == top.st_ino)
		errx(EXIT_LINK, "%s: %s is the root itself", m->what, m->dst);
	return fd;
}

/* The kernel mounts a directory only on a directory, and a file only on a file. */
static void
same_type(const struct mount *m, int fd, int place)
{
	struct stat what, where;

	if (fstat(fd, &what) == -1 || fstat(place, &where) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (S_ISDIR(what.st_mode) && !S_ISDIR(where.st_mode))
		errx(EXIT_LINK, "%s: a directory cannot be mounted on the file "
		    "%s", m->what, m->dst);
	if (!S_ISDIR(what.st_mode) && S_ISDIR(where.st_mode))
		errx(EXIT_LINK, "%s: a file cannot be mounted on the directory "
		    "%s", m->what, m->dst);
}

/*
 * Attach the detached mount fd at m's place below root (mount_place()). Returns
 * false if there is no place.
 */
bool
mount_attach(const struct mount *m, int fd, int root, mode_t type)
{
	int place;

	if ((place = mount_place(m, root, type)) == -1)
		return false;
	same_type(m, fd, place);
	if (sys_move_mount(fd, "", place, "", MOVE_MOUNT_F_EMPTY_PATH |
		MOVE_MOUNT_T_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: mount at %s", m->what, m->dst);
	close(place);
	return true;
}

/* Say what was done, for -v, or what would be done, for -N. */
void
mount_describe(const struct mount *m)
{
	const char *fs = kinds[m->kind].fstype;

	if (m->kind == MOUNT_MASK)
		say("mask %s", m->dst);
	else if (m->kind == MOUNT_RO)
		say("make %s read-only", m->dst);
	else if (m->kind == MOUNT_DIR)
		say("make the directory %s, mode %o", m->dst,
		    (unsigned int)m->mode);
	else if (m->kind == MOUNT_LINK)
		say("make the symlink %s to %s", m->dst, m->src);
	else
		say("mount %s%s at %s%s%s%s%s%s%s%s%s%s%s",
		    m->kind == MOUNT_FILE ? "the contents of descriptor " :
		    m->kind == MOUNT_TEXT ? "the text " : "",
		    fs != NULL ? fs : m->src, m->dst != NULL ? m->dst : "/",
		    m->attrs & MOUNT_ATTR_RDONLY ? " ro" : "",
		    m->attrs & MOUNT_ATTR_NOSUID ? " nosuid" : "",
		    m->attrs & MOUNT_ATTR_NODEV ? " nodev" : "",
		    m->attrs & MOUNT_ATTR_NOEXEC ? " noexec" : "",
		    m->rec ? " rec" : "", m->idmap ? " idmap" : "",
		    m->slave ? " slave" : "", m->try ? " try" : "",
		    m->fsopts != NULL && *m->fsopts != '\0' ? " " : "",
		    m->fsopts != NULL ? m->fsopts : "");
}

/* Does m have other attributes than the defaults of its kind? */
bool
mount_has_options(const struct mount *m)
{
	return m->attrs != kinds[m->kind].attrs;
}
