#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kfile.h"
#include "verity.h"

#define SIGNATURE "verity\0"	/* and the NUL of the string */
#define SECTOR 512u
#define BLOCK_MOST 4096u	/* the kernel's page */
#define KEY "volt-verity"	/* the key that is the signature */

/* The superblock, by cryptsetup's documents. Numbers are little-endian. */
struct superblock {
	uint8_t signature[8];
	uint32_t version, hash_type;
	uint8_t uuid[16];
	char algorithm[32];
	uint32_t data_block, hash_block;
	uint64_t data_blocks;
	uint16_t salt_len;
	uint8_t pad[6];
	uint8_t salt[VERITY_SALT];
	uint8_t rest[168];
};
_Static_assert(sizeof(struct superblock) == SECTOR, "the superblock is a sector");

static bool
is_block_size(uint32_t n)
{
	return n >= SECTOR && n <= BLOCK_MOST && (n & (n - 1)) == 0;
}

/*
 * The number of blocks of the tree over n data blocks, as the kernel has them: from the
 * lowest level up, until one block is left. n is a number of blocks of a file, so the
 * sum does not overflow.
 */
static uint64_t
tree_blocks(uint64_t n, uint32_t hash_block, size_t digest)
{
	unsigned int bits = 0;
	uint64_t sum = 0;

	while ((hash_block / digest) >> (bits + 1) != 0)
		bits++;
	while (n > 1) {
		n = (n + (UINT64_C(1) << bits) - 1) >> bits;
		sum += n;
	}
	return sum;
}

/* Check the superblock at that offset and fill in v. Returns what is wrong, or NULL. */
static const char *
take(struct verity *v, const struct superblock *s, uint64_t at, uint64_t size)
{
	uint64_t blocks;

	v->data_block = le32toh(s->data_block);
	v->hash_block = le32toh(s->hash_block);
	v->data_blocks = le64toh(s->data_blocks);
	v->salt_len = le16toh(s->salt_len);
	if (le32toh(s->version) != 1 || le32toh(s->hash_type) != 1)
		return "verity: the superblock is of an unknown version";
	if (strncmp(s->algorithm, digest_algorithm(&v->root),
		sizeof(s->algorithm)) != 0)
		return "verity: the superblock has another algorithm than the hash";
	if (!is_block_size(v->data_block) || !is_block_size(v->hash_block))
		return "verity: the superblock has a bad block size";
	if (v->salt_len > VERITY_SALT)
		return "verity: the superblock has a bad salt";
	if (v->data_blocks == 0 || v->data_blocks > at / v->data_block)
		return "verity: the superblock is not behind the data";
	memcpy(v->salt, s->salt, v->salt_len);
	v->tree = (at + SECTOR + v->hash_block - 1) / v->hash_block;
	blocks = tree_blocks(v->data_blocks, v->hash_block, v->root.len);
	if (v->tree > size / v->hash_block ||
	    blocks > size / v->hash_block - v->tree)
		return "verity: the hashes are cut off";
	v->end = (v->tree + blocks) * v->hash_block;
	return NULL;
}

/* Read the superblock at that offset. Returns false if there is none. */
static bool
read_at(struct superblock *s, int fd, uint64_t at, uint64_t size)
{
	return size >= SECTOR && at <= size - SECTOR && at % SECTOR == 0 &&
	    pread(fd, s, sizeof(*s), (off_t)at) == (ssize_t)sizeof(*s) &&
	    memcmp(s->signature, SIGNATURE, sizeof(s->signature)) == 0;
}

/*
 * Look for the superblock from the end back, at whole blocks. What is behind it is the
 * tree: less than a part in 60 of the data, with the block sizes that veritysetup(8)
 * has by default.
 */
static bool
find(struct superblock *s, int fd, uint64_t size, uint64_t *at)
{
	uint64_t most = size / 60 + 16 * BLOCK_MOST;

	for (*at = size - size % BLOCK_MOST; *at >= BLOCK_MOST &&
	     size - *at <= most; *at -= BLOCK_MOST)
		if (read_at(s, fd, *at, size))
			return true;
	return false;
}

/*
 * Fill in v from the options and from the superblock of the file that is open at fd and
 * has size bytes. Returns what is wrong, or NULL.
 */
const char *
verity_read(struct verity *v, const struct trust *t, int fd, uint64_t size)
{
	uint64_t at = t->hashes;
	struct superblock s;

	*v = (struct verity){ .root = t->verity };
	if (t->hashes_given ? !read_at(&s, fd, at, size) :
	    !find(&s, fd, size, &at))
		return t->hashes_given ? "verity: no superblock there" :
		    "verity: no superblock; hashes=OFFSET says where it is";
	return take(v, &s, at, size);
}

