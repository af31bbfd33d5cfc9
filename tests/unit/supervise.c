/* supervise.c: the parent that waits. Each test is such a parent. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervise.h"
#include "sys.h"
#include "unit.h"

/* Long enough for a signal that should not come to come. */
#define SOON 200

static volatile sig_atomic_t seen;
static int ready[2];	/* a pipe: the child says when it is */

static void
on_signal(int signo)
{
	(void)signo;
	seen++;
}

static void
catch(int signo)
{
	struct sigaction sa = { .sa_handler = on_signal };

	CHECK_INT(sigaction(signo, &sa, NULL), 0);
}

/* From now on signals wait for the child's sigwait(): none comes too early. */
static void
block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Fork a child under s that runs f, whose value is its exit status. */
static void
start(struct supervise *s, int (*f)(void))
{
	CHECK_INT(supervise_begin(s), 0);
	CHECK((s->child = fork()) != -1);
	if (s->child == 0) {
		CHECK_INT(supervise_child(s), 0);
		_exit(f());
	}
	CHECK_INT(supervise_parent(s), 0);
}

static int
finish(struct supervise *s)
{
	int wstatus;

	CHECK_INT(supervise_wait(s, &wstatus), 0);
	close(s->sigfd);
	close(s->alive[1]);
	/* The next parent finds what this one did. */
	CHECK_INT(sys_sigprocmask(SIG_SETMASK, &s->old_mask, NULL), 0);
	return wstatus;
}

/* Send signo to pid in a moment, from a process of its own. */
static void
signal_soon(pid_t pid, int signo, int ms)
{
	pid_t sender = fork();

	CHECK(sender != -1);
	if (sender == 0) {
		unit_sleep_ms(ms);
		kill(pid, signo);
		_exit(0);
	}
}

static int
child_exits(void)
{
	return 42;
}

static int
child_dies(void)
{
	raise(SIGUSR1);
	return 1;
}

/* After block_all(): exits with the number of the signal that came first. */
static int
child_waits(void)
{
	sigset_t set;
	int signo;

	sigfillset(&set);
	CHECK_INT(sigwait(&set, &signo), 0);
	return signo;
}

static int
child_sleeps(void)
{
	for (int i = 0; i < 15; i++)
		unit_sleep_ms(1000);
	return 0;
}

static void
status_is_the_childs(void)
{
	struct supervise s = { 0 };
	int wstatus;

	start(&s, child_exits);
	wstatus = finish(&s);
	CHECK(WIFEXITED(wstatus));
	CHECK_INT(WEXITSTATUS(wstatus), 42);
	start(&s, child_dies);
	wstatus = finish(&s);
	CHECK(WIFSIGNALED(wstatus));
	CHECK_INT(WTERMSIG(wstatus), SIGUSR1);
}

static void
exit_codes(void)
{
	CHECK_INT(supervise_exit_code(UNIT_WAIT(0, 0)), 0);
	CHECK_INT(supervise_exit_code(UNIT_WAIT(255, 0)), 255);
	CHECK_INT(supervise_exit_code(UNIT_WAIT(0, SIGKILL)), 137);
	CHECK_INT(supervise_exit_code(UNIT_WAIT(0, SIGSEGV | 0x80)), 139);
}

static void
what_is_sent_is_forwarded(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1,
		SIGUSR2, SIGTERM, SIGALRM, SIGPIPE, SIGTSTP, SIGWINCH, 40, 64,
		/* also those that a fault raises, where somebody sends them */
		SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

	block_all();
	for (size_t i = 0; i < UNIT_COUNT(signals); i++) {
		struct supervise s = { 0 };

		start(&s, child_waits);
		signal_soon(getpid(), signals[i], 0);
		CHECK_INT(WEXITSTATUS(finish(&s)), signals[i]);
	}
}

static void
our_own_fault_is_not_blocked(void)
{
	struct supervise s = { 0 };
	int wstatus;
	pid_t pid;

	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		CHECK_INT(supervise_begin(&s), 0);
		__builtin_trap();
	}
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK(WIFSIGNALED(wstatus));
	CHECK(WTERMSIG(wstatus) == SIGILL || WTERMSIG(wstatus) == SIGTRAP);
}

