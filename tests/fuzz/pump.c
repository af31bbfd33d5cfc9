/*
 * Fuzz what volt-guest takes from volt-kvm by its control port. The first byte is
 * the size of the pieces in which the rest comes.
 */
#include <sys/socket.h>

#include "../../cmd/volt-guest/pump.c"
#include "fuzz.h"

#define CHILD 4711

int __wrap_kill(pid_t pid, int signo);
int __real_kill(pid_t pid, int signo);
int __wrap_ioctl(int fd, unsigned long request, ...);

static bool begun;

int
__wrap_kill(pid_t pid, int signo)
{
	if (!begun)
		return __real_kill(pid, signo);
	if (pid != CHILD || signo < 1 || signo > 64)
		abort();
	return 0;
}

/* PID 1 would start a child. */
void
join_start(unsigned int lane, const struct supervise *first)
{
	if (lane < 1 || lane > GUEST_JOINS || first->child != CHILD)
		abort();
}

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	if (fd != terminal || request != TIOCSWINSZ)
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct supervise first = { .child = CHILD };
	char answers[4096];
	size_t piece, n;
	int pair[2];

	if (size == 0)
		return 0;
	begun = true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	control = pair[0];
	terminal = (*data & 1) != 0 ? 99 : -1;
	line_len = 0;
	told = false;
	piece = 1 + *data / 4;
	for (data++, size--; size > 0; data += n, size -= n) {
		n = size < piece ? size : piece;
		if (write(pair[1], data, n) != (ssize_t)n)
			abort();
		read_control((*data & 1) != 0 ? &first : NULL);
		if (line_len >= sizeof(line))
			abort();
		while (read(pair[1], answers, sizeof(answers)) > 0)
			;
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
