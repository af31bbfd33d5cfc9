/*
 * The stage: how the mounts of a container come to be locked. Theory of
 * operation:
 *
 * The container's root must not undo what a word asked for. The kernel locks the
 * flags of a mount, and the mount itself over what it covers, when it copies the
 * mount into a mount namespace whose user namespace is less privileged
 * (mount_namespaces(7)). So the inner actor, which has the container's user
 * namespace, does not put the root together. A builder does, in a mount namespace
 * of its own: with the rights of the host's root, or for an ordinary caller in a
 * user namespace between the caller's and the container's.
 *
 * The builder's mount namespace has the stage, a shared tmpfs on /dev. The inner
 * actor's mount namespace is a copy, in which the stage is a slave of the
 * builder's. The inner actor makes the file systems that belong to its own
 * namespaces, such as /proc, and sends them to the builder as detached mounts. The
 * builder attaches all mounts at their places, where the inner actor cannot see
 * them. At last it moves the root onto the stage by one move_mount(2). That
 * propagates to the inner actor's stage. There everything is locked except the
 * mount of the root itself. The inner actor enters the root by pivot_root(2).
 *
 * The toolbox is on the stage before the inner actor starts, and is locked in the
 * same way: a clone of a locked mount keeps its locks.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "say.h"
#include "sys.h"
#include "toolbox.h"

/* Does the user namespace need the mounts to be locked? */
bool
stage_needed(const struct ns *ns)
{
	const int both = CLONE_NEWUSER | CLONE_NEWNS;

	return (ns->flags & both) == both && !root_is_plain(ns);
}

/* Put the programs and files that the next link needs on the stage. */
static void
toolbox_put(struct ns *ns, int stage)
{
	int i, came;

	for (i = 0; i < TOOLBOX_PARTS; i++)
		ns->toolbox[i] = -1;
	if (!ns->link)
		return;
	if ((came = toolbox_parts(ns->toolbox)) == -1)
		err(EXIT_LINK, "toolbox");
	if (came == 0) {
		for (i = 0; i < TOOLBOX_PARTS; i++)
			ns->toolbox[i] = -1;
		if (toolbox_clone(ns->toolbox) == -1)
			err(EXIT_LINK, "toolbox");
	}
	if (toolbox_attach(ns->toolbox, stage) == -1)
		err(EXIT_LINK, "toolbox");
}

/*
 * Open the caller's files that the plan shows, and make the stage. This comes
 * before the inner actor leaves our mount namespace.
 */
static void
stage_make(struct ns *ns, struct build *b)
{
	static const char *const names[] = { "root", "bench", "files",
		TOOLBOX_PLACES };
	static const struct mount_attr shared = {
		.propagation = SYS_PROPAGATION_SHARED,
	};
	char opts[] = "size=16K,mode=755";
	const struct mount m = { .what = "stage", .fsopts = opts, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	mode_t mask = umask(0);
	size_t i;
	int fd;

	root_open(ns, b);
	if (ns->between)
		ids_become_root(ns);
	fd = mount_fs(&m, "tmpfs");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (mkdirat(fd, names[i], 0755) == -1)
			err(EXIT_LINK, "stage: %s", names[i]);
	if (sys_move_mount(fd, "", AT_FDCWD, STAGE, MOVE_MOUNT_F_EMPTY_PATH) ==
	    -1 || sys_mount_setattr(fd, "", AT_EMPTY_PATH, &shared) == -1)
		err(EXIT_LINK, "stage: " STAGE);
	toolbox_put(ns, fd);
	b->stage = openat(fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->stage == -1)
		err(EXIT_LINK, "stage: root");
	close(fd);
	umask(mask);
	/* This also concerns the child's files. IDs may have changed above. */
	if (ns->between)
		ids_be_writable(ns);
}

/* Map the IDs of all sources that ask for it, as the user namespace does. */
static void
map_sources(struct ns *ns, int userns)
{
	struct mount *m;
	size_t i;

	for (i = 0; (m = source_layer(ns, i)) != NULL; i++)
		source_idmap(m, userns);
	for (i = 0; i < ns->nmounts; i++)
		source_idmap(&ns->mounts[i], userns);
}

static void
send_layer(const struct ns *ns, struct mount *m, int sock)
{
	(void)ns;
	talk_send(sock, m->fd);
}

static void
recv_layer(const struct ns *ns, struct mount *m, int sock)
{
	(void)ns;
	m->fd = talk_recv(sock);
}

/* Be the builder, with the inner actor at the other end of sock. */
static _Noreturn void
build(struct ns *ns, struct build *b, int sock)
{
	struct mount *m;
	char pid[16];
	size_t i;
	int userns;

	talk_heard(sock, pid, sizeof(pid));
	if (ns->between)
		idmap_write_same(ns, pid);
	else
		outer_map(ns, pid);
	if (!ns->between)
		idmap_learn(ns, pid, false);
	talk_send(sock, -1);
	userns = talk_recv(sock);
	map_sources(ns, userns);
	close(userns);
	for (i = 0; is_overlay(ns) && (m = source_layer(ns, i)) != NULL; i++)
		talk_send(sock, m->fd);
	source_each(ns, send_layer, sock);
	if (!ns->between)
		ids_act_as_root(ns);
	if (say_on)
		talk_wait(sock); /* keep the messages of both in order */
	b->inner = sock;
	root_build(ns, b);
	if (sys_move_mount(b->root, "", b->stage, "", MOVE_MOUNT_F_EMPTY_PATH |
		MOVE_MOUNT_T_EMPTY_PATH) == -1)
		err(EXIT_LINK, "stage: root");
	talk_send(sock, -1);
	_exit(0);
}

/* Make a socket pair. pair[0] is the end of the process that asks. */
static void
talk_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		err(EXIT_LINK, "socketpair");
}

