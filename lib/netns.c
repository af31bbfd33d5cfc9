#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kfile.h"
#include "netns.h"

#define GID_MOST 2147483647	/* the kernel's limit for ping_group_range */

/* Bring the loopback interface up. Returns 0, or -1 and errno. */
int
netns_loopback(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd, rc, saved;

	/* Any socket will do. Every kernel has this kind. */
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/*
 * Write the groups of our user namespace as "FIRST\tLAST". The kernel maps both to
 * the host's IDs, and takes the range between these. If the first ID of the namespace
 * maps to a higher ID than its last one, use its largest range only.
 */
static int
groups(char *buf, size_t size)
{
	unsigned long in, out, n, most = 0, low = 0, high = 0;
	unsigned long first = 0, last = 0, alone = 0, alone_end = 0;
	char map[16384], *line, *save;

	if (kfile_read(AT_FDCWD, "/proc/self/gid_map", map, sizeof(map)) == -1)
		return -1;
	for (line = strtok_r(map, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%lu %lu %lu", &in, &out, &n) != 3 ||
		    in > GID_MOST)
			continue;
		if (n > GID_MOST - in + 1)
			n = GID_MOST - in + 1;
		if (most == 0 || out < low) {
			low = out;
			first = in;
		}
		if (most == 0 || out + n > high) {
			high = out + n;
			last = in + n - 1;
		}
		if (n > most) {
			most = n;
			alone = in;
			alone_end = in + n - 1;
		}
	}
	if (most == 0) {
		errno = EINVAL;
		return -1;
	}
	if (first > last) {
		first = alone;
		last = alone_end;
	}
	snprintf(buf, size, "%lu\t%lu", first, last);
	return 0;
}

/* Write the setting unless it has the value already. */
static int
set(const char *path, const char *value)
{
	char now[64];
	ssize_t n;

	n = kfile_read(AT_FDCWD, path, now, sizeof(now));
	if (n > 0 && now[n - 1] == '\n')
		now[n - 1] = '\0';
	if (n > 0 && strcmp(now, value) == 0)
		return 0;
	return kfile_write(AT_FDCWD, path, value);
}

/*
 * In this namespace every user may listen on every port and may ping, since that
 * harms no host; and new interfaces accept no router advertisements. Writes each
 * setting that it can. Returns 0, or -1 and errno, and the path of the file.
 */
int
netns_settings(const char **failed)
{
	static const char port[] =
	    "/proc/sys/net/ipv4/ip_unprivileged_port_start";
	static const char ping[] = "/proc/sys/net/ipv4/ping_group_range";
	static const char router[] =
	    "/proc/sys/net/ipv6/conf/default/accept_ra";
	char range[32];
	int error = 0;

	/* A kernel without IPv6 accepts none anyway. */
	if (set(router, "0") == -1 && (errno != ENOENT ||
	    access(port, F_OK) == -1)) {
		error = errno;
		*failed = router;
	}
	if (set(port, "0") == -1) {
		error = errno;
		*failed = port;
	}
	if (groups(range, sizeof(range)) == -1 || set(ping, range) == -1) {
		error = errno;
		*failed = ping;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}
