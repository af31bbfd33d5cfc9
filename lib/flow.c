#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "flow.h"
#include "tty.h"

/* Must bytes be written before more can be read? */
bool
flow_is_full(const struct flow *f)
{
	return f->at < f->len;
}

/*
 * Fill the empty buffer with what there is, at most that many bytes. Returns 1; 0 if
 * there is nothing yet; or -1 and errno, which is 0 at the end.
 */
int
flow_fill(struct flow *f, size_t most)
{
	ssize_t n;

	if (most > sizeof(f->buf))
		most = sizeof(f->buf);
	do {
		n = f->recv ? recv(f->from, f->buf, most, MSG_DONTWAIT) :
		    read(f->from, f->buf, most);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0) {
		errno = 0;
		return -1;
	}
	f->at = 0;
	f->len = (size_t)n;
	return 1;
}

/*
 * Write what one call takes of the buffer. Returns 1; 0 if that is nothing yet; or -1
 * and errno, and the bytes stay.
 */
int
flow_drain(struct flow *f)
{
	const char *bytes = f->buf + f->at;
	size_t len = f->len - f->at;
	ssize_t n;

	if (f->most != 0 && len > f->most)
		len = f->most;
	n = f->send ? send(f->to, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
	    write(f->to, bytes, len);
	if (n == -1)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	if (n == 0) { /* a device that takes no bytes any more */
		errno = EIO;
		return -1;
	}
	f->at += (size_t)n;
	return 1;
}

/* Forget the bytes that must be written. */
void
flow_drop(struct flow *f)
{
	f->at = f->len;
}

/*
 * The input of a terminal has ended. To the terminal, of which tty is the master, that
 * is a character, such as ^D: it is the last that must be written.
 */
void
flow_type_eof(struct flow *f, int tty)
{
	char last = f->len > 0 ? f->buf[f->len - 1] : '\n';

	f->from = -1;
	f->at = 0;
	f->len = tty_eof(tty, last, f->buf);
}

/* End the flow. The bytes in the buffer are lost. */
void
flow_end(struct flow *f)
{
	if (f->own != -1)
		close(f->own);
	f->from = f->to = f->own = -1;
	f->at = f->len = 0;
}
