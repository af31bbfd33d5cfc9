/*
 * sd_notify(3) across the new root: the socket that NOTIFY_SOCKET names is out
 * of sight soon, so it is connected now and handed on in VOLT_NOTIFY. volt-init
 * ready= uses it; the last link closes it.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ns.h"

/* Nobody there to notify is no error: sd_notify() holds it the same way. */
void
notify_open(void)
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
