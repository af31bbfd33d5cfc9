/* partition.c and superblock.c of volt-kvm: tables and superblocks, also hostile ones. */
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cmd/volt-kvm/partition.h"
#include "unit.h"

#define SIZE (4u << 20)

static int disk;
static struct extent e;

static void
put(uint64_t at, const void *data, size_t len)
{
	CHECK(pwrite(disk, data, len, (off_t)at) == (ssize_t)len);
}

static void
put32(uint64_t at, uint32_t n)
{
	n = htole32(n);
	put(at, &n, sizeof(n));
}

static void
put64(uint64_t at, uint64_t n)
{
	n = htole64(n);
	put(at, &n, sizeof(n));
}

/* A new disk of zeroes. Its descriptor closes the one before. */
static void
begin(void)
{
	if (disk > 2)
		close(disk);
	disk = memfd_create("disk", MFD_CLOEXEC);
	CHECK(disk > 2 && ftruncate(disk, SIZE) == 0);
}

static int
find(uint32_t block, unsigned int n)
{
	e = (struct extent){ 0, 0 };
	return partition_find(disk, SIZE, block, n, &e);
}

/* An entry of the MBR, or of the table of a logical partition, in that sector. */
static void
mbr(uint64_t sector, unsigned int i, uint8_t type, uint32_t start, uint32_t n)
{
	uint64_t at = sector * 512 + 446 + i * 16;

	put(sector * 512 + 510, "\x55\xaa", 2);
	put(at + 4, &type, 1);
	put32(at + 8, start);
	put32(at + 12, n);
}

/* A GPT of n entries in the blocks behind its header, and what protects it. */
static void
gpt(uint32_t block, uint32_t n)
{
	mbr(0, 0, 0xee, 1, UINT32_MAX);
	put(block, "EFI PART", 8);
	put64(block + 72, 2);
	put32(block + 80, n);
	put32(block + 84, 128);
}

static void
gpt_entry(uint32_t block, unsigned int i, uint64_t first, uint64_t last)
{
	uint64_t at = 2 * block + i * 128;

	put(at, "type", 4);
	put64(at + 32, first);
	put64(at + 40, last);
}

static void
no_table(void)
{
	begin();
	CHECK_INT(find(512, 1), -1);
	CHECK_INT(partition_find(disk, 0, 512, 1, &e), -1);
	CHECK_INT(partition_find(disk, 511, 512, 1, &e), -1);
	/* A boot sector of FAT has code where the table would be. */
	put(446, "boot code", 9);
	put(510, "\x55\xaa", 2);
	CHECK_INT(find(512, 1), -1);
	close(disk);
}

static void
mbr_partitions(void)
{
	begin();
	mbr(0, 0, 0x83, 2048, 100);
	mbr(0, 3, 0x83, 4096, UINT32_MAX);
	CHECK_INT(find(512, 1), 1);
	CHECK_INT(e.start, 2048 * 512);
	CHECK_INT(e.size, 100 * 512);
	CHECK_INT(find(512, 2), 0);
	CHECK_INT(find(512, 4), 1);
	CHECK_INT(e.start, 4096 * 512);
	CHECK_INT(e.size, SIZE - 4096 * 512); /* cut off */
	CHECK_INT(find(512, 5), 0);
	CHECK_INT(find(512, PARTITIONS), 0);
	/* In blocks of the disk, and behind its end. */
	mbr(0, 1, 0x83, 10, 2);
	CHECK_INT(find(4096, 2), 1);
	CHECK_INT(e.start, 10 * 4096);
	CHECK_INT(e.size, 2 * 4096);
	CHECK_INT(find(4096, 1), 0);
	mbr(0, 1, 0x83, UINT32_MAX, UINT32_MAX);
	CHECK_INT(find(512, 2), 0);
	/* Itself. */
	mbr(0, 1, 0x83, 0, 10);
	CHECK_INT(find(512, 2), 0);
	close(disk);
}

static void
mbr_logical(void)
{
	begin();
	mbr(0, 1, 0x0f, 1000, 3000);
	mbr(1000, 0, 0x83, 10, 20);
	mbr(1000, 1, 0x05, 100, 200);
	mbr(1100, 0, 0x83, 30, 40);
	CHECK_INT(find(512, 2), 0);
	CHECK_INT(find(512, 5), 1);
	CHECK_INT(e.start, 1010 * 512);
	CHECK_INT(find(512, 6), 1);
	CHECK_INT(e.start, 1130 * 512);
	CHECK_INT(e.size, 40 * 512);
	CHECK_INT(find(512, 7), 0);
	/* A chain that comes back to itself ends. */
	mbr(1100, 1, 0x05, 100, 200);
	CHECK_INT(find(512, 7), 1);
	CHECK_INT(find(512, PARTITIONS), 0);
	mbr(1100, 0, 0, 0, 0);
	CHECK_INT(find(512, 6), 0);
	/* One that leads out of the disk. */
	mbr(1000, 1, 0x05, UINT32_MAX, 1);
	CHECK_INT(find(512, 5), 1);
	CHECK_INT(find(512, 6), 0);
	close(disk);
}

