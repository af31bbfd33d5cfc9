#include <stddef.h>
#include <string.h>

#include "virtq.h"

/*
 * Check the size and the addresses of the queue, and map its rings: they are
 * inside the RAM and aligned as 2.7 says. Returns 0, or -1 if the driver broke a
 * rule.
 */
int
virtq_enable(struct virtq *q, const struct ram *ram, uint64_t features)
{
	uint64_t n = q->size;

	if (n == 0 || n > VIRTQ_MAX || (n & (n - 1)) != 0)
		return -1;
	if (q->desc_gpa % 16 != 0 || q->avail_gpa % 2 != 0 ||
	    q->used_gpa % 4 != 0)
		return -1;
	q->desc = ram_at(ram, q->desc_gpa, sizeof(struct vdesc) * n);
	q->avail = ram_at(ram, q->avail_gpa, sizeof(struct vavail) + 2 * n + 2);
	q->used = ram_at(ram, q->used_gpa, sizeof(struct vused) + 8 * n + 2);
	if (q->desc == NULL || q->avail == NULL || q->used == NULL)
		return -1;
	q->next_avail = q->next_used = q->signalled = 0;
	q->indirect = (features & VIRTQ_F_INDIRECT_DESC) != 0;
	q->event_idx = (features & VIRTQ_F_EVENT_IDX) != 0;
	q->ready = true;
	return 0;
}

/* Is there a request, good or bad? */
bool
virtq_waiting(const struct virtq *q)
{
	return q->ready &&
	    atomic_load_explicit(&q->avail->idx, memory_order_acquire) !=
	    q->next_avail;
}

static void
copy_desc(struct vdesc *d, const volatile struct vdesc *from)
{
	d->addr = from->addr;
	d->len = from->len;
	d->flags = from->flags;
	d->next = from->next;
}

/*
 * Order our writes before the reads that follow. An exchange is a full barrier,
 * too, and TSan knows it, unlike atomic_thread_fence(3).
 */
static void
full_barrier(struct virtq *q)
{
	atomic_exchange(&q->barrier, 0);
}

/* The queue is empty: ask to be notified of the next request (2.7.10). */
static void
ask_notification(struct virtq *q)
{
	volatile uint16_t *avail_event = (void *)(uintptr_t)
	    &q->used->ring[q->size];

	*avail_event = q->next_avail;
	full_barrier(q);
}

/* A table of descriptors: the queue's own, or an indirect one. */
struct table {
	const volatile struct vdesc *desc;
	unsigned int n;
	unsigned int most;	/* descriptors in a descriptor chain */
};

/*
 * Go on in the indirect table that d refers to (2.7.5.3). d must be the last
 * descriptor of its chain in the queue's table, and a table refers to no other
 * table. VRING_DESC_F_WRITE means nothing in d. The descriptor chain may then be
 * longer than the queue, up to VIRTQ_MAX.
 */
static int
enter(const struct virtq *q, const struct ram *ram, const struct vdesc *d,
    struct table *t)
{
	if (!q->indirect || t->desc != q->desc ||
	    (d->flags & VRING_DESC_F_NEXT) != 0)
		return -1;
	if (d->len == 0 || d->len % sizeof(*d) != 0 ||
	    d->len / sizeof(*d) > VIRTQ_MAX)
		return -1;
	t->desc = ram_at(ram, d->addr, d->len);
	t->n = (unsigned int)(d->len / sizeof(*d));
	t->most = VIRTQ_MAX;
	return t->desc != NULL ? 0 : -1;
}

/*
 * Take the next request. Returns 1 and fills c; 0 if there is none; -1 if the
 * driver broke a rule.
 */
