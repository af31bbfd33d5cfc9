#include <sys/socket.h>

#include "sock.h"

/* An option of socket(7) that is a number, such as SO_TYPE; -1 and errno on failure. */
int
sock_option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1 :
	    value;
}
