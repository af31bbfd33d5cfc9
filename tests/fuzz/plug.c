/*
 * Fuzz the plug's messages. The input is one: its first byte says who gets it,
 * and whether a descriptor comes along; its second how much behind it.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "fdpass.h"
#include "fuzz.h"
#include "plug.h"

#define MOST (32 * 1024)

enum { PEEK, ASK, ACCEPT, PARTIES };

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static int pair[2], null, home;
	static struct plug_offer o;
	static char message[MOST];
	size_t len;
	int fd;

	if (size < 2)
		return 0;
	if (null == 0 && ((null = open("/dev/null", O_RDONLY)) == -1 ||
	    (home = open("/proc/self/ns/net", O_RDONLY)) == -1))
		abort();
	len = size - 2 + data[1] * 128u;
	if (len > MOST)
		len = MOST;
	memset(message, 'x', sizeof(message));
	memcpy(message, data + 2, size - 2);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	fd = (data[0] & 0x80) != 0 ? null : -1;
	if (data[0] % 0x80 % PARTIES == ASK &&
	    plug_offer(pair[1], &o) == -1)
		abort();
	if (fdpass_send_with(pair[1], fd, message, len) == -1)
		abort();
	switch (data[0] % 0x80 % PARTIES) {
	case PEEK:
		if (plug_peek(pair[0], &o) == -1)
			break;
		if (memchr(o.resolv, '\0', PLUG_TEXT) == NULL ||
		    memchr(o.hosts, '\0', PLUG_TEXT) == NULL ||
		    (o.kind != PLUG_MADE && o.kind != PLUG_DEFERRED))
			abort();
		break;
	case ASK:
		(void)plug_ask(pair[0], null);
		break;
	default:
		if (plug_accept(pair[0], home) != -1)
			abort(); /* that of /dev/null's network */
	}
	memset(&o, 0, sizeof(o));
	o.kind = PLUG_DEFERRED;
	close(pair[0]);
	close(pair[1]);
	return 0;
}
