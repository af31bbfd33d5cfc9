/* See nl.h. */
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "chain.h"

#include "nl.h"

#define ANSWER_MS 20000	/* the chain's root may have taken the answer */
#define SOCKET_BUFFER (4 * NL_BATCH)
#define DUMPS 100	/* how often to repeat a dump that changed meanwhile */
#define ERROR_MOST 4095	/* the kernel's largest errno */
#define ATTR_HEAD sizeof(struct nlattr)
#define ATTR_MOST 4096	/* bytes of an attribute, whose length has 16 bits */

/* Messages, headers and attributes begin at multiples of four bytes. */
static size_t
aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Is the message whole? libmnl does not refuse a length of 2 GiB or more. */
static bool
whole(const struct nlmsghdr *msg, int left)
{
	return left >= (int)sizeof(*msg) && msg->nlmsg_len >= sizeof(*msg) &&
	    msg->nlmsg_len <= (unsigned int)left;
}

/* Use fd, a netlink socket that another process may have, too. */
void
nl_use(struct nl *nl, int fd)
{
	int on = 1;

	*nl = (struct nl){ .fd = fd, .seq = 1 };
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	/* It lets us dump the ports or addresses of only one interface. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
	    sizeof(on));
}

/* Open a socket in this network namespace. Returns 0, or -1 and errno. */
int
nl_open(struct nl *nl, int bus)
{
	int fd, size = SOCKET_BUFFER;

	if ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus)) == -1)
		return -1;
	/* Without CAP_NET_ADMIN this fails, and so does every large request. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	nl_use(nl, fd);
	return 0;
}

/* End with errno's message, and with the kernel's text for the error. */
_Noreturn void
nl_fail(const struct nl *nl, const char *fmt, ...)
{
	char line[256];
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	errno = saved;
	if (*nl->why != '\0')
		err(EXIT_LINK, "%s: %s", line, nl->why);
	err(EXIT_LINK, "%s", line);
}

/*
 * Number the messages of r and send them. Returns how many of them ask for an
 * acknowledgement, or -1.
 */
static int
transmit(struct nl *nl, const struct nlreq *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *msg = (struct nlmsghdr *)r->buf;
	int left = (int)r->used, acks = 0;

	for (; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
		msg->nlmsg_seq = nl->seq++;
		acks += (msg->nlmsg_flags & NLM_F_ACK) != 0;
	}
	return sendto(nl->fd, r->buf, r->used, 0, (struct sockaddr *)&kernel,
	    sizeof(kernel)) == -1 ? -1 : acks;
}

/*
 * Receive one datagram from the kernel. The root of the chain's namespace may
 * have the socket, too. So do not wait for ever, and ignore every other sender.
 */
static ssize_t
receive(struct nl *nl, char *buf, size_t size)
{
	struct pollfd p = { .fd = nl->fd, .events = POLLIN };
	struct sockaddr_nl from = { 0 };
	socklen_t len;
	ssize_t n;
	int rc;

	for (;;) {
		rc = poll(&p, 1, ANSWER_MS);
		if (rc == 0)
			errno = ETIMEDOUT;
		if (rc == 0 || (rc == -1 && errno != EINTR))
			return -1;
		if (rc == -1)
			continue;
		len = sizeof(from);
		n = recvfrom(nl->fd, buf, size, MSG_DONTWAIT | MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n > (ssize_t)size) {
			errno = EMSGSIZE;
			return -1;
		}
		if (n == -1 || (len == sizeof(from) && from.nl_pid == 0))
			return n;
	}
}

/* Set errno from the error of a message, which is negative. Returns -1. */
static int
failed(int error)
{
	errno = error < 0 && error >= -ERROR_MOST ? -error : EPROTO;
	return -1;
}

/* Read an NLMSG_ERROR: 0 if it acknowledges; else -1, errno and nl->why. */
static int
take_error(struct nl *nl, const struct nlmsghdr *msg)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(msg);
	const char *text;
	size_t extra = sizeof(*e), len;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*e)) {
		errno = EPROTO;
		return -1;
	}
	if (e->error == 0)
		return 0;
	if ((msg->nlmsg_flags & NLM_F_CAPPED) == 0)
		extra += e->msg.nlmsg_len - sizeof(e->msg);
	if ((msg->nlmsg_flags & NLM_F_ACK_TLVS) != 0 &&
	    extra <= mnl_nlmsg_get_payload_len(msg) &&
	    (text = nl_find(msg, extra, NLMSGERR_ATTR_MSG, &len)) != NULL)
		nl_string(text, len, nl->why, sizeof(nl->why));
	return failed(e->error);
}

/* Read the end of a dump: 0; or -1 and errno, if an error ended it. */
static int
take_done(const struct nlmsghdr *msg)
{
	int error = 0;

	if (mnl_nlmsg_get_payload_len(msg) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(msg), sizeof(error));
	return error >= 0 ? 0 : failed(error);
}

