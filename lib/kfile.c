#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "kfile.h"

/*
 * Write text to the file path below dir (AT_FDCWD and absolute paths as in
 * openat(2)) by a single write(2), which the kernel's files need. The file must
 * exist. Returns 0, or -1 and errno; a short write is EIO.
 */
int
kfile_write(int dir, const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd, saved;

	if ((fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return -1;
	n = write(fd, text, len);
	saved = n == -1 ? errno : EIO;
	close(fd);
	if (n == (ssize_t)len)
		return 0;
	errno = saved;
	return -1;
}

/*
 * Write all bytes to an open file, pipe or terminal, and wait while that is full.
 * Returns 0, or -1 and errno.
 */
int
kfile_put(int fd, const char *data, size_t len)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, data + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == -1 && errno == EAGAIN)
			(void)poll(&room, 1, -1);
		else if (n == -1 && errno != EINTR)
			return -1;
	}
	return 0;
}

/*
 * Read the rest of fd into buf and add a NUL. Returns the number of bytes without the
 * NUL, or -1 and errno: EFBIG if there are more than size - 1 bytes. size is at least
 * 1.
 */
ssize_t
kfile_slurp(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (len == size) {
			errno = EFBIG;
			return -1;
		}
		n = read(fd, buf + len, size - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

/* Open path below dir and slurp it. Errors are those of open(2) and those above. */
ssize_t
kfile_read(int dir, const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd, saved;

	if ((fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return -1;
	n = kfile_slurp(fd, buf, size);
	saved = errno;
	close(fd);
	errno = saved;
	return n;
}
