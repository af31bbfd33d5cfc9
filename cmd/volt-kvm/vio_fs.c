/*
 * Directories of the host (virtio 1.2, 5.11), by virtiofsd and a shadow (shadow.h).
 *
 * A request goes from a buffer of the guest's to the shadow, where it is checked
 * (fuse.h), and on to the daemon. The answer comes back when the daemon has used its
 * buffer. All of that is copying, and nothing waits: the I/O thread does it. If the
 * shadow is full the requests stay in the guest's queue.
 *
 * The daemon may lie, end or be killed. Then a line says so, and from then on each
 * request gets an I/O error. A daemon that does not answer at all delays only those who
 * use its share.
 *
 * A reset of the device forgets the requests that the daemon still has: their answers
 * are dropped. The daemon's session ends by a request of our own, so that the next
 * driver can begin one.
 */
#include <linux/virtio_fs.h>
#include <sys/eventfd.h>

#include <err.h>
#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "devices.h"
#include "fuse.h"
#include "shadow.h"
#include "share.h"
#include "stream.h"
#include "sys.h"

#define REQUESTS 1	/* the queue of requests; queue 0 has those of high priority */
#define BURST VIRTQ_MAX	/* requests of a queue in a row */

/* A request that the daemon has. */
struct flight {
	bool orphan;	/* of a driver that is gone, or our own */
	struct fuse_request request;
	uint16_t head;
	uint16_t nin;
	struct iovec in[VIRTQ_MAX];	/* the guest's buffers for the answer */
};

struct fs {
	struct vio vio;
	struct vio_pci pci;
	const struct share *share;
	struct shadow shadow;
	struct fuse_rules rules;
	bool begun;	/* the daemon has a session */
	bool end_session;	/* it must be ended before the next request */
	bool dead;	/* there is no daemon any more */
	uint16_t told[SHADOW_QUEUES];	/* next_used when the driver was last told */
	uint8_t head[FUSE_HEAD];
	struct flight flight[SHADOW_QUEUES][SHADOW_SLOTS];
};

/* Return a request to the driver with an error, or with nothing if it has no room. */
static void
refuse(struct virtq *q, const struct vchain *c, const struct fuse_request *r,
    int error)
{
	uint8_t head[FUSE_OUT_HEADER];
	size_t len = 0;

	fuse_error(r, error, head);
	if (virtq_bytes(c->iov + c->nout, c->nin) >= sizeof(head))
		len = virtq_scatter(c->iov + c->nout, c->nin, 0, head,
		    sizeof(head));
	virtq_push(q, c, (uint32_t)len);
}

/* The same of a request that the daemon had. */
static void
fail(struct vio *v, unsigned int queue, const struct flight *f, int error)
{
	struct vchain *c = &v->chain;

	if (f->orphan || !vio_live(v))
		return;
	c->head = f->head;
	c->nout = 0;
	c->nin = f->nin;
	memcpy(c->iov, f->in, f->nin * sizeof(f->in[0]));
	refuse(&v->q[queue], c, &f->request, error);
}

/* There is no daemon any more, or there should be none: answer for it. */
static void
bury(struct fs *fs, const char *why)
{
	unsigned int queue, i;
	struct stream out;
	char line[512];
	int n;

	if (fs->dead)
		return;
	fs->dead = true;
	/* A filter can check that signal, but not a process ID. */
	may_fail(sys_pidfd_send_signal(fs->share->pidfd, SIGKILL));
	n = snprintf(line, sizeof(line), "volt-kvm: %s=%.300s: %s; each access is "
	    "an I/O error now\n", fs->share->key, fs->share->path, why);
	/* This may fail: the guest must not wait for a stalled reader. */
	if (stream_open(&out, STDERR_FILENO) == 0)
		may_fail(stream_write(&out, line, (size_t)n));
	for (queue = 0; queue < SHADOW_QUEUES; queue++)
		for (i = 0; i < SHADOW_SLOTS; i++)
			if (fs->shadow.q[queue].slot[i].busy) {
				fail(&fs->vio, queue, &fs->flight[queue][i], EIO);
				shadow_free(&fs->shadow, queue, i);
			}
}

/* End the daemon's session. Returns false if there is no room for that now. */
static bool
end_session(struct fs *fs)
{
	struct flight *f;
	int slot;

	slot = shadow_take(&fs->shadow, REQUESTS, FUSE_IN_HEADER,
	    FUSE_OUT_HEADER);
	if (slot == -1)
		return false;
	f = &fs->flight[REQUESTS][slot];
	f->orphan = true;
	fuse_destroy(&f->request, fs->head);
	memcpy(shadow_out(&fs->shadow, REQUESTS, (unsigned int)slot), fs->head,
	    FUSE_IN_HEADER);
	shadow_post(&fs->shadow, REQUESTS, (unsigned int)slot, FUSE_IN_HEADER,
	    FUSE_IN_HEADER);
	shadow_kick(&fs->shadow, REQUESTS);
	fs->end_session = false;
	return true;
}

