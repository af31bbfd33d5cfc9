#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fdpass.h"
#include "sock.h"
#include "vhost_user.h"

/* Requests and their numbers. */
enum { GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10,
	SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16, SET_VRING_ENABLE = 18 };

#define VERSION 1u
#define REPLY 4u	/* flags of a message */
#define FLAGS 7u	/* the version, and REPLY */
#define NEED_REPLY 8u

#define F_VERSION_1 (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define P_REPLY_ACK (UINT64_C(1) << 3)

struct region {
	uint64_t gpa, size, user, offset;
};

struct message {
	uint32_t request, flags, size;
	union {
		uint64_t n;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct {
			uint32_t nregions, padding;
			struct region region;
		} memory;
	} body;
} __attribute__((packed));

#define HEADER offsetof(struct message, body)

struct session {
	int sock;
	int64_t end;	/* CLOCK_MONOTONIC, ms: until then it must have answered */
	pid_t daemon;	/* who sent the last answer */
	bool acks;	/* it answers each request */
};

/*
 * Receive some bytes, and who sent them. There is no room for descriptors: the kernel
 * drops those that come with the bytes.
 */
static ssize_t
receive_part(struct session *s, void *buf, size_t len)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	struct ucred who;
	ssize_t n = recvmsg(s->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0 || (c = CMSG_FIRSTHDR(&msg)) == NULL)
		return n;
	if (c->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&who, CMSG_DATA(c), sizeof(who));
		s->daemon = who.pid;
	}
	return n;
}

/* Receive len bytes in time. Returns 0, or -1 and errno. */
static int
receive(struct session *s, void *buf, size_t len)
{
	struct pollfd p = { .fd = s->sock, .events = POLLIN };
	int64_t left;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		left = s->end - clock_ms();
		if (left <= 0 || left > INT_MAX) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (poll(&p, 1, (int)left) == -1 && errno != EINTR)
			return -1;
		n = receive_part(s, (uint8_t *)buf + done, len - done);
		if (n == 0)
			errno = ECONNRESET;
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* The number in the answer to that request. Returns 0, or -1 and errno. */
static int
answer(struct session *s, uint32_t request, uint64_t *n)
{
	struct message m;

	if (receive(s, &m, HEADER) == -1)
		return -1;
	if (m.request != request || (m.flags & FLAGS) != (VERSION | REPLY) ||
	    m.size != sizeof(*n)) {
		errno = EPROTO;
		return -1;
	}
	return receive(s, n, sizeof(*n));
}

/* Send a request with a body of size bytes, and a descriptor unless fd is -1. */
static int
request(struct session *s, struct message *m, uint32_t number, size_t size, int fd)
{
	uint64_t failed;

	m->request = number;
	m->flags = VERSION | (s->acks ? NEED_REPLY : 0);
	m->size = (uint32_t)size;
	if (fdpass_send_with(s->sock, fd, m, HEADER + size) == -1)
		return -1;
	if (!s->acks)
		return 0;
	if (answer(s, number, &failed) == -1)
		return -1;
	if (failed == 0)
		return 0;
	errno = EREMOTEIO;
	return -1;
}

static int
set_number(struct session *s, uint32_t number, uint64_t n, int fd)
{
	struct message m = { .body.n = n };

	return request(s, &m, number, sizeof(m.body.n), fd);
}

static int
get_number(struct session *s, uint32_t number, uint64_t *n)
{
	struct message m = { .request = number, .flags = VERSION };

	if (fdpass_send_with(s->sock, -1, &m, HEADER) == -1)
		return -1;
	return answer(s, number, n);
}

static int
set_state(struct session *s, uint32_t number, unsigned int queue, unsigned int n)
{
	struct message m = { .body.state = { .index = queue, .num = n } };

	return request(s, &m, number, sizeof(m.body.state), -1);
}

/* Agree on the features: virtio 1, no others, and an answer to each request. */
static int
agree(struct session *s)
{
	const uint64_t wanted = F_VERSION_1 | F_PROTOCOL_FEATURES;
	struct message m = { .request = 0 };
	uint64_t n;

	if (request(s, &m, SET_OWNER, 0, -1) == -1 ||
	    get_number(s, GET_FEATURES, &n) == -1)
		return -1;
	if ((n & wanted) != wanted) {
		errno = EPROTO;
		return -1;
	}
	if (get_number(s, GET_PROTOCOL_FEATURES, &n) == -1 ||
	    set_number(s, SET_PROTOCOL_FEATURES, n & P_REPLY_ACK, -1) == -1)
		return -1;
	s->acks = (n & P_REPLY_ACK) != 0;
	return set_number(s, SET_FEATURES, wanted, -1);
}

static int
give_memory(struct session *s, const struct shadow *shadow)
{
	struct message m = { .body.memory = { .nregions = 1, .region = {
		.gpa = SHADOW_BASE, .size = SHADOW_BYTES, .user = SHADOW_BASE } } };

	return request(s, &m, SET_MEM_TABLE, sizeof(m.body.memory), shadow->fd);
}

static int
give_queue(struct session *s, const struct shadow *shadow, unsigned int i)
{
	struct message m = { .body.addr = {
		.index = i,
		.desc_user_addr = shadow_address(shadow, shadow->q[i].desc),
		.avail_user_addr = shadow_address(shadow, shadow->q[i].avail),
		.used_user_addr = shadow_address(shadow, shadow->q[i].used),
	} };

	if (set_state(s, SET_VRING_NUM, i, SHADOW_SIZE) == -1 ||
	    set_state(s, SET_VRING_BASE, i, 0) == -1 ||
	    request(s, &m, SET_VRING_ADDR, sizeof(m.body.addr), -1) == -1 ||
	    set_number(s, SET_VRING_CALL, i, shadow->q[i].call) == -1 ||
	    set_number(s, SET_VRING_KICK, i, shadow->q[i].kick) == -1)
		return -1;
	return set_state(s, SET_VRING_ENABLE, i, 1);
}

/*
 * Hand over the shadow queues to the daemon behind the connected socket. end is the
 * time of CLOCK_MONOTONIC, in ms, by which it must have answered. Fills daemon, its
 * process ID in our PID namespace. Returns 0; or -1 and errno: EPROTO for an answer
 * that makes no sense, EREMOTEIO if the daemon refused something, ECONNRESET if it has
 * ended, ETIMEDOUT.
 */
int
vhost_user_begin(int sock, const struct shadow *shadow, int64_t end, pid_t *daemon)
{
	struct session s = { .sock = sock, .end = end };
	const int yes = 1, no = 0;
	unsigned int i;

	if (setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) == -1 ||
	    agree(&s) == -1 || give_memory(&s, shadow) == -1)
		return -1;
	for (i = 0; i < SHADOW_QUEUES; i++)
		if (give_queue(&s, shadow, i) == -1)
			return -1;
	*daemon = s.daemon;
	return setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &no, sizeof(no));
}