/*
 * Send r and receive the answers, and call cb for each message in them, until
 * every request is acknowledged or the dump ends. Returns 0, or -1 and errno
 * for the first error. The next nl_run() skips the answers after that one,
 * which it recognizes by their numbers.
 */
int
nl_run(struct nl *nl, struct nlreq *r, nl_cb *cb, void *ctx)
{
	static char buf[65536];
	uint32_t first = nl->seq;
	const struct nlmsghdr *msg;
	int acks, left;
	ssize_t n;

	nl->why[0] = '\0';
	nl->interrupted = false;
	if (r->full) {
		errno = EMSGSIZE;
		return -1;
	}
	if ((acks = transmit(nl, r)) == -1)
		return -1;
	for (;;) {
		if ((n = receive(nl, buf, sizeof(buf))) == -1)
			return -1;
		left = (int)n;
		for (msg = (const struct nlmsghdr *)buf;
		    whole(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
			if (msg->nlmsg_seq - first >= nl->seq - first)
				continue; /* it answers an earlier request */
			if ((msg->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
				nl->interrupted = true;
			if (msg->nlmsg_type == NLMSG_DONE)
				return take_done(msg);
			if (msg->nlmsg_type == NLMSG_ERROR) {
				if (take_error(nl, msg) == -1)
					return -1;
				if (--acks == 0)
					return 0;
			} else if (cb != NULL) {
				cb(msg, ctx);
			}
		}
	}
}

/* The messages of a dump, one after the other. */
struct dump {
	char *buf;
	size_t size, used;
	bool failed;	/* out of memory */
};

static void
gather(const struct nlmsghdr *msg, void *ctx)
{
	size_t len = aligned(msg->nlmsg_len);
	struct dump *d = ctx;
	char *grown;

	if (d->failed)
		return;
	if (d->used + len > d->size) {
		if ((grown = realloc(d->buf, 2 * d->size + len)) == NULL) {
			d->failed = true;
			return;
		}
		d->buf = grown;
		d->size = 2 * d->size + len;
	}
	memcpy(d->buf + d->used, msg, msg->nlmsg_len);
	d->used += len;
}

/*
 * Like nl_run(), for a consistent dump: cb is called when the whole dump has
 * arrived. If something changed while the kernel made the dump, ask again. If
 * it changes every time, the error is EAGAIN.
 */
int
nl_dump(struct nl *nl, struct nlreq *r, nl_cb *cb, void *ctx)
{
	struct dump d = { .buf = NULL };
	const struct nlmsghdr *msg;
	int try, left, rc = -1, saved;

	for (try = 0; try < DUMPS; try++) {
		d.used = 0;
		if ((rc = nl_run(nl, r, gather, &d)) == -1 || d.failed ||
		    !nl->interrupted)
			break;
	}
	if (rc == 0 && (d.failed || nl->interrupted)) {
		errno = d.failed ? ENOMEM : EAGAIN;
		rc = -1;
	}
	saved = errno;
	left = rc == 0 ? (int)d.used : 0;
	for (msg = (const struct nlmsghdr *)d.buf; whole(msg, left);
	    msg = mnl_nlmsg_next(msg, &left))
		cb(msg, ctx);
	free(d.buf);
	errno = saved;
	return rc;
}

/* Like nl_run(), for a request whose only answers are acknowledgements. */
int
nl_talk(struct nl *nl, struct nlreq *r)
{
	return nl_run(nl, r, NULL, NULL);
}

/*
 * Begin a request of one message, and ask for its acknowledgement. A second
 * header of extra bytes follows the netlink header. Returns that one, zeroed.
 */
void *
nlreq_init(struct nlreq *r, int type, int flags, size_t extra)
{
	r->buf = r->small;
	r->size = sizeof(r->small);
	r->used = 0;
	r->msg = NULL;
	r->full = false;
	return nlreq_next(r, type, flags | NLM_F_ACK, extra);
}

/* Begin a request of many messages. The caller frees r->buf. */
int
nlreq_batch(struct nlreq *r)
{
	r->size = NL_BATCH;
	r->used = 0;
	r->msg = NULL;
	r->full = false;
	return (r->buf = calloc(1, r->size)) == NULL ? -1 : 0;
}

/*
 * Begin the next message, like nlreq_init(). If r is full, the header is
 * scratch.
 */
void *
nlreq_next(struct nlreq *r, int type, int flags, size_t extra)
{
	static _Alignas(struct nlmsghdr) char scratch[256];
	size_t need = aligned(sizeof(struct nlmsghdr)) + aligned(extra);

	if (r->used + need > r->size) {
		r->full = true;
		memset(scratch, 0, sizeof(scratch));
		return scratch;
	}
	memset(r->buf + r->used, 0, need);
	r->msg = mnl_nlmsg_put_header(r->buf + r->used);
	r->msg->nlmsg_type = (uint16_t)type;
	r->msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->used += need;
	return mnl_nlmsg_put_extra_header(r->msg, extra);
}

/* Does the last message have room for len more bytes? */
static bool
fits(struct nlreq *r, size_t len)
{
	if (r->full || r->used + aligned(len) > r->size)
		r->full = true;
	return !r->full;
}

/* Update used after the last message has grown. */
static void
update_used(struct nlreq *r)
{
	r->used = (size_t)((char *)r->msg - r->buf) +
	    aligned(r->msg->nlmsg_len);
}

void
nlreq_put(struct nlreq *r, int attr, const void *data, size_t len)
{
	if (len > ATTR_MOST)
		r->full = true;
	if (!fits(r, ATTR_HEAD + len))
		return;
	mnl_attr_put(r->msg, (uint16_t)attr, len, data);
	update_used(r);
}

/* The kernel requires the NUL in some attributes, and accepts it in all. */
void
nlreq_str(struct nlreq *r, int attr, const char *s)
{
	nlreq_put(r, attr, s, strlen(s) + 1);
}

void
nlreq_u8(struct nlreq *r, int attr, uint8_t v)
{
	nlreq_put(r, attr, &v, sizeof(v));
}

void
nlreq_u32(struct nlreq *r, int attr, uint32_t v)
{
	nlreq_put(r, attr, &v, sizeof(v));
}

/* Put v in network byte order, as nftables requires. */
void
nlreq_be32(struct nlreq *r, int attr, uint32_t v)
{
	nlreq_u32(r, attr, __builtin_bswap32(v));
}

/*
 * Put a header of size bytes, zeroed, into an attribute. Returns it, or NULL if
 * r is full.
 */
void *
nlreq_extra(struct nlreq *r, size_t size)
{
	void *p;

	if (!fits(r, size))
		return NULL;
	p = mnl_nlmsg_put_extra_header(r->msg, size);
	update_used(r);
	return p;
}

struct nlattr *
nlreq_nest(struct nlreq *r, int attr)
{
	struct nlattr *nest;

	if (!fits(r, ATTR_HEAD))
		return NULL;
	nest = mnl_attr_nest_start(r->msg, (uint16_t)attr);
	update_used(r);
	return nest;
}

void
nlreq_end(struct nlreq *r, struct nlattr *nest)
{
	if (!r->full && nest != NULL)
		mnl_attr_nest_end(r->msg, nest);
}

/* The data of an attribute in a list of size bytes, or NULL. */
const void *
nl_inside(const void *nest, size_t size, int attr, size_t *len)
{
	const struct nlattr *a = nest;
	int left = (int)size;

	while (mnl_attr_ok(a, left)) {
		if (mnl_attr_get_type(a) == attr) {
			*len = mnl_attr_get_payload_len(a);
			return mnl_attr_get_payload(a);
		}
		left -= (int)aligned(a->nla_len);
		a = mnl_attr_next(a);
	}
	return NULL;
}

/* The header of size bytes in front of msg's attributes, or NULL. */
const void *
nl_header(const struct nlmsghdr *msg, size_t size)
{
	return mnl_nlmsg_get_payload_len(msg) < size ? NULL :
	    mnl_nlmsg_get_payload(msg);
}

/* The data of an attribute of msg, after a header of extra bytes, or NULL. */
const void *
nl_find(const struct nlmsghdr *msg, size_t extra, int attr, size_t *len)
{
	size_t size = mnl_nlmsg_get_payload_len(msg);

	extra = aligned(extra);
	if (size < extra)
		return NULL;
	return nl_inside((const char *)mnl_nlmsg_get_payload(msg) + extra,
	    size - extra, attr, len);
}

/* Copy a string attribute to buf, with a NUL, cut if too long. Returns buf. */
const char *
nl_string(const void *data, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	if (data != NULL) {
		n = strnlen(data, len);
		if (n >= size)
			n = size - 1;
		memcpy(buf, data, n);
	}
	buf[n] = '\0';
	return buf;
}

/* Copy the attribute. Returns false if it is missing or has another size. */
bool
nl_copy(const struct nlmsghdr *msg, size_t extra, int attr, void *to,
    size_t size)
{
	size_t len;
	const void *data = nl_find(msg, extra, attr, &len);

	if (data == NULL || len != size)
		return false;
	memcpy(to, data, size);
	return true;
}

/* Copy a string attribute, or "" if it is missing. */
void
nl_copy_string(const struct nlmsghdr *msg, size_t extra, int attr, char *to,
    size_t size)
{
	size_t len = 0;
	const void *data = nl_find(msg, extra, attr, &len);

	nl_string(data, len, to, size);
}