/*
 * Copy a request, whose first n bytes are in head, to the shadow. Returns false if
 * there is no room now.
 */
static bool
pass_on(struct fs *fs, unsigned int queue, const struct fuse_request *r, size_t n,
    uint32_t out)
{
	const struct vchain *c = &fs->vio.chain;
	struct flight *f;
	uint8_t *to;
	int slot;

	slot = shadow_take(&fs->shadow, queue, out, r->silent ? 0 : r->room);
	if (slot == -1)
		return false;
	f = &fs->flight[queue][slot];
	f->orphan = false;
	f->request = *r;
	f->head = c->head;
	f->nin = c->nin;
	memcpy(f->in, c->iov + c->nout, c->nin * sizeof(f->in[0]));
	to = shadow_out(&fs->shadow, queue, (unsigned int)slot);
	memcpy(to, fs->head, n);
	(void)virtq_gather(c->iov, c->nout, n, to + n, out - n);
	/* To write without a copy Debian 12's daemon wants the headers apart. */
	shadow_post(&fs->shadow, queue, (unsigned int)slot,
	    r->opcode == FUSE_WRITE ? FUSE_IN_HEADER : out, FUSE_WRITE_HEADER);
	if (r->opcode == FUSE_INIT || r->opcode == FUSE_DESTROY)
		fs->begun = r->opcode == FUSE_INIT;
	return true;
}

/*
 * Handle the request in vio.chain. Returns 1; 0 if it must wait; -1 if the driver broke
 * a rule: it is no request of FUSE, or larger than one can be.
 */
static int
handle(struct fs *fs, unsigned int queue)
{
	struct vio *v = &fs->vio;
	struct vchain *c = &v->chain;
	uint64_t out = virtq_bytes(c->iov, c->nout);
	uint64_t in = virtq_bytes(c->iov + c->nout, c->nin);
	struct fuse_request r;
	size_t n;
	int error;

	if (out > FUSE_MOST)
		return -1;
	n = virtq_gather(c->iov, c->nout, 0, fs->head, sizeof(fs->head));
	if ((error = fuse_check(&fs->rules, fs->head, n, out, &r)) == -1)
		return -1;
	if (error == 0 && in < FUSE_OUT_HEADER && !r.silent)
		error = E2BIG; /* there is no room for that either */
	if (fs->dead)
		error = EIO;
	if (error != 0)
		refuse(&v->q[queue], c, &r, error);
	else if (!pass_on(fs, queue, &r, n, (uint32_t)out))
		return 0;
	return 1;
}

/* Interrupt the driver if requests were returned to this queue. */
static void
settle(struct fs *fs, unsigned int queue)
{
	struct virtq *q = &fs->vio.q[queue];

	if (q->next_used != fs->told[queue])
		vio_done(&fs->vio, q);
	fs->told[queue] = q->next_used;
}

/* Take requests from a queue of the guest's. Returns -1 if the driver broke a rule. */
static int
pump(struct fs *fs, unsigned int queue)
{
	struct vio *v = &fs->vio;
	struct virtq *q = &v->q[queue];
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if ((rc = virtq_pop(q, v->ram, &v->chain)) == 1 &&
		    (rc = handle(fs, queue)) == 0)
			virtq_unpop(q);
		if (rc != 1)
			break;
	}
	if (n > 0 && !fs->dead)
		shadow_kick(&fs->shadow, queue);
	if (n == BURST)
		(void)eventfd_write(v->kick, 1);
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	struct fs *fs = v->dev;
	unsigned int queue;

	if (fs->end_session && !fs->dead && !end_session(fs))
		return; /* the next answer makes room */
	for (queue = 0; queue < SHADOW_QUEUES; queue++) {
		if (pump(fs, queue) == -1) {
			vio_break(v);
			return;
		}
		settle(fs, queue);
	}
}

/*
 * Return an answer of len bytes to the driver. Returns 0, or -1 if it is not one to
 * this request.
 */
static int
land(struct fs *fs, unsigned int queue, unsigned int slot, uint32_t len)
{
	const struct flight *f = &fs->flight[queue][slot];
	const uint8_t *from = shadow_in(&fs->shadow, queue, slot);
	struct vio *v = &fs->vio;
	uint8_t head[FUSE_OUT_HEADER];

	if (len == 0) { /* a FORGET, or nothing is known of the request */
		fail(v, queue, f, EIO);
		return 0;
	}
	if (len < sizeof(head))
		return -1;
	memcpy(head, from, sizeof(head)); /* once: the daemon can change it */
	if (fuse_answer(&f->request, head, len) == -1)
		return -1;
	if (f->orphan || !vio_live(v))
		return 0;
	if (len > virtq_bytes(f->in, f->nin)) {
		fail(v, queue, f, E2BIG);
		return 0;
	}
	(void)virtq_scatter(f->in, f->nin, 0, head, sizeof(head));
	(void)virtq_scatter(f->in, f->nin, sizeof(head), from + sizeof(head),
	    len - sizeof(head));
	v->chain.head = f->head;
	virtq_push(&v->q[queue], &v->chain, len);
	return 0;
}

