/* swap A B: exchange the two names until killed. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <signal.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	if (argc != 3)
		return 1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2],
			RENAME_EXCHANGE) == -1)
			return perror("swap"), 1;
}
