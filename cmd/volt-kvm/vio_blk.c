/*
 * Disks (virtio 1.2, 5.2): raw files and block devices. The format is never
 * guessed. The driver may cut a request into buffers at any byte. The sectors of
 * a request are checked against the size of the disk before data moves.
 *
 * A disk with an overlay never writes to its backing. The blocks, of BLOCK bytes
 * each, that the guest writes are in a scratch file: a sparse file or a memfd. A
 * bitmap says which blocks these are.
 *
 * A disk has a queue for each vCPU, up to QUEUES, and each queue has a worker
 * (vio_worker.c). So several requests may be under way at once, also for the same
 * block: which of two such writes stays is not said, but none that is told as done
 * is lost. The kernel orders those to a file. In an overlay the first write to a
 * block copies the rest of the block from the backing. That happens under
 * scratch_lock, so that no copy covers what another worker wrote. What is in scratch
 * already needs no lock.
 */
#include <linux/virtio_blk.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "blk.h"
#include "chain.h"
#include "clock.h"
#include "config.h"
#include "devices.h"

#define F(name) VIO_BIT(VIRTIO_BLK_F_##name)

#define QUEUES 4u	/* of a disk, at most */
#define SECTOR BACKING_SECTOR
#define BLOCK UINT64_C(4096)	/* bytes of a block of an overlay */
#define SEGMENTS (VIRTQ_MAX - 2)
#define SEGMENT_MOST (UINT32_C(256) << 10)	/* bytes */
#define REQUEST_MOST (SEGMENTS * (uint64_t)SEGMENT_MOST)
#define DISCARD_MOST (UINT32_C(1) << 22)	/* sectors */
#define THROTTLE_STEP 50000	/* us between looks whether the driver still waits */
#define BOUNCE ((size_t)1 << 20)
#define ZEROES_MOST (UINT32_C(1) << 15)	/* sectors; it may be a write of zeroes */

/* Up to what is offered: nothing of a secure erase. */
#define CONFIG_LEN offsetof(struct virtio_blk_config, max_secure_erase_sectors)

struct blk {
	struct vio vio;
	struct vio_pci pci;
	struct backing host;
	_Atomic uint64_t size;	/* bytes; the backing had so many or more */
	_Atomic uint64_t count[BLK_COUNTS];
	pthread_mutex_t rate_lock;	/* after vio's lock */
	pthread_cond_t rate_changed;
	struct rate rate;
	bool ro;
	char serial[VIRTIO_BLK_ID_BYTES];	/* padded with zeroes */
	int scratch;	/* or -1 */
	pthread_mutex_t scratch_lock;
	_Atomic uint8_t *map;	/* a bit for each block: it is in scratch, for good */
	uint8_t block[BLOCK];	/* under the lock: a block on its way to scratch */
	uint8_t *bounce;	/* BOUNCE bytes a queue, for what is not aligned; or NULL */
};

static bool
in_scratch(const struct blk *b, uint64_t off)
{
	uint64_t i = off / BLOCK;

	return b->scratch != -1 && (atomic_load_explicit(&b->map[i / 8],
	    memory_order_acquire) & 1 << i % 8) != 0;
}

/* From now on the block at off is read from scratch. */
static void
set_in_scratch(struct blk *b, uint64_t off)
{
	uint64_t i = off / BLOCK;

	atomic_fetch_or_explicit(&b->map[i / 8], (uint8_t)(1 << i % 8),
	    memory_order_release);
}

/* Remove skip bytes from the front of the buffers. */
static void
cut_front(struct iovec *iov, unsigned int n, size_t skip)
{
	size_t part;

	for (; n > 0 && skip > 0; iov++, n--) {
		part = iov->iov_len < skip ? iov->iov_len : skip;
		iov->iov_base = (uint8_t *)iov->iov_base + part;
		iov->iov_len -= part;
		skip -= part;
	}
}

/*
 * Read all of the buffers from fd at off, or write them there. Returns 0, or -1:
 * also if the file has become too short.
 */
