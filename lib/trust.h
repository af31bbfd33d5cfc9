/*
 * What proves that a file is the one that the user means: options of a word that names
 * a file. The kernel checks each read; we compare one digest before the first.
 *
 *	fsverity=DIGEST	what fs-verity measures of the file
 *	verity=HASH	the root hash of dm-verity over what the file holds
 *	hashes=OFFSET	where in the file the superblock of dm-verity is (verity.h)
 *	sig=FILE	the signature of that root hash, which the kernel must accept
 */
#ifndef VOLT_TRUST_H
#define VOLT_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define DIGEST_MOST 64	/* bytes */
#define DIGEST_TEXT (2 * DIGEST_MOST + 1)

/* The algorithm follows from the length: SHA-256 has 32 bytes, and SHA-512 64. */
struct digest {
	uint8_t bytes[DIGEST_MOST];
	size_t len;	/* 0: none was given */
};

struct trust {
	struct digest fsverity, verity;
	uint64_t hashes;	/* bytes */
	bool hashes_given;
	const char *sig;	/* allocated; NULL: none was given */
};

MUST_CHECK int digest_parse(struct digest *d, const char *hex);
void digest_hex(const uint8_t *bytes, size_t len, char *text);
void digest_print(const struct digest *d, char text[static DIGEST_TEXT]);
const char *digest_algorithm(const struct digest *d);

MUST_CHECK bool trust_is_option(const char *option);
MUST_CHECK const char *trust_set(struct trust *t, const char *option);
MUST_CHECK const char *trust_check(const struct trust *t, bool written);
MUST_CHECK const char *trust_measure(const struct trust *t, int fd);

#endif
