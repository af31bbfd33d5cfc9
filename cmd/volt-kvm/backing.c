#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "chain.h"
#include "config.h"
#include "kfile.h"
#include "value.h"
#include "verity.h"

#define BLOCK_MOST 4096u	/* a page: Linux guests take no larger ones */

/* Lock the file: one guest that writes, or any number of guests that read. */
static void
lock(const struct backing *b, const char *key, const char *path, bool write)
{
	struct flock fl = { .l_type = write ? F_WRLCK : F_RDLCK };

	if (fcntl(b->fd, F_OFD_SETLK, &fl) == -1) {
		if (errno == EAGAIN || errno == EACCES)
			errx(EXIT_LINK, "%s=%s: in use by another guest", key,
			    path);
		err(EXIT_LINK, "%s=%s: lock", key, path);
	}
}

/*
 * Read a number of the device's request queue. A partition has that of its disk.
 * Returns false if there is no sysfs, as in many jails.
 */
static bool
queue_number(dev_t dev, const char *name, uint64_t *n)
{
	static const char *const dirs[] = { "", "../" };
	char path[128], text[32];
	unsigned int i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s",
		    major(dev), minor(dev), dirs[i], name);
		if (kfile_read(AT_FDCWD, path, text, sizeof(text)) == -1)
			continue;
		text[strcspn(text, "\n")] = '\0';
		return value_uint(text, UINT32_MAX, n) == 0;
	}
	return false;
}

/* Find the size and the topology of a device. Returns 0, or -1 and errno. */
static int
open_device(struct backing *b, dev_t dev)
{
	off_t end = lseek(b->fd, 0, SEEK_END);
	unsigned int physical = 0, least = 0, best = 0;
	int logical = 0, offset = 0;
	uint64_t n;

	if (end == -1 || ioctl(b->fd, BLKSSZGET, &logical) == -1)
		return -1;
	b->is_device = true;
	b->size = (uint64_t)end;
	/* A number that the device does not know stays 0. */
	(void)ioctl(b->fd, BLKPBSZGET, &physical);
	(void)ioctl(b->fd, BLKIOMIN, &least);
	(void)ioctl(b->fd, BLKIOOPT, &best);
	if (ioctl(b->fd, BLKALIGNOFF, &offset) == -1 || offset < 0)
		offset = 0;
	b->physical = physical;
	b->least = least;
	b->best = best;
	b->offset = (uint32_t)offset;
	b->discard = (uint32_t)logical;
	if (queue_number(dev, "discard_granularity", &n))
		b->discard = (uint32_t)n;
	return 0;
}

/*
 * The block size, in bytes, that the guest sees of a disk that is open at fd. An error
 * ends the program.
 */
uint32_t
backing_block(int fd, const struct disk *d, bool is_device)
{
	int logical;

	if (d->block != 0)
		return d->block;
	if (!is_device)
		return BACKING_SECTOR;
	if (ioctl(fd, BLKSSZGET, &logical) == -1)
		err(EXIT_LINK, "disk=%s: block size", d->path);
	return (uint32_t)logical > BLOCK_MOST ? BLOCK_MOST : (uint32_t)logical;
}

/* The size that the file or device has now, in bytes. Returns 0, or -1 and errno. */
int
backing_size(const struct backing *b, uint64_t *size)
{
	struct stat st;
	off_t end;

	if (fstat(b->fd, &st) == -1)
		return -1;
	end = b->is_device ? lseek(b->fd, 0, SEEK_END) : st.st_size;
	*size = (uint64_t)end;
	return end == -1 ? -1 : 0;
}

/*
 * With O_DIRECT: find out by reading which alignment the host needs (open(2)). It is never
 * larger than a block of the guest's, or the guest could not keep to it.
 */
static void
find_alignment(struct backing *b, const struct disk *d)
{
	static _Alignas(2 * BLOCK_MOST) uint8_t buf[2 * BLOCK_MOST];
	uint32_t n;

	for (n = BACKING_SECTOR; n <= BLOCK_MOST; n *= 2)
		if (pread(b->fd, buf + n, n, 0) != -1)
			break;
		else if (errno != EINVAL)
			err(EXIT_LINK, "disk=%s: direct", d->path);
	if (n > BLOCK_MOST)
		errx(EXIT_LINK, "disk=%s: direct: the host cannot read it so", d->path);
	if (n > b->block)
		errx(EXIT_LINK, "disk=%s: direct: the host needs block=%u", d->path, n);
	b->align = n;
}

/*
 * Check what can be checked here. The guest checks the hash of verity=, and its
 * signature.
 */
static void
check_trust(const struct backing *b, const char *key, const struct disk *d)
{
	const char *wrong = trust_measure(&d->trust, b->fd);
	struct verity v;

	if (wrong == NULL && d->trust.verity.len > 0)
		wrong = verity_read(&v, &d->trust, b->fd, b->size);
	if (wrong != NULL)
		errx(EXIT_LINK, "%s=%s: %s", key, d->path, wrong);
	if (verity_sign(&v, &d->trust) == -1)
		err(EXIT_LINK, "%s=%s: sig=%s", key, d->path, d->trust.sig);
}

/* Open, measure and lock the file of disk= or pmem=, or end the program with an error. */
void
backing_open(struct backing *b, const char *key, const struct disk *d)
{
	bool write = !d->ro && d->scratch == NULL;
	struct stat st;

	*b = (struct backing){ .block = 0 };
	/* O_EXCL refuses a block device that this host has mounted. */
	b->fd = open(d->path, (write ? O_RDWR | O_EXCL : O_RDONLY) |
	    (d->direct ? O_DIRECT : 0) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (b->fd == -1 && errno == EBUSY)
		errx(EXIT_LINK, "%s=%s: mounted, or in use otherwise", key, d->path);
	if (b->fd == -1 && errno == EINVAL && d->direct)
		errx(EXIT_LINK, "%s=%s: its file system has no direct I/O", key,
		    d->path);
	if (b->fd == -1 || fstat(b->fd, &st) == -1)
		err(EXIT_LINK, "%s=%s", key, d->path);
	if (S_ISREG(st.st_mode)) {
		b->size = (uint64_t)st.st_size;
		b->discard = (uint32_t)st.st_blksize;
	} else if (!S_ISBLK(st.st_mode)) {
		errx(EXIT_LINK, "%s=%s: neither a file nor a block device", key, d->path);
	} else if (open_device(b, st.st_rdev) == -1) {
		err(EXIT_LINK, "%s=%s", key, d->path);
	}
	b->block = backing_block(b->fd, d, b->is_device);
	if (b->size == 0 || b->size % b->block != 0)
		errx(EXIT_LINK, "%s=%s: the size is no multiple of %u bytes", key,
		    d->path, b->block);
	lock(b, key, d->path, write);
	check_trust(b, key, d);
	if (d->direct)
		find_alignment(b, d);
}
