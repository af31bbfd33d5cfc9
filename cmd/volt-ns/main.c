/*
 * volt-ns: make or join namespaces, build the root, become the next command.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "notify.h"
#include "reopen.h"
#include "say.h"
#include "status.h"
#include "supervise.h"
#include "sys.h"
#include "toolbox.h"
#include "words.h"

#include "ns.h"

static void
describe_namespaces(const struct ns *ns)
{
	static const struct {
		int flag;
		const char *name;
	} names[] = {
		{ CLONE_NEWUSER, "user" }, { CLONE_NEWNS, "mount" },
		{ CLONE_NEWPID, "pid" }, { CLONE_NEWNET, "network" },
		{ CLONE_NEWUTS, "uts" }, { CLONE_NEWIPC, "ipc" },
		{ CLONE_NEWCGROUP, "cgroup" }, { CLONE_NEWTIME, "time" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((ns->flags & names[i].flag) != 0)
			say("new %s namespace", names[i].name);
}

/* In the new user namespace: let the outer actor write the ID maps, or write them. */
static void
take_maps(struct ns *ns)
{
	if ((ns->flags & CLONE_NEWUSER) == 0)
		return;
	if (ns->served)
		outer_ask(ns->outer);
	else
		outer_map(ns, "self");
	idmap_learn(ns, "self", true);
	may_fail(talk_ended()); /* it has done its work */
}

/*
 * There is no PID namespace: become the command ourselves. If something needs the
 * caller's privileges, a helper keeps them for that long.
 */
static _Noreturn void
run_here(struct ns *ns, char *argv[])
{
	int pair[2];
	pid_t helper;

	if (ns->served) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair) == -1 || (helper = sys_fork_silent()) == -1)
			err(EXIT_LINK, "helper");
		if (helper == 0) {
			close(pair[0]);
			outer_serve(ns, pair[1]);
			_exit(0);
		}
		close(pair[1]);
		ns->outer = pair[0];
		talk_with(helper);
	}
	if (ns->staged) {
		stage_unshare(ns);
	} else {
		if (ns->flags != 0 &&
		    unshare(ns->flags & ~CLONE_NEWTIME) == -1)
			fail_namespaces(ns);
		take_maps(ns);
	}
	inner_run(ns, argv);
}

struct start {
	struct ns *ns;
	struct clone_args args;
	int pair[2];	/* the inner actor's end, the outer one's */
};

static pid_t
start(struct supervise *s)
{
	struct start *st = s->ctx;
	pid_t pid = st->ns->staged ? stage_clone(st->ns, &st->args, st->pair) :
	    sys_clone3(&st->args);

	if (pid == -1 && errno == 0)
		supervise_exit(s, EXIT_LINK << 8, false); /* the builder printed why */
	if (pid == -1)
		fail_namespaces(st->ns);
	return pid;
}

/* In a delegated group, start the container in a group below it (payload.c). */
static void
choose_group(struct ns *ns, struct clone_args *args)
{
	int payload;

	if ((ns->flags & CLONE_NEWCGROUP) == 0 ||
	    (payload = payload_make(ns)) == -1)
		return;
	ns->late_cgroup = true;
	args->cgroup = (uint64_t)(unsigned int)payload;
	args->flags = (args->flags & ~(uint64_t)CLONE_NEWCGROUP) |
	    CLONE_INTO_CGROUP;
}

/* The child is the inner actor. We are the outer actor, and wait. */
static _Noreturn void
run_child(struct ns *ns, char *argv[])
{
	struct start st = { .ns = ns, .args = {
		.flags = (uint64_t)(unsigned int)(ns->flags & ~CLONE_NEWTIME),
		.exit_signal = SIGCHLD,
	} };
	struct supervise s = {
		.status_fd = ns->status_fd,
		.json = ns->json,
		.own_session = ns->new_session || ns->console == CONSOLE_PTY,
		.is_init = (ns->flags & CLONE_NEWPID) != 0,
		.sigterm = ns->stop_signal,
		.ctx = &st,
	};
	int pipes[3] = { -1, -1, -1 }, rc, wstatus, master = -1;
	static struct notify_relay relay;

	if ((rc = notify_split(&relay)) == -1)
		err(EXIT_LINK, "NOTIFY_SOCKET");
	s.relay = rc == 1 ? &relay : NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, st.pair) ==
	    -1)
		err(EXIT_LINK, "socketpair");
	if (ns->console == CONSOLE_PIPE)
		console_pipes(ns, pipes);
	choose_group(ns, &st.args);
	if (supervise_fork(&s, start) == 0) {
		ns->waited = true;
		report_leave(ns);
		close(st.pair[1]);
		ns->outer = st.pair[0];
		ns->parent = s.alive[0];
		if (!ns->staged) {
			if ((ns->flags & CLONE_NEWUSER) != 0)
				ids_be_writable(ns);
			take_maps(ns);
		}
		inner_run(ns, argv);
	}
	console_forked(ns);
	if (!ns->staged) {
		close(st.pair[0]);
		if (ns->served)
			outer_serve(ns, st.pair[1]);
	}
	if (ns->uidmap.waits)
		report_leave(ns); /* we or the builder have written to it */
	/* If a builder fails, the inner actor ends too, with the same status. */
	may_fail(talk_ended());
	if (ns->console == CONSOLE_PTY)
		master = console_recv(st.pair[1]);
	if (report_wanted(ns))
		report_child(ns, st.pair[1], s.child);

	rc = master != -1 || ns->console == CONSOLE_PIPE ?
	    pump_wait(master, pipes, &s, &wstatus) :
	    supervise_wait(&s, &wstatus);
	if (rc == -1)
		err(EXIT_LINK, "wait");
	/*
	 * The kernel says by SIGINT that PID 1 called reboot(2) to halt or to
	 * power off (pid_namespaces(7)). A SIGINT from outside does not kill it.
	 */
	if (s.is_init && WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGINT)
		wstatus = 0;
	supervise_exit(&s, wstatus, rc == 1);
}

