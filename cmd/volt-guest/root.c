/*
 * The root of a guest: a disk or the initramfs itself. With overlay= an overlay is
 * mounted over it, with its upper directory in memory or on a disk.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "inside.h"
#include "kfile.h"
#include "netns.h"
#include "value.h"

#define ROOT "/" GUEST_ROOT
#define LOWER "/" GUEST_LOWER
#define UPPER "/" GUEST_UPPER
#define REGION "/sys/bus/nd/devices/region%u/read_only"

static int over_fd = -1;	/* the file system of the upper directory */

static bool
is_node(void *path)
{
	return access(path, F_OK) == 0;
}

/*
 * Files of pmem=: let the kernel know that they cannot be written. It makes pmem0 from
 * region0 and so on, in the background.
 */
static void
close_regions(const struct guest_words *w)
{
	char path[64];
	uint64_t n = 0, i;

	if (w->pmems != NULL && value_uint(w->pmems, 64, &n) == -1)
		err(EXIT_LINK, "pmem=");
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), REGION, (unsigned int)i);
		if (!boot_wait(is_node, path))
			errx(EXIT_LINK, "pmem=: the kernel has no driver for it, or none "
			    "in modules=");
		if (kfile_write(AT_FDCWD, path, "1") == -1)
			err(EXIT_LINK, "%s", path);
	}
}

/* Mount it, by DAX if the kernel can do that with this file system. */
static int
mount_pmem(const char *path, const char *where, const char *type)
{
	if (mount(path, where, type, MS_RDONLY, "dax") == 0)
		return 0;
	return mount(path, where, type, MS_RDONLY, NULL);
}

static void
mount_disk(const char *key, const char *word, const char *where)
{
	struct guest_disk d;
	char path[sizeof("/dev/") + sizeof(d.dev)];
	unsigned long flags;
	const char *type;
	bool share;

	if (guest_disk_parse(&d, word) == -1)
		err(EXIT_LINK, "%s=%s", key, word);
	type = d.type[0] != '\0' ? d.type : GUEST_TYPE;
	share = strcmp(type, GUEST_SHARE_TYPE) == 0;
	snprintf(path, sizeof(path), "%s%s",
	    share || d.dev[0] == '/' ? "" : "/dev/", d.dev);
	flags = d.ro || strcmp(type, "erofs") == 0 ||
	    strcmp(type, "squashfs") == 0 ? MS_RDONLY : 0;
	if (share)
		flags |= MS_NODEV;
	else /* If the disk does not appear, mount(2) fails and reports it. */
		may_fail(boot_wait(is_node, path));
	if (strncmp(path, "/dev/pmem", 9) == 0 && mount_pmem(path, where, type) == 0)
		return;
	/* A disk that cannot be written is mounted read-only. */
	if (mount(path, where, type, flags, NULL) == -1 &&
	    ((errno != EROFS && errno != EACCES) || mount(path, where, type,
		flags | MS_RDONLY, NULL) == -1))
		err(EXIT_LINK, "%s=%s: mount as %s%s", key, d.dev, type,
		    d.type[0] != '\0' ? "" : ", the file system is unknown");
}

/* Mount the overlay. Its upper directory is on a tmpfs or a disk. */
static void
mount_overlay(const struct guest_words *w)
{
	const char *options = "lowerdir=" LOWER ",upperdir=" UPPER
	    "/upper,workdir=" UPPER "/work";

	if (strcmp(w->overlay, "tmpfs") == 0) {
		if (mount("tmpfs", UPPER, "tmpfs", 0, "mode=755") == -1)
			err(EXIT_LINK, "overlay=tmpfs");
	} else {
		mount_disk("overlay", w->overlay, UPPER);
		over_fd = open(UPPER, O_RDONLY | O_CLOEXEC);
	}
	if ((mkdir(UPPER "/upper", 0755) == -1 && errno != EEXIST) ||
	    (mkdir(UPPER "/work", 0755) == -1 && errno != EEXIST))
		err(EXIT_LINK, "overlay=%s", w->overlay);
	if (mount("overlay", ROOT, "overlay", 0, options) == -1)
		err(EXIT_LINK, "overlay=%s: mount", w->overlay);
}

