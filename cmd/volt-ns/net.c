/*
 * What volt-net left for us: the network of our new namespace, and the files
 * that go with it (plug.h). The files are written to a tmpfs of our own and
 * bound over /etc/resolv.conf and /etc/hosts of the new root; it is attached
 * on the old root's /dev, like the bench, and goes with it.
 */
#include <linux/netlink.h>
#include <sys/socket.h>
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
#include "kfile.h"
#include "ns.h"
#include "path.h"
#include "plug.h"
#include "say.h"
#include "sys.h"

#define FILE_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | \
	MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/*
 * Before anything is done: is there a plug, and is it for us? A deferred one is
 * for the volt-ns with -n, the files of another for the one with a root.
 */
void
net_find(struct ns *ns)
{
	static struct plug_offer offer;
	bool makes = (ns->flags & CLONE_NEWNET) != 0;
	int sock;

	if ((sock = plug_find()) == -1 && errno == ENOENT)
		return;
	if (sock == -1 || plug_peek(sock, &offer) == -1)
		err(EXIT_LINK, PLUG_VARIABLE);
	if (offer.kind == PLUG_MADE && makes)
		errx(EXIT_LINK, "-n: volt-net has made the network already; "
		    "leave -n out, or defer it: volt-net -d");
	if (offer.kind == PLUG_DEFERRED ? !makes : !has_root(ns))
		return; /* perhaps for a later link */
	if (!has_root(ns) && (offer.flags & PLUG_FILES) != 0)
		errx(EXIT_LINK, "dns=, search= and hosts= of volt-net need a "
		    "root");
	if (fcntl(sock, F_SETFD, FD_CLOEXEC) == -1)
		err(EXIT_LINK, PLUG_VARIABLE);
	unsetenv(PLUG_VARIABLE);
	ns->plug = sock;
	ns->offer = &offer;
}

/* Have our new network namespace furnished by volt-net's host side. */
void
net_plug(struct ns *ns)
{
	int route;

	if (ns->plug == -1)
		return;
	/*
	 * Before there is an interface that could hear a router. Where /proc
	 * cannot be written the kernel's own defaults have to do.
	 */
	(void)kfile_write(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_ra",
	    "0");
	(void)kfile_write(AT_FDCWD,
	    "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (route == -1)
		err(EXIT_LINK, "netlink");
	if (plug_ask(ns->plug, route) == -1)
		err(EXIT_LINK, "the network of volt-net");
	say("network from volt-net");
	close(route);
	close(ns->plug);
	ns->plug = -1;
}

/* One file on the tmpfs dir, as the detached mount that m is to be. */
static void
file_open(struct mount *m, int dir, const char *name, const char *dst,
    const char *text)
{
	const struct mount_attr attr = { .attr_set = FILE_ATTRS };
	size_t len = strlen(text);
	int fd;

	if (len == 0)
		return;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, 0644) == -1)
		err(EXIT_LINK, "%s", dst);
	close(fd);
	*m = (struct mount){ .kind = MOUNT_BIND, .what = dst,
		.src = (char *)(uintptr_t)"volt-net's file",
		.dst = (char *)(uintptr_t)dst, .attrs = FILE_ATTRS };
	m->fd = sys_open_tree(dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (m->fd == -1 || sys_mount_setattr(m->fd, "", AT_EMPTY_PATH, &attr) ==
	    -1)
		err(EXIT_LINK, "%s", dst);
}

/* Make the files, while the old root is still "/". */
void
net_files_open(struct ns *ns)
{
	char opts[] = "size=64K,nr_inodes=8,mode=755";
	const struct mount m = { .what = "volt-net's files", .fsopts = opts,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		    MOUNT_ATTR_NOEXEC };
	int dir;

	if (ns->offer == NULL || !has_root(ns) ||
	    (*ns->offer->resolv == '\0' && *ns->offer->hosts == '\0'))
		return;
	dir = mount_fs(&m, "tmpfs");
	if (sys_move_mount(dir, "", AT_FDCWD, ns->staged ? STAGE_FILES : "/dev",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: /dev", m.what);
	file_open(&ns->files[0], dir, "resolv.conf", "/etc/resolv.conf",
	    ns->offer->resolv);
	file_open(&ns->files[1], dir, "hosts", "/etc/hosts", ns->offer->hosts);
	close(dir);
}

/*
 * Many images have /etc/resolv.conf as a link to a file that a running system
 * makes: then that file is the place. Returns the path to mount at.
 */
static char *
place_of(int root, char *dst)
{
	static char path[PATH_MAX + 8];
	char target[PATH_MAX];
	ssize_t n;
	int fd;

	if ((fd = path_open(root, dst, O_PATH)) != -1) {
		close(fd);
		return dst;
	}
	if (errno != ENOENT ||
	    (fd = path_open(root, dst, O_PATH | O_NOFOLLOW)) == -1)
		return dst;
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	close(fd);
	if (n <= 0)
		return dst;
	target[n] = '\0';
	snprintf(path, sizeof(path), "%s%s", target[0] == '/' ? "" : "/etc/",
	    target);
	return path;
}

/* Bind them over those of the new root, whose own stay as they are. */
void
net_files_apply(struct ns *ns, struct build *b)
{
	size_t i;

	for (i = 0; i < NS_FILES; i++) {
		if (ns->files[i].what == NULL)
			continue;
		ns->files[i].dst = place_of(b->root, ns->files[i].dst);
		apply_mount(ns, &ns->files[i], b);
	}
}
