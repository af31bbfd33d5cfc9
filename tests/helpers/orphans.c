/*
 * orphans N: make N orphans that end at once, for the process that reaps here. Then
 * wait until none of them is in the process table. Needs /proc.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>

static int
processes(void)
{
	struct dirent *e;
	int n = 0;
	DIR *d = opendir("/proc");

	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] >= '0' && e->d_name[0] <= '9';
	if (d != NULL)
		closedir(d);
	return n;
}

int
main(int argc, char *argv[])
{
	int i, n = argc > 1 ? atoi(argv[1]) : 1, before = processes();
	pid_t pid;

	for (i = 0; i < n; i++) {
		if ((pid = fork()) == 0) {
			if (fork() == 0)
				_exit(i & 0xff);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	for (i = 0; i < 100 && processes() > before; i++)
		usleep(50000);
	printf("%d\n", processes() - before);
	return 0;
}
