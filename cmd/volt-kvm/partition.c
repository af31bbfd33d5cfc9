/*
 * Find a partition by its number, in a GPT (UEFI specification, 5.3) or in an MBR with
 * its chain of logical partitions. All numbers in a table are in blocks of the size
 * that the guest sees.
 *
 * The disk may be hostile: each number is checked against the disk's size, and a chain
 * has an end.
 */
#include <endian.h>
#include <string.h>

#include "partition.h"

#define GPT_MAGIC "EFI PART"
#define GPT_ENTRY 128	/* bytes; Linux knows no other size */
#define MBR_ENTRIES 446	/* their offset */
#define MBR_PRIMARY 4
#define MBR_GPT 0xee	/* the type of the entry that protects a GPT */
#define MBR_CHAIN 100	/* logical partitions that Linux follows */

struct table {
	int fd;
	struct extent disk;
	uint32_t block;
};

struct mbr_entry {
	uint8_t type;
	uint32_t start, blocks;
};

static uint32_t
le32(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return le32toh(n);
}

static uint64_t
le64(const uint8_t *p)
{
	uint64_t n;

	memcpy(&n, p, sizeof(n));
	return le64toh(n);
}

/* Read len bytes, from the start of that block. */
static bool
read_block(const struct table *t, uint64_t block, void *buf, size_t len)
{
	return block <= t->disk.size / t->block &&
	    superblock_read(t->fd, &t->disk, block * t->block, buf, len);
}

/*
 * Set e to the blocks first to first + n - 1, cut off at the disk's end. Returns 0 if
 * none of them is on the disk.
 */
static int
place(const struct table *t, uint64_t first, uint64_t n, struct extent *e)
{
	uint64_t all = t->disk.size / t->block;

	if (first == 0 || first >= all || n == 0)
		return 0;
	e->start = first * t->block;
	e->size = (n < all - first ? n : all - first) * t->block;
	return 1;
}

/* Returns 1; 0 if there is no such partition; -1 if there is no GPT. */
static int
find_gpt(const struct table *t, unsigned int number, struct extent *e)
{
	static const uint8_t unused[16];
	uint8_t header[92], entry[GPT_ENTRY];
	uint64_t first, last, list;

	if (!read_block(t, 1, header, sizeof(header)) ||
	    memcmp(header, GPT_MAGIC, sizeof(GPT_MAGIC) - 1) != 0 ||
	    le32(header + 84) != GPT_ENTRY)
		return -1;
	if (number > le32(header + 80))
		return 0;
	list = le64(header + 72);
	if (list > t->disk.size / t->block ||
	    !superblock_read(t->fd, &t->disk, list * t->block +
		(uint64_t)(number - 1) * GPT_ENTRY, entry, sizeof(entry)) ||
	    memcmp(entry, unused, sizeof(unused)) == 0)
		return 0;
	first = le64(entry + 32);
	last = le64(entry + 40);
	return last < first ? 0 : place(t, first, last - first + 1, e);
}

static bool
is_extended(const struct mbr_entry *m)
{
	return m->blocks != 0 &&
	    (m->type == 0x05 || m->type == 0x0f || m->type == 0x85);
}

/* Read the table in that block. Returns false if there is none. */
static bool
read_mbr(const struct table *t, uint64_t block, struct mbr_entry m[MBR_PRIMARY])
{
	uint8_t sector[512], *p = sector + MBR_ENTRIES;
	int i;

	if (!read_block(t, block, sector, sizeof(sector)) ||
	    sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	for (i = 0; i < MBR_PRIMARY; i++, p += 16) {
		if ((p[0] & 0x7f) != 0)
			return false; /* neither active nor inactive */
		m[i] = (struct mbr_entry){ p[4], le32(p + 8), le32(p + 12) };
	}
	return true;
}

/* Find a logical partition. Each has its own table, which leads to the next table. */
static int
find_logical(const struct table *t, uint64_t extended, unsigned int number,
    struct extent *e)
{
	struct mbr_entry m[MBR_PRIMARY];
	uint64_t at = extended;
	unsigned int n = MBR_PRIMARY, i, link;

	for (link = 0; link < MBR_CHAIN && read_mbr(t, at, m); link++) {
		for (i = 0; i < 2; i++)
			if (m[i].blocks != 0 && !is_extended(&m[i]) &&
			    ++n == number)
				return place(t, at + m[i].start, m[i].blocks,
				    e);
		i = is_extended(&m[0]) ? 0 : 1;
		if (!is_extended(&m[i]))
			break;
		at = extended + m[i].start;
	}
	return 0;
}

static int
find_mbr(const struct table *t, const struct mbr_entry m[MBR_PRIMARY],
    unsigned int number, struct extent *e)
{
	unsigned int i;

	if (number <= MBR_PRIMARY) {
		m += number - 1;
		return is_extended(m) ? 0 : place(t, m->start, m->blocks, e);
	}
	for (i = 0; i < MBR_PRIMARY; i++)
		if (is_extended(&m[i]))
			return find_logical(t, m[i].start, number, e);
	return 0;
}

/*
 * Partition number, from 1, of the disk of that size with blocks of that size, in
 * bytes. Returns 1 and where it is; 0 if there is no such partition; -1 if the disk has
 * no table of partitions.
 */
int
partition_find(int fd, uint64_t size, uint32_t block, unsigned int number,
    struct extent *e)
{
	const struct table t = { fd, { 0, size }, block };
	struct mbr_entry m[MBR_PRIMARY];
	unsigned int i;
	int rc;

	if (!read_mbr(&t, 0, m))
		return -1;
	for (i = 0; i < MBR_PRIMARY; i++)
		if (m[i].type == MBR_GPT &&
		    (rc = find_gpt(&t, number, e)) != -1)
			return rc;
	return find_mbr(&t, m, number, e);
}
