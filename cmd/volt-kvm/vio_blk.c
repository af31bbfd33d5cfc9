/*
 * Disks (virtio 1.2, 5.2): raw files and block devices. The format is never
 * guessed. What a request says is gathered from its buffers wherever these are
 * cut; its place is checked against the disk's size before anything moves.
 *
 * With an overlay nothing is written to the file: blocks of BLOCK bytes that
 * the guest writes go to a scratch file, sparse, or to memory; a bit for each
 * says where it is.
 *
 * Each disk has a worker (vio_worker.c), which alone uses what is in struct blk
 * once the guest runs.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "chain.h"
#include "config.h"
#include "devices.h"

#define SECTOR BACKING_SECTOR
#define BLOCK UINT64_C(4096)	/* of an overlay */
#define SEGMENTS (VIRTQ_MAX - 2)
#define SEGMENT_MOST (UINT32_C(256) << 10)	/* bytes */
#define REQUEST_MOST (SEGMENTS * (uint64_t)SEGMENT_MOST)
#define DISCARD_MOST (UINT32_C(1) << 22)	/* sectors */
#define ZEROES_MOST (UINT32_C(1) << 15)	/* sectors: they may be written */

#define F_SIZE_MAX VIO_BIT(1)
#define F_SEG_MAX VIO_BIT(2)
#define F_RO VIO_BIT(5)
#define F_BLK_SIZE VIO_BIT(6)
#define F_FLUSH VIO_BIT(9)
#define F_TOPOLOGY VIO_BIT(10)
#define F_DISCARD VIO_BIT(13)
#define F_WRITE_ZEROES VIO_BIT(14)

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11,
	T_WRITE_ZEROES = 13 };
enum { S_OK, S_IOERR, S_UNSUPP };

#define RANGE_UNMAP 1u	/* zeroes may be holes */

