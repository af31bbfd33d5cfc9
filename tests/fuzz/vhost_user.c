/*
 * Fuzz the answers of a daemon at its start: the input is all that it sends.
 * Link: cmd/volt-kvm/vhost_user.c cmd/volt-kvm/shadow.c
 */
#include <sys/socket.h>

#include <unistd.h>

#include "../../cmd/volt-kvm/vhost_user.h"
#include "clock.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct shadow shadow;
	int pair[2];
	pid_t pid;

	if (shadow.base == NULL && shadow_init(&shadow) == -1)
		abort();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1 ||
	    send(pair[1], data, size, 0) != (ssize_t)size ||
	    shutdown(pair[1], SHUT_WR) == -1)
		abort();
	(void)vhost_user_begin(pair[0], &shadow, clock_ms() + 1000, &pid);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
