/*
 * The host's side of vsock=: the socket at PATH, and its helper (host_socket.h), which
 * also connects to PATH_PORT when the guest asks for that, and passes the socket to
 * volt-kvm.
 */
#ifndef VOLT_KVM_VSOCK_HOST_H
#define VOLT_KVM_VSOCK_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "host_socket.h"
#include "must.h"

/* A request to the helper. The answer is the same, and the socket if there is one. */
struct vsock_call {
	uint32_t slot, serial;	/* the helper returns these */
	uint32_t port;
};

void vsock_host_check(const char *path);
void vsock_host_open(struct host_socket *h, const char *path);
MUST_CHECK bool vsock_host_ask(const struct host_socket *h, const struct
    vsock_call *call);
MUST_CHECK int vsock_host_answer(const struct host_socket *h, struct vsock_call
    *call, int *fd);

#endif