struct request {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct range {
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

/* 5.2.4, as far as it is used */
struct space {
	uint64_t capacity;
	uint32_t size_max, seg_max;
	uint8_t geometry[4];
	uint32_t blk_size;
	uint8_t physical_exp, offset;
	uint16_t min_io;
	uint32_t opt_io;
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
};

struct blk {
	struct vio vio;
	struct vio_pci pci;
	struct backing host;
	bool ro;
	char serial[20];	/* or shorter, and zeroes */
	int scratch;	/* or -1 */
	uint8_t *map;	/* a bit for every block that is in scratch */
	uint8_t block[BLOCK];	/* the worker's */
};

static struct blk disks[CONFIG_DISKS];

static bool
in_scratch(const struct blk *b, uint64_t off)
{
	uint64_t i = off / BLOCK;

	return b->scratch != -1 && (b->map[i / 8] & 1 << i % 8) != 0;
}

/* Take skip bytes off the front of the buffers. */
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
 * All of the buffers' bytes from or to fd at off. Returns 0, or -1, also where
 * the file ends by now.
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

/* Before a part of a block is written to scratch: bring the rest of it there. */
static int
bring(struct blk *b, uint64_t off, size_t len)
{
	uint64_t start = off - off % BLOCK;
	struct iovec iov = { b->block, BLOCK };

	if (in_scratch(b, off))
		return 0;
	if (len < BLOCK) {
		if (b->host.size - start < BLOCK)
			iov.iov_len = (size_t)(b->host.size - start);
		if (transfer(b->host.fd, &iov, 1, start, false) == -1)
			return -1;
		iov = (struct iovec){ b->block, BLOCK };
		if (transfer(b->scratch, &iov, 1, start, true) == -1)
			return -1;
	}
	return 0;
}

/* As transfer(), through the overlay: block by block. */
static int
overlay(struct blk *b, const struct iovec *iov, unsigned int n, uint64_t off,
    bool write)
{
	struct iovec part;
	uint64_t i;
	size_t at, len;
	unsigned int k;
	int fd;

	for (k = 0; k < n; k++)
		for (at = 0; at < iov[k].iov_len; at += len, off += len) {
			len = BLOCK - (size_t)(off % BLOCK);
			if (len > iov[k].iov_len - at)
				len = iov[k].iov_len - at;
			if (write && bring(b, off, len) == -1)
				return -1;
			fd = write || in_scratch(b, off) ? b->scratch : b->host.fd;
			part.iov_base = (uint8_t *)iov[k].iov_base + at;
			part.iov_len = len;
			if (transfer(fd, &part, 1, off, write) == -1)
				return -1;
			i = off / BLOCK;
			if (write)
				b->map[i / 8] |= (uint8_t)(1 << i % 8);
		}
	return 0;
}

static bool
in_disk(const struct blk *b, uint64_t sector, uint64_t len)
{
	uint64_t sectors = b->host.size / SECTOR;

	return sector <= sectors && len <= (sectors - sector) * SECTOR;
}

/*
 * Has somebody cut the file off? Then a write at its old end would make it long
 * again, and what was in between would be zeroes that nobody wrote.
 */
static bool
shrunk(const struct blk *b)
{
	struct stat st;

	return !b->host.is_device && b->scratch == -1 &&
	    (fstat(b->host.fd, &st) == -1 || (uint64_t)st.st_size < b->host.size);
}

/*
 * Read or write: all buffers between the header and the status. For a write
 * the header's first bytes have been taken off.
 */
static uint8_t
read_write(struct blk *b, uint64_t sector, struct iovec *iov, unsigned int n,
    bool write)
{
	uint64_t len = virtq_bytes(iov, n);
	int rc;

	if (len % SECTOR != 0 || len > REQUEST_MOST ||
	    !in_disk(b, sector, len) || (write && (b->ro || shrunk(b))))
		return S_IOERR;
	if (b->scratch != -1)
		rc = overlay(b, iov, n, sector * SECTOR, write);
	else
		rc = transfer(b->host.fd, iov, n, sector * SECTOR, write);
	return rc == 0 ? S_OK : S_IOERR;
}

static uint8_t
flush(const struct blk *b)
{
	/* What is in an overlay dies with us: nothing to keep. */
	if (b->ro || b->scratch != -1)
		return S_OK;
	return fdatasync(b->host.fd) == 0 ? S_OK : S_IOERR;
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

/*
 * Through the overlay: whole blocks become holes of scratch, which gives back
 * what they took; the rest is written, if it is an order.
 */
static int
zero_overlay(struct blk *b, uint64_t off, uint64_t len, bool order)
{
	uint64_t from = (off + BLOCK - 1) / BLOCK * BLOCK;
	uint64_t to = (off + len) / BLOCK * BLOCK, i;

	if (from >= to || fallocate(b->scratch, FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == -1)
		return order ? write_zeroes(b, off, len) : 0;
	for (i = from / BLOCK; i < to / BLOCK; i++)
		b->map[i / 8] |= (uint8_t)(1 << i % 8);
	if (!order)
		return 0;
	return write_zeroes(b, off, from - off) == -1 ||
	    write_zeroes(b, to, off + len - to) == -1 ? -1 : 0;
}

/* Discard is advice; zeroes are an order (5.2.6.2). */
static uint8_t
discard(struct blk *b, const struct iovec *iov, unsigned int n, uint64_t skip,
    bool zero)
{
	int mode = FALLOC_FL_KEEP_SIZE, rc;
	struct range r;
	uint64_t off, len, args[2];

	if (virtq_bytes(iov, n) != skip + sizeof(r) ||
	    virtq_gather(iov, n, skip, &r, sizeof(r)) != sizeof(r))
		return S_UNSUPP; /* one range, as max_discard_seg says */
	if ((r.flags & ~(zero ? RANGE_UNMAP : 0)) != 0)
		return S_UNSUPP;
	off = r.sector * SECTOR;
	len = (uint64_t)r.sectors * SECTOR;
	if (r.sectors > (zero ? ZEROES_MOST : DISCARD_MOST) ||
	    !in_disk(b, r.sector, len) || b->ro || shrunk(b))
		return S_IOERR;
	if (len == 0)
		return S_OK;
	if (b->scratch != -1)
		return zero_overlay(b, off, len, zero) == 0 ? S_OK : S_IOERR;
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
		return S_OK;
	/* EINVAL: a part of a block of the device's. */
	if (errno == EOPNOTSUPP || errno == EINVAL)
		return zero ? S_UNSUPP : S_OK;
	return S_IOERR;
}

/*
 * Do one request. Returns how many bytes it wrote, or -1 if it has not even a
 * header and a place for its status.
 */
static int64_t
request(struct vio *v, struct vchain *c)
{
	struct blk *b = v->dev;
	struct iovec *in = c->iov + c->nout, *last = c->iov + c->nout + c->nin;
	struct request r;
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
	case T_IN:
		status = read_write(b, r.sector, in, c->nin, false);
		wrote = room - 1;
		break;
	case T_OUT:
		cut_front(c->iov, c->nout, sizeof(r));
		status = read_write(b, r.sector, c->iov, c->nout, true);
		break;
	case T_FLUSH:
		status = flush(b);
		break;
	case T_GET_ID:
		wrote = virtq_scatter(in, c->nin, 0, b->serial,
		    sizeof(b->serial));
		status = S_OK;
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		status = discard(b, c->iov, c->nout, sizeof(r),
		    r.type == T_WRITE_ZEROES);
		break;
	default:
		status = S_UNSUPP;
	}
	*at = status;
	return (int64_t)wrote + 1;
}

static const struct vio_ops ops = {
	.name = "blk",
	.id = 2,
	.class = 0x018000,
	.request = request,
};

/* overlay: scratch without a name, in memory or in a directory. */
static void
open_scratch(struct blk *b, const struct disk *d)
{
	size_t bytes = (size_t)(b->host.size / BLOCK / 8 + 1);

	b->scratch = -1;
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
	b->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->map == MAP_FAILED)
		err(EXIT_LINK, "disk=%s: overlay", d->path);
}

/* Could we have the disks? Ends if not. */
void
blk_check(const struct config *cfg)
{
	struct backing b;
	unsigned int i;

	for (i = 0; i < cfg->ndisks; i++) {
		backing_open(&b, &cfg->disks[i]);
		close(b.fd);
	}
}

static uint32_t
blocks(const struct blk *b, uint32_t bytes, uint32_t most)
{
	uint32_t n = bytes / b->host.block;

	return n < most ? n : most;
}

/* What the disk tells of itself: features and configuration (5.2.3, 5.2.4). */
static void
tell(struct blk *b)
{
	struct space *space = (void *)b->vio.config;
	const struct backing *h = &b->host;
	uint32_t give = b->scratch != -1 ? (uint32_t)BLOCK : h->discard;

	b->vio.nqueues = 1;
	b->vio.offered = VIRTQ_F_INDIRECT_DESC | VIRTQ_F_EVENT_IDX |
	    F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH |
	    (b->ro ? F_RO : F_WRITE_ZEROES);
	b->vio.config_len = sizeof(*space);
	space->capacity = h->size / SECTOR;
	space->size_max = SEGMENT_MOST;
	space->seg_max = SEGMENTS;
	space->blk_size = h->block;
	if (h->is_device) {
		b->vio.offered |= F_TOPOLOGY;
		while (h->block << space->physical_exp < h->physical)
			space->physical_exp++;
		space->offset = (uint8_t)blocks(b, h->offset, UINT8_MAX);
		space->min_io = (uint16_t)blocks(b, h->least, UINT16_MAX);
		space->opt_io = blocks(b, h->best, UINT32_MAX);
	}
	if (!b->ro && give != 0) {
		b->vio.offered |= F_DISCARD;
		space->max_discard_sectors = DISCARD_MOST;
		space->max_discard_seg = 1;
		/* Linux takes it for the granularity as well. */
		space->discard_alignment = give / SECTOR;
	}
	space->max_write_zeroes_sectors = ZEROES_MOST;
	space->max_write_zeroes_seg = 1;
	space->write_zeroes_may_unmap = 1;
}

void
blk_init(struct vm *vm, const struct config *cfg)
{
	struct blk *b;
	unsigned int i;

	for (i = 0; i < cfg->ndisks; i++) {
		b = &disks[i];
		b->ro = cfg->disks[i].ro;
		snprintf(b->serial, sizeof(b->serial), "volt-vd%c",
		    'a' + (int)i);
		backing_open(&b->host, &cfg->disks[i]);
		open_scratch(b, &cfg->disks[i]);
		tell(b);
		devices_plug(vm, &b->pci, &b->vio, &ops, b);
	}
}
