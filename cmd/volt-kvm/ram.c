#include <sys/mman.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "kvm.h"
#include "ram.h"

#define FIRST_FILE 2u	/* KVM's slots 0 and 1 are the RAM's */

static int
set_slot(int vmfd, uint32_t slot, uint64_t gpa, uint8_t *base, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = slot >= FIRST_FILE ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)base,
	};

	return kvm_call(vmfd, KVM_SET_USER_MEMORY_REGION, &region);
}

/*
 * Give the VM size bytes of RAM. It is private anonymous memory, aligned and
 * advised for huge pages, which the kernels of distributions do not give to a
 * memfd (shmem_enabled=never). Core dumps leave it out, and a child does not
 * inherit it. Returns 0; or -1 and errno, and then nothing is mapped.
 */
int
ram_init(struct ram *r, int vmfd, uint64_t size)
{
	uint8_t *area;
	int saved;

	area = mmap(NULL, size + RAM_ALIGN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	r->base = area + (-(uintptr_t)area & (RAM_ALIGN - 1));
	r->size = size;
	r->low = size < RAM_HOLE ? size : RAM_HOLE;
	r->nfiles = 0;
	(void)madvise(r->base, size, MADV_HUGEPAGE); /* small pages do, too */
	(void)madvise(area, size + RAM_ALIGN, MADV_DONTDUMP);
	if (madvise(area, size + RAM_ALIGN, MADV_DONTFORK) == -1 ||
	    set_slot(vmfd, 0, 0, r->base, r->low) == -1 ||
	    (size > r->low && set_slot(vmfd, 1, RAM_HIGH, r->base + r->low,
		size - r->low) == -1))
		goto fail;
	return 0;

fail:
	saved = errno;
	munmap(area, size + RAM_ALIGN);
	errno = saved;
	return -1;
}

/* The first address above the guest's memory, and above the hole for devices. */
uint64_t
ram_end(const struct ram *r)
{
	const struct ram_file *last;

	if (r->nfiles == 0)
		return RAM_HIGH + (r->size - r->low);
	last = &r->file[r->nfiles - 1];
	return last->gpa + last->size;
}

/*
 * Map size bytes of the file that is open at fd above all other memory, for the guest to
 * read. What is missing to whole RAM_ALIGN reads as zeroes. The host keeps one copy in
 * its page cache, for any number of guests. Returns 0; or -1 and errno, and then nothing
 * is mapped: ENOSPC if there are too many files.
 */
int
ram_add_file(struct ram *r, int vmfd, int fd, uint64_t size)
{
	uint64_t whole = (size + RAM_ALIGN - 1) / RAM_ALIGN * RAM_ALIGN;
	uint64_t gpa = (ram_end(r) + RAM_SECTION - 1) / RAM_SECTION * RAM_SECTION;
	uint8_t *area, *base;
	int saved;

	if (r->nfiles == RAM_FILES) {
		errno = ENOSPC;
		return -1;
	}
	area = mmap(NULL, whole + RAM_ALIGN, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	base = area + (-(uintptr_t)area & (RAM_ALIGN - 1));
	if (mmap(base, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    madvise(area, whole + RAM_ALIGN, MADV_DONTFORK) == -1 ||
	    madvise(area, whole + RAM_ALIGN, MADV_DONTDUMP) == -1 ||
	    set_slot(vmfd, FIRST_FILE + r->nfiles, gpa, base, whole) == -1)
		goto fail;
	r->file[r->nfiles++] = (struct ram_file){ gpa, whole, base };
	return 0;

fail:
	saved = errno;
	munmap(area, whole + RAM_ALIGN);
	errno = saved;
	return -1;
}

/* A pointer to the len bytes at gpa if all of them are RAM; else NULL. */
void *
ram_at(const struct ram *r, uint64_t gpa, uint64_t len)
{
	uint64_t high = r->size - r->low;

	if (gpa < r->low)
		return len <= r->low - gpa ? r->base + gpa : NULL;
	if (gpa < RAM_HIGH)
		return NULL;
	gpa -= RAM_HIGH;
	if (gpa >= high || len > high - gpa)
		return NULL;
	return r->base + r->low + gpa;
}

/* As ram_at(), also for the bytes of a file, which may only be read. */
void *
ram_read_at(const struct ram *r, uint64_t gpa, uint64_t len)
{
	const struct ram_file *f;

	for (f = r->file; f < r->file + r->nfiles; f++)
		if (gpa >= f->gpa && gpa - f->gpa < f->size)
			return len <= f->size - (gpa - f->gpa) ?
			    f->base + (gpa - f->gpa) : NULL;
	return ram_at(r, gpa, len);
}

/*
 * Give the whole pages among these len bytes of the guest's memory back to the host.
 * They read as zeroes until the guest writes them again.
 */
void
ram_release(void *p, uint64_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)p + (uintptr_t)len) & ~(page - 1);

	if (from < to)
		(void)madvise((uint8_t *)p + (from - (uintptr_t)p), to - from,
		    MADV_DONTNEED);
}
