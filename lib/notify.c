#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "notify.h"
#include "sock.h"
#include "text.h"
#include "value.h"

#define NAME_MOST 255	/* bytes of a D-Bus name */

/* Is fd what VOLT_NOTIFY may name: a connected UNIX socket with messages? */
int
notify_is_ours(int fd)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	socklen_t peerlen = sizeof(peer);
	int type = sock_option(fd, SO_TYPE);

	if (type == -1 ||
	    getpeername(fd, (struct sockaddr *)&peer, &peerlen) == -1)
		return carry_unlike();
	return (type == SOCK_DGRAM || type == SOCK_SEQPACKET) &&
	    peer.sun_family == AF_UNIX;
}

/* The socket in VOLT_NOTIFY; -1 and errno, ENOENT if there is none. */
int
notify_handed(void)
{
	int fd = carry_find(NOTIFY_VARIABLE, notify_is_ours);

	if (fd == -1 && carry_is_none(errno))
		errno = ENOENT;
	return fd;
}

static int
announce(int fd)
{
	return carry_announce(NOTIFY_VARIABLE, &fd, 1, NULL);
}

/* Connect to the socket of NOTIFY_SOCKET. Returns it; or -1 and errno. */
static int
connect_socket(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd, saved;

	if (name == NULL || strlen(name) >= sizeof(sun.sun_path)) {
		errno = name == NULL ? ENOENT : E2BIG;
		return -1;
	}
	memcpy(sun.sun_path, name, strlen(name) + 1);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(name));
	if (name[0] == '@') /* an abstract name has no NUL at its end */
		sun.sun_path[0] = '\0';
	else
		len++;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, len) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * Connect to the socket of NOTIFY_SOCKET and set VOLT_NOTIFY. It is no error if no
 * process listens, as with sd_notify(3).
 */
void
notify_hand_on(void)
{
	int fd = connect_socket();

	if (fd != -1 && announce(fd) == -1)
		close(fd);
}

/* Is the chain to say that it is ready when it starts its command (VOLT_READY)? */
bool
notify_is_wanted(void)
{
	return getenv(NOTIFY_READY) != NULL;
}

/*
 * Where to say so: a new descriptor that closes on exec. Returns -1 and errno: ENOENT
 * if it is not wanted, or if the caller named no socket; ENOTCONN if there is no socket
 * of that name.
 */
int
notify_open(void)
{
	int fd;

	if (!notify_is_wanted()) {
		errno = ENOENT;
		return -1;
	}
	if ((fd = notify_handed()) != -1)
		return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (errno != ENOENT || getenv("NOTIFY_SOCKET") == NULL)
		return -1;
	if ((fd = connect_socket()) == -1 && errno == ENOENT)
		errno = ENOTCONN;
	return fd;
}

