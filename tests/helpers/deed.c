/*
 * deed NAME [ARG ...]: do one thing and print "ok", its result, or errno's name. It
 * is static, so that it needs only the right to be executed.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
done(long rc)
{
	if (rc >= 0)
		puts("ok");
	else
		puts(strerrorname_np(errno));
	return rc < 0;
}

static socklen_t
unix_address(struct sockaddr_un *un, const char *path)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	strncpy(un->sun_path, path, sizeof(un->sun_path) - 1);
	if (*path == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(path) + (*path != '@'));
}

static int
unix_socket(const char *path, int server)
{
	struct sockaddr_un un;
	socklen_t len = unix_address(&un, path);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (s == -1)
		return -1;
	if (!server)
		return connect(s, (struct sockaddr *)&un, len);
	if (bind(s, (struct sockaddr *)&un, len) == -1 || listen(s, 9) == -1)
		return -1;
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

static int
inet(int type, int binding, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, type, 0), rc;

	if (s == -1)
		return -1;
	if (binding)
		return bind(s, (struct sockaddr *)&in, sizeof(in));
	rc = connect(s, (struct sockaddr *)&in, sizeof(in));
	/* We do not ask whether a process listens. */
	return rc == -1 && errno == ECONNREFUSED ? 0 : rc;
}

/* Connect to a port when the first data is sent: at once, or by a later send. */
static long
fastopen(const char *how, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct iovec data = { (char *)"x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &in,
		.msg_namelen = sizeof(in), .msg_iov = &data, .msg_iovlen = 1 } };
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	long rc;

	if (s == -1)
		return -1;
	if (strcmp(how, "sendto") == 0) {
		rc = sendto(s, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&in,
		    sizeof(in));
	} else if (strcmp(how, "sendmsg") == 0) {
		rc = sendmsg(s, &m.msg_hdr, MSG_FASTOPEN);
	} else if (strcmp(how, "sendmmsg") == 0) {
		rc = sendmmsg(s, &m, 1, MSG_FASTOPEN);
	} else {
		setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one,
		    sizeof(one));
		rc = connect(s, (struct sockaddr *)&in, sizeof(in));
		if (rc == 0)
			rc = send(s, "x", 1, 0);
	}
	return rc == -1 && errno == ECONNREFUSED ? 0 : rc;
}

static int
device_ioctl(const char *path)
{
	int fd = open(path, O_RDONLY), n;

	if (ioctl(fd, TIOCOUTQ, &n) == -1 && errno != ENOTTY)
		return -1;
	return 0;
}

static long
int80(long nr)
{
#ifdef __x86_64__
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(nr), "b"(0), "c"(0),
	    "d"(0) : "memory", "r8", "r9", "r10", "r11");
	if (rc < 0) {
		errno = (int)-rc;
		return -1;
	}
	return rc;
#else
	(void)nr;
	errno = ENOSYS;
	return -1;
#endif
}

static int
descriptors(void)
{
	int fd;

	for (fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("%d\n", fd);
	return 0;
}

static int
call(char *argv[])
{
	long a[7] = { 0 };
	int i;

	for (i = 0; i < 7 && argv[i] != NULL; i++)
		a[i] = (long)strtoull(argv[i], NULL, 0);
	return done(syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
}

/* Make every call of the list on stdin, with arguments that can do no harm. */
static int
calls(void)
{
	char line[128], name[64];
	int nr;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%d %63s", &nr, name) != 2)
			continue;
		errno = 0;
		if (syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L) >= 0)
			errno = 0;
		printf("%d %s %s\n", nr, name,
		    errno == 0 ? "ok" : strerrorname_np(errno));
		fflush(stdout);
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	static char *none[] = { NULL };
	const char *op = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "";
	const char *b = argc > 3 ? argv[3] : "";
	struct rlimit r;
	int n;

#define OP(name) (strcmp(op, name) == 0)
	if (OP("execute")) {
		char *args[] = { argv[2], (char *)"yes", NULL };
		execve(a, args, none);
		return done(-1);
	}
	if (OP("yes"))
		return done(0);
	if (OP("write_file"))
		return done(open(a, O_WRONLY));
	if (OP("read_file"))
		return done(open(a, O_RDONLY));
	if (OP("read_dir"))
		return done(open(a, O_RDONLY | O_DIRECTORY));
	if (OP("remove_dir"))
		return done(rmdir(a));
	if (OP("remove_file"))
		return done(unlink(a));
	if (OP("make_char"))
		return done(mknod(a, S_IFCHR | 0600, makedev(1, 3)));
	if (OP("make_block"))
		return done(mknod(a, S_IFBLK | 0600, makedev(7, 99)));
	if (OP("make_dir"))
		return done(mkdir(a, 0700));
	if (OP("make_reg"))
		return done(mknod(a, S_IFREG | 0600, 0));
	if (OP("make_sock"))
		return done(mknod(a, S_IFSOCK | 0600, 0));
	if (OP("make_fifo"))
		return done(mknod(a, S_IFIFO | 0600, 0));
	if (OP("make_sym"))
		return done(symlink("x", a));
	if (OP("refer"))
		return done(rename(a, b));
	if (OP("link"))
		return done(link(a, b));
	if (OP("truncate"))
		return done(truncate(a, 0));
	if (OP("otrunc"))
		return done(open(a, O_WRONLY | O_TRUNC));
	if (OP("ioctl_dev"))
		return done(device_ioctl(a));
	if (OP("unix"))
		return done(unix_socket(a, 0));
	if (OP("serve"))
		return done(unix_socket(a, 1));
	if (OP("tcp.bind"))
		return done(inet(SOCK_STREAM, 1, a));
	if (OP("tcp.connect"))
		return done(inet(SOCK_STREAM, 0, a));
	if (OP("udp.bind"))
		return done(inet(SOCK_DGRAM, 1, a));
	if (OP("udp.connect"))
		return done(inet(SOCK_DGRAM, 0, a));
	if (OP("fastopen"))
		return done(fastopen(a, b));
	if (OP("listen")) { /* on a socket of this family that is not bound */
		n = socket(atoi(a), SOCK_STREAM, 0);
		return done(n == -1 ? -1 : listen(n, 1));
	}
	if (OP("kill"))
		return done(kill(atoi(a), 0));
	if (OP("read_fd"))
		return done(read(atoi(a), &n, 1));
	if (OP("openat_fd"))
		return done(openat(atoi(a), b, O_RDONLY));
	if (OP("fds"))
		return descriptors();
	if (OP("call"))
		return call(argv + 2);
	if (OP("calls"))
		return calls();
	if (OP("int80"))
		return done(int80(atol(a)));
	if (OP("x32"))
		return done(syscall(0x40000000 + atol(a)));
	if (OP("pdeathsig")) {
		prctl(PR_GET_PDEATHSIG, &n);
		printf("%d\n", n);
		return 0;
	}
	if (OP("securebits")) {
		printf("0x%x\n", prctl(PR_GET_SECUREBITS));
		return 0;
	}
	if (OP("keyring")) {
		printf("%ld\n", syscall(SYS_keyctl, 0, -3, 0));
		return 0;
	}
	if (OP("euid")) {
		printf("%d\n", (int)geteuid());
		return 0;
	}
	if (OP("abi")) {
		printf("%ld\n", syscall(444, NULL, 0, 1));
		return 0;
	}
	if (OP("core")) {
		getrlimit(RLIMIT_CORE, &r);
		printf("%lu %lu\n", r.rlim_cur, r.rlim_max);
		return 0;
	}
	if (OP("crash"))
		abort();
	fprintf(stderr, "deed: %s: not known\n", op);
	return 2;
}
