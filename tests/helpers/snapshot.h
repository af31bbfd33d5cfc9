/*
 * What a process can see of itself, as one line. launch.c prints it before a chain, and
 * probe.c after it. The line is JSON, and without true, false and null also Python.
 * Strings are in hexadecimal, because they may have any bytes. If a value is unknown,
 * without /proc or because of a filter of system calls, it is a negative errno or an
 * empty list.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDS_LOOKED_AT 8192	/* if /proc does not list them */
#define CAPS 64
#define SIGNALS 64
#define LIMITS 16

/* The kernel's call: the C library hides signals 32 and 33 from its callers. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

struct text {
	char *s;
	size_t len, size;
};

static void
text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(t->s + t->len, t->size - t->len, fmt, ap);
		va_end(ap);
		if (n < 0)
			abort();
		if (t->len + (size_t)n < t->size)
			break;
		t->size = 2 * t->size + (size_t)n + 4096;
		if ((t->s = realloc(t->s, t->size)) == NULL)
			abort();
	}
	t->len += (size_t)n;
}

static void
text_hex(struct text *t, const char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * n + 1);
	size_t i;

	if (hex == NULL)
		abort();
	for (i = 0; i < n; i++) {
		hex[2 * i] = digits[(unsigned char)s[i] >> 4];
		hex[2 * i + 1] = digits[s[i] & 15];
	}
	hex[2 * n] = '\0';
	text_add(t, "\"%s\"", hex);
	free(hex);
}

static void
add_strings(struct text *t, const char *key, char *const *s)
{
	const char *comma = "";

	text_add(t, ",\"%s\":[", key);
	for (; s != NULL && *s != NULL; s++) {
		text_add(t, "%s", comma);
		text_hex(t, *s, strlen(*s));
		comma = ",";
	}
	text_add(t, "]");
}

static void
add_number(struct text *t, const char *key, long long n)
{
	text_add(t, ",\"%s\":%lld", key, n);
}

/* The value, or -errno. */
static void
add_result(struct text *t, const char *key, long n)
{
	add_number(t, key, n == -1 ? -errno : n);
}

/* Read a file as a string. Returns its length, or -1. */
static ssize_t
read_text(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static void
add_file(struct text *t, const char *key, const char *path)
{
	char buf[16384];
	ssize_t n = read_text(path, buf, sizeof(buf));

	text_add(t, ",\"%s\":", key);
	text_hex(t, buf, n > 0 ? (size_t)n : 0);
}

static void
add_ids(struct text *t)
{
	unsigned int r, e, s;
	gid_t groups[256];
	int i, n;

	if (syscall(SYS_getresuid, &r, &e, &s) == 0)
		text_add(t, ",\"uid\":[%u,%u,%u]", r, e, s);
	if (syscall(SYS_getresgid, &r, &e, &s) == 0)
		text_add(t, ",\"gid\":[%u,%u,%u]", r, e, s);
	n = getgroups(256, groups);
	text_add(t, ",\"groups\":[");
	for (i = 0; i < n; i++)
		text_add(t, "%s%u", i > 0 ? "," : "", groups[i]);
	text_add(t, "]");
}

static void
add_caps(struct text *t)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { { 0 } };
	uint64_t bounding = 0, ambient = 0;
	int cap;

	(void)syscall(SYS_capget, &head, d);
	for (cap = 0; cap < CAPS; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			bounding |= (uint64_t)1 << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			ambient |= (uint64_t)1 << cap;
	}
#define SET(x) ((unsigned long long)(d[0].x | (uint64_t)d[1].x << 32))
	text_add(t, ",\"inheritable\":%llu,\"permitted\":%llu,"
	    "\"effective\":%llu,\"bounding\":%llu,\"ambient\":%llu",
	    SET(inheritable), SET(permitted), SET(effective),
	    (unsigned long long)bounding, (unsigned long long)ambient);
#undef SET
}

static void
add_signals(struct text *t)
{
	struct kernel_sigaction sa;
	uint64_t blocked = 0, pending = 0, ignored = 0;
	int n;

	for (n = 1; n <= SIGNALS; n++)
		if (syscall(SYS_rt_sigaction, n, NULL, &sa, 8) == 0 &&
		    sa.handler == (void (*)(int))1)
			ignored |= (uint64_t)1 << (n - 1);
	(void)syscall(SYS_rt_sigprocmask, 0, NULL, &blocked, 8);
	(void)syscall(SYS_rt_sigpending, &pending, 8);
	text_add(t, ",\"blocked\":%llu,\"ignored\":%llu,\"pending\":%llu",
	    (unsigned long long)blocked, (unsigned long long)ignored,
	    (unsigned long long)pending);
}

static void
add_prctls(struct text *t)
{
	int value;

	add_result(t, "no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	add_result(t, "seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	add_result(t, "securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	add_result(t, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	add_result(t, "keepcaps", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	add_result(t, "timerslack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	value = prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0) == -1 ? -errno : value;
	add_number(t, "pdeathsig", value);
	value = prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0) == -1 ? -errno :
	    value;
	add_number(t, "subreaper", value);
}