int
virtq_pop(struct virtq *q, const struct ram *ram, struct vchain *c)
{
	struct table t = { q->desc, q->size, q->size };
	struct vdesc d;
	uint16_t i, idx, n = 0;
	void *p;

	if (!q->ready)
		return 0;
	idx = atomic_load_explicit(&q->avail->idx, memory_order_acquire);
	if (idx == q->next_avail && q->event_idx) {
		ask_notification(q);
		idx = atomic_load_explicit(&q->avail->idx,
		    memory_order_acquire);
	}
	if (idx == q->next_avail)
		return 0;
	if ((uint16_t)(idx - q->next_avail) > q->size)
		return -1;
	i = q->avail->ring[q->next_avail & (q->size - 1)];

	c->head = i;
	c->nout = c->nin = 0;
	do {
		if (i >= t.n || n == t.most) /* outside the table, or a loop */
			return -1;
		copy_desc(&d, &t.desc[i]);
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
			if (enter(q, ram, &d, &t) == -1)
				return -1;
			i = 0;
			d.flags = VRING_DESC_F_NEXT; /* go on at entry 0 */
			continue;
		}
		p = (d.flags & VRING_DESC_F_WRITE) != 0 ?
		    ram_at(ram, d.addr, d.len) : ram_read_at(ram, d.addr, d.len);
		if (p == NULL)
			return -1;
		if ((d.flags & VRING_DESC_F_WRITE) != 0)
			c->nin++;
		else if (c->nin == 0)
			c->nout++;
		else /* a buffer to read after one to write */
			return -1;
		c->iov[n++] = (struct iovec){ p, d.len };
		i = d.next;
	} while ((d.flags & VRING_DESC_F_NEXT) != 0);

	q->next_avail++;
	return 1;
}

/* Put back the request that was popped last. */
void
virtq_unpop(struct virtq *q)
{
	q->next_avail--;
}

/* Return a request to the driver. len bytes were written to its buffers. */
void
virtq_push(struct virtq *q, const struct vchain *c, uint32_t len)
{
	uint16_t i = q->next_used & (uint16_t)(q->size - 1);

	q->used->ring[i].id = c->head;
	q->used->ring[i].len = len;
	q->next_used++;
	atomic_store_explicit(&q->used->idx, q->next_used,
	    memory_order_release);
}

/*
 * After a push: must the driver be interrupted (2.7.7)? With event_idx: is
 * used_event among the entries that were pushed since the last call?
 */
bool
virtq_wants_interrupt(struct virtq *q)
{
	uint16_t used_event, old = q->signalled, new = q->next_used;

	full_barrier(q);
	if (!q->event_idx)
		return (q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	used_event = q->avail->ring[q->size];
	q->signalled = new;
	return (uint16_t)(new - used_event - 1) < (uint16_t)(new - old);
}

/* The size of the buffers. VIRTQ_MAX times 4 GiB cannot overflow. */
uint64_t
virtq_bytes(const struct iovec *iov, unsigned int n)
{
	uint64_t sum = 0;

	while (n-- > 0)
		sum += iov[n].iov_len;
	return sum;
}

/*
 * Copy up to len bytes out of the buffers to "to", or from "from" into them. Skip
 * that many bytes of the buffers first. Returns how many bytes were copied.
 */
static size_t
copy(const struct iovec *iov, unsigned int n, uint64_t skip, uint8_t *to,
    const uint8_t *from, size_t len)
{
	size_t part, done = 0;
	unsigned int i;

	for (i = 0; i < n && done < len; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - (size_t)skip;
		if (part > len - done)
			part = len - done;
		if (to != NULL)
			memcpy(to + done, (uint8_t *)iov[i].iov_base + skip,
			    part);
		else
			memcpy((uint8_t *)iov[i].iov_base + skip, from + done,
			    part);
		done += part;
		skip = 0;
	}
	return done;
}

size_t
virtq_gather(const struct iovec *iov, unsigned int n, uint64_t skip, void *buf,
    size_t len)
{
	return copy(iov, n, skip, buf, NULL, len);
}

size_t
virtq_scatter(const struct iovec *iov, unsigned int n, uint64_t skip,
    const void *buf, size_t len)
{
	return copy(iov, n, skip, NULL, buf, len);
}
