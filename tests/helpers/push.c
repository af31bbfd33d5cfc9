/*
 * Try to type into every terminal that we can reach: by TIOCSTI, also with garbage
 * above the 32 bits that the kernel uses, and by TIOCLINUX's paste. Prints what it
 * could not open. Never fails.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main(void)
{
	static const char *const names[] = { "/dev/tty", "/dev/console",
		"/proc/1/fd/0", "/proc/self/fd/0", "/dev/ptmx" };
	char paste[] = { 3 }, *s;
	int fds[8] = { 0, 1, 2 }, i;

	for (i = 0; i < 5; i++)
		fds[3 + i] = open(names[i], O_RDWR | O_NOCTTY);
	for (i = 0; i < 8; i++) {
		for (s = "evil\n"; *s != '\0'; s++) {
			ioctl(fds[i], TIOCSTI, s);
			syscall(SYS_ioctl, fds[i], TIOCSTI | 0xdead00000000, s);
		}
		ioctl(fds[i], TIOCLINUX, paste);
	}
	return 0;
}
