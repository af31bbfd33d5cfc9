/* Fuzz the looks into a program file: the input is one. */
#include <sys/mman.h>

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "fuzz.h"
#include "interp.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char path[64];
	static int fd;
	char *interp = malloc(PATH_MAX);

	if (interp == NULL)
		return 0;
	if (fd == 0) {
		if ((fd = memfd_create("program", MFD_CLOEXEC)) == -1)
			abort();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) == -1 || pwrite(fd, data, size, 0) !=
	    (ssize_t)size)
		abort();
	if (interp_missing(path, interp) &&
	    memchr(interp, '\0', PATH_MAX) == NULL)
		abort();
	free(interp);
	return 0;
}