static int
transfer(int fd, struct iovec *iov, unsigned int n, uint64_t off, bool write)
{
	ssize_t done;

	for (;;) {
		for (; n > 0 && iov->iov_len == 0; iov++)
			n--;
		if (n == 0)
			return 0;
		done = write ? pwritev(fd, iov, (int)n, (off_t)off) :
		    preadv(fd, iov, (int)n, (off_t)off);
		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		off += (uint64_t)done;
		cut_front(iov, n, (size_t)done);
	}
}

/* Copy the block at off to scratch. */
static int
copy_up(struct blk *b, uint64_t off)
{
	uint64_t start = off - off % BLOCK;
	struct iovec iov = { b->block, BLOCK };

	if (b->size - start < BLOCK)
		iov.iov_len = (size_t)(b->size - start);
	if (transfer(b->host.fd, &iov, 1, start, false) == -1)
		return -1;
	iov = (struct iovec){ b->block, BLOCK };
	return transfer(b->scratch, &iov, 1, start, true);
}

/* Write to scratch what is in one block. Returns 0, or -1. */
static int
write_scratch(struct blk *b, struct iovec part, uint64_t off)
{
	bool all = part.iov_len == BLOCK;
	int rc;

	if (in_scratch(b, off))
		return transfer(b->scratch, &part, 1, off, true);
	pthread_mutex_lock(&b->scratch_lock);
	rc = all || in_scratch(b, off) ? 0 : copy_up(b, off);
	if (rc == 0)
		rc = transfer(b->scratch, &part, 1, off, true);
	if (rc == 0)
		set_in_scratch(b, off);
	pthread_mutex_unlock(&b->scratch_lock);
	return rc;
}

/* As transfer(), through the overlay: block by block. */
static int
overlay(struct blk *b, const struct iovec *iov, unsigned int n, uint64_t off,
    bool write)
{
	struct iovec part;
	size_t at, len;
	unsigned int k;
	int rc;

	for (k = 0; k < n; k++)
		for (at = 0; at < iov[k].iov_len; at += len, off += len) {
			len = BLOCK - (size_t)(off % BLOCK);
			if (len > iov[k].iov_len - at)
				len = iov[k].iov_len - at;
			part.iov_base = (uint8_t *)iov[k].iov_base + at;
			part.iov_len = len;
			if (write)
				rc = write_scratch(b, part, off);
			else
				rc = transfer(in_scratch(b, off) ? b->scratch :
				    b->host.fd, &part, 1, off, false);
			if (rc == -1)
				return -1;
		}
	return 0;
}

/* Does each buffer keep to the alignment that the host needs with O_DIRECT? */
static bool
is_aligned(const struct blk *b, const struct iovec *iov, unsigned int n)
{
	uintptr_t bits = 0;

	for (; n > 0; iov++, n--)
		bits |= (uintptr_t)iov->iov_base | iov->iov_len;
	return b->host.align == 0 || bits % b->host.align == 0;
}

/* As transfer(), by way of a buffer of BOUNCE bytes that is aligned. */
static int
bounce(const struct blk *b, uint8_t *buf, const struct iovec *iov, unsigned int n,
    uint64_t off, bool write)
{
	uint64_t at, len = virtq_bytes(iov, n);
	struct iovec part;

	for (at = 0; at < len; at += part.iov_len) {
		part = (struct iovec){ buf, len - at < BOUNCE ? len - at : BOUNCE };
		if (write)
			(void)virtq_gather(iov, n, at, buf, part.iov_len);
		if (transfer(b->host.fd, &(struct iovec){ part.iov_base, part.iov_len }, 1,
			off + at, write) == -1)
			return -1;
		if (!write)
			(void)virtq_scatter(iov, n, at, buf, part.iov_len);
	}
	return 0;
}

static void
count(struct blk *b, enum blk_count what, uint64_t n)
{
	atomic_fetch_add_explicit(&b->count[what], n, memory_order_relaxed);
}

