#include <sys/mman.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "cpio.h"

#define GROW ((size_t)4 << 20)
#define HEADER 110
#define FILE_MOST UINT32_MAX	/* eight hexadecimal digits */

/* Make room for n more bytes, which are zero. Returns where they are. */
static uint8_t *
reserve(struct cpio *c, size_t n)
{
	size_t room = (c->len + n + GROW - 1) / GROW * GROW;
	void *p;

	if (room > c->room) {
		p = c->base == NULL ?
		    mmap(NULL, room, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) :
		    mremap(c->base, c->room, room, MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			err(EXIT_LINK, "the guest's initramfs");
		c->base = p;
		c->room = room;
	}
	return c->base + c->len;
}

static void
pad(struct cpio *c)
{
	(void)reserve(c, 4);
	c->len = (c->len + 3) & ~(size_t)3;
}

static void
header(struct cpio *c, const char *path, mode_t mode, size_t size,
    unsigned int maj, unsigned int min)
{
	size_t namesize = strlen(path) + 1;
	char *p = (char *)reserve(c, HEADER + namesize + 4);

	snprintf(p, HEADER + 1, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X"
	    "%08X%08X%08X%08X", ++c->inode, (unsigned int)mode, 0u, 0u,
	    S_ISDIR(mode) ? 2u : 1u, 0u, (unsigned int)size, 0u, 0u, maj, min,
	    (unsigned int)namesize, 0u);
	memcpy(p + HEADER, path, namesize);
	c->len += HEADER + namesize;
	pad(c);
}

void
cpio_dir(struct cpio *c, const char *path, mode_t mode)
{
	header(c, path, S_IFDIR | mode, 0, 0, 0);
}

void
cpio_node(struct cpio *c, const char *path, mode_t mode, unsigned int maj,
    unsigned int min)
{
	header(c, path, mode, 0, maj, min);
}

void
cpio_file(struct cpio *c, const char *path, mode_t mode, const void *data,
    size_t len)
{
	header(c, path, S_IFREG | mode, len, 0, 0);
	if (len > 0)
		memcpy(reserve(c, len), data, len);
	c->len += len;
	pad(c);
}

/* Add a file with the contents of fd, a regular file. */
void
cpio_fd(struct cpio *c, const char *path, mode_t mode, int fd)
{
	struct stat st;
	size_t size, done = 0;
	uint8_t *p;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MOST)
		errx(EXIT_LINK, "%s: not a regular file of less than 4 GiB",
		    path);
	size = (size_t)st.st_size;
	header(c, path, S_IFREG | mode, size, 0, 0);
	p = reserve(c, size);
	while (done < size) {
		n = pread(fd, p + done, size - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			err(EXIT_LINK, "%s", path);
		if (n == 0)
			break; /* the file became shorter: zeroes follow */
		done += (size_t)n;
	}
	c->len += size;
	pad(c);
}

void
cpio_end(struct cpio *c)
{
	c->inode = (unsigned int)-1;
	header(c, "TRAILER!!!", 0, 0, 0, 0);
}
