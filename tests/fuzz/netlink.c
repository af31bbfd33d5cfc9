/*
 * Fuzz the kernel's answers on netlink. The first byte says what is asked; then
 * come datagrams, each behind its length of two bytes: without the highest bit
 * of that, its messages get the number of the request. Behind the last one
 * nothing comes any more.
 * Link: volt-net -lmnl -l:libcap.a
 */
#include <sanitizer/asan_interface.h>

#include <poll.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "../../cmd/volt-net/nft.h"
#include "../../cmd/volt-net/print.c"
#include "fuzz.h"
#include "say.h"
#include "wrap_say.h"

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);
int __real_poll(struct pollfd *p, nfds_t n, int timeout);
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags,
    const struct sockaddr *to, socklen_t tolen);
ssize_t __wrap_recvfrom(int fd, void *buf, size_t size, int flags,
    struct sockaddr *from, socklen_t *fromlen);
char *__wrap_if_indextoname(unsigned int index, char *name);

enum { LINK, MTU, LOCAL, OVERLAP, COMMENTS, FOREIGN, TRACK, STATE, RULES,
	QUESTIONS };

static const unsigned char *rest;
static size_t left;
static uint32_t number;	/* of the last request's first message */
static void *answer;
static size_t answer_size;

int
__wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	if (!fuzz_inside)
		return __real_poll(p, n, timeout);
	return left >= 2;
}

static bool
whole(const struct nlmsghdr *msg, int n)
{
	return n >= (int)sizeof(*msg) && msg->nlmsg_len >= sizeof(*msg) &&
	    msg->nlmsg_len <= (unsigned int)n;
}

/* A request is whole messages, and fits. */
ssize_t
__wrap_sendto(int fd, const void *buf, size_t len, int flags,
    const struct sockaddr *to, socklen_t tolen)
{
	const struct nlmsghdr *msg = buf;
	int n = (int)len;

	(void)fd;
	(void)flags;
	(void)to;
	(void)tolen;
	if (!whole(msg, n))
		abort();
	number = msg->nlmsg_seq;
	while (whole(msg, n))
		msg = mnl_nlmsg_next(msg, &n);
	if (n != 0)
		abort();
	return (ssize_t)len;
}

ssize_t
__wrap_recvfrom(int fd, void *buf, size_t size, int flags,
    struct sockaddr *from, socklen_t *fromlen)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *msg = buf;
	size_t len = (size_t)rest[0] | (size_t)(rest[1] & 0x7f) << 8;
	bool raw = (rest[1] & 0x80) != 0;
	int n;

	(void)fd;
	(void)flags;
	rest += 2;
	left -= 2;
	if (len > left)
		len = left;
	if (len > size)
		abort();
	ASAN_UNPOISON_MEMORY_REGION(buf, size);
	memcpy(buf, rest, len);
	rest += len;
	left -= len;
	n = (int)len;
	while (!raw && whole(msg, n)) {
		msg->nlmsg_seq = number;
		msg = mnl_nlmsg_next(msg, &n);
	}
	ASAN_POISON_MEMORY_REGION((char *)buf + len, size - len);
	answer = buf;
	answer_size = size;
	memcpy(from, &kernel, sizeof(kernel));
	*fromlen = sizeof(kernel);
	return (ssize_t)len;
}

char *
__wrap_if_indextoname(unsigned int index, char *name)
{
	return index == 0 ? NULL : strcpy(name, "eth0");
}

static void
see_comment(const char *text, void *ctx)
{
	(void)ctx;
	if (strlen(text) >= NFT_COMMENT_LEN)
		abort();
}

static void
ask(unsigned int what, struct net *net)
{
	static const uint8_t address[16] = { 10, 88, 0, 1 };
	struct overlap o = { .family = AF_INET, .net = address, .len = 16,
		.except = "voltbr0" };
	struct state s = { 0 };
	struct iface i;

	switch ((what & 0x7f) % QUESTIONS) {
	case LINK:
		if (iface_find(&net->route, "voltbr0", &i) == 0)
			(void)lease_patience(&net->route, &i);
		break;
	case MTU:
		if (route_uplink_mtu(&net->route) < 1280)
			abort();
		break;
	case LOCAL:
		(void)route_is_local(&net->route, AF_INET6, address);
		break;
	case OVERLAP:
		if (route_overlap(&net->route, &o) == 0 && o.found &&
		    o.dst_len < o.len)
			abort();
		break;
	case COMMENTS:
		(void)rules_comments(&net->nft, "volt0a580102", see_comment,
		    NULL);
		break;
	case FOREIGN:
		foreign_tell(net->bridge.name, &net->nft);
		break;
	case TRACK:
		(void)track_forget(&net->plan->forwards, &net->lease,
		    (what & 0x80) != 0, &net->track, &net->route);
		break;
	case RULES:
		rules_bridge(&net->bridge, &net->nft);
		break;
	default:
		look(&net->route, &s);
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct plan plan;
	static struct net net;
	struct nl nl = { .fd = -1, .seq = 1 };

	if (size == 0)
		return 0;
	say_on = true;
	memset(&net, 0, sizeof(net));
	net.route = net.nft = net.track = nl;
	strcpy(net.bridge.name, "voltbr0");
	net.lease.addr = 0x0a580102;
	net.plan = &plan;
	plan.forwards.n = 1;
	plan.forwards.item[0] = (struct forward){ .text = "8080:80", .host = 8080,
		.guest = 80, .count = 2, .proto = IPPROTO_TCP };
	rest = data + 1;
	left = size - 1;
	FUZZ(ask(*data, &net));
	if (answer != NULL)
		ASAN_UNPOISON_MEMORY_REGION(answer, answer_size);
	fuzz_free();
	return 0;
}
