/*
 * scale COUNT JOBS NAME COMMAND [ARG ...]: many containers alive at once.
 *
 * Starts COUNT of COMMAND, JOBS at a time; each writes one byte to its standard
 * output when it is up, and sleeps. Then adds up the memory of all processes
 * but the sleepers (PSS, from smaps_rollup), ends all with SIGKILL, and waits.
 * Prints "NAME.start_rate value 1/s", "NAME.pss value KiB" (each) and
 * "NAME.teardown value ms" (each).
 */
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Is this a process of our session, and not a sleeper? */
static int
counts(const char *pid)
{
	char path[64], line[512], *comm, *end;
	int session = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	if ((comm = strchr(line, '(')) == NULL ||
	    (end = strrchr(line, ')')) == NULL ||
	    sscanf(end + 1, " %*c %*d %*d %d", &session) != 1)
		return 0;
	return session == getpid() && strtol(pid, NULL, 10) != getpid() &&
	    strncmp(comm, "(bench-", 7) != 0;
}

/* Its PSS in KiB. */
static long
pss(const char *pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static long
pss_of_all(void)
{
	struct dirent *e;
	long sum = 0;
	DIR *d;

	if ((d = opendir("/proc")) == NULL)
		err(1, "/proc");
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    counts(e->d_name))
			sum += pss(e->d_name);
	closedir(d);
	return sum;
}

static pid_t
start(char *argv[], int up)
{
	pid_t pid;

	if ((pid = vfork()) == -1)
		err(1, "vfork");
	if (pid == 0) {
		dup2(up, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* One more is up; how many were is counted by the caller. */
static void
wait_up(int fd)
{
	char byte;
	ssize_t n;

	while ((n = read(fd, &byte, 1)) == -1 && errno == EINTR)
		;
	if (n != 1)
		errx(1, "a container did not come up");
}

int
main(int argc, char *argv[])
{
	long count, jobs, i, up = 0, memory;
	double begin, started;
	int pipes[2];
	pid_t *pid;

	if (argc < 5)
		errx(2, "usage: scale count jobs name command [arg ...]");
	count = strtol(argv[1], NULL, 10);
	jobs = strtol(argv[2], NULL, 10);
	if (count < 1 || jobs < 1 ||
	    (pid = calloc((size_t)count, sizeof(*pid))) == NULL ||
	    pipe2(pipes, O_CLOEXEC) == -1)
		err(1, "start");
	(void)setsid(); /* fails where we lead one already */
	if (getsid(0) != getpid())
		errx(1, "to be started as no leader of a process group");
	begin = now();
	for (i = 0; i < count; i++) {
		if (i - up == jobs) {
			wait_up(pipes[0]);
			up++;
		}
		pid[i] = start(argv + 4, pipes[1]);
	}
	for (; up < count; up++)
		wait_up(pipes[0]);
	started = now();
	printf("%s.start_rate %.0f 1/s\n", argv[3],
	    (double)count / (started - begin) * 1e3);
	memory = pss_of_all();
	printf("%s.pss %.1f KiB\n", argv[3], (double)memory / (double)count);
	fflush(stdout);
	begin = now();
	for (i = 0; i < count; i++)
		kill(pid[i], SIGKILL);
	for (i = 0; i < count; i++)
		waitpid(pid[i], NULL, 0);
	/* Of the containers, the last writer of the pipe is gone as well. */
	close(pipes[1]);
	while (read(pipes[0], &(char){ 0 }, 1) > 0)
		;
	printf("%s.teardown %.3f ms\n", argv[3],
	    (now() - begin) / (double)count);
	return 0;
}
