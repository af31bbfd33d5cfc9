/* One descriptor at a time over a UNIX socket (SCM_RIGHTS, unix(7)). */
#ifndef VOLT_FDPASS_H
#define VOLT_FDPASS_H

#include <sys/types.h>

#include <stddef.h>

#include "must.h"


MUST_CHECK int fdpass_send_with(int sock, int fd, const void *data, size_t len);
MUST_CHECK ssize_t fdpass_recv_with(int sock, int *fd, void *data, size_t len);

#endif
