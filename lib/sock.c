#include <sys/socket.h>

#include "sock.h"

/* A number among the options of socket(7), as SO_TYPE; -1 and errno if fd has none. */
int
sock_option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1 :
	    value;
}
