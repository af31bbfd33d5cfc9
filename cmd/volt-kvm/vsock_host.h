/*
 * The host's side of vsock=: the socket at PATH, and the helper.
 *
 * The helper is a process without access to the guest. It connects to PATH_PORT when
 * the guest asks for that, and passes the socket to volt-kvm. And it removes PATH when
 * volt-kvm has ended, by whatever signal. So volt-kvm itself need not be able to make
 * a socket, to connect one, or to remove a file.
 */
#ifndef VOLT_KVM_VSOCK_HOST_H
#define VOLT_KVM_VSOCK_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

struct vsock_host {
	int listener, helper;	/* both are non-blocking */
};

/* A request to the helper. The answer is the same, and the socket if there is one. */
struct vsock_call {
	uint32_t slot, serial;	/* the helper returns these */
	uint32_t port;
};

void vsock_host_check(const char *path);
void vsock_host_open(struct vsock_host *h, const char *path);
MUST_CHECK bool vsock_host_ask(const struct vsock_host *h, const struct
    vsock_call *call);
MUST_CHECK int vsock_host_answer(const struct vsock_host *h, struct vsock_call
    *call, int *fd);
void vsock_host_leave(void);

#endif
