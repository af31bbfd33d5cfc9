/*
 * seize: before anything else, try to take control of the parent process. Prints a
 * line for each way that worked.
 */
#define _GNU_SOURCE
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int
main(void)
{
	char path[64];
	pid_t parent = getppid();
	int pidfd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)parent);
	if (open(path, O_RDWR) != -1)
		puts("mem");
	pidfd = (int)syscall(SYS_pidfd_open, parent, 0);
	if (syscall(SYS_pidfd_getfd, pidfd, 2, 0) != -1)
		puts("pidfd_getfd");
	if (ptrace(PTRACE_SEIZE, parent, 0, 0) != -1)
		puts("ptrace");
	snprintf(path, sizeof(path), "/proc/%d/root/", (int)parent);
	if (open(path, O_PATH) != -1)
		puts("root");
	return 0;
}
