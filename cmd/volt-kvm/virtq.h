/*
 * Split virtqueues, the device's side (virtio 1.2, 2.7). The rings are in the
 * memory of a hostile guest. So each field is read once and checked. If the
 * driver broke a rule a function returns -1, and the caller breaks the device.
 */
#ifndef VOLT_KVM_VIRTQ_H
#define VOLT_KVM_VIRTQ_H

#include <linux/virtio_ring.h>
#include <sys/uio.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "ram.h"

#define VIRTQ_MAX 256	/* entries, at most */

/* Features of queues (6). A device that offers these must empty its queues. */
#define VIRTQ_F_INDIRECT_DESC (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
#define VIRTQ_F_EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)

/*
 * The kernel's struct vring_desc, vring_avail and vring_used, with atomic
 * indices. A descriptor is packed because an indirect table has no alignment.
 */
struct __attribute__((packed)) vdesc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vavail {
	uint16_t flags;
	_Atomic uint16_t idx;
	uint16_t ring[];	/* and used_event */
};

struct vused {
	uint16_t flags;
	_Atomic uint16_t idx;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[];	/* and avail_event */
};

struct virtq {
	/* The driver sets these. They are checked when it enables the queue. */
	uint16_t size;
	uint16_t vector;
	bool ready;
	bool indirect, event_idx;	/* the driver accepted these features */
	_Atomic uint16_t barrier;	/* see full_barrier(); the value is unused */
	uint64_t desc_gpa, avail_gpa, used_gpa;

	const volatile struct vdesc *desc;
	const volatile struct vavail *avail;
	volatile struct vused *used;
	uint16_t next_avail, next_used;
	uint16_t signalled;	/* next_used at the last look at used_event */
};

/* A request, as a descriptor chain: nout buffers to read, then nin to write. */
struct vchain {
	uint16_t head;
	uint16_t nout, nin;
	struct iovec iov[VIRTQ_MAX];
};

MUST_CHECK int virtq_enable(struct virtq *q, const struct ram *ram, uint64_t
    features);
MUST_CHECK bool virtq_waiting(const struct virtq *q);
MUST_CHECK int virtq_pop(struct virtq *q, const struct ram *ram, struct vchain
    *c);
void virtq_unpop(struct virtq *q);
void virtq_push(struct virtq *q, const struct vchain *c, uint32_t len);
MUST_CHECK bool virtq_wants_interrupt(struct virtq *q);

uint64_t virtq_bytes(const struct iovec *iov, unsigned int n);
size_t virtq_gather(const struct iovec *iov, unsigned int n, uint64_t skip,
    void *buf, size_t len);
size_t virtq_scatter(const struct iovec *iov, unsigned int n, uint64_t skip,
    const void *buf, size_t len);

#endif
