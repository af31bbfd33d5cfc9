#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"
#include "vsock_host.h"

#define PORT_TEXT (sizeof("_4294967295") - 1)

/* Can a socket have this path, and those with a port behind it? If not, the end. */
void
vsock_host_check(const char *path)
{
	host_socket_check("vsock", path, HOST_SOCKET_PATH - PORT_TEXT);
}

/* --- the helper ------------------------------------------------------------ */

/* Connect to PATH_PORT. Returns the socket, or -1. */
static int
connect_to(const struct sockaddr_un *base, uint32_t port)
{
	struct sockaddr_un addr = *base;
	size_t len = strlen(addr.sun_path);
	int fd;

	snprintf(addr.sun_path + len, sizeof(addr.sun_path) - len, "_%u", port);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0)) == -1)
		return -1;
	/* This does not wait: a listener without room is EAGAIN. */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Answer volt-kvm's calls until it ends. */
static void
serve(int sock, const struct sockaddr_un *addr)
{
	struct vsock_call call;
	int fd, rc = 0;

	while (rc == 0 && recv(sock, &call, sizeof(call), 0) == sizeof(call)) {
		fd = connect_to(addr, call.port);
		rc = fdpass_send_with(sock, fd, &call, sizeof(call));
		if (fd != -1)
			close(fd);
	}
}

/* Before there is a guest: listen at the path and start the helper. */
void
vsock_host_open(struct host_socket *h, const char *path)
{
	host_socket_open(h, "vsock", path, SOCK_STREAM, serve);
}

/* --- volt-kvm --------------------------------------------------------------- */

/* Ask the helper for a socket. Returns false if it cannot be asked now. */
bool
vsock_host_ask(const struct host_socket *h, const struct vsock_call *call)
{
	return send(h->helper, call, sizeof(*call),
	    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*call);
}

/*
 * Read an answer of the helper's: *fd is a socket, which the caller closes, or -1.
 * Returns 1; 0 if there is none now; -1 if there will be no more.
 */
int
vsock_host_answer(const struct host_socket *h, struct vsock_call *call, int *fd)
{
	ssize_t n = fdpass_recv_with(h->helper, fd, call, sizeof(*call));

	if (n == sizeof(*call))
		return 1;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	return n == -1 && errno == EAGAIN ? 0 : -1;
}