static void
sigterm_may_mean_another(void)
{
	struct supervise s = { .sigterm = SIGUSR2 };

	block_all();
	start(&s, child_waits);
	signal_soon(getpid(), SIGTERM, 0);
	CHECK_INT(WEXITSTATUS(finish(&s)), SIGUSR2);
}

/* As with a signal that came between the fork and the wait. */
static void
no_signal_is_lost_before_the_wait(void)
{
	struct supervise s = { 0 };

	block_all();
	CHECK_INT(supervise_begin(&s), 0);
	kill(getpid(), SIGUSR1);
	CHECK((s.child = fork()) != -1);
	if (s.child == 0)
		_exit(child_waits());
	CHECK_INT(supervise_parent(&s), 0);
	CHECK_INT(WEXITSTATUS(finish(&s)), SIGUSR1);
}

static void
the_child_has_the_callers_mask(void)
{
	struct supervise s = { 0 };
	sigset_t mask;
	int wstatus;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	CHECK_INT(supervise_begin(&s), 0);
	if ((s.child = fork()) == 0) {
		CHECK_INT(supervise_child(&s), 0);
		sigprocmask(SIG_SETMASK, NULL, &mask);
		_exit(sigismember(&mask, SIGUSR2) &&
		    !sigismember(&mask, SIGUSR1) &&
		    !sigismember(&mask, SIGTERM) ? 0 : 1);
	}
	CHECK_INT(supervise_parent(&s), 0);
	wstatus = finish(&s);
	CHECK_INT(wstatus, 0);
}

static int
child_has_chld_ignored(void)
{
	struct sigaction sa;

	sigaction(SIGCHLD, NULL, &sa);
	return sa.sa_handler == SIG_IGN ? 3 : 4;
}

static void
sigchld_ignored_by_the_caller(void)
{
	struct supervise s = { 0 };

	signal(SIGCHLD, SIG_IGN);
	start(&s, child_has_chld_ignored);
	CHECK_INT(WEXITSTATUS(finish(&s)), 3);
}

/* Orphans of the child are ours, and none stays a zombie. */
static int
child_leaves_orphans(void)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe(ends) == -1)
		return 1;
	for (int i = 0; i < 20; i++) {
		if ((pid = fork()) == 0) {
			if (fork() == 0)
				unit_sleep_ms(10);
			_exit(9);
		}
		waitpid(pid, NULL, 0);
	}
	/* The end of the file: all of them have ended. */
	close(ends[1]);
	while (read(ends[0], &c, 1) != 0)
		;
	unit_sleep_ms(SOON);
	return 5;
}

static void
orphans_are_reaped(void)
{
	struct supervise s = { 0 };

	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	start(&s, child_leaves_orphans);
	CHECK_INT(WEXITSTATUS(finish(&s)), 5);
	CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
}

static int
child_stops_itself(void)
{
	raise(SIGSTOP);
	return 6;
}

/* In a process group of its own: wait to be killed. */
static int
child_leads_a_group(void)
{
	if (setpgid(0, 0) == -1)
		return 1;
	for (;;)
		pause();
}

/*
 * The second stop signal discards a SIGCONT that the parent has not read yet. It
 * stops all the same, each time.
 */
static void
stops_again_where_a_stop_signal_discards_sigcont(void)
{
	pid_t pid = fork();
	int i, wstatus;

	CHECK(pid != -1);
	if (pid == 0) {
		struct supervise s = { .to_group = true };

		start(&s, child_leads_a_group);
		(void)setpgid(s.child, s.child);
		_exit(supervise_exit_code(finish(&s)));
	}
	unit_sleep_ms(SOON);
	kill(pid, SIGTTOU);
	for (i = 0; i < 100; i++) {
		CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
		CHECK(WIFSTOPPED(wstatus));
		kill(pid, SIGCONT);
		kill(pid, SIGTTIN);
	}
	CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
	CHECK(WIFSTOPPED(wstatus));
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(wstatus, UNIT_WAIT(128 + SIGTERM, 0));
}

static void
stops_and_continues_with_the_child(void)
{
	pid_t pid = fork();
	int wstatus;

	CHECK(pid != -1);
	if (pid == 0) {
		struct supervise s = { 0 };

		start(&s, child_stops_itself);
		_exit(supervise_exit_code(finish(&s)));
	}
	CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
	CHECK(WIFSTOPPED(wstatus));
	kill(pid, SIGCONT);
	CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
	CHECK_INT(wstatus, UNIT_WAIT(6, 0));
}

