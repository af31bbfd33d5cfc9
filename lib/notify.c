#include <sys/socket.h>
#include <sys/un.h>

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "value.h"

/* Could fd be what notify_hand_on() made? A connected UNIX datagram socket. */
bool
notify_is_ours(int fd)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(int), peerlen = sizeof(peer);
	int type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_DGRAM &&
	    getpeername(fd, (struct sockaddr *)&peer, &peerlen) == 0 &&
	    peer.sun_family == AF_UNIX;
}

/* The socket that came with us, or -1. */
int
notify_handed(void)
{
	const char *value = getenv("VOLT_NOTIFY");
	uint64_t fd;

	if (value == NULL || value_uint(value, INT_MAX, &fd) == -1 ||
	    !notify_is_ours((int)fd))
		return -1;
	return (int)fd;
}

/*
 * Connect to the socket of NOTIFY_SOCKET and set VOLT_NOTIFY. Nobody there to
 * notify is no error: sd_notify() holds it the same way.
 */
void
notify_hand_on(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char value[16];
	socklen_t len;
	int fd;

	if (name == NULL || strlen(name) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, name, strlen(name) + 1);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(name));
	if (name[0] == '@') /* an abstract one: no NUL at its end */
		sun.sun_path[0] = '\0';
	else
		len++;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM, 0)) == -1)
		return;
	snprintf(value, sizeof(value), "%d", fd);
	if (connect(fd, (struct sockaddr *)&sun, len) == -1 ||
	    setenv("VOLT_NOTIFY", value, 1) == -1)
		close(fd);
}
