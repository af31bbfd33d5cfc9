/*
 * A share's daemon, virtiofsd, runs in this chain:
 *
 *     volt-ns -UmpniuC root=tmpfs:ro bind=/usr ... bind=SRC:/share ... env=none
 *         volt-lock fs.rx=/ fs.rw=/share caps=... seccomp=default
 *         /virtiofsd --fd=N -o source=/share,sandbox=chroot,...
 *
 * It sees its own program and libraries, and the share. In its user namespace it is
 * root: a daemon must be that to give files to the guest's users. For the host's root
 * that namespace has a range of IDs that belongs to no one, and the share is ID-mapped
 * (volt-ns(1)), so that owners are right. For another user it is his own ID and those
 * of /etc/subuid.
 *
 * In a jail whose /proc is masked the kernel permits no other one, and so no PID
 * namespace: then the daemon sees the processes of the jail.
 *
 * The chain has a session of its own, so that a ^C is for the guest alone, and it
 * blocks SIGTERM and its like: the guest needs its files until it has ended. It has the
 * death signal SIGKILL, and so has what it starts.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "kfile.h"
#include "plug.h"
#include "say.h"
#include "share.h"
#include "status.h"
#include "sys.h"
#include "tap.h"
#include "userns.h"
#include "vhost_user.h"

#define START 60000	/* ms until a daemon has started; emulated machines are slow */
#define LAST_WORDS 1000	/* ms for what a daemon that failed says */
#define ARGS 40

/* Where distributions have the daemon. */
static const char *const places[] = { "/usr/lib/qemu/virtiofsd",
	"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd" };

/* What the daemon needs as root of its user namespace, until it has set itself up. */
static const char caps[] = "caps=chown,dac_override,fowner,fsetid,setgid,setuid,"
    "setfcap,mknod,setpcap,sys_chroot";

struct chain {
	char *arg[ARGS];
	unsigned int n;
};

static const char *
find_daemon(const struct config *cfg)
{
	size_t i;

	if (cfg->virtiofsd != NULL) {
		if (access(cfg->virtiofsd, X_OK) == -1)
			err(EXIT_LINK, "virtiofsd=%s", cfg->virtiofsd);
		return cfg->virtiofsd;
	}
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	errx(EXIT_LINK, "no virtiofsd; Debian has it in qemu-system-common or "
	    "virtiofsd");
}

/* Check the directories and the daemon. Ends the program if one is missing. */
void
share_check(const struct config *cfg)
{
	const struct share *s;
	unsigned int i;
	int fd;

	for (i = 0; i < cfg->nshares; i++) {
		s = &cfg->shares[i];
		fd = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1)
			err(EXIT_LINK, "%s=%s", s->key, s->path);
		close(fd);
	}
	if (cfg->nshares > 0)
		(void)find_daemon(cfg);
}

/* Add an argument: text, and a path with its colons escaped, and more text. */
static void
add(struct chain *c, const char *text, const char *path, const char *more)
{
	size_t len = strlen(text) + 2 * strlen(path) + strlen(more) + 1;
	char *s;

	if (c->n == ARGS - 1 || (s = malloc(len)) == NULL)
		errx(EXIT_LINK, "share: too many arguments");
	c->arg[c->n++] = s;
	for (s = stpcpy(s, text); *path != '\0'; *s++ = *path++)
		if (*path == ':' || *path == '\\')
			*s++ = '\\';
	strcpy(s, more);
}

static void
add_all(struct chain *c, const char *const list[], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		add(c, list[i], "", "");
}

