#include <sys/eventfd.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <unistd.h>

#include "shadow.h"

#define ALIGN 64u	/* an answer begins on a cache line of its own */

static int
make_memory(struct shadow *s)
{
	s->fd = memfd_create("volt-share", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd == -1 || ftruncate(s->fd, (off_t)SHADOW_BYTES) == -1 ||
	    fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		F_SEAL_SEAL) == -1)
		return -1;
	s->base = mmap(NULL, SHADOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	    s->fd, 0);
	if (s->base == MAP_FAILED)
		return -1;
	return madvise(s->base, SHADOW_BYTES, MADV_DONTDUMP);
}

/*
 * Make the memory, the queues and their eventfds, at start-up. Returns 0, or -1 and
 * errno; the caller then ends.
 */
int
shadow_init(struct shadow *s)
{
	unsigned int i;
	uint8_t *ring;

	if (make_memory(s) == -1)
		return -1;
	for (i = 0; i < SHADOW_QUEUES; i++) {
		ring = s->base + i * SHADOW_RING;
		s->q[i].desc = (void *)ring;
		s->q[i].avail = (void *)(ring + SHADOW_PAGE);
		s->q[i].used = (void *)(ring + 2 * SHADOW_PAGE);
		s->q[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		s->q[i].call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (s->q[i].kick == -1 || s->q[i].call == -1)
			return -1;
	}
	return 0;
}

/* The address by which the daemon knows a place of the memory. */
uint64_t
shadow_address(const struct shadow *s, const volatile void *p)
{
	return SHADOW_BASE + (uint64_t)((const volatile uint8_t *)p - s->base);
}

/* Where the answer begins, in bytes from the start of the request. */
static uint32_t
in_offset(uint32_t out)
{
	return (out + ALIGN - 1) / ALIGN * ALIGN;
}

/* Find n free pages in a row. Returns the first, or SHADOW_ROOM if there are none. */
static unsigned int
find_pages(const struct shadow *s, unsigned int n)
{
	unsigned int i, run = 0;

	for (i = 0; i < SHADOW_ROOM; i++) {
		run = s->taken[i] != 0 ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return SHADOW_ROOM;
}

/*
 * Take a slot and room for a request of out bytes and an answer of in bytes; each is
 * less than SHADOW_BYTES. Returns the slot, or -1 if there is no room now.
 */
int
shadow_take(struct shadow *s, unsigned int queue, uint32_t out, uint32_t in)
{
	unsigned int i, n, page;

	for (i = 0; i < SHADOW_SLOTS && s->q[queue].slot[i].busy; i++)
		;
	n = (in_offset(out) + in + SHADOW_PAGE - 1) / SHADOW_PAGE;
	if (i == SHADOW_SLOTS || n == 0 || n > SHADOW_ROOM ||
	    (page = find_pages(s, n)) == SHADOW_ROOM)
		return -1;
	memset(s->taken + page, 1, n);
	s->q[queue].slot[i] = (struct shadow_slot){ .busy = true, .page = page,
		.npages = n, .out = out, .in = in };
	s->q[queue].busy++;
	return (int)i;
}

/* Where the request of a slot is, for its out bytes. */
uint8_t *
shadow_out(const struct shadow *s, unsigned int queue, unsigned int slot)
{
	return s->base + SHADOW_QUEUES * SHADOW_RING +
	    (size_t)s->q[queue].slot[slot].page * SHADOW_PAGE;
}

/* Where the answer of a slot is, for its in bytes. */
uint8_t *
shadow_in(const struct shadow *s, unsigned int queue, unsigned int slot)
{
	return shadow_out(s, queue, slot) +
	    in_offset(s->q[queue].slot[slot].out);
}

/*
 * Give the slot to the daemon. Its request is cut into three buffers at these bytes;
 * a cut at the end makes none. A daemon may want the headers of a request in buffers
 * of their own.
 */
void
shadow_post(struct shadow *s, unsigned int queue, unsigned int slot, uint32_t cut1,
    uint32_t cut2)
{
	const struct shadow_slot *r = &s->q[queue].slot[slot];
	struct vavail *avail = s->q[queue].avail;
	uint16_t head = (uint16_t)(slot * SHADOW_DESCS), n = 0;
	uint64_t at = shadow_address(s, shadow_out(s, queue, slot));
	uint32_t ends[4];
	struct vdesc d[SHADOW_DESCS];
	unsigned int i;

	ends[0] = 0;
	ends[1] = cut1 < r->out ? cut1 : r->out;
	ends[2] = cut2 < r->out ? cut2 : r->out;
	ends[3] = r->out;
	for (i = 0; i < 3; i++)
		if (ends[i + 1] > ends[i])
			d[n++] = (struct vdesc){ .addr = at + ends[i],
				.len = ends[i + 1] - ends[i] };
	if (r->in > 0)
		d[n++] = (struct vdesc){ .addr = at + in_offset(r->out),
			.len = r->in, .flags = VRING_DESC_F_WRITE };
	for (i = 0; i < n; i++) {
		if (i + 1u < n) {
			d[i].flags |= VRING_DESC_F_NEXT;
			d[i].next = (uint16_t)(head + i + 1);
		}
		s->q[queue].desc[head + i] = d[i];
	}
	avail->ring[s->q[queue].next_avail % SHADOW_SIZE] = head;
	s->q[queue].next_avail++;
	atomic_store_explicit(&avail->idx, s->q[queue].next_avail,
	    memory_order_release);
}

/* Tell the daemon that there are requests. */
void
shadow_kick(const struct shadow *s, unsigned int queue)
{
	(void)eventfd_write(s->q[queue].kick, 1);
}

/*
 * The next slot that the daemon has used, and how many bytes it says to have written.
 * The slot stays taken until shadow_free(). Returns 1; 0 if there is none; -1 if the
 * daemon lies.
 */
int
shadow_next(struct shadow *s, unsigned int queue, unsigned int *slot, uint32_t *len)
{
	const volatile struct vused *used = s->q[queue].used;
	uint16_t next = s->q[queue].next_used, idx;
	uint32_t id;

	idx = atomic_load_explicit(&used->idx, memory_order_acquire);
	if (idx == next)
		return 0;
	if ((uint16_t)(idx - next) > s->q[queue].busy)
		return -1;
	id = used->ring[next % SHADOW_SIZE].id;
	*len = used->ring[next % SHADOW_SIZE].len;
	*slot = id / SHADOW_DESCS;
	if (id % SHADOW_DESCS != 0 || *slot >= SHADOW_SLOTS ||
	    !s->q[queue].slot[*slot].busy || *len > s->q[queue].slot[*slot].in)
		return -1;
	s->q[queue].next_used++;
	return 1;
}

/* The answer was read: the slot and its room are free. */
void
shadow_free(struct shadow *s, unsigned int queue, unsigned int slot)
{
	struct shadow_slot *r = &s->q[queue].slot[slot];

	memset(s->taken + r->page, 0, r->npages);
	r->busy = false;
	s->q[queue].busy--;
}