static void
add_limits(struct text *t)
{
	unsigned long long r[2];
	mode_t mask = umask(0);
	char buf[32];
	int i;

	umask(mask);
	add_number(t, "umask", mask);
	text_add(t, ",\"rlimits\":[");
	for (i = 0; i < LIMITS; i++) {
		if (syscall(SYS_prlimit64, 0, i, NULL, r) == -1)
			r[0] = r[1] = 0;
		text_add(t, "%s[%llu,%llu]", i > 0 ? "," : "", r[0], r[1]);
	}
	text_add(t, "]");
	/* The kernel's call returns 20 - nice. */
	add_number(t, "nice", 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0));
	add_result(t, "scheduler", syscall(SYS_sched_getscheduler, 0));
	add_result(t, "ioprio", syscall(SYS_ioprio_get, 1, 0));
	add_result(t, "personality", syscall(SYS_personality, 0xffffffffUL));
	if (read_text("/proc/self/oom_score_adj", buf, sizeof(buf)) > 0)
		add_number(t, "oom", atoi(buf));
	else
		add_number(t, "oom", -9999);
}

static void
add_places(struct text *t)
{
	static const char *const kinds[] = { "user", "mnt", "pid", "net", "uts",
		"ipc", "cgroup", "time" };
	struct utsname u;
	struct stat st;
	char path[PATH_MAX];
	size_t i;
	long n;

	n = syscall(SYS_getcwd, path, sizeof(path));
	text_add(t, ",\"cwd\":");
	text_hex(t, path, n > 0 ? (size_t)n - 1 : 0);
	/* stat(2) of "." needs the right to search it. */
	if (fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH) == 0)
		text_add(t, ",\"cwd_id\":[%llu,%llu]",
		    (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino);
	if (stat("/", &st) == 0)
		text_add(t, ",\"root_id\":[%llu,%llu]",
		    (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino);
	text_add(t, ",\"ns\":{");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		text_add(t, "%s\"%s\":%llu", i > 0 ? "," : "", kinds[i],
		    stat(path, &st) == 0 ? (unsigned long long)st.st_ino : 0);
	}
	text_add(t, "}");
	if (uname(&u) == 0) {
		text_add(t, ",\"hostname\":");
		text_hex(t, u.nodename, strlen(u.nodename));
		text_add(t, ",\"domainname\":");
		text_hex(t, u.domainname, strlen(u.domainname));
	}
	add_file(t, "uid_map", "/proc/self/uid_map");
	add_file(t, "gid_map", "/proc/self/gid_map");
	add_file(t, "setgroups", "/proc/self/setgroups");
	add_file(t, "offsets", "/proc/self/timens_offsets");
	add_file(t, "cgroups", "/proc/self/cgroup");
	add_file(t, "interfaces", "/proc/self/net/dev");
	add_file(t, "children", "/proc/thread-self/children");
	add_result(t, "keyring", syscall(SYS_keyctl, 0, -3, 0));
}

/* Add process group, session and terminal. */
static void
add_family(struct text *t)
{
	char buf[1024], *s;
	int ppid, pgid, sid, tty = -1, tpgid = -1;

	if (read_text("/proc/self/stat", buf, sizeof(buf)) > 0 &&
	    (s = strrchr(buf, ')')) != NULL)
		(void)sscanf(s + 1, " %*c %d %d %d %d %d", &ppid, &pgid, &sid,
		    &tty, &tpgid);
	text_add(t, "\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,\"tty\":%d,"
	    "\"tpgid\":%d", getpid(), getppid(), getpgid(0), getsid(0), tty,
	    tpgid);
}

static void
add_descriptor(struct text *t, int fd, const char **comma)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFD);

	if (flags == -1 || fstat(fd, &st) == -1)
		return;
	/* fd, device, inode, mode, own device number, flags, position, cloexec */
	text_add(t, "%s[%d,%llu,%llu,%u,%llu,%d,%lld,%d]", *comma, fd,
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
	    st.st_mode, (unsigned long long)st.st_rdev, fcntl(fd, F_GETFL),
	    (long long)lseek(fd, 0, SEEK_CUR), flags & FD_CLOEXEC);
	*comma = ",";
}

/* Add all descriptors, except the one to which the line is written if it is ours. */
static void
add_descriptors(struct text *t, int except)
{
	const char *comma = "";
	struct dirent *e;
	DIR *dir;
	int fd;

	text_add(t, ",\"fds\":[");
	if ((dir = opendir("/proc/self/fd")) != NULL) {
		while ((e = readdir(dir)) != NULL) {
			fd = e->d_name[0] == '.' ? -1 : atoi(e->d_name);
			if (fd != -1 && fd != dirfd(dir) && fd != except)
				add_descriptor(t, fd, &comma);
		}
		closedir(dir);
	} else {
		for (fd = 0; fd < FDS_LOOKED_AT; fd++)
			if (fd != except)
				add_descriptor(t, fd, &comma);
	}
	text_add(t, "]");
}

/* Make the line without its end, so that the caller may add to it. */
static void
snapshot(struct text *t, char *const *argv, char *const *env, int except)
{
	text_add(t, "{");
	add_family(t);
	add_descriptors(t, except);
	add_strings(t, "argv", argv);
	add_strings(t, "env", env);
	add_ids(t);
	add_caps(t);
	add_signals(t);
	add_prctls(t);
	add_limits(t);
	add_places(t);
}

/* Write all of it, or until the reader has ended. */
static void
text_write(const struct text *t, int fd)
{
	size_t done = 0;
	ssize_t n;

	while (done < t->len) {
		n = write(fd, t->s + done, t->len - done);
		if (n == -1 && errno != EINTR)
			return;
		if (n > 0)
			done += (size_t)n;
	}
}

#endif