/* The daemon has used buffers of a queue. */
static void
take_answers(struct fs *fs, unsigned int queue)
{
	unsigned int slot;
	uint32_t len;
	int rc;

	while (!fs->dead && (rc = shadow_next(&fs->shadow, queue, &slot, &len)) !=
	    0) {
		if (rc == 1)
			rc = land(fs, queue, slot, len);
		if (rc == 0)
			shadow_free(&fs->shadow, queue, slot);
		else
			bury(fs, "an answer of the daemon makes no sense");
	}
}

static void
answered(struct io_source *s, short revents)
{
	struct fs *fs = s->arg;
	struct vio *v = &fs->vio;
	unsigned int queue;
	eventfd_t n;

	(void)revents;
	(void)eventfd_read(s->fd, &n);
	pthread_mutex_lock(&v->lock);
	for (queue = 0; queue < SHADOW_QUEUES; queue++)
		take_answers(fs, queue);
	if (vio_live(v)) /* there may be room for more, and errors to tell */
		kick(v);
	pthread_mutex_unlock(&v->lock);
}

/* Wait for the daemon's end, and for nothing that it sends. */
static short
wants_end(struct io_source *s)
{
	const struct fs *fs = s->arg;

	return fs->dead ? 0 : POLLRDHUP;
}

static void
ended(struct io_source *s, short revents)
{
	struct fs *fs = s->arg;

	(void)revents;
	pthread_mutex_lock(&fs->vio.lock);
	bury(fs, "the daemon has ended");
	if (vio_live(&fs->vio))
		kick(&fs->vio);
	pthread_mutex_unlock(&fs->vio.lock);
}

/* What a daemon says while the guest runs is the guest's doing: nobody reads it. */
static short
wants_talk(struct io_source *s)
{
	return s->fd != -1 ? POLLIN : 0;
}

static void
talked(struct io_source *s, short revents)
{
	char buf[4096];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	(void)revents;
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		s->fd = -1;
}

static void
reset(struct vio *v)
{
	struct fs *fs = v->dev;
	unsigned int queue, i;

	for (queue = 0; queue < SHADOW_QUEUES; queue++) {
		for (i = 0; i < SHADOW_SLOTS; i++)
			fs->flight[queue][i].orphan = true;
		fs->told[queue] = 0;
	}
	fs->end_session = fs->end_session || fs->begun;
	fs->begun = false;
}

static const struct vio_ops ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.class = 0x018000, /* mass storage, other */
	.kick = kick,
	.reset = reset,
};

static void
describe(struct fs *fs)
{
	struct virtio_fs_config c = { .num_request_queues = 1 };

	memcpy(c.tag, fs->share->tag, strlen(fs->share->tag));
	fs->vio.nqueues = SHADOW_QUEUES;
	fs->vio.offered = VIRTQ_F_INDIRECT_DESC | VIRTQ_F_EVENT_IDX;
	fs->vio.config_len = sizeof(c);
	memcpy(fs->vio.config, &c, sizeof(c));
}

static void
watch(struct fs *fs, struct io *io)
{
	unsigned int queue;

	for (queue = 0; queue < SHADOW_QUEUES; queue++)
		io_add(io, &(struct io_source){ .fd = fs->shadow.q[queue].call,
		    .ready = answered, .arg = fs });
	io_add(io, &(struct io_source){ .fd = fs->share->sock, .wants = wants_end,
	    .ready = ended, .arg = fs });
	io_add(io, &(struct io_source){ .fd = fs->share->said, .wants = wants_talk,
	    .ready = talked, .arg = fs });
}

void
fs_init(struct vm *vm, const struct config *cfg)
{
	struct fs *fs;
	unsigned int i;

	for (i = 0; i < cfg->nshares; i++) {
		fs = calloc(1, sizeof(*fs));
		if (fs == NULL || shadow_init(&fs->shadow) == -1)
			err(EXIT_LINK, "share=%s", cfg->shares[i].path);
		fs->share = &cfg->shares[i];
		share_meet(fs->share, &fs->shadow, &fs->rules);
		describe(fs);
		watch(fs, &vm->io);
		devices_plug(vm, &fs->pci, &fs->vio, &ops, fs);
	}
}