static bool
in_disk(const struct blk *b, uint64_t sector, uint64_t len)
{
	uint64_t sectors = atomic_load(&b->size) / SECTOR;

	return sector <= sectors && len <= (sectors - sector) * SECTOR;
}

/*
 * Has the file become shorter? Then a write at its old end would make it long
 * again, and the guest would read zeroes that no one wrote.
 */
static bool
shrunk(const struct blk *b)
{
	struct stat st;

	return !b->host.is_device && b->scratch == -1 &&
	    (fstat(b->host.fd, &st) == -1 || (uint64_t)st.st_size < b->size);
}

/*
 * Read or write the data of a request of that queue: the buffers without the header
 * and the status.
 */
static uint8_t
read_write(struct blk *b, unsigned int queue, uint64_t sector, struct iovec *iov,
    unsigned int n, bool write)
{
	uint64_t len = virtq_bytes(iov, n);
	int rc;

	if (len % SECTOR != 0 || len > REQUEST_MOST ||
	    !in_disk(b, sector, len) || (write && (b->ro || shrunk(b))))
		return VIRTIO_BLK_S_IOERR;
	if (b->scratch != -1)
		rc = overlay(b, iov, n, sector * SECTOR, write);
	else if (!is_aligned(b, iov, n))
		rc = bounce(b, b->bounce + queue * BOUNCE, iov, n, sector * SECTOR,
		    write);
	else
		rc = transfer(b->host.fd, iov, n, sector * SECTOR, write);
	return rc == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static uint8_t
flush(const struct blk *b)
{
	/* An overlay ends with this process. */
	if (b->ro || b->scratch != -1)
		return VIRTIO_BLK_S_OK;
	return fdatasync(b->host.fd) == 0 ? VIRTIO_BLK_S_OK :
	    VIRTIO_BLK_S_IOERR;
}

static int
write_zeroes(struct blk *b, uint64_t off, uint64_t len)
{
	static uint8_t zeroes[BLOCK];
	struct iovec iov = { zeroes, 0 };

	for (; len > 0; len -= iov.iov_len, off += iov.iov_len) {
		iov.iov_len = len < BLOCK ? (size_t)len : BLOCK;
		if (overlay(b, &iov, 1, off, true) == -1)
			return -1;
	}
	return 0;
}

/* Make whole blocks of an overlay holes in scratch. Returns false if that cannot be. */
static bool
punch(struct blk *b, uint64_t from, uint64_t to)
{
	bool done;

	pthread_mutex_lock(&b->scratch_lock);
	done = fallocate(b->scratch, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)from, (off_t)(to - from)) == 0;
	for (; done && from < to; from += BLOCK)
		set_in_scratch(b, from);
	pthread_mutex_unlock(&b->scratch_lock);
	return done;
}

/*
 * Discard or zero a part of an overlay. Whole blocks become holes in scratch,
 * which frees their space. A zeroing also writes zeroes to the parts of blocks;
 * a discard leaves these.
 */
static int
zero_overlay(struct blk *b, uint64_t off, uint64_t len, bool zero)
{
	uint64_t from = (off + BLOCK - 1) / BLOCK * BLOCK;
	uint64_t to = (off + len) / BLOCK * BLOCK;

	if (from >= to || !punch(b, from, to))
		return zero ? write_zeroes(b, off, len) : 0;
	if (!zero)
		return 0;
	return write_zeroes(b, off, from - off) == -1 ||
	    write_zeroes(b, to, off + len - to) == -1 ? -1 : 0;
}

