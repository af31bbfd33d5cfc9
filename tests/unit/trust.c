/* trust.c and verity.c: options, digests, and superblocks of dm-verity that lie. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "trust.h"
#include "unit.h"
#include "verity.h"

#define HEX32 "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"
#define HEX64 HEX32 HEX32
#define BLOCK 4096u
#define DATA 1000u	/* blocks */
#define AT ((uint64_t)DATA * BLOCK)
#define SIZE (AT + BLOCK + (8 + 1) * BLOCK)	/* 1000 hashes, 128 in a block */

static int file;

static void
put(uint64_t at, const void *data, size_t len)
{
	CHECK(pwrite(file, data, len, (off_t)at) == (ssize_t)len);
}

static void
put16(uint64_t at, uint16_t n)
{
	n = htole16(n);
	put(at, &n, sizeof(n));
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

/* A file with the superblock that veritysetup(8) writes behind the data. */
static void
begin(void)
{
	if (file > 2)
		close(file);
	file = memfd_create("image", MFD_CLOEXEC);
	CHECK(file > 2 && ftruncate(file, (off_t)SIZE) == 0);
	put(AT, "verity\0", 8);
	put32(AT + 8, 1);
	put32(AT + 12, 1);
	put(AT + 32, "sha256", 6);
	put32(AT + 64, BLOCK);
	put32(AT + 68, BLOCK);
	put64(AT + 72, DATA);
	put16(AT + 80, 4);
	put(AT + 88, "salt", 4);
}

static struct trust
options(const char *verity, const char *hashes)
{
	struct trust t = { .hashes_given = false };

	CHECK(trust_set(&t, verity) == NULL);
	CHECK(hashes == NULL || trust_set(&t, hashes) == NULL);
	return t;
}

/* What is wrong with the file, or "". */
static const char *
wrong(const char *hashes, uint64_t size)
{
	const struct trust t = options("verity=" HEX32, hashes);
	struct verity v;
	const char *s = verity_read(&v, &t, file, size);

	if (s == NULL)
		CHECK(v.end <= size && v.data_blocks <= v.end / v.data_block);
	return s != NULL ? s : "";
}

static void
digests(void)
{
	char text[DIGEST_TEXT];
	struct digest d;

	CHECK_INT(digest_parse(&d, HEX32), 0);
	CHECK_INT(d.len, 32);
	CHECK_STR(digest_algorithm(&d), "sha256");
	digest_print(&d, text);
	CHECK_STR(text, "00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100");
	CHECK_INT(digest_parse(&d, HEX64), 0);
	CHECK_INT(d.len, 64);
	CHECK_STR(digest_algorithm(&d), "sha512");
	CHECK_ERRNO(digest_parse(&d, ""), EINVAL);
	CHECK_ERRNO(digest_parse(&d, HEX32 "0"), EINVAL);
	CHECK_ERRNO(digest_parse(&d, HEX32 "00"), EINVAL);
	CHECK_ERRNO(digest_parse(&d, HEX64 "00"), EINVAL);
	CHECK_ERRNO(digest_parse(&d, "g0112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff"), EINVAL);
	CHECK_ERRNO(digest_parse(&d, "\020" "0112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff"), EINVAL);
	CHECK_INT(d.len, 0);
}

static void
option_sets(void)
{
	struct trust t = { .hashes_given = false };

	CHECK(trust_is_option("verity=") && trust_is_option("fsverity=x") &&
	    trust_is_option("hashes=1"));
	CHECK(!trust_is_option("verity") && !trust_is_option("ro"));
	CHECK(trust_check(&t, true) == NULL);
	CHECK(trust_set(&t, "hashes=1M") == NULL);
	CHECK_INT(t.hashes, 1 << 20);
	CHECK_STR(trust_check(&t, false), "hashes needs verity");
	t.hashes_given = false;
	CHECK_STR(trust_set(&t, "sig="), "sig: no file");
	CHECK(trust_is_option("sig=x") && trust_set(&t, "sig=x") == NULL);
	CHECK_STR(trust_check(&t, false), "sig needs verity");
	t.sig = NULL;
	CHECK(trust_set(&t, "verity=" HEX64) == NULL);
	CHECK(trust_check(&t, false) == NULL);
	CHECK_STR(trust_check(&t, true), "verity needs ro");
	CHECK_STR(trust_set(&t, "hashes=-1"), "hashes: not a size");
	CHECK_STR(trust_set(&t, "verity=12"),
	    "verity: not 64 or 128 hexadecimal digits");
	CHECK_STR(trust_set(&t, "fsverity=sha256:" HEX32),
	    "fsverity: not 64 or 128 hexadecimal digits");
	CHECK_INT(t.verity.len + t.fsverity.len, 0);
	t.hashes_given = false;
	CHECK(trust_set(&t, "fsverity=" HEX32) == NULL);
	CHECK_STR(trust_check(&t, true), "fsverity needs ro");
}

static void
measured(void)
{
	struct trust t = { .hashes_given = false };

	file = memfd_create("image", MFD_CLOEXEC);
	CHECK(trust_measure(&t, file) == NULL);
	CHECK(trust_set(&t, "fsverity=" HEX32) == NULL);
	CHECK_STR(trust_measure(&t, file), "fsverity: the file system has none");
	close(file);
}

/* A signature is read as it is, if the kernel can have it. */
static void
signatures(void)
{
	static char bytes[VERITY_SIG + 1] = "\060\0\n";
	static struct verity v;
	struct trust t = options("verity=" HEX32, NULL);
	char path[32], table[1024];
	int fd;

	begin();
	CHECK(verity_read(&v, &t, file, SIZE) == NULL);
	CHECK_INT(verity_sign(&v, &t), 0);
	CHECK_INT(v.sig_len, 0);
	fd = memfd_create("signature", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	t.sig = path;
	CHECK_ERRNO(verity_sign(&v, &t), EINVAL);
	CHECK_INT(write(fd, bytes, VERITY_SIG), VERITY_SIG);
	CHECK_INT(verity_sign(&v, &t), 0);
	CHECK_INT(v.sig_len, VERITY_SIG);
	CHECK_INT(memcmp(v.sig, bytes, VERITY_SIG), 0);
	CHECK_INT(verity_table(&v, 0, table, sizeof(table)), 0);
	CHECK(strstr(table, " 73616c74 2 root_hash_sig_key_desc volt-verity") != NULL);
	CHECK_INT(write(fd, "x", 1), 1);
	CHECK_ERRNO(verity_sign(&v, &t), EFBIG);
	CHECK_INT(v.sig_len, 0);
	t.sig = "/none";
	CHECK_ERRNO(verity_sign(&v, &t), ENOENT);
	close(fd);
	close(file);
}

static void
found(void)
{
	const struct trust t = options("verity=" HEX32, NULL);
	struct verity v;
	char table[1024];

	begin();
	CHECK(verity_read(&v, &t, file, SIZE) == NULL);
	CHECK_INT(v.data_blocks, DATA);
	CHECK_INT(v.tree, DATA + 1);
	CHECK_INT(v.end, SIZE);
	CHECK_INT(verity_table(&v, makedev(7, 3), table, sizeof(table)), 0);
	CHECK_STR(table, "1 7:3 7:3 4096 4096 1000 1001 sha256 00112233445566778899aa"
		"bbccddeeffffeeddccbbaa99887766554433221100 73616c74");
	CHECK_ERRNO(verity_table(&v, 0, table, strlen(table)), E2BIG);
	put16(AT + 80, 0);
	CHECK(verity_read(&v, &t, file, SIZE) == NULL);
	CHECK_INT(verity_table(&v, 0, table, sizeof(table)), 0);
	CHECK_STR(table + strlen(table) - 2, " -");
	put16(AT + 80, 256);
	CHECK(verity_read(&v, &t, file, SIZE) == NULL);
	CHECK_INT(verity_table(&v, 0, table, sizeof(table)), 0);
	CHECK_STR(wrong("hashes=4096000", SIZE), "");
	CHECK_STR(wrong("hashes=4000K", SIZE), "");
	CHECK_STR(wrong("hashes=4096512", SIZE), "verity: no superblock there");
	CHECK_STR(wrong("hashes=1", SIZE), "verity: no superblock there");
	CHECK_STR(wrong("hashes=16777215T", SIZE), "verity: no superblock there");
	CHECK_STR(wrong("hashes=0", 0), "verity: no superblock there");
	put(AT, "Verity", 6);
	CHECK_STR(wrong(NULL, SIZE),
	    "verity: no superblock; hashes=OFFSET says where it is");
	CHECK_STR(wrong(NULL, 0), "verity: no superblock; hashes=OFFSET says where it is");
	close(file);
}

static void
one(uint64_t at, uint32_t n, const char *message)
{
	begin();
	put32(AT + at, n);
	CHECK_STR(wrong(NULL, SIZE), message);
}

static void
lies(void)
{
	static const char version[] = "verity: the superblock is of an unknown version",
	    size[] = "verity: the superblock has a bad block size",
	    place[] = "verity: the superblock is not behind the data";

	one(8, 2, version);
	one(12, 0, version); /* the salt would come last */
	one(64, 0, size);
	one(64, 256, size);
	one(64, 8192, size);
	one(64, 4097, size);
	one(64, UINT32_MAX, size);
	one(68, 0, size);
	one(68, 1u << 31, size);
	one(72, 0, place);
	one(72, DATA + 1, place);
	one(76, UINT32_MAX, place); /* the number of blocks has 64 bits */
	one(76, 1 << 20, place);
	one(80, 257, "verity: the superblock has a bad salt");
	one(80, UINT16_MAX, "verity: the superblock has a bad salt");
	/* Other algorithms with 32 bytes. */
	begin();
	put(AT + 32, "sha3-256", 8);
	CHECK_STR(wrong(NULL, SIZE),
	    "verity: the superblock has another algorithm than the hash");
	put(AT + 32, "sha256sha256sha256sha256sha256sh", 32);
	CHECK_STR(wrong(NULL, SIZE),
	    "verity: the superblock has another algorithm than the hash");
	put(AT + 32, "sha512\0\0", 8);
	CHECK_STR(wrong(NULL, SIZE),
	    "verity: the superblock has another algorithm than the hash");
	close(file);
}

static void
cut_off(void)
{
	begin();
	CHECK_STR(wrong(NULL, SIZE), "");
	CHECK_STR(wrong("hashes=4096000", SIZE - 1), "verity: the hashes are cut off");
	CHECK_STR(wrong("hashes=4096000", AT + 512), "verity: the hashes are cut off");
	CHECK_STR(wrong("hashes=4096000", AT + 511), "verity: no superblock there");
	/* One block needs no tree. */
	begin();
	put64(AT + 72, 1);
	CHECK_STR(wrong("hashes=4096000", AT + 4096), "");
	put64(AT + 72, 2);
	CHECK_STR(wrong("hashes=4096000", AT + 4096), "verity: the hashes are cut off");
	CHECK_STR(wrong("hashes=4096000", AT + 8192), "");
	close(file);
}

static const struct unit tests[] = {
	UNIT(digests),
	UNIT(option_sets),
	UNIT(measured),
	UNIT(found),
	UNIT(signatures),
	UNIT(lies),
	UNIT(cut_off),
};

UNIT_MAIN(tests)