/*
 * Read the signature into v, if the options name one. Returns 0, or -1 and errno: what
 * open(2) has, EFBIG if it is too large for the kernel, EINVAL if it is empty.
 */
int
verity_sign(struct verity *v, const struct trust *t)
{
	ssize_t n;

	v->sig_len = 0;
	if (t->sig == NULL)
		return 0;
	if ((n = kfile_read(AT_FDCWD, t->sig, v->sig, sizeof(v->sig))) > 0) {
		v->sig_len = (size_t)n;
		return 0;
	}
	if (n == 0)
		errno = EINVAL;
	return -1;
}

/*
 * Write the line of dm-verity for the device dev, with a NUL. Returns 0, or -1 and
 * E2BIG if size is too small.
 */
int
verity_table(const struct verity *v, dev_t dev, char *buf, size_t size)
{
	char root[DIGEST_TEXT], salt[2 * VERITY_SALT + 1] = "-";
	size_t n;

	digest_print(&v->root, root);
	if (v->salt_len > 0)
		digest_hex(v->salt, v->salt_len, salt);
	n = (size_t)snprintf(buf, size, "1 %u:%u %u:%u %u %u %llu %llu %s %s %s%s",
	    major(dev), minor(dev), major(dev), minor(dev), v->data_block,
	    v->hash_block, (unsigned long long)v->data_blocks,
	    (unsigned long long)v->tree, digest_algorithm(&v->root), root, salt,
	    v->sig_len > 0 ? " 2 root_hash_sig_key_desc " KEY : "");
	if (n < size)
		return 0;
	errno = E2BIG;
	return -1;
}

/*
 * As dm_make(). A signature goes to the kernel as a key: it looks for that in our own
 * keyring first, which no other thread has and which ends with us. A bad signature is
 * EKEYREJECTED.
 */
static int
make(const struct verity *v, const char *name, enum dm_life life, const char *table,
    char path[static DM_PATH])
{
	long key = -1;
	int fd, saved;

	if (v->sig_len > 0 && (key = syscall(SYS_add_key, "user", KEY, v->sig,
	    v->sig_len, KEY_SPEC_THREAD_KEYRING)) == -1)
		return -1;
	fd = dm_make(name, life, "verity", v->data_blocks * (v->data_block / SECTOR),
	    table, path);
	if (key == -1)
		return fd;
	saved = errno == EBADMSG ? EKEYREJECTED : errno;
	may_fail(syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_THREAD_KEYRING));
	errno = saved;
	return fd;
}

/*
 * Make a device of dm-verity over the device dev, and read its first block, so that a
 * wrong hash is found now. Returns the descriptor of the new device, and its path; or
 * -1 and errno: EBADMSG if the hash is wrong, or the first block changed; EKEYREJECTED
 * if the signature is bad, ENOKEY if the kernel does not know its key or wants a
 * signature, ENOPKG if it does not know its algorithms; what dm_make() has.
 */
int
verity_open(const struct verity *v, dev_t dev, const char *name,
    enum dm_life life, char path[static DM_PATH])
{
	char table[1024], block[BLOCK_MOST];
	int fd, saved;

	if (verity_table(v, dev, table, sizeof(table)) == -1)
		return -1;
	fd = make(v, name, life, table, path);
	if (fd == -1 || pread(fd, block, v->data_block, 0) == v->data_block)
		return fd;
	saved = errno == EIO ? EBADMSG : errno;
	close(fd);
	errno = saved;
	return -1;
}

/* What the errno of verity_open() means. */
const char *
verity_reason(const struct verity *v, int error)
{
	const bool is_signed = v->sig_len > 0;

	switch (error) {
	case EKEYREJECTED:
		return "sig: it is no signature of the root hash";
	case ENOKEY:
		return is_signed ? "sig: the kernel trusts no key that made it" :
		    "verity: the kernel wants a signature (sig=FILE)";
	case ENOPKG:
		return "sig: the kernel has not all algorithms of the signature";
	case ENOSYS:
		return is_signed ? "sig: the kernel has no keyrings" : strerror(error);
	case EBADMSG:
		return "verity: the hash is not that of the data, or the data changed";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "verity: the kernel has no device mapper (module dm_verity)";
	case EINVAL:
		return is_signed ? "sig: the kernel verifies no signatures of dm-verity, "
		    "or refuses its table" :
		    "verity: the kernel has no dm-verity, or refuses its table";
	default:
		return strerror(error);
	}
}
