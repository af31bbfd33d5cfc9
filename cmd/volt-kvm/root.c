/*
 * root= and overlay=: DEV[:TYPE][:ro]. DEV is a disk of disk= or pmem=, or one of its partitions. We
 * detect what it holds, because the guest needs the type to mount it, and the module.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "chain.h"
#include "config.h"
#include "guest.h"
#include "partition.h"
#include "root.h"
#include "superblock.h"
#include "value.h"
#include "words.h"

#define DISK_PARTITIONS 255	/* Linux numbers no more of a disk */

struct look {
	const char *key, *value;	/* the word */
	const struct disk *disk;
	const char *name;	/* "vda", "pmem0" */
	const char *part;	/* what is between that and a partition's number */
	int fd;
	uint64_t size;
	uint32_t block;
};

static const struct {
	const char *before;	/* the number of the disk, which is a character */
	char first, last;
	const char *part;
} kinds[] = { { "vd", 'a', 'z', "" }, { "pmem", '0', '9', "p" } };

/*
 * Find the disk that dev is, or of which dev is a partition. Set *number to that of the
 * partition, or to 0. Returns 1; 0 if the name is not that of a disk of ours; or -1 if
 * we have no such disk.
 */
static int
find_disk(struct look *l, const struct config *c, const char *dev, unsigned int *number)
{
	static char name[8];
	const struct disk *disks[] = { c->disks, c->pmems };
	const unsigned int most[] = { c->ndisks, c->npmems };
	unsigned int i, n;
	uint64_t part = 0;
	size_t len;

	if (strncmp(dev, "/dev/", 5) == 0)
		dev += 5;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		len = strlen(kinds[i].before);
		if (strncmp(dev, kinds[i].before, len) == 0 &&
		    dev[len] >= kinds[i].first && dev[len] <= kinds[i].last)
			break;
	}
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return 0;
	n = (unsigned int)(dev[len] - kinds[i].first);
	if (n >= most[i])
		return -1;
	l->disk = &disks[i][n];
	l->part = kinds[i].part;
	snprintf(name, sizeof(name), "%.*s", (int)len + 1, dev);
	l->name = name;
	dev += len + 1;
	if (*dev != '\0' && (strncmp(dev, l->part, strlen(l->part)) != 0 ||
	    value_uint(dev + strlen(l->part), DISK_PARTITIONS, &part) == -1 ||
	    part == 0))
		return -1;
	*number = (unsigned int)part;
	return 1;
}

