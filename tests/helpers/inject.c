/*
 * inject PID NUMBER [ARGUMENT ...]: let a thread of another process make a system call.
 * Prints "returned N", or "killed N" if that was the end of the thread, by signal N.
 */
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The entry point of the program: nothing runs there any more. */
static unsigned long
entry(const char *pid)
{
	char path[64];
	Elf64_auxv_t a;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/auxv", pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	while (read(fd, &a, sizeof(a)) == sizeof(a))
		if (a.a_type == AT_ENTRY)
			return a.a_un.a_val;
	errx(1, "%s: no entry point", path);
}

int
main(int argc, char *argv[])
{
	struct user_regs_struct regs;
	unsigned long arg[6] = { 0 }, at;
	pid_t pid;
	int i, status;

	if (argc < 3)
		errx(1, "usage: inject PID NUMBER [ARGUMENT ...]");
	pid = (pid_t)atoi(argv[1]);
	at = entry(argv[1]);
	for (i = 3; i < argc && i < 9; i++)
		arg[i - 3] = strtoul(argv[i], NULL, 0);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == -1 ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0) == -1 ||
	    waitpid(pid, &status, __WALL) == -1 ||
	    ptrace(PTRACE_GETREGS, pid, 0, &regs) == -1)
		err(1, "%d", pid);
	/* syscall; int3 */
	if (ptrace(PTRACE_POKETEXT, pid, at, 0xcc050f) == -1)
		err(1, "%d: poke", pid);
	regs.rip = at;
	regs.rax = strtoul(argv[2], NULL, 0);
	regs.orig_rax = -1UL;
	regs.rdi = arg[0];
	regs.rsi = arg[1];
	regs.rdx = arg[2];
	regs.r10 = arg[3];
	regs.r8 = arg[4];
	regs.r9 = arg[5];
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) == -1 ||
	    ptrace(PTRACE_CONT, pid, 0, 0) == -1 ||
	    waitpid(pid, &status, __WALL) == -1)
		err(1, "%d", pid);
	if (WIFSIGNALED(status)) {
		printf("killed %d\n", WTERMSIG(status));
	} else if (WIFSTOPPED(status) &&
	    ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0) {
		printf("returned %lld\n", (long long)regs.rax);
		kill(pid, SIGKILL);
	} else {
		printf("status %#x\n", status);
	}
	return 0;
}