/* A discard may do nothing; a zeroing must succeed or fail (5.2.6.2). */
static uint8_t
discard(struct blk *b, const struct iovec *iov, unsigned int n, uint64_t skip,
    bool zero)
{
	int mode = FALLOC_FL_KEEP_SIZE, rc;
	struct virtio_blk_discard_write_zeroes r;
	uint64_t off, len, args[2];

	if (virtq_bytes(iov, n) != skip + sizeof(r) ||
	    virtq_gather(iov, n, skip, &r, sizeof(r)) != sizeof(r))
		return VIRTIO_BLK_S_UNSUPP; /* max_discard_seg is 1 */
	if ((r.flags & ~(zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u)) != 0)
		return VIRTIO_BLK_S_UNSUPP;
	off = r.sector * SECTOR;
	len = (uint64_t)r.num_sectors * SECTOR;
	if (r.num_sectors > (zero ? ZEROES_MOST : DISCARD_MOST) ||
	    !in_disk(b, r.sector, len) || b->ro || shrunk(b))
		return VIRTIO_BLK_S_IOERR;
	if (len == 0)
		return VIRTIO_BLK_S_OK;
	if (b->scratch != -1)
		return zero_overlay(b, off, len, zero) == 0 ?
		    VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
	args[0] = off;
	args[1] = len;
	mode |= zero && r.flags == 0 ? FALLOC_FL_ZERO_RANGE :
	    FALLOC_FL_PUNCH_HOLE;
	if (!b->host.is_device)
		rc = fallocate(b->host.fd, mode, (off_t)off, (off_t)len);
	else if (zero)
		rc = ioctl(b->host.fd, BLKZEROOUT, args);
	else
		rc = ioctl(b->host.fd, BLKDISCARD, args);
	if (rc == 0)
		return VIRTIO_BLK_S_OK;
	/* EINVAL: not whole blocks of the device. */
	if (errno == EOPNOTSUPP || errno == EINVAL)
		return zero ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
	return VIRTIO_BLK_S_IOERR;
}

/* Does the driver still wait for the request? */
static bool
is_wanted(struct blk *b)
{
	bool live;

	pthread_mutex_lock(&b->vio.lock);
	live = vio_live(&b->vio);
	pthread_mutex_unlock(&b->vio.lock);
	return live;
}

/* Wait until rate= lets a request of that size begin. A reset need not wait for that. */
static void
throttle(struct blk *b, uint64_t bytes)
{
	struct timespec until;
	int64_t us;

	pthread_mutex_lock(&b->rate_lock);
	while (rate_is_set(&b->rate) && (us = rate_wait(&b->rate, clock_us())) > 0) {
		us = clock_us() + (us < THROTTLE_STEP ? us : THROTTLE_STEP);
		until.tv_sec = (time_t)(us / 1000000);
		until.tv_nsec = (long)(us % 1000000) * 1000;
		(void)pthread_cond_timedwait(&b->rate_changed, &b->rate_lock,
		    &until);
		pthread_mutex_unlock(&b->rate_lock);
		if (!is_wanted(b))
			return;
		pthread_mutex_lock(&b->rate_lock);
	}
	/* A request that is too large will fail. */
	if (rate_is_set(&b->rate))
		rate_take(&b->rate, bytes > REQUEST_MOST ? 0 : bytes, clock_us());
	pthread_mutex_unlock(&b->rate_lock);
}

/*
 * Do one request. Returns how many bytes were written to its buffers, or -1 if
 * it lacks a header or a byte for the status.
 */
