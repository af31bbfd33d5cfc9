/*
 * Fuzz the superblock of dm-verity. The input begins with where the superblock is, in
 * sectors, and whether the user says so; behind these it is the superblock, in a file of
 * zeroes. What is accepted is within the file, and its table fits.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "verity.h"

#define SIZE (1u << 20)

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct trust t = { .verity.len = 32 };
	struct verity v;
	char table[1024];
	uint64_t at;
	int fd;

	if (size < 3 || size > SIZE / 2)
		return 0;
	at = (data[0] | (data[1] & 7u) << 8) * 512;
	t.hashes = at;
	t.hashes_given = (data[2] & 1) != 0;
	if ((data[2] & 2) != 0)
		t.verity.len = 64;
	if ((fd = memfd_create("image", MFD_CLOEXEC)) == -1 ||
	    pwrite(fd, data + 3, size - 3, (off_t)at) != (ssize_t)(size - 3) ||
	    ftruncate(fd, SIZE) == -1)
		abort();
	if (verity_read(&v, &t, fd, SIZE) == NULL &&
	    (v.end > SIZE || v.data_blocks == 0 ||
		v.data_blocks > v.tree * v.hash_block / v.data_block ||
		verity_table(&v, 0, table, sizeof(table)) == -1))
		abort();
	close(fd);
	return 0;
}