#define ADD(c, ...) \
	add_all(c, (const char *const[]){ __VA_ARGS__ }, \
	    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* Make the chain of the daemon, which accepts a connection from the socket. */
static void
make_chain(struct chain *c, const struct config *cfg, const struct share *s,
    int listener, bool proc)
{
	int initial = geteuid() == 0 ? userns_is_initial() : 0;
	char options[64], fd[32];

	if (initial == -1)
		err(EXIT_LINK, "/proc/self/uid_map");
	snprintf(options, sizeof(options), ":/share:noexec%s%s",
	    initial == 1 ? ",idmap" : "", s->ro ? ",ro" : ",rw");
	snprintf(fd, sizeof(fd), "--fd=%d", listener);
	ADD(c, "volt-ns", proc ? "-UmpniuC" : "-UmniuC", "root=tmpfs:ro", "env=none",
	    "stdio=keep",
	    "bind=/usr:/usr:ro,rec", "bind=/lib:/lib:ro,rec,try",
	    "bind=/lib64:/lib64:ro,rec,try",
	    "bind=/etc/ld.so.cache:/etc/ld.so.cache:ro,try");
	add(c, "bind=", find_daemon(cfg), ":/virtiofsd:ro");
	add(c, "bind=", s->path, options);
	ADD(c, "--", "volt-lock", "-b", "fs.rx=/", s->ro ? "fs.ro=/share" :
	    "fs.rw=/share", caps, "seccomp=default", "stdio=keep", "--",
	    "/virtiofsd", fd, "--rlimit-nofile=0", "-o",
	    "source=/share,sandbox=chroot,cache=auto,xattr");
	c->arg[c->n] = NULL;
}

#define NO_PROC 255	/* the status of a child that is not permitted a /proc */

/* Is a new /proc permitted? In a jail that masks its own it is not. */
static bool
proc_permitted(void)
{
	int fs = sys_fsopen("proc", FSOPEN_CLOEXEC), mnt = -1;

	if (fs == -1)
		return false;
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != -1)
		mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	if (mnt == -1)
		return false;
	close(mnt);
	return true;
}

/* In namespaces of its own: see make_sockets(). Returns 0, NO_PROC or an errno. */
static int
make_pair(const int to[2])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t); /* the kernel chooses the name */
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (l == -1 || c == -1 || bind(l, (struct sockaddr *)&un, len) == -1 ||
	    listen(l, 1) == -1)
		return errno;
	len = sizeof(un);
	if (getsockname(l, (struct sockaddr *)&un, &len) == -1 ||
	    connect(c, (struct sockaddr *)&un, len) == -1 ||
	    dup3(l, to[0], O_CLOEXEC) == -1 || dup3(c, to[1], O_CLOEXEC) == -1)
		return errno;
	close(l);
	close(c);
	return proc_permitted() ? 0 : NO_PROC;
}

/*
 * Make a socket that listens, and one that is connected to it. The daemons take only a
 * socket that listens, and such a socket has a name by which others could connect. So
 * a child makes both in a network namespace of its own, where nobody else ever is. The
 * child shares our descriptors. Returns whether a new /proc is permitted.
 */
