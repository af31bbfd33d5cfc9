/*
 * Detect what a disk or a partition holds by its magic number: a file system that the
 * guest's root can be on, or something else, which only has a name for messages.
 *
 * The disk may be hostile. It is only compared with the numbers here.
 */
#include <string.h>
#include <unistd.h>

#include "superblock.h"

#define ROOT SUPERBLOCK_ROOT
#define OTHER SUPERBLOCK_OTHER
#define NONE SUPERBLOCK_NONE
#define PACKED SUPERBLOCK_PACKED

/* ext4 is last: its magic number has only two bytes. */
static const struct superblock all[] = {
	{ "erofs", ROOT, 1024, "\xe2\xe1\xf5\xe0", 4 },
	{ "squashfs", ROOT, 0, "hsqs", 4 },
	{ "xfs", ROOT, 0, "XFSB", 4 },
	{ "btrfs", ROOT, 65536 + 64, "_BHRfS_M", 8 },
	{ "f2fs", OTHER, 1024, "\x10\x20\xf5\xf2", 4 },
	{ "iso9660", OTHER, 32768 + 1, "CD001", 5 },
	{ "vfat", OTHER, 54, "FAT12   ", 8 },
	{ "vfat", OTHER, 54, "FAT16   ", 8 },
	{ "vfat", OTHER, 82, "FAT32   ", 8 },
	{ "ntfs3", OTHER, 3, "NTFS    ", 8 },
	{ "swap", NONE, 4096 - 10, "SWAPSPACE2", 10 },
	{ "LUKS", NONE, 0, "LUKS\xba\xbe", 6 },
	{ "LVM", NONE, 512, "LABELONE", 8 },
	{ "a qcow2 image", PACKED, 0, "QFI\xfb", 4 },
	{ "a VMDK image", PACKED, 0, "KDMV", 4 },
	{ "a VHDX image", PACKED, 0, "vhdxfile", 8 },
	{ "compressed by gzip", PACKED, 0, "\x1f\x8b\x08", 3 },
	{ "compressed by xz", PACKED, 0, "\xfd" "7zXZ", 5 },
	{ "compressed by zstd", PACKED, 0, "\x28\xb5\x2f\xfd", 4 },
	{ "ext4", ROOT, 1024 + 56, "\x53\xef", 2 },	/* also ext2 and ext3 */
};

/* Read len bytes, all of them within the extent. */
bool
superblock_read(int fd, const struct extent *e, uint64_t offset, void *buf,
    size_t len)
{
	if (offset > e->size || len > e->size - offset)
		return false;
	return pread(fd, buf, len, (off_t)(e->start + offset)) == (ssize_t)len;
}

/* Returns what the extent holds, or NULL if nothing in the table matches. */
const struct superblock *
superblock_find(int fd, const struct extent *e)
{
	const struct superblock *s;
	char buf[16];

	for (s = all; s < all + sizeof(all) / sizeof(all[0]); s++)
		if (superblock_read(fd, e, s->offset, buf, s->len) &&
		    memcmp(buf, s->magic, s->len) == 0)
			return s;
	return NULL;
}

/* Is it a file system that mount(2) takes as that type? */
bool
superblock_is(const struct superblock *s, const char *type)
{
	if (strcmp(type, "ext2") == 0 || strcmp(type, "ext3") == 0)
		type = "ext4";
	return strcmp(s->name, type) == 0;
}

/* Would a file system of that type have been found? */
bool
superblock_knows(const char *type)
{
	const struct superblock *s;

	for (s = all; s < all + sizeof(all) / sizeof(all[0]); s++)
		if (s->kind <= SUPERBLOCK_OTHER && superblock_is(s, type))
			return true;
	return false;
}
