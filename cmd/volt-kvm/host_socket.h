/*
 * A socket of the host's, at a path, and its helper.
 *
 * The helper is a process without access to the guest. It does for volt-kvm what needs a
 * path, and removes the path when volt-kvm has ended, by whatever signal. So volt-kvm
 * itself need not be able to make a socket, to connect one, or to remove a file.
 */
#ifndef VOLT_KVM_HOST_SOCKET_H
#define VOLT_KVM_HOST_SOCKET_H

#include <sys/un.h>

#include <stddef.h>

#define HOST_SOCKET_PATH (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct host_socket {
	int listener, helper;	/* both are non-blocking */
};

void host_socket_check(const char *key, const char *path, size_t most);
void host_socket_open(struct host_socket *h, const char *key, const char *path,
    int type, void (*serve)(int sock, const struct sockaddr_un *addr));
void host_socket_leave(void);

#endif
