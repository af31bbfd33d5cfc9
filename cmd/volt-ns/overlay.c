/*
 * The root as an overlay. The kernel accepts a layer only if it is attached in
 * the mount namespace of the process that makes the overlay. So the layers are
 * attached on the bench: a tmpfs that is unmounted with the old root. With
 * overlay=tmpfs the bench holds the changes as well.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
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

/*
 * Make the bench: a tmpfs for layers, and for the changes with overlay=tmpfs.
 */
static int
bench_make(const struct ns *ns)
{
	char opts[] = "size=64K,mode=700";
	struct mount m = { .what = "bench", .fsopts = opts };
	int bench;

	if (ns->overlay.what != NULL && strcmp(ns->overlay.src, "tmpfs") == 0)
		m = ns->overlay;
	/* ro makes the root read-only, but not the place for its changes. */
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

/*
 * Make one detached overlay of the layers and of the place for changes. Layers
 * are named by descriptor, so that no path needs quoting and none is looked up
 * twice. What this function opens stays open until exec. It changes the working
 * directory.
 */
int
overlay_make(struct ns *ns)
{
	struct mount m = { .what = ns->overlay.what, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	const size_t n = ns->nlower + (ns->root.what != NULL);
	struct options o = { .size = n * 24 + 128 };
	const struct mount *layer;
	/* A string of fsconfig(2) has at most 255 bytes. */
	const bool many = n * sizeof("123") > 200;
	const bool plus = many && takes_layers();
	const char *key = plus ? "lowerdir+=" : "lowerdir=";
	const char *next = plus ? ",lowerdir+=" : ":";
	int bench = bench_make(ns);
	size_t i;

	if (ns->overlay.what != NULL)
		m.attrs = ns->overlay.attrs;
	else
		m.what = ns->lower[0].what;
	for (i = 0; (layer = source_layer(ns, i)) != NULL; i++)
		bench_attach(bench, layer->fd, layer->what);
	if (chdir("/proc/self/fd") == -1 || (o.text = malloc(o.size)) == NULL)
		err(EXIT_LINK, "%s", m.what);
	if ((ns->flags & CLONE_NEWUSER) != 0)
		add(&o, "userxattr,");
	for (i = 0; i < n; i++)
		add(&o, "%s%d", i == 0 ? key : next, source_layer(ns, i)->fd);
	if (ns->overlay.what != NULL)
		add_upper(&ns->overlay, bench, source_layer(ns, 0)->fd, &o);
	if (many && !plus)
		return mount_long(&m, bench, o.text);
	m.fsopts = o.text;
	return mount_fs(&m, "overlay");
}
