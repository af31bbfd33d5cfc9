/*
 * Overlays, as the root or at a place. The kernel accepts a layer only if it is
 * attached in the mount namespace of the process that makes the overlay. So the
 * layers are attached on the bench: a tmpfs that is unmounted with the old root.
 * If the changes go to memory, the bench holds them as well.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "sys.h"

/* Attach fd, a layer, on a new directory of the bench. */
static void
bench_attach(int bench, int fd, const char *what)
{
	static unsigned int serial;
	char name[16];

	snprintf(name, sizeof(name), "%u", serial++);
	if (mkdirat(bench, name, 0700) == -1 ||
	    sys_move_mount(fd, "", bench, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: attach", what);
}

/* Do the changes go to memory? Then fsopts has the options of the tmpfs. */
static bool
in_memory(const struct mount *changes)
{
	return changes != NULL && strcmp(changes->src, "tmpfs") == 0;
}

/*
 * Make the bench: a tmpfs for layers, and for the changes if they go to memory.
 */
static int
bench_make(const struct ns *ns, const struct layers *l)
{
	char opts[] = "size=64K,mode=700";
	struct mount m = { .what = "bench", .fsopts = opts };
	int bench;

	if (in_memory(l->changes))
		m = *l->changes;
	/* ro makes the overlay read-only, but not the place for its changes. */
	m.attrs &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	bench = mount_fs(&m, "tmpfs");
	if (sys_move_mount(bench, "", AT_FDCWD, ns->staged ? STAGE_BENCH :
		"/dev", MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: /dev", m.what);
	return bench;
}

/* Open the directory name below dir. Make it if it is missing. */
static int
subdirectory(const struct mount *m, int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) == -1 && errno != EEXIST)
		err(EXIT_LINK, "%s: %s", m->what, name);
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		err(EXIT_LINK, "%s: %s", m->what, name);
	return fd;
}

/*
 * The options of an overlay. A directory is named by its descriptor's number.
 */
struct options {
	char *text;
	size_t len, size;
};

static void __attribute__((format(printf, 2, 3)))
add(struct options *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->text + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= o->size - o->len)
		errx(EXIT_LINK, "overlay: too many layers");
	o->len += (size_t)n;
}

/*
 * Add the options that say where changes go. The overlay's root directory is
 * that of its changes: a new one gets the owner and mode of the top layer's
 * root.
 */
static void
add_upper(const struct mount *m, int bench, int top, struct options *o)
{
	int dir = m->fd != -1 ? m->fd : bench;
	bool made = mkdirat(dir, "upper", 0700) == 0;
	int upper = subdirectory(m, dir, "upper");
	struct stat st;

	if (made && (fstat(top, &st) == -1 ||
	    /*
	     * If this user namespace does not map the owner, we stay the owner.
	     */
	    (fchownat(upper, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) == -1 &&
		errno != EPERM && errno != EINVAL) ||
	    fchmodat(dir, "upper", st.st_mode & 07777, 0) == -1))
		err(EXIT_LINK, "%s: upper", m->what);
	add(o, ",upperdir=%d,workdir=%d", upper, subdirectory(m, dir, "work"));
}

/* Does this kernel accept layers one by one (Linux 6.5)? */
static bool
takes_layers(void)
{
	int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
	bool takes;

	if (fs == -1)
		err(EXIT_LINK, "overlay");
	takes = sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", ".", 0) == 0;
	close(fs);
	return takes;
}

/*
 * Make the overlay by mount(2), on the bench: its options may be a page long.
 */
static int
mount_long(const struct mount *m, int bench, const char *options)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/merged", bench);
	if (mkdirat(bench, "merged", 0700) == -1 ||
	    mount("overlay", path, "overlay", m->attrs, options) == -1)
		mount_failed(m, "overlay");
	fd = sys_open_tree(bench, "merged", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC);
	if (fd == -1)
		err(EXIT_LINK, "%s", m->what);
	return fd;
}

/* Open a directory below that of changes, on the same mount. */
static int
below(const struct layers *l, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = sys_openat2(l->changes->fd, *path != '\0' ? path : ".", &how);

	if (fd == -1)
		err(EXIT_LINK, "%s: %s", l->what, path);
	return fd;
}

/* Attach the layers, and the directory for changes, on the bench. */
static void
bench_fill(const struct layers *l, int bench)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		bench_attach(bench, l->lower[i]->fd, l->what);
	if (l->changes != NULL && l->changes->fd != -1)
		bench_attach(bench, l->changes->fd, l->what);
}

/*
 * Make one detached overlay of the layers and of the place for changes. Layers
 * are named by descriptor, so that no path needs quoting and none is looked up
 * twice. What this function opens stays open until exec.
 */
int
overlay_layers(const struct ns *ns, const struct layers *l)
{
	struct mount m = { .what = l->what, .attrs = l->attrs };
	struct options o = { .size = l->n * 24 + 128 };
	/* A string of fsconfig(2) has at most 255 bytes. */
	const bool many = l->n * sizeof("123") > 200;
	const bool plus = many && takes_layers();
	const char *key = plus ? "lowerdir+=" : "lowerdir=";
	const char *next = plus ? ",lowerdir+=" : ":";
	int bench = bench_make(ns, l), cwd, fd;
	size_t i;

	bench_fill(l, bench);
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd == -1 || chdir("/proc/self/fd") == -1 ||
	    (o.text = malloc(o.size)) == NULL)
		err(EXIT_LINK, "%s", m.what);
	if (((ns->flags | ns->join_flags) & CLONE_NEWUSER) != 0)
		add(&o, "userxattr,");
	for (i = 0; i < l->n; i++)
		add(&o, "%s%d", i == 0 ? key : next, l->lower[i]->fd);
	if (l->work != NULL)
		add(&o, ",upperdir=%d,workdir=%d", below(l, l->upper),
		    below(l, l->work));
	else if (l->changes != NULL)
		add_upper(l->changes, bench, l->lower[0]->fd, &o);
	m.fsopts = o.text;
	fd = many && !plus ? mount_long(&m, bench, o.text) :
	    mount_fs(&m, "overlay");
	if (fchdir(cwd) == -1)
		err(EXIT_LINK, "%s", m.what);
	close(cwd);
	return fd;
}

/* Make the root, as one detached overlay. */
int
overlay_make(struct ns *ns)
{
	struct layers l = { .what = ns->overlay.what, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	const size_t n = ns->nlower + (ns->root.what != NULL);
	size_t i;
	int fd;

	if ((l.lower = calloc(n, sizeof(struct mount *))) == NULL)
		err(EXIT_LINK, "overlay");
	for (i = 0; i < n; i++)
		l.lower[i] = source_layer(ns, i);
	l.n = n;
	if (ns->overlay.what != NULL) {
		l.attrs = ns->overlay.attrs;
		l.changes = &ns->overlay;
	} else {
		l.what = ns->lower[0].what;
	}
	fd = overlay_layers(ns, &l);
	free(l.lower);
	return fd;
}