/* Let the outer actor write the ID maps of the builder's namespace, or do it. */
static void
take_maps_between(struct ns *ns, int outer)
{
	if (!ns->between)
		return;
	ids_be_writable(ns);
	if (ns->served)
		outer_ask(outer);
	else
		outer_map(ns, "self");
	idmap_learn(ns, "self", true);
	userns_limit(ns);
}

/* In the builder: clone the inner actor. Returns 0, in the inner actor only. */
static pid_t
builder_run(struct ns *ns, const struct clone_args *args, int outer)
{
	struct build b = { .root = -1, .empty = -1, .inner = -1, .stage = -1 };
	struct clone_args inner = *args;
	struct pollfd parent = { .fd = outer, .events = POLLIN };
	int pair[2];
	pid_t pid;

	take_maps_between(ns, outer);
	stage_make(ns, &b);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		err(EXIT_LINK, "death signal");
	if (poll(&parent, 1, 0) == 1)
		_exit(EXIT_LINK); /* the outer actor is dead already */
	talk_pair(pair);
	/* It becomes our parent's child, so that our parent can wait for it. */
	inner.flags |= CLONE_PARENT;
	inner.exit_signal = 0;
	if ((pid = sys_clone3(&inner)) == -1)
		fail_namespaces(ns);
	if (pid != 0) {
		close(pair[0]);
		close(outer);
		build(ns, &b, pair[1]);
	}
	close(pair[1]);
	close(outer);
	ns->builder = pair[0];
	return 0;
}

/*
 * Do what clone3(2) does with args, but put the child in a copy of a builder's
 * mount namespace. pair connects the inner and the outer actor. In the outer actor
 * this closes pair[0]; the outer actor must then wait for the builder by
 * talk_ended(). Returns -1 and errno if namespaces cannot be made, and -1 and errno 0
 * if the builder has failed and has printed why.
 */
pid_t
stage_clone(struct ns *ns, const struct clone_args *args, int pair[2])
{
	const struct clone_args own = { .exit_signal = SIGCHLD, .flags =
	    CLONE_NEWNS | (ns->between ? (uint64_t)CLONE_NEWUSER : 0) };
	const int on = 1;
	int outer[2];
	pid_t builder, child;

	talk_pair(outer);
	if (setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ==
	    -1)
		err(EXIT_LINK, "socketpair");
	if ((builder = sys_clone3(&own)) == -1)
		return -1;
	if (builder == 0) {
		close(outer[1]);
		/* The builder waits for the ID maps only if we are the host's root. */
		if (ns->between || !ns->uidmap.waits)
			report_leave(ns);
		child = builder_run(ns, args, outer[0]);
		talk_send(pair[0], -1);
		return child;
	}
	talk_with(builder);
	close(outer[0]);
	close(pair[0]);
	if (ns->served)
		outer_serve(ns, outer[1]);
	child = talk_sender(pair[1]);
	close(outer[1]);
	if (child == -1) {
		may_fail(talk_ended()); /* we fail in any case */
		errno = 0;
	}
	return child;
}

