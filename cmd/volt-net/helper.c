/*
 * The helper on the host's side: it has nothing to do but to be there, with the
 * sockets that own the forwards, until the chain's process is gone; and before
 * that, where the network is deferred, to wait for its namespace.
 *
 * It is nobody's child, in a session of its own, so that the command does not
 * find a strange child and a ^C does not end it.
 */
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "say.h"
#include "sys.h"

#include "net.h"

/*
 * Fork twice. Returns true in the helper, false in the chain's process, once
 * the first child is gone.
 */
static bool
detach(void)
{
	const uint64_t all = UINT64_MAX;
	uint64_t old;
	pid_t pid;

	if (sys_sigprocmask(SIG_BLOCK, &all, &old) == -1 ||
	    (pid = fork()) == -1)
		err(EXIT_LINK, "helper");
	if (pid == 0) {
		setsid();
		if ((pid = outside_fork()) == -1)
			err(EXIT_LINK, "helper");
		if (pid != 0)
			_exit(0);
		prctl(PR_SET_DUMPABLE, 0);
		prctl(PR_SET_NAME, "volt-net-helper");
		/* Signals stay blocked: await() looks for one. */
		return true;
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	if (sys_sigprocmask(SIG_SETMASK, &old, NULL) == -1)
		err(EXIT_LINK, "helper");
	return false;
}

/*
 * The one capability that is of use to us, in effect or kept for later. To hold
 * sockets open takes none.
 */
static void
set_rights(bool effective)
{
	const cap_value_t admin = CAP_NET_ADMIN;
	cap_t caps = cap_init();

	if (caps == NULL ||
	    cap_set_flag(caps, CAP_PERMITTED, 1, &admin, CAP_SET) == -1 ||
	    (effective && cap_set_flag(caps, CAP_EFFECTIVE, 1, &admin,
		CAP_SET) == -1) || cap_set_proc(caps) == -1)
		err(EXIT_LINK, "helper: capabilities");
	cap_free(caps);
}

/*
 * Hold on to nothing of the caller's, its directory or its output but the
 * errors, nor to a right but one. Returns what stderr is to become.
 */
static int
let_go(void)
{
	int fd;

	if (chdir("/") == -1 ||
	    (fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 ||
	    dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		err(EXIT_LINK, "helper");
	set_rights(true);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(EXIT_LINK, "helper");
	return fd;
}

/*
 * Wait for the chain's process to end, for a SIGTERM, which ends us before it,
 * or, unless fd is -1, for something to read there. Returns whether that is it.
 */
static bool
await(int chain, int fd, bool *told)
{
	const uint64_t set = SYS_SIGBIT(SIGTERM);
	struct pollfd p[3] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = chain, .events = POLLIN },
		{ .fd = sys_signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN },
	};

	if (p[2].fd == -1)
		err(EXIT_LINK, "helper: signals");
	while (poll(p, 3, -1) == -1 && errno == EINTR)
		;
	close(p[2].fd);
	*told = (p[2].revents & POLLIN) != 0;
	return (p[0].revents & POLLIN) != 0;
}

/*
 * Hold the forwards until the chain's process ends. Then the rules go first,
 * with the socket that owns them, and the ports last: nobody can have forwarded
 * them anew while we forget whom they were forwarded to. A SIGTERM is sent to
 * all of a unit that is to stop: whom the chain still serves is not forgotten.
 *
 * To look through all connections takes the kernel some 10 ms or more: the
 * chain does not wait for that.
 */
static _Noreturn void
hold(struct net *net, int chain, int errors)
{
	bool told;

	if (track_forget(net, false) == -1)
		warn("port=: connections of before go on to where they went");
	dup2(errors, STDERR_FILENO);
	set_rights(false);
	(void)await(chain, -1, &told);
	close(net->nft.fd);
	set_rights(true);
	/* Who could be told of an error is gone; they end by themselves, later. */
	if (!told)
		may_fail(track_forget(net, true));
	_exit(0);
}

/*
 * Descriptors that are not ours: a pipe that somebody waits on must not stay
 * open with us. What we opened closes on exec; what we were handed does not.
 */
static void
close_inherited(void)
{
	struct dirent *e;
	int fd, flags;
	DIR *dir;

	if ((dir = opendir("/proc/self/fd")) == NULL)
		err(EXIT_LINK, "helper: /proc/self/fd");
	while ((errno = 0, e = readdir(dir)) != NULL) {
		fd = atoi(e->d_name); /* 0 of . and .. */
		if (fd <= STDERR_FILENO)
			continue;
		if ((flags = fcntl(fd, F_GETFD)) == -1)
			err(EXIT_LINK, "helper: descriptor %d", fd);
		if ((flags & FD_CLOEXEC) == 0)
			close(fd);
	}
	if (errno != 0)
		err(EXIT_LINK, "helper: /proc/self/fd");
	closedir(dir);
}

static int
pidfd_self(void)
{
	int fd;

	if ((fd = sys_pidfd_open(getpid(), 0)) == -1)
		err(EXIT_LINK, "pidfd");
	return fd;
}

/*
 * Leave a helper behind that holds the forwards while the chain lives. It says
 * by a byte that it does; without one there is no chain.
 */
void
helper_hold(struct net *net)
{
	int chain = pidfd_self();
	int home, errors, ready[2];
	char byte = 0;
	ssize_t n;

	/* The parent's own namespace is the chain's; do not keep that alive. */
	if ((home = plug_namespace(net->route.fd)) == -1)
		err(EXIT_LINK, "host's namespace");
	if (pipe2(ready, O_CLOEXEC) == -1)
		err(EXIT_LINK, "helper");
	if (detach()) {
		/* With -t it is ours, and no right to enter it is needed. */
		if (!net->tap && setns(home, CLONE_NEWNET) == -1)
			err(EXIT_LINK, "helper: host's namespace");
		close(home);
		close_inherited();
		errors = let_go();
		if (write(ready[1], &byte, 1) != 1)
			_exit(EXIT_LINK);
		close(ready[0]);
		close(ready[1]);
		hold(net, chain, errors);
	}
	close(ready[1]);
	while ((n = read(ready[0], &byte, 1)) == -1 && errno == EINTR)
		;
	if (n != 1)
		errx(EXIT_LINK, "helper: there is none to hold the forwards");
	close(ready[0]);
	close(home);
	close(chain);
	close(net->nft.fd);
	say("helper holds the forwards");
}

static _Noreturn void
serve(struct net *net, int plug, int chain)
{
	int home, route, errors;
	bool told;

	if ((home = plug_namespace(net->route.fd)) == -1)
		err(EXIT_LINK, "host's namespace");
	if (!await(chain, plug, &told))
		_exit(0);
	if ((route = plug_accept(plug, home)) == -1) {
		if (errno == ECONNRESET) /* nobody took it */
			_exit(0);
		if (errno == EEXIST)
			errx(EXIT_LINK, "plug: that is the host's own network "
			    "namespace");
		err(EXIT_LINK, "plug");
	}
	close(home);
	veth_attach(net, route);
	if (net->nforwards > 0)
		rules_forwards(net);
	errors = let_go();
	if (plug_answer(plug) == -1) {
		/* Nobody is there to use it, and what we made goes: */
		may_fail(link_delete(&net->route, net->lease.name));
		_exit(EXIT_LINK);
	}
	close(plug);
	if (net->nforwards == 0)
		_exit(0);
	hold(net, chain, errors);
}

/* Leave a helper behind that makes the network later. Returns the plug. */
int
helper_defer(struct net *net)
{
	static struct plug_offer offer;
	int chain = pidfd_self();
	int pair[2];

	offer.kind = PLUG_DEFERRED;
	dns_offer(net, &offer);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    plug_offer(pair[1], &offer) == -1)
		err(EXIT_LINK, "plug");
	if (detach()) {
		close(pair[0]);
		close_inherited();
		serve(net, pair[1], chain);
	}
	close(pair[1]);
	close(chain);
	say("deferred until a volt-ns -n asks for it");
	return pair[0];
}
