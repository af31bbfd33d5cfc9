/*
 * dm-verity: a file or a disk whose every read the kernel checks, by a tree of hashes
 * whose root the user knows. veritysetup(8) makes it ("veritysetup format F F
 * --hash-offset=N"): the data; then a superblock, which says how the tree is made; then
 * the tree.
 *
 * The root hash proves the tree, and so the data. It does not prove the superblock, so
 * whatever that says is hostile: it is checked here, and only SHA-256 and SHA-512 over
 * the salt and then the block (hash type 1) are accepted.
 *
 * A signature of the root hash is for the kernel, which has the keys (PKCS#7, detached,
 * over the hash as hexadecimal digits).
 */
#ifndef VOLT_VERITY_H
#define VOLT_VERITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm.h"
#include "must.h"
#include "trust.h"

/* Bytes, at the most. The kernel's keys have no more. */
#define VERITY_SALT 256
#define VERITY_SIG 32767

struct verity {
	struct digest root;
	uint32_t data_block, hash_block;	/* bytes */
	uint64_t data_blocks;
	uint64_t tree;	/* where the tree begins, in hash blocks */
	uint64_t end;	/* where it ends, in bytes */
	uint8_t salt[VERITY_SALT];
	size_t salt_len;
	char sig[VERITY_SIG + 1];	/* and a NUL */
	size_t sig_len;	/* 0: there is none */
};

MUST_CHECK const char *verity_read(struct verity *v, const struct trust *t, int fd,
    uint64_t size);
MUST_CHECK int verity_sign(struct verity *v, const struct trust *t);
MUST_CHECK int verity_table(const struct verity *v, dev_t dev, char *buf, size_t size);

MUST_CHECK int verity_open(const struct verity *v, dev_t dev, const char *name,
    enum dm_life life, char path[static DM_PATH]);
MUST_CHECK const char *verity_reason(const struct verity *v, int error);

#endif
