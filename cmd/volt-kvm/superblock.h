/* What a disk, or a partition of it, holds. */
#ifndef VOLT_KVM_SUPERBLOCK_H
#define VOLT_KVM_SUPERBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a disk, in bytes. */
struct extent {
	uint64_t start, size;
};

enum superblock_kind {
	SUPERBLOCK_ROOT,	/* a file system that roots are on */
	SUPERBLOCK_OTHER,	/* another file system */
	SUPERBLOCK_NONE,	/* no file system */
	SUPERBLOCK_PACKED,	/* a disk, but in another form than raw */
};

struct superblock {
	const char *name;	/* of a file system: its type for mount(2) */
	enum superblock_kind kind;
	uint64_t offset;	/* of the magic number */
	const char *magic;
	size_t len;
};

#define SUPERBLOCK_ROOTS "ext2, ext3, ext4, erofs, squashfs, xfs, btrfs"

bool superblock_read(int fd, const struct extent *e, uint64_t offset, void *buf,
    size_t len);
const struct superblock *superblock_find(int fd, const struct extent *e);
bool superblock_is(const struct superblock *s, const char *type);
bool superblock_knows(const char *type);

#endif