/* Open the disk. Returns false on an error, which backing_open() will report. */
static bool
open_disk(struct look *l)
{
	struct stat st;
	off_t end;

	l->fd = open(l->disk->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (l->fd == -1)
		return false;
	if (fstat(l->fd, &st) == -1 ||
	    (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) ||
	    (end = lseek(l->fd, 0, SEEK_END)) == -1) {
		close(l->fd);
		return false;
	}
	l->size = (uint64_t)end;
	l->block = backing_block(l->fd, l->disk, S_ISBLK(st.st_mode));
	return true;
}

/* List the partitions, as "vda1 vfat, vda2 ext4". Returns their number. */
static int
list_partitions(const struct look *l, char *buf, size_t size)
{
	const struct superblock *s;
	struct extent e;
	unsigned int i;
	size_t len = 0;
	int n = 0;

	for (i = 1; i <= PARTITIONS && len < size; i++) {
		if (partition_find(l->fd, l->size, l->block, i, &e) != 1)
			continue;
		s = superblock_find(l->fd, &e);
		len += (size_t)snprintf(buf + len, size - len, "%s%s%s%u %s",
		    n++ > 0 ? ", " : "", l->name, l->part, i,
		    s != NULL ? s->name : "(unknown)");
	}
	return n;
}

/* Find the partition with that number, or end with an error. */
static struct extent
partition(const struct look *l, unsigned int number)
{
	const struct extent whole = { 0, l->size };
	const struct superblock *s = superblock_find(l->fd, &whole);
	struct extent e;
	char list[256];

	if (partition_find(l->fd, l->size, l->block, number, &e) == 1)
		return e;
	if (list_partitions(l, list, sizeof(list)) > 0)
		errx(EXIT_LINK, "%s=%s: %s has no such partition; it has %s",
		    l->key, l->value, l->disk->path, list);
	if (s != NULL)
		errx(EXIT_LINK, "%s=%s: %s has no partitions; all of it is %s "
		    "(%s)", l->key, l->value, l->disk->path, s->name,
		    l->name);
	errx(EXIT_LINK, "%s=%s: %s has no partitions", l->key, l->value,
	    l->disk->path);
}

/* End the program: the device holds no root, or not one of the type in the word. */
static _Noreturn void
refuse(const struct look *l, const struct superblock *s, const char *type)
{
	const char *key = l->key, *value = l->value, *path = l->disk->path;

	if (s == NULL)
		errx(EXIT_LINK, "%s=%s: %s holds no known file system ("
		    SUPERBLOCK_ROOTS "); to try another, say %s=%s:TYPE", key,
		    value, path, key, value);
	if (s->kind == SUPERBLOCK_PACKED)
		errx(EXIT_LINK, "%s=%s: %s is %s; disk= takes a raw image", key,
		    value, path, s->name);
	if (s->kind == SUPERBLOCK_NONE)
		errx(EXIT_LINK, "%s=%s: %s holds %s, which is no file system",
		    key, value, path, s->name);
	if (*type != '\0')
		errx(EXIT_LINK, "%s=%s: %s holds %s", key, value, path, s->name);
	errx(EXIT_LINK, "%s=%s: %s holds %s; to mount that, say %s=%s:%s",
	    key, value, path, s->name, key, value, s->name);
}

/*
 * Returns the type to add to the word, or NULL to leave the word unchanged. type is the
 * type in the word, or "". For the default word, an unknown file system is no error: the
 * guest may not be Linux.
 */
static const char *
look_at(const struct look *l, unsigned int number, const char *type, bool given)
{
	const struct extent where = number > 0 ? partition(l, number) :
	    (struct extent){ 0, l->size };
	const struct superblock *s = superblock_find(l->fd, &where);
	char list[256];

	if (s != NULL && superblock_is(s, type))
		return NULL;
	if (*type == '\0' && s != NULL && s->kind == SUPERBLOCK_ROOT)
		return s->name;
	if (*type != '\0' && !superblock_knows(type))
		return NULL;
	if (s == NULL && number == 0 &&
	    list_partitions(l, list, sizeof(list)) > 0)
		errx(EXIT_LINK, "%s=%s: %s has partitions; name one of them: %s",
		    l->key, l->value, l->disk->path, list);
	/* A user who gives a type may know more than we do. */
	if (s == NULL && (*type != '\0' || !given))
		return NULL;
	refuse(l, s, type);
}

/*
 * Check the word, which is the user's (given) or the default. A disk that does not exist
 * would never appear in the guest. Returns the word, with the type of the file system
 * added if it has none and the disk is one of ours.
 */
const char *
root_check(const struct config *c, const char *key, const char *value,
    bool given)
{
	struct look l = { .key = key, .value = value };
	unsigned int number = 0;
	struct guest_disk d;
	const char *type;
	char *typed;
	int found;

	if (value == NULL)
		return NULL;
	if (guest_disk_parse(&d, value) == -1)
		word_bad(key, value, "too long");
	if ((found = find_disk(&l, c, d.dev, &number)) == 0)
		return value;
	if (found == -1)
		errx(EXIT_LINK, "%s=%s: no disk= or pmem= for it", key, value);
	if (!open_disk(&l))
		return value;
	type = look_at(&l, number, d.type, given);
	close(l.fd);
	if (type == NULL)
		return value;
	if (asprintf(&typed, "%s:%s", value, type) == -1)
		err(EXIT_LINK, "%s=%s", key, value);
	return typed;
}
