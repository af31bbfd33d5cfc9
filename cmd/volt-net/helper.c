/*
 * The helper on the host. It holds the sockets that own the forwards, until the
 * chain's process ends. With -d it waits before that for the namespace, and
 * makes the network.
 *
 * The helper is not a child of the chain's process, so that the command does
 * not find a child that it does not know. It has a session of its own, so that
 * ^C does not end it.
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
 * Fork twice. Returns true in the helper. In the chain's process, waits for the
 * first child and returns false.
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
		/* All signals stay blocked. await() reads SIGTERM. */
		return true;
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	if (sys_sigprocmask(SIG_SETMASK, &old, NULL) == -1)
		err(EXIT_LINK, "helper");
	return false;
}

/*
 * Give up all capabilities except CAP_NET_ADMIN, and make that one effective or
 * not. The helper needs it to forget connections. To hold sockets open, it needs
 * no capability.
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
 * Release the caller's directory and streams, and give up the capabilities. Keep
 * standard error until the forwards work. Returns the descriptor that replaces it
 * then.
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
 * Wait until the chain's process ends, a SIGTERM comes, or fd (unless it is -1) is
 * readable. Returns whether fd is readable. *told becomes true if a SIGTERM came.
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
 * Hold the forwards until the chain's process ends. Then close the socket that
 * owns the rules, forget the connections, and release the ports last: so no other
 * volt-net can forward these ports while we forget their connections. After a
 * SIGTERM, which systemd sends to all processes of a unit, forget nothing: the
 * chain may still be serving its clients.
 *
 * The kernel needs 10 ms or more to go through all connections. The chain does
 * not wait for that.
 */
static _Noreturn void
hold(struct net *net, int chain, int errors)
{
	const struct forwards *fs = &net->plan->forwards;
	bool told;

	if (track_forget(fs, &net->lease, false, &net->track, &net->route) ==
	    -1)
		warn("port=: old connections still go where they went before");
	dup2(errors, STDERR_FILENO);
	set_rights(false);
	(void)await(chain, -1, &told);
	close(net->nft.fd);
	set_rights(true);
	/* Nobody reads an error now. The kernel forgets them later by itself. */
	if (!told)
		may_fail(track_forget(fs, &net->lease, true, &net->track,
		    &net->route));
	_exit(0);
}

/*
 * Close the caller's descriptors: a process may wait for the end of a pipe that we
 * would keep open. Ours are those that are close-on-exec.
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
 * Start a helper that holds the forwards while the chain's process is alive. It
 * sends a byte when it is ready. If none comes, the command does not start.
 */
void
helper_hold(struct net *net)
{
	int chain = pidfd_self();
	int home, errors, ready[2];
	char byte = 0;
	ssize_t n;

	/* We are in the chain's namespace. The helper must not keep that alive. */
	if ((home = plug_namespace(net->route.fd)) == -1)
		err(EXIT_LINK, "host's namespace");
	if (pipe2(ready, O_CLOEXEC) == -1)
		err(EXIT_LINK, "helper");
	if (detach()) {
		/*
		 * With -t we are in the host's namespace already, and may not
		 * have the right to call setns(2).
		 */
		if (!net->plan->tap && setns(home, CLONE_NEWNET) == -1)
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
		errx(EXIT_LINK, "helper: it failed to hold the forwards");
	close(ready[0]);
	close(home);
	close(chain);
	close(net->nft.fd);
	say("helper holds the forwards");
}

/* Be the helper of -d: make the network when volt-ns asks for it by the plug. */
static _Noreturn void
serve(struct net *net, int plug, int chain)
{
	const struct forwards *fs = &net->plan->forwards;
	int home, route, errors;
	bool told;

	if ((home = plug_namespace(net->route.fd)) == -1)
		err(EXIT_LINK, "host's namespace");
	if (!await(chain, plug, &told))
		_exit(0);
	if ((route = plug_accept(plug, home)) == -1) {
		if (errno == ECONNRESET) /* closed without a request */
			_exit(0);
		if (errno == EEXIST)
			errx(EXIT_LINK, "plug: that is the host's own network "
			    "namespace");
		err(EXIT_LINK, "plug");
	}
	close(home);
	veth_attach(net, route);
	if (fs->n > 0)
		rules_forwards(fs, &net->lease, net->bridge.has6, &net->nft);
	errors = let_go();
	if (plug_answer(plug) == -1) {
		/* volt-ns has ended: remove what we made for it. */
		may_fail(iface_delete(&net->route, net->lease.name));
		_exit(EXIT_LINK);
	}
	close(plug);
	if (fs->n == 0)
		_exit(0);
	hold(net, chain, errors);
}

/* Start a helper that makes the network later. Returns the plug. */
int
helper_defer(struct net *net)
{
	static struct plug_offer offer;
	int chain = pidfd_self();
	int pair[2];

	offer.kind = PLUG_DEFERRED;
	dns_offer(net->plan, &offer);
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