static int64_t
request(struct vio *v, unsigned int queue, struct vchain *c)
{
	struct blk *b = v->dev;
	struct iovec *in = c->iov + c->nout, *last = c->iov + c->nout + c->nin;
	struct virtio_blk_outhdr r;
	uint64_t room = virtq_bytes(in, c->nin), wrote = 0;
	uint8_t status, *at;

	if (room == 0 || virtq_gather(c->iov, c->nout, 0, &r, sizeof(r)) !=
	    sizeof(r))
		return -1;
	do /* the last byte is the status */
		last--;
	while (last->iov_len == 0);
	at = (uint8_t *)last->iov_base + --last->iov_len;
	switch (r.type) {
	case VIRTIO_BLK_T_IN:
		count(b, BLK_READS, 1);
		count(b, BLK_READ, room - 1);
		throttle(b, room - 1);
		status = read_write(b, queue, r.sector, in, c->nin, false);
		wrote = room - 1;
		break;
	case VIRTIO_BLK_T_OUT:
		cut_front(c->iov, c->nout, sizeof(r));
		count(b, BLK_WRITES, 1);
		count(b, BLK_WRITTEN, virtq_bytes(c->iov, c->nout));
		throttle(b, virtq_bytes(c->iov, c->nout));
		status = read_write(b, queue, r.sector, c->iov, c->nout, true);
		break;
	case VIRTIO_BLK_T_FLUSH:
		count(b, BLK_FLUSHES, 1);
		throttle(b, 0);
		status = flush(b);
		break;
	case VIRTIO_BLK_T_GET_ID:
		wrote = virtq_scatter(in, c->nin, 0, b->serial,
		    sizeof(b->serial));
		status = VIRTIO_BLK_S_OK;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		throttle(b, 0);
		status = discard(b, c->iov, c->nout, sizeof(r),
		    r.type == VIRTIO_BLK_T_WRITE_ZEROES);
		break;
	default:
		status = VIRTIO_BLK_S_UNSUPP;
	}
	if (status != VIRTIO_BLK_S_OK)
		count(b, BLK_ERRORS, 1);
	*at = status;
	return (int64_t)wrote + 1;
}

static const struct vio_ops ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.class = 0x018000, /* mass storage, other */
	.request = request,
};

/* An overlay's scratch: a file without a name, in a directory or in memory. */
static void
open_scratch(struct blk *b, const struct disk *d)
{
	size_t bytes = (size_t)(b->host.size / BLOCK / 8 + 1);
	void *map;

	b->scratch = -1;
	pthread_mutex_init(&b->scratch_lock, NULL);
	if (d->scratch == NULL)
		return;
	if (*d->scratch == '\0')
		b->scratch = memfd_create("volt-overlay", MFD_CLOEXEC);
	else
		b->scratch = open(d->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC,
		    0600);
	if (b->scratch == -1 || ftruncate(b->scratch, (off_t)(b->host.size + BLOCK))
	    == -1)
		err(EXIT_LINK, "disk=%s: overlay=%s", d->path, d->scratch);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		err(EXIT_LINK, "disk=%s: overlay", d->path);
	b->map = map;
}

static void
open_bounce(struct blk *b, const struct disk *d)
{
	if (!d->direct)
		return;
	b->bounce = mmap(NULL, BOUNCE * b->vio.nqueues, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->bounce == MAP_FAILED)
		err(EXIT_LINK, "disk=%s: direct", d->path);
}

/* Try to open the files of disk= and pmem=, for a dry run. Ends the program if one fails. */
void
blk_check(const struct config *cfg)
{
	struct backing b;
	unsigned int i;

	for (i = 0; i < cfg->ndisks; i++) {
		backing_open(&b, "disk", &cfg->disks[i]);
		close(b.fd);
	}
	for (i = 0; i < cfg->npmems; i++) {
		backing_open(&b, "pmem", &cfg->pmems[i]);
		close(b.fd);
	}
}

/* How many blocks of the guest's are that many bytes? No more than most. */
static uint32_t
blocks(const struct blk *b, uint32_t bytes, uint32_t most)
{
	uint32_t n = bytes / b->host.block;

	return n < most ? n : most;
}