static void
gpt_partitions(void)
{
	static const uint32_t blocks[] = { 512, 4096 };
	uint32_t block;
	size_t i;

	for (i = 0; i < UNIT_COUNT(blocks); i++) {
		block = blocks[i];
		begin();
		gpt(block, 8);
		gpt_entry(block, 0, 64, 64);
		gpt_entry(block, 7, 100, 109);
		gpt_entry(block, 8, 100, 109);
		CHECK_INT(find(block, 1), 1);
		CHECK_INT(e.start, 64 * block);
		CHECK_INT(e.size, block);
		CHECK_INT(find(block, 2), 0);
		CHECK_INT(find(block, 8), 1);
		CHECK_INT(e.start, 100 * block);
		CHECK_INT(e.size, 10 * block);
		CHECK_INT(find(block, 9), 0); /* not one of the eight */
	}
	close(disk);
}

static void
gpt_hostile(void)
{
	begin();
	gpt(512, UINT32_MAX);
	gpt_entry(512, 0, 100, 99);
	gpt_entry(512, 1, 100, UINT64_MAX);
	gpt_entry(512, 2, UINT64_MAX, UINT64_MAX);
	gpt_entry(512, 3, 0, UINT64_MAX);
	CHECK_INT(find(512, 1), 0);
	CHECK_INT(find(512, 2), 1);
	CHECK_INT(e.size, SIZE - 100 * 512);
	CHECK_INT(find(512, 3), 0);
	CHECK_INT(find(512, 4), 0);
	/* A list that is not on the disk. */
	put64(512 + 72, UINT64_MAX);
	CHECK_INT(find(512, 2), 0);
	put64(512 + 72, UINT64_MAX / 512 + 3);
	CHECK_INT(find(512, 2), 0);
	put64(512 + 72, SIZE / 512);
	CHECK_INT(find(512, 1), 0);
	put64(512 + 72, 2);
	CHECK_INT(find(512, 2), 1);
	/* Entries of another size: the kernel sees the MBR alone. */
	put32(512 + 84, 256);
	CHECK_INT(find(512, 2), 0);
	CHECK_INT(find(512, 1), 1);
	CHECK_INT(e.start, 512);
	close(disk);
}

static const char *
name_of(const struct superblock *s)
{
	return s != NULL ? s->name : "";
}

static void
superblocks(void)
{
	const struct extent part = { 8192, 4096 }, whole = { 0, SIZE };
	const struct superblock *s;

	begin();
	CHECK_STR(name_of(superblock_find(disk, &part)), "");
	put(8192 + 1080, "\x53\xef", 2);
	CHECK_STR(name_of(superblock_find(disk, &part)), "ext4");
	CHECK_STR(name_of(superblock_find(disk, &whole)), "");
	/* The other numbers are longer, and count first. */
	put(8192, "XFSB", 4);
	s = superblock_find(disk, &part);
	CHECK_STR(name_of(s), "xfs");
	CHECK(superblock_is(s, "xfs") && !superblock_is(s, "ext4"));
	/* What is behind the end is another's. */
	begin();
	put(8192 + 65600, "_BHRfS_M", 8);
	CHECK_STR(name_of(superblock_find(disk, &part)), "");
	CHECK_STR(name_of(superblock_find(disk,
		&(struct extent){ 8192, 65608 })), "btrfs");
	CHECK_STR(name_of(superblock_find(disk,
		&(struct extent){ 8192, 65607 })), "");
	CHECK_STR(name_of(superblock_find(disk,
		&(struct extent){ SIZE, 65608 })), "");
	close(disk);
}

static void
types(void)
{
	const struct extent whole = { 0, SIZE };
	const struct superblock *s;

	begin();
	put(1080, "\x53\xef", 2);
	s = superblock_find(disk, &whole);
	CHECK(s != NULL && s->kind == SUPERBLOCK_ROOT);
	CHECK(superblock_is(s, "ext2") && superblock_is(s, "ext3") &&
	    superblock_is(s, "ext4"));
	CHECK(superblock_knows("ext2") && superblock_knows("vfat"));
	CHECK(!superblock_knows("minix") && !superblock_knows("LUKS") &&
	    !superblock_knows(""));
	close(disk);
}

static const struct unit tests[] = {
	UNIT(no_table),
	UNIT(mbr_partitions),
	UNIT(mbr_logical),
	UNIT(gpt_partitions),
	UNIT(gpt_hostile),
	UNIT(superblocks),
	UNIT(types),
};

UNIT_MAIN(tests)
