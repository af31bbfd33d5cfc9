/* One descriptor at a time over a UNIX socket (SCM_RIGHTS, unix(7)). */
#ifndef VOLT_FDPASS_H
#define VOLT_FDPASS_H

#include <sys/types.h>

#include <stddef.h>


int fdpass_send_with(int sock, int fd, const void *data, size_t len);
ssize_t fdpass_recv_with(int sock, int *fd, void *data, size_t len);

#endif
