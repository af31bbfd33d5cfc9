#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#define SECONDS 20

/* Shared with the children that run the tests. */
static struct {
	char skipped[128];
	char tmpdir[64];
} *shared;

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

void
unit_check_int(long long a, long long b, const char *file, int line,
    const char *what)
{
	if (a == b)
		return;
	printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, a, b);
	fflush(stdout);
	_exit(1);
}

void
unit_check(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	printf("# %s:%d: %s (errno: %s)\n", file, line, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

void
unit_check_str(const char *a, const char *b, const char *file, int line)
{
	if (strcmp(a, b) == 0)
		return;
	printf("# %s:%d: \"%s\" is not \"%s\"\n", file, line, a, b);
	fflush(stdout);
	_exit(1);
}

_Noreturn void
unit_skip(const char *why)
{
	snprintf(shared->skipped, sizeof(shared->skipped), "%s", why);
	_exit(0);
}

void
unit_sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

void
unit_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd != -1);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A directory for this test, which is removed after it. */
const char *
unit_tmpdir(void)
{
	const char *base = getenv("TMPDIR");

	if (shared->tmpdir[0] != '\0')
		return shared->tmpdir;
	snprintf(shared->tmpdir, sizeof(shared->tmpdir), "%s/unit.XXXXXX",
	    base != NULL ? base : "/tmp");
	CHECK(mkdtemp(shared->tmpdir) != NULL);
	return shared->tmpdir;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) == -1 && errno != ENOENT;
}

/* Read both pipes until their ends. */
static void
drain(struct unit_result *r, int out, int err)
{
	struct pollfd p[2] = { { .fd = out, .events = POLLIN },
		{ .fd = err, .events = POLLIN } };
	char *buf[2] = { r->out, r->err };
	size_t size[2] = { sizeof(r->out), sizeof(r->err) }, len[2] = { 0 };
	int i, open = 2;
	ssize_t n;

	while (open > 0 && poll(p, 2, -1) > 0) {
		for (i = 0; i < 2; i++) {
			if (p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf[i] + len[i], size[i] - 1 - len[i]);
			if (n > 0) {
				len[i] += (size_t)n;
				continue;
			}
			close(p[i].fd);
			p[i].fd = -1;
			open--;
		}
	}
	for (i = 0; i < 2; i++)
		buf[i][len[i]] = '\0';
}

/* Run child(ctx) in a child process; if it returns, that is exit status 0. */
void
unit_run(struct unit_result *r, void (*child)(void *ctx), void *ctx)
{
	int out[2], err[2];
	pid_t pid;

	CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	fflush(stdout);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		close(out[0]), close(out[1]);
		close(err[0]), close(err[1]);
		child(ctx);
		fflush(stdout);
		_exit(0);
	}
	close(out[1]);
	close(err[1]);
	drain(r, out[0], err[0]);
	CHECK_INT(waitpid(pid, &r->wstatus, 0), pid);
}

/* In the child of a test. */
static _Noreturn void
run_one(const struct unit *u)
{
	int fds;

	setpgid(0, 0);
	fds = count_fds();
	u->run();
	CHECK_INT(count_fds(), fds);
	fflush(stdout);
	_exit(0);
}

/*
 * Wait for a test, and end it if it takes too long. Its time is taken from
 * outside, since a test may block any signal.
 */
static int
wait_for(pid_t pid)
{
	int wstatus, ms;

	for (ms = 0; waitpid(pid, &wstatus, WNOHANG) == 0; ms++) {
		if (ms == SECONDS * 1000) {
			printf("# killed after %d seconds\n", SECONDS);
			kill(-pid, SIGKILL);
		}
		unit_sleep_ms(1);
	}
	kill(-pid, SIGKILL); /* whatever it left */
	return wstatus;
}

/*
 * Whoever started us (nohup(1), make(1), a service) may have left signals
 * ignored or blocked, a strange umask, descriptors closed. No test depends on it.
 */
static void
forget_the_caller(void)
{
	sigset_t none;
	int signo, fd;

	for (signo = 1; signo <= 64; signo++)
		signal(signo, SIG_DFL); /* those that can be */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	setenv("LC_ALL", "C", 1);
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", O_RDWR);
}

int
unit_main(const struct unit *tests, size_t n)
{
	int wstatus, failed = 0;
	struct timespec a, b;
	size_t i;
	pid_t pid;

	forget_the_caller();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 125;
	printf("1..%zu\n", n);
	for (i = 0; i < n; i++) {
		fflush(stdout);
		memset(shared, 0, sizeof(*shared));
		clock_gettime(CLOCK_MONOTONIC, &a);
		if ((pid = fork()) == -1)
			return 125;
		if (pid == 0)
			run_one(&tests[i]);
		setpgid(pid, pid);
		wstatus = wait_for(pid);
		clock_gettime(CLOCK_MONOTONIC, &b);
		if (shared->tmpdir[0] != '\0')
			nftw(shared->tmpdir, remove_one, 16,
			    FTW_DEPTH | FTW_PHYS);
		if (WIFSIGNALED(wstatus))
			printf("# killed by signal %d\n", WTERMSIG(wstatus));
		printf("%sok %zu %s in %lldms%s%s\n",
		    wstatus == 0 ? "" : "not ", i + 1, tests[i].name,
		    (long long)(b.tv_sec - a.tv_sec) * 1000 +
		    (b.tv_nsec - a.tv_nsec) / 1000000,
		    shared->skipped[0] != '\0' ? " # skip " : "",
		    shared->skipped);
		failed |= wstatus != 0;
	}
	fflush(stdout);
	return failed;
}
