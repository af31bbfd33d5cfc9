/* One descriptor at a time over a UNIX socket pair (SCM_RIGHTS, unix(7)). */
#ifndef VOLT_FDPASS_H
#define VOLT_FDPASS_H

void fdpass_send(int sock, int fd);
int fdpass_recv(int sock);

#endif