/* Move a mount into the new root. Make the mount point if it is missing. */
static void
move_in(const char *from, const char *to)
{
	(void)mkdir(to, 0755);
	if (mount(from, to, NULL, MS_MOVE, NULL) == -1)
		err(EXIT_LINK, "the root has no %s to mount on",
		    to + strlen(ROOT));
}

/* Go on without it if the root lacks the directory, or the kernel the type. */
static void
mount_small(const char *type, const char *path, const char *options)
{
	(void)mkdir(path, 0755);
	if (mount(type, path, type, MS_NOSUID | MS_NOEXEC |
		(strcmp(type, "devpts") == 0 ? 0 : MS_NODEV), options) == -1 &&
	    errno != ENOENT && errno != ENOTDIR && errno != ENODEV)
		err(EXIT_LINK, "mount %s", path);
}

/* The symlinks that udev makes in /dev. */
static void
add_links(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" }, { "fd/0", "/dev/stdin" },
		{ "fd/1", "/dev/stdout" }, { "fd/2", "/dev/stderr" },
	};
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) == -1 && errno != EEXIST)
			err(EXIT_LINK, "%s", links[i][1]);
}

void
root_change(const struct guest_words *w)
{
	const char *lower = w->overlay != NULL ? LOWER : ROOT;

	close_regions(w);
	if (w->root != NULL)
		mount_disk("root", w->root, lower);
	else if (mount("/", lower, NULL, MS_BIND, NULL) == -1)
		err(EXIT_LINK, "bind the initramfs");
	if (w->overlay != NULL)
		mount_overlay(w);
	move_in("/proc", ROOT "/proc");
	move_in("/sys", ROOT "/sys");
	move_in("/dev", ROOT "/dev");
	/* pivot_root(2) refuses an initramfs: cover it, as switch_root(8) does. */
	if (chdir(ROOT) == -1 || mount(".", "/", NULL, MS_MOVE, NULL) ==
	    -1 || chroot(".") == -1 || chdir("/") == -1)
		err(EXIT_LINK, "change the root");

	mount_small("devpts", "/dev/pts", "mode=620,gid=5,ptmxmode=666");
	mount_small("tmpfs", "/dev/shm", "mode=1777");
	mount_small("tmpfs", "/run", "mode=755");
	mount_small("tmpfs", "/tmp", "mode=1777");
	mount_small("cgroup2", "/sys/fs/cgroup", "nsdelegate");
	add_links();
	/* A kernel may lack sockets, or the interface. */
	if (netns_loopback() == -1 && errno != ENOSYS &&
	    errno != EAFNOSUPPORT && errno != ENODEV)
		err(EXIT_LINK, "loopback");
}

/* Make a directory and those above it. One that is there may stay. */
static void
make_dirs(const char *path)
{
	char buf[PATH_MAX], *s;

	snprintf(buf, sizeof(buf), "%s", path);
	for (s = strchr(buf + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		(void)mkdir(buf, 0755);
		*s = '/';
	}
	(void)mkdir(buf, 0755);
}

/* Mount the shares, in the new root. */
void
root_shares(const struct guest_words *w)
{
	struct guest_share s;
	unsigned int i;

	for (i = 0; i < w->nshares; i++) {
		if (guest_share_parse(&s, w->share[i]) == -1)
			err(EXIT_LINK, "share=%s", w->share[i]);
		make_dirs(s.dst);
		if (mount(s.tag, s.dst, GUEST_SHARE_TYPE, MS_NOSUID | MS_NODEV |
			(s.ro ? MS_RDONLY : 0), NULL) == -1)
			err(EXIT_LINK, "share=: mount %s", s.dst);
	}
}

/* All processes have ended: leave the disks clean. */
void
root_leave(void)
{
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	if (over_fd != -1)
		(void)syncfs(over_fd);
	sync();
}
