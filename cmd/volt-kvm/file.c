#include <sys/mman.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"

/* Map a regular file, or end with a line that names it as what=path. */
struct blob
file_map(const char *path, const char *what)
{
	struct blob b = { 0 };
	struct stat st;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) ==
	    -1 || fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s=%s", what, path);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_LINK, "%s=%s: not a regular file", what, path);
	if (st.st_size == 0)
		errx(EXIT_LINK, "%s=%s: the file is empty", what, path);
	b.len = (size_t)st.st_size;
	b.data = mmap(NULL, b.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (b.data == MAP_FAILED)
		err(EXIT_LINK, "%s=%s", what, path);
	close(fd);
	return b;
}

void
file_unmap(struct blob *b)
{
	if (b->data != NULL)
		munmap(b->data, b->len);
	*b = (struct blob){ 0 };
}