/*
 * We need a child only for what we cannot do to ourselves: to enter a PID
 * namespace, to serve a pty or pipes, to report how the command ended, and to
 * leave a process group that we lead.
 */
static bool
must_wait(const struct ns *ns)
{
	return ((ns->flags | ns->join_flags) & CLONE_NEWPID) != 0 ||
	    ns->console != CONSOLE_NONE || ns->status_fd != -1 ||
	    ns->uidmap.waits ||
	    (ns->new_session && getpgrp() == getpid());
}

/*
 * May the command, or a program that it runs, be another user than we are? With a
 * root, its programs may change to users of their own.
 */
static bool
has_other_users(const struct ns *ns)
{
	return (ns->flags & CLONE_NEWUSER) != 0 || join_wanted(ns) ||
	    ns->id.uid_word != NULL || ns->id.user_word != NULL || has_root(ns);
}

/*
 * Let other users open our standard streams by name. If a pipe's mode cannot be
 * changed, that is no error: they can still use its descriptor.
 */
static void
allow_stdio(void)
{
	if (reopen_allow_stdio() == -1)
		say("a standard stream is a pipe that only its owner can "
		    "open: %s", strerror(errno));
}

/* Many mounts need many descriptors. inner_run() restores the command's limit. */
static void
raise_limit(struct ns *ns)
{
	struct rlimit most;

	if (ns->nmounts + ns->nlower < 64)
		return;
	if (getrlimit(RLIMIT_NOFILE, &ns->nofile) == -1)
		err(EXIT_LINK, "limit of descriptors");
	most = ns->nofile;
	most.rlim_cur = most.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &most) == -1)
		err(EXIT_LINK, "limit of descriptors");
}

/* Lock a toolbox that came with us, so that nobody inside can make it writable. */
static void
lock_toolbox(void)
{
	int here = toolbox_here();

	if (here == -1 || (here == 1 && toolbox_lock() == -1))
		err(EXIT_LINK, "toolbox");
}

int
main(int argc, char *argv[])
{
	static struct ns ns = {
		.umask = -1, .console = CONSOLE_NONE, .give_stdio = true,
		.status_fd = -1, .info_fd = -1, .wait_fd = -1,
		.userns_fd = -1, .outer = -1, .builder = -1,
		.parent = -1, .plug = -1,
	};
	bool wait;

	argv = words_parse(argc, argv, &ns_grammar, &ns);
	ns_check(&ns, *argv != NULL);
	if (ns.chdir != NULL && strcmp(ns.chdir, "keep") == 0)
		ns.cwd = getcwd(NULL, 0); /* NULL: it has no path */
	ns.link = *argv != NULL && chain_is_name(*argv);

	if (!ns.dry && ns.give_stdio && has_other_users(&ns))
		allow_stdio();
	if (join_wanted(&ns))
		join_enter(&ns, ns.link);
	describe_namespaces(&ns);
	root_plan(&ns);
	if ((ns.flags & CLONE_NEWUSER) != 0)
		idmap_plan(&ns);
	ns.staged = stage_needed(&ns);
	ns.between = ns.staged && (geteuid() != 0 || ns.userns_none);
	if (ns.userns_none)
		userns_check(&ns);
	ns.served = (ns.flags & CLONE_NEWUSER) != 0 &&
	    idmap_needs_outer(&ns) && ns.staged == ns.between;
	if (ns.dry) {
		root_describe(&ns);
		chain_dry(argv, has_root(&ns) ||
		    (ns.join_flags & CLONE_NEWNS) != 0,
		    (ns.flags & CLONE_NEWPID) != 0);
	}
	if (ns.die_with_parent &&
	    (ns.parent = supervise_die_with_parent()) == -1 && errno != 0)
		err(EXIT_LINK, "death signal");
	if ((ns.link || notify_is_wanted()) && has_root(&ns))
		notify_hand_on();
	if (ns.link && (ns.flags & CLONE_NEWUSER) != 0 && !ns.staged)
		lock_toolbox();
	raise_limit(&ns);
	net_find(&ns);
	wait = must_wait(&ns);
	if (ns.stop_signal != 0 && !wait)
		errx(EXIT_LINK, "stop= needs -p, console= or status=");
	if (wait)
		run_child(&ns, argv);
	run_here(&ns, argv);
}
