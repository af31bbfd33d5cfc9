/*
 * A vhost-user daemon that lies. volt-kvm starts it as it starts virtiofsd, so it finds
 * its lie in the file /share/lie: a word of main() or of serve().
 */
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD "--fd="

static char lie[32];
static int sock, memory_fd = -1, kick = -1, call = -1;
static uint8_t *memory;
static uint64_t base, size;
static struct vhost_vring_addr ring;

struct message {
	uint32_t request, flags, length;
	uint8_t body[256];
};

static bool
lies(const char *word)
{
	return strcmp(lie, word) == 0;
}

/* Receive a message, and its descriptor or -1. */
static int
receive(struct message *m)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { m, 12 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_WAITALL) != 12 || m->length > sizeof(m->body) ||
	    (m->length > 0 && recv(sock, m->body, m->length, MSG_WAITALL) !=
		(ssize_t)m->length))
		exit(0);
	if ((c = CMSG_FIRSTHDR(&msg)) != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Answer with a number, and with many descriptors that nobody asked for. */
static void
answer(const struct message *m, uint64_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(64 * sizeof(int))];
	} control = { .buf = { 0 } };
	struct message a = { m->request + lies("other"), 5, lies("short") ? 4 :
		lies("huge") ? 0x7fffffff : 8, { 0 } };
	struct iovec iov = { &a, 12 + 8 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i;

	memcpy(a.body, &n, sizeof(n));
	if (lies("descriptors")) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(64 * sizeof(int));
		for (i = 0; i < 64; i++)
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)) + i * (int)sizeof(int), &sock,
			    sizeof(sock));
	}
	if (sendmsg(sock, &msg, 0) == -1)
		exit(1);
}

/* Do what a message says. Returns whether the request queue is complete. */
static bool
obey(const struct message *m, int fd)
{
	struct { uint32_t n, padding; uint64_t gpa, size, user, offset; } table;
	struct vhost_vring_state state;
	bool done = false;

	memcpy(&state, m->body, sizeof(state));
	switch (m->request) {
	case 1: /* GET_FEATURES */
		answer(m, lies("features") ? 0 : UINT64_C(0x140000000));
		return false;
	case 15: /* GET_PROTOCOL_FEATURES */
		answer(m, lies("acks") ? 0 : UINT64_MAX);
		return false;
	case 5: /* SET_MEM_TABLE */
		memcpy(&table, m->body, sizeof(table));
		base = table.user;
		size = table.size;
		memory_fd = fd;
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		break;
	case 9: /* SET_VRING_ADDR */
		memcpy(&ring, m->body, sizeof(ring));
		break;
	case 12:
		kick = fd;
		break;
	case 13:
		call = fd;
		break;
	case 18:
		done = state.index == 1;
		break;
	}
	if ((m->flags & 8) != 0)
		answer(m, lies("refuse") && m->request == 5);
	return done;
}

static void
use(uint32_t id, uint32_t len, uint16_t by)
{
	struct vring_used *used = (void *)(memory + (ring.used_user_addr - base));
	uint16_t idx = used->idx;

	used->ring[idx % 256].id = id;
	used->ring[idx % 256].len = len;
	__atomic_store_n(&used->idx, (uint16_t)(idx + by), __ATOMIC_RELEASE);
}

/* Answer the request at head: with no error and no data, but for the lie. */
static void
serve(uint16_t head)
{
	struct vring_desc *desc = (void *)(memory + (ring.desc_user_addr - base));
	uint8_t *request = memory + (desc[head].addr - base);
	struct { uint32_t len; int32_t error; uint64_t unique; } a = { .len = 16 };
	uint8_t *to;

	memcpy(&a.unique, request + 8, sizeof(a.unique));
	while ((desc[head].flags & VRING_DESC_F_NEXT) != 0)
		if ((desc[desc[head].next].flags & VRING_DESC_F_WRITE) != 0)
			break;
		else
			head = desc[head].next;
	to = memory + (desc[desc[head].next].addr - base);
	head -= head % 4; /* volt-kvm's: the first of its slot */
	if (lies("die"))
		exit(0);
	if (lies("truncate") && ftruncate(memory_fd, 0) != -1)
		exit(0);
	if (lies("unique"))
		a.unique++;
	a.len += lies("length");
	a.error = lies("error") ? 1 : lies("low") ? -512 : 0;
	if (lies("scribble"))
		memset(memory, 0xff, size);
	memcpy(to, &a, sizeof(a));
	if (lies("id"))
		use(4096, 16, 1);
	else if (lies("middle"))
		use(head + 1u, 16, 1);
	else if (lies("idle"))
		use(4 * 63, 16, 1);
	else if (lies("long"))
		use(head, 0x7fffffff, 1);
	else if (lies("many"))
		use(head, 16, 1000);
	else if (lies("little"))
		use(head, 8, 1);
	else if (lies("nothing"))
		use(head, 0, 1);
	else if (!lies("scribble"))
		use(head, 16, 1);
	if (lies("twice"))
		use(head, 16, 1);
}

int
main(int argc, char *argv[])
{
	struct message m;
	struct vring_avail *avail;
	FILE *f = fopen("/share/lie", "r");
	uint16_t next = 0;
	uint64_t n;
	int fd;

	if (f == NULL || fscanf(f, "%31s", lie) != 1 || argc < 2)
		return 1;
	if (lies("exit"))
		return 3;
	sock = accept(atoi(argv[1] + strlen(FD)), NULL, NULL);
	if (lies("close"))
		return 0;
	do
		fd = receive(&m);
	while (!obey(&m, fd));
	avail = (void *)(memory + (ring.avail_user_addr - base));
	for (;;) {
		if (read(kick, &n, sizeof(n)) == -1)
			usleep(1000);
		while (next != __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE))
			serve(avail->ring[next++ % 256]);
		n = 1;
		if (write(call, &n, sizeof(n)) == -1)
			return 1;
	}
}