/* The features and the configuration of the disk (5.2.3, 5.2.4). */
static void
describe(struct blk *b)
{
	struct virtio_blk_config c = { 0 };
	const struct backing *h = &b->host;
	uint32_t unit = b->scratch != -1 ? (uint32_t)BLOCK : h->discard;

	b->vio.offered = VIRTQ_F_INDIRECT_DESC | VIRTQ_F_EVENT_IDX |
	    F(SIZE_MAX) | F(SEG_MAX) | F(BLK_SIZE) | F(FLUSH) |
	    (b->ro ? F(RO) : F(WRITE_ZEROES));
	c.capacity = h->size / SECTOR;
	c.size_max = SEGMENT_MOST;
	c.seg_max = SEGMENTS;
	c.blk_size = h->block;
	if (h->is_device) {
		b->vio.offered |= F(TOPOLOGY);
		while (h->block << c.physical_block_exp < h->physical)
			c.physical_block_exp++;
		c.alignment_offset = (uint8_t)blocks(b, h->offset, UINT8_MAX);
		c.min_io_size = (uint16_t)blocks(b, h->least, UINT16_MAX);
		c.opt_io_size = blocks(b, h->best, UINT32_MAX);
	}
	if (!b->ro && unit != 0) {
		b->vio.offered |= F(DISCARD);
		c.max_discard_sectors = DISCARD_MOST;
		c.max_discard_seg = 1;
		/* To Linux this is the granularity, too. */
		c.discard_sector_alignment = unit / SECTOR;
	}
	if (b->vio.nqueues > 1) {
		b->vio.offered |= F(MQ);
		c.num_queues = b->vio.nqueues;
	}
	c.max_write_zeroes_sectors = ZEROES_MOST;
	c.max_write_zeroes_seg = 1;
	c.write_zeroes_may_unmap = 1;
	b->vio.config_len = CONFIG_LEN;
	memcpy(b->vio.config, &c, CONFIG_LEN);
}

static void
rate_begin(struct blk *b)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->rate_changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&b->rate_lock, NULL);
}

void
blk_init(struct vm *vm, const struct config *cfg)
{
	struct blk *b;
	unsigned int i;

	for (i = 0; i < cfg->ndisks; i++) {
		if ((b = calloc(1, sizeof(*b))) == NULL)
			err(EXIT_LINK, "disk=%s", cfg->disks[i].path);
		b->ro = cfg->disks[i].ro;
		b->vio.nqueues = (uint16_t)(cfg->cpus < QUEUES ? cfg->cpus : QUEUES);
		snprintf(b->serial, sizeof(b->serial), "volt-vd%c",
		    'a' + (int)i);
		backing_open(&b->host, "disk", &cfg->disks[i]);
		b->size = b->host.size;
		rate_begin(b);
		vm->disk[vm->ndisks++] = b;
		open_scratch(b, &cfg->disks[i]);
		open_bounce(b, &cfg->disks[i]);
		describe(b);
		devices_plug(vm, &b->pci, &b->vio, &ops, b);
	}
}

/* From any thread: limit the disk from now on. A request that waits is looked at again. */
void
blk_limit(struct blk *b, const struct rate_word *w)
{
	pthread_mutex_lock(&b->rate_lock);
	rate_set(&b->rate, w, clock_us());
	pthread_cond_broadcast(&b->rate_changed);
	pthread_mutex_unlock(&b->rate_lock);
}

uint64_t
blk_size(const struct blk *b)
{
	return atomic_load(&b->size);
}

/* How much of that the disk has done so far: requests or bytes. */
uint64_t
blk_counted(const struct blk *b, enum blk_count what)
{
	return atomic_load_explicit(&b->count[what], memory_order_relaxed);
}

/*
 * I/O thread: if the file or device has become larger, tell the guest. Returns 0, or -1
 * and errno: EINVAL if it has become smaller, EOPNOTSUPP for an overlay.
 */
int
blk_grow(struct blk *b)
{
	struct virtio_blk_config *c = (void *)b->vio.config;
	uint64_t size;

	if (b->scratch != -1) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (backing_size(&b->host, &size) == -1)
		return -1;
	size -= size % b->host.block;
	if (size < blk_size(b)) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&b->vio.lock);
	if (size != blk_size(b)) {
		atomic_store(&b->size, size);
		c->capacity = size / SECTOR;
		vio_config_changed(&b->vio);
	}
	pthread_mutex_unlock(&b->vio.lock);
	return 0;
}