/* SIGTERM must reach a command that is stopped, whatever it is passed on as. */
static void
terminate_stopped(int as)
{
	pid_t pid = fork();
	int wstatus;

	CHECK(pid != -1);
	if (pid == 0) {
		struct supervise s = { .sigterm = as };

		start(&s, child_stops_itself);
		_exit(supervise_exit_code(finish(&s)));
	}
	CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
	CHECK(WIFSTOPPED(wstatus));
	kill(pid, SIGTERM);
	kill(pid, SIGCONT); /* as systemd does */
	CHECK_INT(waitpid(pid, &wstatus, WUNTRACED), pid);
	CHECK_INT(wstatus, UNIT_WAIT(128 + (as != 0 ? as : SIGTERM), 0));
}

static int
continues_its_child(void)
{
	struct supervise s = { 0 };
	siginfo_t si;
	int wstatus;

	start(&s, child_stops_itself);
	CHECK_INT(waitid(P_PID, (id_t)s.child, &si, WSTOPPED | WNOWAIT), 0);
	/* It is pending when we look for the child. */
	kill(getpid(), SIGCONT);
	signal_soon(s.child, SIGKILL, 5000);
	wstatus = finish(&s);
	CHECK(WIFEXITED(wstatus));
	return WEXITSTATUS(wstatus);
}

static void
pid_1_continues_a_child_that_stopped_meanwhile(void)
{
	int wstatus;
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) == -1)
		unit_skip("no user namespaces");
	CHECK((pid = fork()) != -1);
	if (pid == 0)
		_exit(continues_its_child());
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK(WIFEXITED(wstatus));
	CHECK_INT(WEXITSTATUS(wstatus), 6);
}

static void
a_stopped_child_is_terminated(void)
{
	terminate_stopped(0);
	terminate_stopped(SIGUSR1);
}

static void
kill_child(const struct supervise *s)
{
	kill(s->child, SIGKILL);
}

static void
count_kill(const struct supervise *s)
{
	(*(int *)s->ctx)++;
	kill(s->child, SIGKILL);
}

/* The handler of SIGTERM is the parent's, so it is there in time. */
static int
child_takes_its_time(void)
{
	while (seen == 0)
		unit_sleep_ms(1000);
	unit_sleep_ms(SOON);
	return 8;
}

static void
grace_and_then_kill(void)
{
	int kills = 0;
	struct supervise s = { .grace = 100, .kill_all = count_kill,
		.ctx = &kills };

	catch(SIGTERM);
	start(&s, child_sleeps);
	signal_soon(getpid(), SIGTERM, 0);
	CHECK_INT(WTERMSIG(finish(&s)), SIGKILL);
	CHECK_INT(kills, 1);
}

static void
grace_that_is_long_enough(void)
{
	static const uint64_t graces[] = { 10000, INT64_MAX / 2, INT64_MAX,
		UINT64_MAX };

	catch(SIGTERM);
	for (size_t i = 0; i < UNIT_COUNT(graces); i++) {
		struct supervise s = { .grace = graces[i],
			.kill_all = kill_child };
		int wstatus;

		start(&s, child_takes_its_time);
		signal_soon(getpid(), SIGTERM, 0);
		wstatus = finish(&s);
		CHECK_INT(wstatus, UNIT_WAIT(8, 0));
	}
}

static int
child_in_a_group(void)
{
	pid_t pid;
	int wstatus;

	/* Both the child and its child must get it. */
	setpgid(0, 0);
	if ((pid = fork()) == 0)
		return child_waits();
	CHECK_INT(child_waits(), SIGUSR1);
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	return WEXITSTATUS(wstatus);
}

static void
signals_to_the_group(void)
{
	struct supervise s = { .to_group = true };

	block_all();
	start(&s, child_in_a_group);
	setpgid(s.child, s.child);
	signal_soon(getpid(), SIGUSR1, 100);
	CHECK_INT(WEXITSTATUS(finish(&s)), SIGUSR1);
}

static int leader_done[2];

