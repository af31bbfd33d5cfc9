/* Small files of the kernel: written by one write(2), and read as a whole. */
#ifndef VOLT_KFILE_H
#define VOLT_KFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "must.h"

MUST_CHECK int kfile_write(int dir, const char *path, const char *text);
MUST_CHECK ssize_t kfile_read(int dir, const char *path, char *buf, size_t
    size);
MUST_CHECK int kfile_put(int fd, const char *data, size_t len);
MUST_CHECK ssize_t kfile_slurp(int fd, char *buf, size_t size);

#endif
