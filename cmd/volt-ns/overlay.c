/*
 * The root as an overlay. It takes only layers that are attached in the mount
 * namespace of the one who makes it, so they are put on the bench: a tmpfs that
 * goes away with the old root. With overlay=tmpfs it takes the changes as well.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* A tmpfs for layers; with overlay=tmpfs it takes the changes as well. */
static int
bench_make(const struct ns *ns)
{
	char opts[] = "size=64K,mode=700";
	struct mount m = { .what = "bench", .fsopts = opts };
	int bench;

	if (ns->overlay.what != NULL && strcmp(ns->overlay.src, "tmpfs") == 0)
		m = ns->overlay;
	bench = mount_fs(&m, "tmpfs");
	if (sys_move_mount(bench, "", AT_FDCWD, ns->staged ? STAGE_BENCH :
		"/dev", MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: /dev", m.what);
	return bench;
}

/* Open the directory name below dir, made if it is missing. */
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
 * Write ",upperdir=...,workdir=..." for the place where changes go to opts. The root
 * directory of an overlay is that of its changes: a new one gets owner and mode
 * of the top layer's.
 */
static void
overlay_upper(const struct mount *m, int bench, int top, char *opts,
    size_t size)
{
	int dir = m->fd != -1 ? m->fd : bench;
	bool made = mkdirat(dir, "upper", 0700) == 0;
	int upper = subdirectory(m, dir, "upper");
	struct stat st;

	if (made && (fstat(top, &st) == -1 ||
	    /* An owner that this user namespace does not know stays ours. */
	    (fchownat(upper, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) == -1 &&
		errno != EPERM && errno != EINVAL) ||
	    fchmodat(dir, "upper", st.st_mode & 07777, 0) == -1))
		err(EXIT_LINK, "%s: upper", m->what);
	snprintf(opts, size,
	    ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", upper,
	    subdirectory(m, dir, "work"));
}

/*
 * The layers and what is on top of them, as one detached overlay. Layers are
 * named by descriptor, so that no path needs quoting and none is looked up
 * twice. What it opens stays open until exec.
 */
int
overlay_make(const struct ns *ns)
{
	struct mount m = { .what = ns->overlay.what, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	size_t i, n = ns->nlower + (ns->root.what != NULL);
	/* One fsconfig(2) string holds 255 bytes; more takes Linux 6.5. */
	const char *first = n > 12 ? "lowerdir+=" : "lowerdir=";
	const char *next = n > 12 ? ",lowerdir+=" : ":";
	char opts[NS_LAYERS * 40 + 128];
	const struct mount *layer;
	int bench = bench_make(ns);
	size_t len;

	if (ns->overlay.what != NULL)
		m.attrs = ns->overlay.attrs;
	else
		m.what = ns->lower[0].what;
	len = (size_t)sprintf(opts, "%s", (ns->flags & CLONE_NEWUSER) != 0 ?
	    "userxattr," : "");
	for (i = 0; i < n; i++) {
		layer = i < ns->nlower ? &ns->lower[i] : &ns->root;
		bench_attach(bench, layer->fd, layer->what);
		len += (size_t)sprintf(opts + len, "%s/proc/self/fd/%d",
		    i == 0 ? first : next, layer->fd);
	}
	if (ns->overlay.what != NULL && ns->overlay.fd != -1)
		bench_attach(bench, ns->overlay.fd, ns->overlay.what);
	if (ns->overlay.what != NULL)
		overlay_upper(&ns->overlay, bench,
		    ns->nlower > 0 ? ns->lower[0].fd : ns->root.fd,
		    opts + len, sizeof(opts) - len);
	m.fsopts = opts;
	return mount_fs(&m, "overlay");
}
