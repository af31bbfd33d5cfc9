/*
 * measure ROUNDS FILE: time commands side by side.
 *
 * FILE holds lines "name<TAB>command arg ..."; arguments are split at spaces,
 * "-" reads standard input. Every round runs each command once, in an order
 * that moves on by one, so that a slow moment of the machine hits all alike.
 * Prints "name.wall_min value ms" and so on: minimum, median and maximum of the
 * wall clock, median of the CPU time of all processes waited for, peak resident
 * size of the largest of them. A command that fails ends the measurement.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 32
#define ARGS 64

struct command {
	char *name;
	char *argv[ARGS];
	double *wall, *cpu; /* ms, one a round */
	long rss; /* KiB */
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
run(struct command *c, size_t round)
{
	struct rusage ru;
	double start = now();
	int status;
	pid_t pid;

	if ((pid = vfork()) == -1)
		err(1, "vfork");
	if (pid == 0) {
		execvp(c->argv[0], c->argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &ru) == -1)
		err(1, "wait4");
	c->wall[round] = now() - start;
	c->cpu[round] = ms(ru.ru_utime) + ms(ru.ru_stime);
	if (ru.ru_maxrss > c->rss)
		c->rss = ru.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s: wait status %d", c->name, status);
}

static void
print(struct command *c, size_t rounds)
{
	qsort(c->wall, rounds, sizeof(double), compare);
	qsort(c->cpu, rounds, sizeof(double), compare);
	printf("%s.wall_min %.3f ms\n", c->name, c->wall[0]);
	printf("%s.wall %.3f ms\n", c->name, c->wall[rounds / 2]);
	printf("%s.wall_max %.3f ms\n", c->name, c->wall[rounds - 1]);
	printf("%s.cpu %.3f ms\n", c->name, c->cpu[rounds / 2]);
	printf("%s.rss %ld KiB\n", c->name, c->rss);
}

static size_t
read_commands(const char *path, struct command *c, size_t rounds)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *line = NULL, *word, *save;
	size_t n = 0, size = 0, i;

	if (f == NULL)
		err(1, "%s", path);
	while (getline(&line, &size, f) > 0) {
		if (n == COMMANDS)
			errx(1, "%s: more than %d commands", path, COMMANDS);
		if ((word = strtok_r(line, "\t\n", &save)) == NULL)
			continue;
		c[n].name = word;
		for (i = 0; i + 1 < ARGS; i++)
			if ((c[n].argv[i] = strtok_r(NULL, " \t\n", &save)) ==
			    NULL)
				break;
		if (c[n].argv[0] == NULL)
			errx(1, "%s: %s: no command", path, c[n].name);
		c[n].wall = calloc(rounds, sizeof(double));
		c[n].cpu = calloc(rounds, sizeof(double));
		if (c[n].wall == NULL || c[n].cpu == NULL)
			err(1, "memory");
		n++;
		line = NULL; /* the words point into it */
		size = 0;
	}
	return n;
}

int
main(int argc, char *argv[])
{
	static struct command c[COMMANDS];
	size_t rounds, n, i, r;

	if (argc != 3 || (rounds = strtoul(argv[1], NULL, 10)) == 0)
		errx(2, "usage: measure rounds file");
	n = read_commands(argv[2], c, rounds);
	for (r = 0; r < rounds; r++)
		for (i = 0; i < n; i++)
			run(&c[(i + r) % n], r);
	for (i = 0; i < n; i++)
		print(&c[i], rounds);
	return 0;
}
