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
	[MOUNT_MODE] = { .has_src = true, .has_dst = true },
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
	[MOUNT_MQUEUE] = { .fstype = "mqueue", .attrs = ATTR_KERNEL,
		.has_dst = true },
	[MOUNT_LAYERS] = { .fstype = "overlay", .attrs = ATTR_DEFAULT,
		.has_dst = true },
};

/* Parse an octal mode. Returns false if it is not valid. */
static bool
parse_mode(struct mount *m, const char *s)
{
	int mode = 0;

	if (*s == '\0')
		return false;
	for (; *s >= '0' && *s <= '7' && mode <= 07777; s++)
		mode = mode * 8 + (*s - '0');
	m->mode = mode;
	m->mode_given = true;
	return *s == '\0' && mode <= 07777;
}

/* Apply mode=OCTAL. Returns false if option is something else, or not valid. */
static bool
apply_mode(struct mount *m, const char *option)
{
	return strncmp(option, "mode=", strlen("mode=")) == 0 &&
	    kinds[m->kind].mode != 0 &&
	    parse_mode(m, option + strlen("mode="));
}

/*
 * Apply an option that only one kind of mount, or a few kinds, have. Returns false if
 * there is no such option.
 */
static bool
apply_own(struct mount *m, const char *name)
{
	const bool guards = m->kind == MOUNT_MASK || m->kind == MOUNT_RO;
	uint64_t bytes;

	if (strcmp(name, "try") == 0 && (guards || m->kind == MOUNT_BIND))
		return m->try = true;
	if (strcmp(name, "top") == 0 && m->kind == MOUNT_RO)
		return m->top = true;
	if (strcmp(name, "plain") == 0 &&
	    (m->kind == MOUNT_FILE || m->kind == MOUNT_TEXT))
		return m->plain = true;
	if (strncmp(name, "shm=", 4) == 0 && m->kind == MOUNT_DEV) {
		if (name[strlen(name) - 1] != '%' &&
		    value_size(name + 4, &bytes) == -1)
			return false;
		if ((m->shm = strdup(name + 4)) == NULL)
			err(EXIT_LINK, "%s", m->what);
		return true;
	}
	return false;
}

