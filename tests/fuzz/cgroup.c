/*
 * Fuzz what the kernel tells of groups: the input is /proc/self/cgroup, and
 * behind lines "%" /proc/self/mountinfo, the fdinfo of whatever is opened, and
 * the files of a group.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../lib/cgroup.c"
#include "fuzz.h"

#define PARTS 4

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
ssize_t __wrap_kfile_read(int dir, const char *path, char *buf, size_t size);

static const char *part[PARTS];
static bool inside;

static FILE *
memory(const char *text)
{
	return *text == '\0' ? __real_fopen("/dev/null", "r") :
	    fmemopen((void *)(uintptr_t)text, strlen(text), "r");
}

FILE *
__wrap_fopen(const char *path, const char *mode)
{
	if (!inside)
		return __real_fopen(path, mode);
	return memory(part[strcmp(path, "/proc/self/cgroup") == 0 ? 0 : 1]);
}

/* Whatever is said to be mounted there is. */
int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return __real_open(inside ? "/" : path, flags, mode);
}

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	(void)dir;
	(void)path;
	(void)flags;
	if (fd == -1 || write(fd, part[3], strlen(part[3])) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return fd;
}

ssize_t
__wrap_kfile_read(int dir, const char *path, char *buf, size_t size)
{
	const char *s = part[strncmp(path, "/proc/self/fdinfo/", 18) == 0 ? 2 : 3];

	(void)dir;
	if (strlen(s) >= size) {
		errno = EFBIG;
		return -1;
	}
	strcpy(buf, s);
	return (ssize_t)strlen(s);
}

/* A group of ours is below the top, and is named as the kernel does. */
static void
check_tree(const struct cgroup_tree *t)
{
	if (memchr(t->point, '\0', sizeof(t->point)) == NULL ||
	    memchr(t->own, '\0', sizeof(t->own)) == NULL)
		abort();
	if (t->visible && t->own[0] != '\0' && t->own[0] != '/')
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct cgroup_tree t;
	char *text = fuzz_parts(data, size, part, PARTS);

	if (text == NULL)
		return 0;
	inside = true;
	if (cgroup_tree_open(&t) == 0) {
		check_tree(&t);
		if (t.top == -1)
			abort();
		close(t.top);
	} else if (t.top != -1) {
		abort();
	}
	(void)cgroup_count(-1, false);
	(void)cgroup_count(-1, true);
	(void)cgroup_lists(-1, "cgroup.controllers", "memory");
	inside = false;
	free(text);
	return 0;
}