/* Enter the namespaces ourselves, and leave a builder in a copy of the mounts. */
void
stage_unshare(struct ns *ns)
{
	const int first = CLONE_NEWNS | (ns->between ? CLONE_NEWUSER : 0);
	struct build b = { .root = -1, .empty = -1, .inner = -1, .stage = -1 };
	int pair[2];
	pid_t builder;

	if (unshare(first) == -1)
		fail_namespaces(ns);
	take_maps_between(ns, ns->outer);
	if (!talk_ended())
		exit(EXIT_LINK);
	stage_make(ns, &b);
	talk_pair(pair);
	if ((builder = sys_fork_silent()) == -1)
		err(EXIT_LINK, "builder");
	if (builder == 0) {
		close(pair[0]);
		build(ns, &b, pair[1]);
	}
	close(pair[1]);
	talk_with(builder);
	ns->builder = pair[0];
	if (unshare(ns->flags & ~CLONE_NEWTIME) == -1)
		fail_namespaces(ns);
}

/*
 * In the inner actor: wait for our ID maps, and take what the builder has for us:
 * the toolbox, and the layers of an overlay.
 */
void
stage_take(struct ns *ns)
{
	struct mount *m;
	size_t i;
	int userns;

	talk_hello(ns->builder);
	talk_wait(ns->builder);
	idmap_learn(ns, "self", true);
	if ((userns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/proc/self/ns/user");
	talk_send(ns->builder, userns);
	close(userns);
	if (ns->toolbox[0] != -1 && (toolbox_reopen(ns->toolbox, STAGE) == -1 ||
	    toolbox_announce(ns->toolbox) == -1))
		err(EXIT_LINK, "toolbox");
	for (i = 0; is_overlay(ns) && (m = source_layer(ns, i)) != NULL; i++)
		m->fd = talk_recv(ns->builder);
	source_each(ns, recv_layer, ns->builder);
}

/* How many file systems m is made of: a /dev has others below it. */
static size_t
parts_of(const struct mount *m)
{
	return m->kind == MOUNT_DEV ? NS_PARTS : 1;
}

/* Make the file systems of m, and send them to the builder. */
static void
supply(const struct ns *ns, const struct mount *m)
{
	struct parts p;
	size_t i;

	if (mount_fstype(m) == NULL)
		return;
	apply_make(ns, m, &p);
	for (i = 0; i < parts_of(m); i++) {
		talk_send(ns->builder, p.fd[i]);
		if (p.fd[i] != -1)
			close(p.fd[i]);
	}
}

/* The builder's side of supply(). */
void
stage_recv(int sock, const struct mount *m, struct parts *p)
{
	size_t i;

	for (i = 0; i < NS_PARTS; i++)
		p->fd[i] = i < parts_of(m) ? talk_recv(sock) : -1;
}

/* Must later mounts of the host show? If not, our mounts need not be slaves. */
static bool
has_slave(struct ns *ns)
{
	struct mount *m;
	size_t i;

	for (i = 0; (m = source_layer(ns, i)) != NULL; i++)
		if (m->slave)
			return true;
	for (i = 0; i < ns->nmounts; i++)
		if (ns->mounts[i].slave)
			return true;
	return !has_root(ns);
}

/*
 * In the inner actor: make the file systems of our namespaces for the builder, in
 * the order of root_build(), and enter the root that the builder makes.
 */
void
stage_fill(struct ns *ns)
{
	const struct mount_attr private = {
		.propagation = SYS_PROPAGATION_PRIVATE,
	};
	mode_t mask = umask(0);
	size_t i;
	int fd;

	if (say_on)
		talk_send(ns->builder, -1);
	if (is_overlay(ns) || ns->root.kind == MOUNT_EMPTY) {
		fd = is_overlay(ns) ? overlay_make(ns) :
		    mount_fs(&ns->root, "tmpfs");
		talk_send(ns->builder, fd);
		close(fd);
	}
	for (i = 0; i < ns->ndefaults; i++)
		supply(ns, &ns->defaults[i]);
	for (i = 0; i < ns->nmounts; i++)
		supply(ns, &ns->mounts[i]);
	talk_wait(ns->builder);
	if ((fd = open(STAGE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "stage: root");
	root_enter(ns, fd);
	if (!has_slave(ns) &&
	    sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private) == -1)
		err(EXIT_LINK, "make mounts private");
	close(fd);
	close(ns->builder);
	ns->builder = -1;
	may_fail(talk_ended()); /* it has done its work */
	umask(mask);
}