/* Apply an option of trust.h to an image. Returns false if it is another option. */
static bool
apply_trust(struct mount *m, const char *key, const char *value, const char *option)
{
	const char *wrong;

	if (m->kind != MOUNT_IMAGE || !trust_is_option(option))
		return false;
	if ((wrong = trust_set(&m->trust, option)) != NULL)
		word_bad(key, value, wrong);
	return true;
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

	if (apply_mode(m, name) || apply_own(m, name))
		return true;
	if (m->kind == MOUNT_MASK || m->kind == MOUNT_RO ||
	    m->kind == MOUNT_DIR || m->kind == MOUNT_LINK ||
	    m->kind == MOUNT_MODE)
		return false;
	/* Neither set the flag nor clear it. */
	if (strcmp(name, "samedev") == 0) {
		m->attrs &= ~(uint64_t)MOUNT_ATTR_NODEV;
		m->lifted &= ~(uint64_t)MOUNT_ATTR_NODEV;
		return kinds[m->kind].shows;
	}
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) == 0) {
			m->attrs |= options[i].set;
			m->attrs &= ~options[i].clear;
			m->lifted |= options[i].clear;
			m->lifted &= ~options[i].set;
			return true;
		}
	}
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
	const char *wrong;
	char option[256];
	uint64_t bytes;
	size_t len;

	if ((m->fsopts = malloc(size)) == NULL)
		err(EXIT_LINK, "%s", m->what);
	len = (size_t)snprintf(m->fsopts, size, "%s",
	    kinds[m->kind].fsopts != NULL ? kinds[m->kind].fsopts : "");
	while (value_field(&list, ',', option, sizeof(option)) == 1) {
		if (apply_trust(m, key, value, option) || apply_option(m, option))
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
	wrong = trust_check(&m->trust, (m->attrs & MOUNT_ATTR_RDONLY) == 0);
	if (wrong != NULL)
		word_bad(key, value, wrong);
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

/* Parse fd:N in place of a source. Sets m->from to the caller's descriptor N. */
static void
take_descriptor(struct mount *m, const char **cursor, const char *key)
{
	const char *rest = *cursor;
	char number[16];
	uint64_t n;

	/* If a place follows, with "/" in front, the source is a directory "fd". */
	if (value_field(&rest, ':', number, sizeof(number)) != 1 ||
	    value_uint(number, INT_MAX, &n) == -1)
		return;
	*cursor = rest;
	m->from = word_fd(key, number);
	free(m->src);
	if ((m->src = strdup(number)) == NULL)
		err(EXIT_LINK, "%s", m->what);
}

#define LAYER_SIZE 32	/* bytes of "size=" and its value */

/* Make a directory of an overlay. */
static struct mount *
layer_new(const struct mount *m, enum mount_kind kind, const char *path)
{
	struct mount *layer;

	if ((layer = malloc(sizeof(*layer))) == NULL)
		err(EXIT_LINK, "%s", m->what);
	*layer = (struct mount){ .kind = kind, .what = m->what, .fd = -1,
		.from = -1, .attrs = kinds[kind].attrs,
		.src = strdup(path) };
	if (layer->src == NULL)
		err(EXIT_LINK, "%s", m->what);
	return layer;
}

/*
 * Parse one field after the place of layers=: a directory, upper=, work= or size=.
 * Returns what is wrong, or NULL.
 */
static const char *
take_layer(struct mount *m, const char *field, char size[static LAYER_SIZE])
{
	struct layers *l = m->layers;
	uint64_t bytes;

	if (strncmp(field, "upper=", 6) == 0) {
		l->changes = layer_new(m, MOUNT_OVERLAY, field + 6);
		return field[6] == '\0' ? "no directory" : NULL;
	}
	if (strncmp(field, "work=", 5) == 0) {
		if ((l->work = strdup(field + 5)) == NULL)
			err(EXIT_LINK, "%s", m->what);
		return field[5] == '\0' ? "no directory" : NULL;
	}
	if (strncmp(field, "size=", 5) == 0) {
		if (strlen(field) >= LAYER_SIZE || (value_size(field + 5, &bytes) ==
			-1 && field[strlen(field) - 1] != '%'))
			return WORD_NO_SIZE;
		strcpy(size, field);
		return NULL;
	}
	if (*field == '\0')
		return "no directory";
	if ((l->n & (l->n - 1)) == 0 && (l->lower = realloc(l->lower,
	    (l->n == 0 ? 1 : l->n * 2) * sizeof(struct mount *))) == NULL)
		err(EXIT_LINK, "%s", m->what);
	l->lower[l->n++] = layer_new(m, MOUNT_LOWER, field);
	return NULL;
}

/* Parse LAYER[:LAYER...][:upper=tmpfs|DIR[:work=DIR]][:size=SIZE]. The first is on top. */
static void
parse_layers(struct mount *m, const char *key, const char *value,
    const char *rest)
{
	struct layers *l = calloc(1, sizeof(*l));
	char field[PATH_MAX + 8], size[LAYER_SIZE] = "";
	const char *wrong;
	bool in_memory;

	if (l == NULL)
		err(EXIT_LINK, "%s", m->what);
	m->layers = l;
	*l = (struct layers){ .what = m->what, .attrs = m->attrs };
	while (value_field(&rest, ':', field, sizeof(field)) == 1)
		if ((wrong = take_layer(m, field, size)) != NULL)
			word_bad(key, value, wrong);
	if (errno != 0)
		word_bad(key, value, "too long");
	if (l->n == 0)
		word_bad(key, value, "no layer");
	in_memory = l->changes != NULL && strcmp(l->changes->src, "tmpfs") == 0;
	if (in_memory ? l->work != NULL : *size != '\0')
		word_bad(key, value, in_memory ? "a tmpfs has its own work=" :
		    "size= is for upper=tmpfs");
	if (l->changes == NULL && l->work != NULL)
		word_bad(key, value, "work= needs upper=");
	if (l->changes == NULL) {
		l->attrs |= MOUNT_ATTR_RDONLY;
		if (l->n == 1)
			word_bad(key, value, "one layer without upper= is a bind=");
	} else if (l->work != NULL) {
		l->upper = l->changes->src;
		l->changes->rec = true;
	} else if (in_memory) {
		l->changes->fsopts = strdup(*size != '\0' ? size :
		    kinds[MOUNT_OVERLAY].fsopts);
		if (l->changes->fsopts == NULL)
			err(EXIT_LINK, "%s", m->what);
	}
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
	*m = (struct mount){ .kind = kind, .what = what, .fd = -1, .from = -1,
		.attrs = kinds[kind].attrs, .mode = (int)kinds[kind].mode,
		.rec = kind == MOUNT_ROOT };
	if (kinds[kind].has_src) {
		m->src = take_field(&cursor, key, value);
		if (*m->src == '\0' && kind != MOUNT_TEXT)
			word_bad(key, value, "no source");
		if (kind == MOUNT_MODE && !parse_mode(m, m->src))
			word_bad(key, value, "not an octal mode");
		if ((kind == MOUNT_BIND || kind == MOUNT_ROOT) &&
		    strcmp(m->src, "fd") == 0)
			take_descriptor(m, &cursor, key);
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
	if (kind == MOUNT_LAYERS)
		parse_layers(m, key, value, cursor);
	else
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
	*m = (struct mount){ .kind = kind, .fd = -1, .from = -1, .optional = true,
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
		{ "mqueue", EPERM, "in a user namespace new message queues need -i" },
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
 * The mode of the directories that are made on the way to m. If m's mode denies all
 * access to the group or to others, these directories deny it too.
 */
mode_t
mount_way(const struct mount *m)
{
	mode_t way = 0755;

	if (kinds[m->kind].mode == 0 || !m->mode_given)
		return way;
	if ((m->mode & 070) == 0)
		way &= ~(mode_t)050;
	if ((m->mode & 07) == 0)
		way &= ~(mode_t)05;
	return way;
}

/* Is fd the root itself? An inode is the cheaper test, but only the mount is certain. */
static bool
is_root(const struct mount *m, int fd, int root)
{
	struct stat place, top;
	uint64_t place_id, top_id;

	if (fstat(fd, &place) == -1 || fstat(root, &top) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (place.st_ino != top.st_ino || place.st_dev != top.st_dev)
		return false;
	if (mountid_get(fd, &place_id) == -1 || mountid_get(root, &top_id) == -1)
		err(EXIT_LINK, "%s", m->what);
	return place_id == top_id;
}

/*
 * Open m's place below root. If it is missing, it is made, of type S_IFDIR or
 * S_IFREG. With type 0 it is not made: if it is missing, the program ends, or if
 * m is optional or has the option try, -1 is returned. The root itself cannot be a
 * place: the mount would hide the new root from us.
 */
int
mount_place(const struct mount *m, int root, mode_t type)
{
	int fd;

	fd = type != 0 ? path_make_with(root, m->dst, type, mount_way(m),
	    type == S_IFDIR ? 0755 : 0444) : path_open(root, m->dst, O_PATH);
	if (fd == -1) {
		if ((m->optional || m->try) && type == 0 &&
		    (errno == ENOENT || errno == ENOTDIR)) {
			if (m->try)
				say("%s: left out: %s", m->what, strerror(errno));
			return -1;
		}
		if (m->optional)
			err(EXIT_LINK, "%s", m->dst);
		err(EXIT_LINK, "%s: %s%s", m->what, m->src != NULL ? "place " :
		    "", m->dst);
	}
	if (is_root(m, fd, root))
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
		say("make %s%s read-only", m->dst, m->top ? " alone" : "");
	else if (m->kind == MOUNT_DIR)
		say("make the directory %s, mode %o", m->dst,
		    (unsigned int)m->mode);
	else if (m->kind == MOUNT_LINK)
		say("make the symlink %s to %s", m->dst, m->src);
	else if (m->kind == MOUNT_MODE)
		say("give %s mode %o", m->dst, (unsigned int)m->mode);
	else if (m->plain)
		say("write %s, mode %o", m->dst, (unsigned int)m->mode);
	else if (m->kind == MOUNT_LAYERS)
		say("mount an overlay of %zu at %s%s", m->layers->n, m->dst,
		    m->layers->attrs & MOUNT_ATTR_RDONLY ? " ro" : "");
	else
		say("mount %s%s at %s%s%s%s%s%s%s%s%s%s%s%s%s%s",
		    m->kind == MOUNT_FILE ? "the contents of descriptor " :
		    m->from != -1 ? "descriptor " :
		    m->kind == MOUNT_TEXT ? "the text " : "",
		    fs != NULL ? fs : m->src, m->dst != NULL ? m->dst : "/",
		    m->attrs & MOUNT_ATTR_RDONLY ? " ro" : "",
		    m->attrs & MOUNT_ATTR_NOSUID ? " nosuid" : "",
		    m->attrs & MOUNT_ATTR_NODEV ? " nodev" : "",
		    m->attrs & MOUNT_ATTR_NOEXEC ? " noexec" : "",
		    m->rec ? " rec" : "", m->idmap ? " idmap" : "",
		    m->slave ? " slave" : "", m->try ? " try" : "",
		    m->trust.verity.len > 0 ? " verity" : "",
		    m->trust.sig != NULL ? " sig" : "",
		    m->trust.fsverity.len > 0 ? " fsverity" : "",
		    m->fsopts != NULL && *m->fsopts != '\0' ? " " : "",
		    m->fsopts != NULL ? m->fsopts : "");
}

/* Does m have other attributes than the defaults of its kind? */
bool
mount_has_options(const struct mount *m)
{
	return m->attrs != kinds[m->kind].attrs;
}