static bool
make_sockets(int to[2])
{
	const struct clone_args args = { .flags = CLONE_FILES | CLONE_NEWUSER |
		CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID, .exit_signal = SIGCHLD };
	int status;
	pid_t pid;

	if ((to[0] = open("/", O_PATH | O_CLOEXEC)) == -1 ||
	    (to[1] = open("/", O_PATH | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/");
	if ((pid = sys_clone3(&args)) == 0)
		_exit(make_pair(to));
	if (pid == -1)
		err(EXIT_LINK, "share=: a user namespace");
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "wait");
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	if (errno != 0 && errno != NO_PROC)
		err(EXIT_LINK, "share=: sockets");
	return errno == 0;
}

/* The daemon has a descriptor for each file that the guest knows. */
static void
allow_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* In the child: become the chain. */
static _Noreturn void
become(const struct chain *c, int listener, int said, pid_t parent)
{
	static const int blocked[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1,
		SIGUSR2, SIGALRM };
	sigset_t mask;
	size_t i;
	int null;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(EXIT_LINK);
	sigemptyset(&mask);
	for (i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
		sigaddset(&mask, blocked[i]);
	/* No descriptor of ours, of the caller, or of another link's. */
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    dup2(said, STDERR_FILENO) == -1 ||
	    syscall(SYS_close_range, 3u, UINT_MAX, CLOSE_RANGE_CLOEXEC) == -1 ||
	    fcntl(listener, F_SETFD, 0) == -1 || setsid() == -1 ||
	    sigprocmask(SIG_SETMASK, &mask, NULL) == -1 ||
	    unsetenv(STATUS_VARIABLE) == -1 || unsetenv("VOLT_NOTIFY") == -1 ||
	    unsetenv(PLUG_VARIABLE) == -1 || unsetenv(TAP_VARIABLE) == -1 ||
	    unsetenv("NOTIFY_SOCKET") == -1)
		err(EXIT_LINK, "share=");
	allow_files();
	chain_keep(); /* the toolbox */
	chain_exec(c->arg);
}

static void
start(struct config *cfg, struct share *s)
{
	struct chain c = { .n = 0 };
	pid_t self = getpid();
	int ends[2], said[2];
	bool proc;

	proc = make_sockets(ends);
	if (pipe2(said, O_CLOEXEC) == -1 ||
	    fcntl(said[0], F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "%s=%s", s->key, s->path);
	make_chain(&c, cfg, s, ends[0], proc);
	if ((s->pid = fork()) == -1)
		err(EXIT_LINK, "fork");
	if (s->pid == 0)
		become(&c, ends[0], said[1], self);
	if ((s->pidfd = sys_pidfd_open(s->pid, 0)) == -1)
		err(EXIT_LINK, "%s=%s: the daemon", s->key, s->path);
	close(ends[0]);
	close(said[1]);
	while (c.n > 0)
		free(c.arg[--c.n]);
	s->sock = ends[1];
	s->said = said[0];
	say("%s %s: a daemon, process %d", s->key, s->path, s->pid);
}

/*
 * Start the daemons. The caller has no thread yet, and no descriptor of the guest's.
 */
void
share_start(struct config *cfg)
{
	unsigned int i;

	if (cfg->nshares == 0)
		return;
	share_check(cfg);
	signal(SIGCHLD, SIG_DFL); /* an ended child keeps its ID */
	for (i = 0; i < cfg->nshares; i++)
		start(cfg, &cfg->shares[i]);
}

/*
 * Print what the chain of a daemon said before it ended, a line at a time. Returns false if
 * it said nothing.
 */
static bool
print_said(const struct share *s)
{
	struct pollfd p = { .fd = s->said, .events = POLLIN };
	int64_t end = clock_ms() + LAST_WORDS;
	char buf[4096], *line, *save;
	size_t len = 0;
	ssize_t n = 1;
	bool any = false;

	while (n != 0 && len < sizeof(buf) - 1 && clock_ms() < end) {
		if (poll(&p, 1, LAST_WORDS) <= 0)
			break;
		n = read(s->said, buf + len, sizeof(buf) - 1 - len);
		if (n == -1)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	for (line = strtok_r(buf, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		warnx("%s=%s: %s", s->key, s->path, line);
		any = true;
	}
	return any;
}

static int
read_ids(struct fuse_ids *ids, pid_t pid, const char *file)
{
	char path[64], map[16384];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (kfile_read(AT_FDCWD, path, map, sizeof(map)) == -1)
		return -1;
	return fuse_ids_parse(ids, map);
}

/*
 * Give the daemon its queues, and find out which IDs it may give to files. Ends the
 * program if the daemon did not start.
 */
void
share_meet(const struct share *s, const struct shadow *shadow, struct fuse_rules *rules)
{
	pid_t daemon;

	rules->suid = s->suid;
	if (vhost_user_begin(s->sock, shadow, clock_ms() + START, &daemon) == -1) {
		if (errno != ECONNRESET && errno != EPIPE)
			err(EXIT_LINK, "%s=%s: the daemon", s->key, s->path);
		if (print_said(s))
			exit(EXIT_LINK);
		errx(EXIT_LINK, "%s=%s: the daemon did not start", s->key, s->path);
	}
	if (read_ids(&rules->uids, daemon, "uid_map") == -1 ||
	    read_ids(&rules->gids, daemon, "gid_map") == -1)
		err(EXIT_LINK, "%s=%s: the IDs of the daemon", s->key, s->path);
}
