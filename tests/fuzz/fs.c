/*
 * Fuzz a share, as its guest, and as its daemon: the input is described in machine.h.
 * HOST is the daemon's. Its first byte says what it does: answer the next request, use a
 * buffer as it likes, write anywhere into the memory that it sees, or end.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_fs.c"
#include "machine.h"

int __wrap_stream_open(struct stream *s, int fd);
void __wrap_share_meet(const struct share *s, const struct shadow *shadow,
    struct fuse_rules *rules);

static struct fs *fs;
static uint16_t seen;	/* requests that the daemon has looked at */
static bool scribbled;	/* it has written into the memory where it likes */
static int daemon_end[2];

/* Nobody reads what it says of the daemon. */
int
__wrap_stream_open(struct stream *s, int fd)
{
	(void)s;
	(void)fd;
	return -1;
}

void
__wrap_share_meet(const struct share *s, const struct shadow *shadow,
    struct fuse_rules *rules)
{
	(void)s;
	(void)shadow;
	*rules = (struct fuse_rules){ .uids = { 1, { { 0, 1 } } },
		.gids = { 1, { { 0, 1 } } } };
}

/* What a daemon gets obeys the rules. */
static void
look(const uint8_t *request, uint32_t len)
{
	struct fuse_in_header h;
	struct fuse_setattr_in set;

	if (len < sizeof(h))
		abort();
	memcpy(&h, request, sizeof(h));
	if (h.uid != 0 || h.gid != 0)
		abort();
	if (h.opcode == FUSE_LOOKUP &&
	    (memchr(request + sizeof(h), '/', len - sizeof(h)) != NULL ||
		request[len - 1] != '\0'))
		abort();
	if (h.opcode != FUSE_SETATTR)
		return;
	memcpy(&set, request + sizeof(h), sizeof(set));
	if ((set.valid & FATTR_MODE) != 0 && (set.mode & 06000) != 0)
		abort();
}

static void
use(unsigned int queue, uint32_t id, uint32_t len)
{
	struct vused *used = (void *)(uintptr_t)fs->shadow.q[queue].used;
	uint16_t idx = used->idx;

	used->ring[idx % SHADOW_SIZE].id = id;
	used->ring[idx % SHADOW_SIZE].len = len;
	used->idx = (uint16_t)(idx + 1);
}

/* Answer the next request of the request queue, with so many bytes of data. */
static void
answer(uint8_t error, uint8_t data)
{
	const struct vavail *avail = fs->shadow.q[REQUESTS].avail;
	struct fuse_out_header h = { .error = -(int32_t)error };
	const struct shadow_slot *r;
	unsigned int slot;
	uint8_t *request;

	if (seen == fs->shadow.q[REQUESTS].next_avail)
		return;
	slot = avail->ring[seen++ % SHADOW_SIZE] / SHADOW_DESCS;
	r = &fs->shadow.q[REQUESTS].slot[slot % SHADOW_SLOTS];
	if (slot >= SHADOW_SLOTS || !r->busy)
		return; /* it has scribbled there */
	request = shadow_out(&fs->shadow, REQUESTS, slot);
	if (r->in >= sizeof(h)) {
		h.len = (uint32_t)sizeof(h) + data;
		memcpy(&h.unique, request + offsetof(struct fuse_in_header, unique),
		    sizeof(h.unique));
		memcpy(shadow_in(&fs->shadow, REQUESTS, slot), &h, sizeof(h));
	}
	use(REQUESTS, slot * SHADOW_DESCS, h.len);
}

/* Look at all requests that no one has scribbled on. */
static void
look_at_all(void)
{
	unsigned int i;

	for (i = 0; i < SHADOW_SLOTS; i++)
		if (fs->shadow.q[REQUESTS].slot[i].busy)
			look(shadow_out(&fs->shadow, REQUESTS, i),
			    fs->shadow.q[REQUESTS].slot[i].out);
}

static void
serve(const uint8_t *data, size_t len)
{
	uint32_t at = 0;

	if (!scribbled)
		look_at_all();
	if (len >= 3 && data[0] % 4 == 0) {
		answer(data[1], data[2]);
	} else if (len >= 7 && data[0] % 4 == 1) {
		memcpy(&at, data + 3, sizeof(at));
		use(data[1] % SHADOW_QUEUES, data[2], at);
	} else if (len >= 4 && data[0] % 4 == 2) {
		memcpy(&at, data + 1, 3);
		at %= (uint32_t)SHADOW_BYTES - 256;
		memcpy(fs->shadow.base + at, data + 4, len - 4);
		scribbled = true;
	} else if (len >= 1 && data[0] == 0xff) {
		pthread_mutex_lock(&device->lock);
		bury(fs, "the daemon has ended");
		pthread_mutex_unlock(&device->lock);
	}
	(void)eventfd_write(fs->shadow.q[REQUESTS].call, 1);
}

/* What is taken belongs to a request. */
static void
account(void)
{
	unsigned int queue, i, busy, pages = 0;

	for (queue = 0; queue < SHADOW_QUEUES; queue++) {
		for (i = busy = 0; i < SHADOW_SLOTS; i++)
			if (fs->shadow.q[queue].slot[i].busy) {
				busy++;
				pages += fs->shadow.q[queue].slot[i].npages;
			}
		if (busy != fs->shadow.q[queue].busy || (fs->dead && busy > 0))
			abort();
	}
	for (i = 0; i < SHADOW_ROOM; i++)
		pages -= fs->shadow.taken[i];
	if (pages != 0)
		abort();
}

static void
begin(void)
{
	static struct config cfg = { .nshares = 1 };

	if (pipe2(daemon_end, O_CLOEXEC | O_NONBLOCK) == -1)
		abort();
	cfg.shares[0] = (struct share){ .key = "share", .path = "x", .tag = "share0",
		.sock = daemon_end[0], .said = daemon_end[0] };
	machine_begin();
	fs_init(&vm, &cfg);
	fs = machine_device(1, sizeof(*fs));
	machine_ready(&fs->vio);
	machine_host = serve;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (device == NULL)
		begin();
	seen = 0;
	scribbled = false;
	memset(fs->shadow.base, 0, SHADOW_QUEUES * SHADOW_RING);
	machine_run(data, size);
	account();
	return 0;
}
