/*
 * Preload this into a dynamic program: as often as INTERRUPT says, a netlink dump of
 * the kernel looks as if something had changed while it was made.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/netlink.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t
recvfrom(int fd, void *restrict buf, size_t len, int flags,
    struct sockaddr *restrict from, socklen_t *restrict fromlen)
{
	static int left = -1;
	const char *times = getenv("INTERRUPT");
	struct nlmsghdr *msg = buf;
	long n, rest;

	if (left == -1)
		left = times != NULL ? atoi(times) : 0;
	n = syscall(SYS_recvfrom, fd, buf, len, flags, from, fromlen);
	for (rest = n; rest > 0 && NLMSG_OK(msg, rest);
	    msg = NLMSG_NEXT(msg, rest))
		if (msg->nlmsg_type == NLMSG_DONE && left > 0) {
			msg->nlmsg_flags |= NLM_F_DUMP_INTR;
			left--;
		}
	return n;
}
