/*
 * Fuzz what is found out about a disk for root=. The input begins with the block size,
 * as a power of two, and the number of a partition; behind these it is the disk. Where
 * a partition is said to be, it is within the disk.
 * Link: cmd/volt-kvm/partition.c cmd/volt-kvm/superblock.c
 */
#include <sys/mman.h>
#include <unistd.h>

#include "../../cmd/volt-kvm/partition.h"
#include "fuzz.h"

/* A disk of zeroes behind what the input says of it, so that partitions have room. */
#define ROOM 131072u

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct superblock *s;
	uint64_t end;
	struct extent e;
	uint32_t block;
	unsigned int number;
	int fd, rc;

	if (size < 3)
		return 0;
	block = 512u << (data[0] & 3);
	number = data[1] % PARTITIONS + 1;
	end = size - 3 + ((data[2] & 1) != 0 ? ROOM : 0);
	if ((fd = memfd_create("disk", MFD_CLOEXEC)) == -1 ||
	    write(fd, data + 3, size - 3) != (ssize_t)(size - 3) ||
	    ftruncate(fd, (off_t)end) == -1)
		abort();
	rc = partition_find(fd, end, block, number, &e);
	if (rc != 1 && rc != 0 && rc != -1)
		abort();
	if (rc != 1)
		e = (struct extent){ 0, end };
	else if (e.size == 0 || e.start == 0 || e.start > end ||
	    e.size > end - e.start || e.start % block != 0)
		abort();
	s = superblock_find(fd, &e);
	if (s != NULL && !superblock_is(s, s->name))
		abort();
	close(fd);
	return 0;
}
