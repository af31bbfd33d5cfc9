/*
 * What volt-net offers by its plug (plug.h): the network of our new namespace,
 * and the files that belong to it. The files are bound over /etc/resolv.conf
 * and /etc/hosts of the new root (files.c).
 */
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "netns.h"
#include "ns.h"
#include "path.h"
#include "plug.h"
#include "say.h"
#include "sys.h"

#define FILE_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | \
	MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/*
 * Before anything is done, find out whether there is a plug for us. A deferred
 * volt-net is for the volt-ns with -n. If volt-net has made the network, its
 * files are for the volt-ns with a root.
 */
void
net_find(struct ns *ns)
{
	static struct plug_offer offer;
	bool makes = (ns->flags & CLONE_NEWNET) != 0;
	int sock;

	sock = plug_find();
	if (sock == -1 && (errno == ENOENT || (!makes && !has_root(ns))))
		return; /* there is none, or it does not concern us */
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

/*
 * Bring up the loopback interface of the new network namespace. Then let
 * volt-net's helper on the host do the rest.
 */
void
net_plug(struct ns *ns)
{
	const char *path;
	int route;

	if (netns_loopback() == -1)
		err(EXIT_LINK, "loopback");
	if (ns->plug == -1)
		return;
	/*
	 * Do this before there is an interface that could receive from a
	 * router.
	 */
	if (netns_settings(&path) == -1)
		warn("%s stays as it is", path);
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

static void
file_open(struct mount *m, int dir, const char *name, const char *dst,
    const char *text)
{
	if (*text == '\0')
		return;
	*m = (struct mount){ .kind = MOUNT_TEXT, .what = dst, .mode = 0644,
		.src = (char *)(uintptr_t)text,
		.dst = (char *)(uintptr_t)dst, .attrs = FILE_ATTRS };
	files_write(m, dir, name, -1);
	m->kind = MOUNT_BIND;
	m->src = (char *)(uintptr_t)"volt-net's file";
}

/* Make the files of the offer in dir. */
void
net_files_open(struct ns *ns, int dir)
{
	if (ns->offer == NULL || !has_root(ns))
		return;
	file_open(&ns->files[0], dir, "resolv.conf", "/etc/resolv.conf",
	    ns->offer->resolv);
	file_open(&ns->files[1], dir, "hosts", "/etc/hosts", ns->offer->hosts);
}

/*
 * Open the place for m. In many images /etc/resolv.conf is a symlink to a file
 * that a running system makes, below /run. We cover the symlink itself, so that
 * no later mount on /run hides our file.
 */
static int
place_of(const struct mount *m, int root)
{
	int fd = path_open(root, m->dst, O_PATH | O_NOFOLLOW);

	if (fd == -1 && errno == ENOENT)
		fd = path_make(root, m->dst, S_IFREG);
	if (fd == -1)
		err(EXIT_LINK, "%s", m->dst);
	return fd;
}

/* Bind the files over those of the new root, which are not changed. */
void
net_files_apply(struct ns *ns, struct build *b)
{
	const struct mount *m;
	int place;

	for (m = ns->files; m < ns->files + NS_FILES; m++) {
		if (m->what == NULL)
			continue;
		place = place_of(m, b->root);
		if (sys_move_mount(m->fd, "", place, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
		    -1)
			err(EXIT_LINK, "%s", m->dst);
		close(m->fd);
		close(place);
		mount_describe(m);
	}
}