/* Leaves a process in its group that says how it ended; ignores says how much. */
static int
child_leaves_one(bool ignores)
{
	sigset_t set;
	int signo;

	setpgid(0, 0);
	if (fork() == 0) {
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		CHECK_INT(write(leader_done[1], "r", 1), 1);
		do
			CHECK_INT(sigwait(&set, &signo), 0);
		while (ignores || signo == SIGCONT);
		CHECK_INT(write(leader_done[1], signo == SIGTERM ? "t" : "x",
		    1), 1);
		_exit(0);
	}
	/* Its end is that of the group's leader. */
	close(leader_done[0]);
	unit_sleep_ms(SOON);
	return 4;
}

static int
child_leaves_a_gentle_one(void)
{
	return child_leaves_one(false);
}

static int
child_leaves_a_stubborn_one(void)
{
	return child_leaves_one(true);
}

/* What comes from the process that was left behind: "r", and "t" in the end. */
static void
leaves(struct supervise *s, int (*child)(void), const char *said)
{
	char buf[8] = "";
	ssize_t n;
	size_t len = 0;
	int wstatus;

	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK(pipe2(leader_done, O_CLOEXEC) == 0);
	s->to_group = true;
	start(s, child);
	setpgid(s->child, s->child);
	wstatus = finish(s);
	CHECK_INT(wstatus, UNIT_WAIT(4, 0));
	close(leader_done[1]);
	while ((n = read(leader_done[0], buf + len, sizeof(buf) - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	CHECK_STR(buf, said);
	close(leader_done[0]);
	CHECK(waitpid(-1, NULL, 0) == -1 || waitpid(-1, NULL, 0) == -1);
}

static void
the_groups_rest_is_terminated(void)
{
	struct supervise at_once = { 0 };
	struct supervise waits = { .grace = 100000, .kill_all = kill_child };

	leaves(&at_once, child_leaves_a_gentle_one, "rt");
	leaves(&waits, child_leaves_a_gentle_one, "rt");
}

static void
kill_group(const struct supervise *s)
{
	kill(-s->child, SIGKILL);
}

static void
the_groups_rest_is_killed(void)
{
	struct supervise s = { .grace = 100, .kill_all = kill_group };

	leaves(&s, child_leaves_a_stubborn_one, "r");
}

static void
on_fd(struct supervise *s)
{
	char c;

	if (s->fds[0].revents == 0)
		return;
	CHECK_INT(read(s->fds[0].fd, &c, 1), 1);
	CHECK_INT(c, 'x');
	(*(int *)s->ctx)++;
	s->nfds = 0;
	kill(s->child, SIGUSR2);
}

static void
other_descriptors_are_polled(void)
{
	int calls = 0, p[2];
	struct supervise s = { .nfds = 1, .poll_cb = on_fd, .ctx = &calls };

	block_all();
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	s.fds[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	start(&s, child_waits);
	CHECK_INT(write(p[1], "x", 1), 1);
	CHECK_INT(WEXITSTATUS(finish(&s)), SIGUSR2);
	CHECK_INT(calls, 1);
	close(p[0]), close(p[1]);
}

/* After block_all(): waits a while for one more, which counts. */
static int
child_waits_twice(void)
{
	const struct timespec soon = { .tv_nsec = SOON * 1000000 };
	int first = child_waits(), second;
	sigset_t set;

	sigfillset(&set);
	second = sigtimedwait(&set, NULL, &soon);
	return second > 0 ? second : first;
}

static void
write_in_vain(struct supervise *s)
{
	s->nfds = 0;
	CHECK_INT(write(*(int *)s->ctx, "x", 1), -1);
	CHECK_INT(errno, EPIPE);
	kill(s->child, SIGUSR2);
}

static void
our_own_broken_pipe_is_ours(void)
{
	int p[2], go[2];
	struct supervise s = { .nfds = 1, .poll_cb = write_in_vain,
		.ctx = &p[1] };

	block_all();
	CHECK(pipe2(p, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	close(p[0]);
	CHECK_INT(write(go[1], "x", 1), 1);
	s.fds[0] = (struct pollfd){ .fd = go[0], .events = POLLIN };
	start(&s, child_waits_twice);
	CHECK_INT(WEXITSTATUS(finish(&s)), SIGUSR2);
	close(p[1]), close(go[0]), close(go[1]);
}

/* Blocks all signals and sleeps, as a link that waits: does one come in time? */
static int
child_listens(void)
{
	const uint64_t all = UINT64_MAX;
	struct pollfd p = { .events = POLLIN };

	CHECK_INT(sys_sigprocmask(SIG_SETMASK, &all, NULL), 0);
	CHECK((p.fd = sys_signalfd(-1, &all, SFD_CLOEXEC)) != -1);
	CHECK_INT(write(ready[1], "r", 1), 1);
	return poll(&p, 1, 900) == 1 ? 1 : 2;
}

/* It is told at once, not when a C library would have been done with it. */
static void
pid_1_that_blocks_all_is_told_at_once(void)
{
	int i, told = 2;
	char c;

	block_all();
	for (i = 0; i < 5 && told == 2; i++) { /* a slow machine gets time */
		struct supervise s = { .is_init = true };

		CHECK(pipe2(ready, O_CLOEXEC) == 0);
		start(&s, child_listens);
		CHECK_INT(read(ready[0], &c, 1), 1);
		kill(getpid(), SIGTERM);
		told = WEXITSTATUS(finish(&s));
		close(ready[0]), close(ready[1]);
	}
	CHECK_INT(told, 1);
}

/* --- a terminal ----------------------------------------------------------- */

/* Says when it is ready; how many SIGINTs came within a while of the first. */
static int
child_counts_ints(void)
{
	catch(SIGINT);
	CHECK_INT(write(ready[1], "r", 1), 1);
	while (seen == 0)
		unit_sleep_ms(10000);
	unit_sleep_ms(SOON), unit_sleep_ms(SOON);
	return seen;
}

static int
child_with_session_counts_ints(void)
{
	setsid();
	return child_counts_ints();
}

static int
child_is_ready(void)
{
	CHECK_INT(write(ready[1], "r", 1), 1);
	return child_sleeps();
}

enum deed { TYPE_INTERRUPT, SEND_INTERRUPT, HANG_UP };

/*
 * A session on a new terminal whose leader is a parent that waits for child.
 * Returns its status after the deed.
 */
static int
at_terminal(bool own_session, int (*child)(void), enum deed deed)
{
	int pty, wstatus;
	pid_t pid;
	char c;

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	CHECK((pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) != -1);
	CHECK(grantpt(pty) == 0 && unlockpt(pty) == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		struct supervise s = { .own_session = own_session };
		int tty;

		setsid();
		CHECK((tty = open(ptsname(pty), O_RDWR)) != -1);
		CHECK_INT(ioctl(tty, TIOCSCTTY, 0), 0);
		close(pty);
		start(&s, child);
		_exit(supervise_exit_code(finish(&s)));
	}
	CHECK_INT(read(ready[0], &c, 1), 1);
	if (deed == TYPE_INTERRUPT)
		CHECK_INT(write(pty, "\003", 1), 1);
	else if (deed == SEND_INTERRUPT)
		kill(pid, SIGINT);
	else
		close(pty), pty = -1;
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	if (pty != -1)
		close(pty);
	close(ready[0]), close(ready[1]);
	CHECK(WIFEXITED(wstatus));
	return WEXITSTATUS(wstatus);
}

static void
the_terminals_interrupt_comes_once(void)
{
	CHECK_INT(at_terminal(false, child_counts_ints, TYPE_INTERRUPT), 1);
	CHECK_INT(at_terminal(false, child_counts_ints, SEND_INTERRUPT), 1);
}

static void
a_session_of_its_own_is_told(void)
{
	CHECK_INT(at_terminal(true, child_with_session_counts_ints,
	    TYPE_INTERRUPT), 1);
	CHECK_INT(at_terminal(true, child_with_session_counts_ints,
	    SEND_INTERRUPT), 1);
}

/* The kernel tells the session's leader alone. */
static void
a_hang_up_reaches_the_command(void)
{
	CHECK_INT(at_terminal(false, child_is_ready, HANG_UP), 128 + SIGHUP);
}

/* --- death with the parent ------------------------------------------------ */

/* A parent that ends at once or by SIGKILL; is its child gone too? */
static void
dies_with_its_parent(void)
{
	struct pollfd end = { .events = POLLIN | POLLHUP };
	int p[2], wstatus;
	pid_t pid;
	char c;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		if (fork() == 0) {
			CHECK(supervise_die_with_parent() != -1);
			CHECK_INT(write(p[1], "r", 1), 1);
			child_sleeps();
			CHECK_INT(write(p[1], "x", 1), 1);
			_exit(0);
		}
		child_sleeps();
		_exit(0);
	}
	close(p[1]);
	CHECK_INT(read(p[0], &c, 1), 1);
	end.fd = p[0];
	CHECK_INT(poll(&end, 1, SOON), 0); /* it lives while its parent does */
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(read(p[0], &c, 1), 0);
	close(p[0]);
}

/* The child is slow: its parent has let go of it, and is dead, when it begins. */
static void
dies_with_a_parent_that_was_killed_before(void)
{
	struct supervise s = { 0 };
	pid_t parent, child;
	int hold, wstatus;

	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (hold = 0; hold < 2; hold++) {
		CHECK((parent = fork()) != -1);
		if (parent == 0) {
			CHECK_INT(supervise_begin(&s), 0);
			s.hold = hold;
			parent = getpid();
			CHECK((s.child = fork()) != -1);
			if (s.child == 0) {
				while (getppid() == parent)
					unit_sleep_ms(1);
				CHECK_INT(supervise_child(&s), 0);
				_exit(child_exits());
			}
			CHECK_INT(supervise_parent(&s), 0);
			raise(SIGKILL);
		}
		CHECK_INT(waitpid(parent, &wstatus, 0), parent);
		CHECK((child = wait(&wstatus)) > 0);
		CHECK(WIFEXITED(wstatus));
		CHECK_INT(WEXITSTATUS(wstatus), 125);
	}
	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void
the_parents_end_is_readable(void)
{
	int p[2], wstatus;
	pid_t pid;
	char c = 0;

	/* The death signal is blocked by nothing, so look while it lives. */
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		struct pollfd parent = { .events = POLLIN };

		CHECK((parent.fd = supervise_die_with_parent()) != -1);
		CHECK(fcntl(parent.fd, F_GETFD) == FD_CLOEXEC);
		c = poll(&parent, 1, 0) == 0 ? 'y' : 'n';
		CHECK_INT(write(p[1], &c, 1), 1);
		_exit(0);
	}
	CHECK_INT(read(p[0], &c, 1), 1);
	CHECK_INT(c, 'y');
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(wstatus, 0);
	close(p[0]), close(p[1]);
}

static void
no_parent_to_see(void)
{
	int wstatus;
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) == -1)
		unit_skip("no user namespaces");
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		errno = ENOENT;
		CHECK_INT(supervise_die_with_parent(), -1);
		CHECK_INT(errno, 0);
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(wstatus, 0);
}

static const struct unit tests[] = {
	UNIT(status_is_the_childs),
	UNIT(exit_codes),
	UNIT(what_is_sent_is_forwarded),
	UNIT(our_own_fault_is_not_blocked),
	UNIT(sigterm_may_mean_another),
	UNIT(no_signal_is_lost_before_the_wait),
	UNIT(the_child_has_the_callers_mask),
	UNIT(sigchld_ignored_by_the_caller),
	UNIT(orphans_are_reaped),
	UNIT(stops_and_continues_with_the_child),
	UNIT(stops_again_where_a_stop_signal_discards_sigcont),
	UNIT(pid_1_continues_a_child_that_stopped_meanwhile),
	UNIT(a_stopped_child_is_terminated),
	UNIT(grace_and_then_kill),
	UNIT(grace_that_is_long_enough),
	UNIT(signals_to_the_group),
	UNIT(the_groups_rest_is_terminated),
	UNIT(the_groups_rest_is_killed),
	UNIT(other_descriptors_are_polled),
	UNIT(our_own_broken_pipe_is_ours),
	UNIT(pid_1_that_blocks_all_is_told_at_once),
	UNIT(the_terminals_interrupt_comes_once),
	UNIT(a_session_of_its_own_is_told),
	UNIT(a_hang_up_reaches_the_command),
	UNIT(dies_with_its_parent),
	UNIT(dies_with_a_parent_that_was_killed_before),
	UNIT(the_parents_end_is_readable),
	UNIT(no_parent_to_see),
};

UNIT_MAIN(tests)
