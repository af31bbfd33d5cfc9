/*
 * Examine a traced process after a call that failed, for -l: its memory, the file that a
 * path means to it, and what file modes allow it. The process may have changed
 * meanwhile, and it may lie. So the results decide only what is written for a person to
 * read.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kfile.h"
#include "lock.h"
#include "path.h"
#include "sys.h"

#define STATUS_SIZE 8192	/* of /proc/PID/status; groups can be many */
#define CHUNK 256	/* bytes of a string that are read at once */

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/*
 * Read the numbers after a key of the status file into list, at most "most" of them.
 * Returns how many were read.
 */
static size_t
numbers(const char *status, const char *key, int base, uint64_t *list,
    size_t most)
{
	const char *s = strstr(status, key);
	size_t n = 0;
	char *end;

	for (s = s != NULL ? s + strlen(key) : ""; n < most; s = end) {
		s += strspn(s, "\t ");
		if (*s == '\n')
			break;
		list[n] = strtoull(s, &end, base);
		if (end == s)
			break;
		n++;
	}
	return n;
}

/* Find out the IDs and capabilities of pid. Returns false if that fails. */
bool
tracee_begin(struct tracee *t, pid_t pid)
{
	char path[64], status[STATUS_SIZE];
	uint64_t list[TRACEE_GROUPS];
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (kfile_read(AT_FDCWD, path, status, sizeof(status)) <= 0)
		return false;
	*t = (struct tracee){ .pid = pid };
	if (numbers(status, "\nTgid:", 10, list, 1) != 1)
		return false;
	t->leader = (pid_t)list[0];
	/* The fourth number is the ID that opens files. */
	if (numbers(status, "\nUid:", 10, list, 4) != 4)
		return false;
	t->uid = (uid_t)list[3];
	if (numbers(status, "\nGid:", 10, list, 4) != 4)
		return false;
	t->gid = (gid_t)list[3];
	t->ngroups = numbers(status, "\nGroups:", 10, list, TRACEE_GROUPS);
	for (i = 0; i < t->ngroups; i++)
		t->groups[i] = (gid_t)list[i];
	return numbers(status, "\nCapEff:", 16, &t->caps, 1) == 1;
}

bool
tracee_read(const struct tracee *t, uint64_t at, void *buf, size_t len)
{
	const struct iovec here = { buf, len };
	const struct iovec there = { (void *)(uintptr_t)at, len };

	return process_vm_readv(t->pid, &here, 1, &there, 1, 0) ==
	    (ssize_t)len;
}

/* Read a string of up to PATH_MAX bytes. No read crosses the end of a page. */
bool
tracee_string(const struct tracee *t, uint64_t at, char buf[static PATH_MAX])
{
	size_t len = 0, n;

	for (; len < PATH_MAX; len += n) {
		n = CHUNK - (at + len) % CHUNK;
		if (n > PATH_MAX - len)
			n = PATH_MAX - len;
		if (!tracee_read(t, at + len, buf + len, n))
			return false;
		if (memchr(buf + len, '\0', n) != NULL)
			return true;
	}
	return false;
}

/*
 * Open the process's "root", its working directory "cwd" or a descriptor "fd/N". Returns
 * an O_PATH descriptor or -1.
 */
static int
open_its(const struct tracee *t, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", t->pid, what);
	return open(path, O_PATH | O_CLOEXEC);
}

/* Open the file of the process's descriptor. Returns an O_PATH descriptor or -1. */
int
tracee_fd(const struct tracee *t, int fd)
{
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", fd);
	return open_its(t, name);
}

/*
 * Open the file that path means to the process, relative to its descriptor dir or to
 * AT_FDCWD. Follows symlinks, but no magic links. Returns an O_PATH descriptor or -1.
 */
int
tracee_open(const struct tracee *t, int dir, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int from, fd;

	from = path[0] == '/' ? open_its(t, "root") : dir == AT_FDCWD ?
	    open_its(t, "cwd") : tracee_fd(t, dir);
	if (from == -1)
		return -1;
	fd = path[0] == '/' ? path_open(from, path, O_PATH | flags) :
	    sys_openat2(from, path, &how);
	close(from);
	return fd;
}

/* Returns a copy of the process's socket fd, or -1. */
int
tracee_socket(const struct tracee *t, int fd)
{
	int pidfd, copy;

	if ((pidfd = sys_pidfd_open(t->leader, 0)) == -1)
		return -1;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	return copy;
}

static bool
in_group(const struct tracee *t, gid_t gid)
{
	size_t i;

	for (i = 0; i < t->ngroups; i++)
		if (t->groups[i] == gid)
			return true;
	return gid == t->gid;
}

/*
 * Do the file's mode and the process's capabilities allow these (4 read, 2 write, 1
 * execute or search)? This ignores ACLs.
 */
bool
tracee_may(const struct tracee *t, const struct stat *st, unsigned int bits)
{
	bool override = (t->caps & UINT64_C(1) << CAP_DAC_OVERRIDE) != 0;
	bool search = (t->caps & UINT64_C(1) << CAP_DAC_READ_SEARCH) != 0;
	unsigned int mode = st->st_mode;

	mode >>= t->uid == st->st_uid ? 6 : in_group(t, st->st_gid) ? 3 : 0;
	if (override && (S_ISDIR(st->st_mode) || (st->st_mode & 0111) != 0))
		mode |= 7;
	if (override)
		mode |= 6;
	if (override || search)
		mode |= S_ISDIR(st->st_mode) ? 5 : 4;
	return (bits & ~mode & 7) == 0;
}
