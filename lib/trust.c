#include <linux/fsverity.h>
#include <linux/ioctl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "trust.h"
#include "value.h"

#define SHA256 32
#define SHA512 64

#define FSVERITY "fsverity="
#define VERITY "verity="
#define HASHES "hashes="
#define SIG "sig="

/* The value of a hexadecimal digit, or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Parse hexadecimal digits, 64 or 128. Returns 0, or -1 and EINVAL. */
int
digest_parse(struct digest *d, const char *hex)
{
	size_t i, len = strlen(hex);
	int high, low;

	*d = (struct digest){ .len = 0 };
	if (len != 2 * SHA256 && len != 2 * SHA512)
		goto bad;
	for (i = 0; i < len / 2; i++) {
		high = hex_digit(hex[2 * i]);
		low = hex_digit(hex[2 * i + 1]);
		if (high == -1 || low == -1)
			goto bad;
		d->bytes[i] = (uint8_t)(high * 16 + low);
	}
	d->len = len / 2;
	return 0;

bad:
	errno = EINVAL;
	return -1;
}

/* Write len bytes in hexadecimal digits, two for each, and a NUL. */
void
digest_hex(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * i] = '\0';
}

void
digest_print(const struct digest *d, char text[static DIGEST_TEXT])
{
	digest_hex(d->bytes, d->len, text);
}

/* The kernel's name of the algorithm. */
const char *
digest_algorithm(const struct digest *d)
{
	return d->len == SHA512 ? "sha512" : "sha256";
}

static bool
begins(const char *option, const char *key)
{
	return strncmp(option, key, strlen(key)) == 0;
}

/* Is the option one of ours? */
bool
trust_is_option(const char *option)
{
	return begins(option, FSVERITY) || begins(option, VERITY) ||
	    begins(option, HASHES) || begins(option, SIG);
}

/* Set what the option says, which is one of ours. Returns what is wrong, or NULL. */
const char *
trust_set(struct trust *t, const char *option)
{
	const char *value = strchr(option, '=') + 1;

	if (begins(option, SIG)) {
		if (*value == '\0')
			return "sig: no file";
		t->sig = strdup(value);
		return t->sig == NULL ? strerror(errno) : NULL;
	}
	if (begins(option, HASHES)) {
		t->hashes_given = true;
		return value_size(value, &t->hashes) == -1 ?
		    "hashes: not a size" : NULL;
	}
	if (digest_parse(begins(option, VERITY) ? &t->verity : &t->fsverity,
		value) == -1)
		return begins(option, VERITY) ?
		    "verity: not 64 or 128 hexadecimal digits" :
		    "fsverity: not 64 or 128 hexadecimal digits";
	return NULL;
}

/*
 * Check that the options make sense together, for a file that is written or not.
 * Returns what is wrong, or NULL.
 */
const char *
trust_check(const struct trust *t, bool written)
{
	if (t->hashes_given && t->verity.len == 0)
		return "hashes needs verity";
	if (t->sig != NULL && t->verity.len == 0)
		return "sig needs verity";
	if (written && t->verity.len > 0)
		return "verity needs ro";
	if (written && t->fsverity.len > 0)
		return "fsverity needs ro";
	return NULL;
}

/*
 * If fsverity= was given, compare it with what the kernel measures of the file that is
 * open at fd. From then on each read of a changed byte fails, by any descriptor.
 * Returns what is wrong, or NULL.
 */
const char *
trust_measure(const struct trust *t, int fd)
{
	union {
		struct fsverity_digest d;
		uint8_t room[sizeof(struct fsverity_digest) + DIGEST_MOST];
	} got = { .d = { .digest_size = DIGEST_MOST } };
	const struct digest *want = &t->fsverity;
	const int algorithm = want->len == SHA512 ? FS_VERITY_HASH_ALG_SHA512 :
	    FS_VERITY_HASH_ALG_SHA256;

	if (want->len == 0)
		return NULL;
	if (sys_ioctl(fd, FS_IOC_MEASURE_VERITY, &got) == -1) {
		if (errno == ENODATA)
			return "fsverity: it is not enabled for the file";
		if (errno == ENOTTY || errno == EOPNOTSUPP)
			return "fsverity: the file system has none";
		return strerror(errno);
	}
	if (got.d.digest_algorithm != algorithm ||
	    got.d.digest_size != want->len || memcmp(got.room +
		sizeof(struct fsverity_digest), want->bytes, want->len) != 0)
		return "fsverity: the file has another digest";
	return NULL;
}