/* Say that the chain is ready. Returns -1 and errno. Only write(2) is called. */
int
notify_ready(int fd)
{
	static const char line[] = "READY=1";

	while (write(fd, line, sizeof(line) - 1) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

/*
 * Keep the socket of VOLT_NOTIFY for a relay, and pass an end of a socket pair in its
 * place. Returns 1; 0 if there is no such socket; or -1 and errno.
 */
int
notify_split(struct notify_relay *r)
{
	int handed = notify_handed();
	int pair[2];

	if (handed == -1)
		return errno == ENOENT ? 0 : -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    (r->out = fcntl(handed, F_DUPFD_CLOEXEC, 3)) == -1 ||
	    announce(pair[1]) == -1)
		return -1;
	close(handed);
	r->in = pair[0];
	r->len = 0;
	return 1;
}

static bool
is_text(const char *s, size_t len)
{
	size_t n;

	for (; len > 0; s += n, len -= n)
		if ((n = text_char(s, len)) == 0)
			return false;
	return true;
}

/* Is it the name of an error of D-Bus or Varlink? */
static bool
is_name(const char *s, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_.-";

	return len > 0 && len <= NAME_MOST && strspn(s, letters) >= len;
}

static bool
is_number(const char *s, size_t len, uint64_t most)
{
	char number[24];
	uint64_t n;

	if (len >= sizeof(number))
		return false;
	memcpy(number, s, len);
	number[len] = '\0';
	return value_uint(number, most, &n) == 0;
}

/*
 * The lines of sd_notify(3) that mean the same outside. Not here: those about process
 * IDs and descriptors (MAINPID, MAINPIDFD, FDSTORE, FDNAME, BARRIER and others),
 * NOTIFYACCESS, and those of later versions.
 */
static const struct {
	const char *key;	/* with its "="; or a whole line */
	enum { LINE, NUMBER, TEXT, NAME } form;
	uint64_t most;	/* number */
} allowed[] = {
	{ "READY=1", LINE, 0 },
	{ "RELOADING=1", LINE, 0 },
	{ "STOPPING=1", LINE, 0 },
	{ "WATCHDOG=1", LINE, 0 },
	{ "WATCHDOG=trigger", LINE, 0 },
	{ "STATUS=", TEXT, 0 },
	{ "ERRNO=", NUMBER, 4095 },
	{ "BUSERROR=", NAME, 0 },
	{ "VARLINKERROR=", NAME, 0 },
	{ "WATCHDOG_USEC=", NUMBER, UINT64_MAX },
	{ "EXTEND_TIMEOUT_USEC=", NUMBER, UINT64_MAX },
	{ "MONOTONIC_USEC=", NUMBER, UINT64_MAX },
};

/* Is the line allowed? It has len bytes, and a NUL or a newline follows. */
static bool
is_allowed(const char *line, size_t len)
{
	size_t i, klen;

	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		klen = strlen(allowed[i].key);
		if (len < klen || memcmp(line, allowed[i].key, klen) != 0)
			continue;
		switch (allowed[i].form) {
		case LINE:
			if (len == klen)
				return true;
			break;
		case NUMBER:
			return is_number(line + klen, len - klen,
			    allowed[i].most);
		case TEXT:
			return is_text(line + klen, len - klen);
		case NAME:
			return is_name(line + klen, len - klen);
		}
	}
	return false;
}

/*
 * Copy the allowed lines of a message to out, which has room for NOTIFY_MOST bytes.
 * Returns their length; 0 if there are none. Like systemd, drop a message that is too
 * long or has a NUL that is not its last byte.
 */
size_t
notify_filter(const char *message, size_t len, char *out)
{
	char copy[NOTIFY_MOST + 1];
	const char *line, *end;
	size_t n, used = 0;

	if (len > 0 && message[len - 1] == '\0')
		len--;
	if (len > NOTIFY_MOST || memchr(message, '\0', len) != NULL)
		return 0;
	memcpy(copy, message, len);
	copy[len] = '\0';
	for (line = copy; line < copy + len; line = end + 1) {
		end = line + strcspn(line, "\n");
		n = (size_t)(end - line);
		if (!is_allowed(line, n))
			continue;
		if (used > 0)
			out[used++] = '\n';
		memcpy(out + used, line, n);
		used += n;
	}
	return used;
}

/* What to poll for: a message that waits is sent before the next is read. */
struct pollfd
notify_wants(const struct notify_relay *r)
{
	if (r->len > 0)
		return (struct pollfd){ .fd = r->out, .events = POLLOUT };
	return (struct pollfd){ .fd = r->in, .events = POLLIN };
}

/* Take the next message. Returns false if there is none. */
static bool
take(struct notify_relay *r)
{
	char buf[NOTIFY_MOST + 2]; /* room to see that one is too long */
	struct pollfd p = { .fd = r->in };
	ssize_t n;

	while ((n = recv(r->in, buf, sizeof(buf), MSG_DONTWAIT)) == -1)
		if (errno != EINTR)
			return false;
	if (n == 0 && poll(&p, 1, 0) == 1)
		r->in = -1; /* no process can send any more */
	r->len = notify_filter(buf, (size_t)n, r->buf);
	return true;
}

/*
 * Pass one message on, if there is one and the other side has room. Returns whether
 * there may be more. A message is dropped if no process listens.
 */
bool
notify_move(struct notify_relay *r)
{
	if (r->len == 0 && !take(r))
		return false;
	if (r->len > 0 && send(r->out, r->buf, r->len,
		MSG_DONTWAIT | MSG_NOSIGNAL) == -1 &&
	    (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return false;
	r->len = 0;
	return true;
}
