#include <sys/mman.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "kvm.h"
#include "ram.h"

static int
set_slot(const struct ram *r, int vmfd, uint32_t slot, uint64_t gpa,
    uint64_t offset, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)(r->base + offset),
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
	(void)madvise(r->base, size, MADV_HUGEPAGE); /* small pages do, too */
	(void)madvise(area, size + RAM_ALIGN, MADV_DONTDUMP);
	if (madvise(area, size + RAM_ALIGN, MADV_DONTFORK) == -1 ||
	    set_slot(r, vmfd, 0, 0, 0, r->low) == -1 ||
	    (size > r->low &&
		set_slot(r, vmfd, 1, RAM_HIGH, r->low, size - r->low) == -1))
		goto fail;
	return 0;

fail:
	saved = errno;
	munmap(area, size + RAM_ALIGN);
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
