/*
 * Split virtqueues, the device's side (virtio 1.2, 2.7). The rings are in the
 * guest's memory and the guest is hostile: what it wrote is read once, bounded,
 * and a broken rule is told to the caller, who breaks the device.
 */
#ifndef VOLT_KVM_VIRTQ_H
#define VOLT_KVM_VIRTQ_H

#include <sys/uio.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "ram.h"

#define VIRTQ_MAX 256	/* entries, at most */

#define VIRTQ_NEXT 1
#define VIRTQ_WRITE 2
#define VIRTQ_INDIRECT 4
#define VIRTQ_NO_INTERRUPT 1

/* Features of queues (6), for devices that empty a queue when they look at it */
#define VIRTQ_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTQ_F_EVENT_IDX (UINT64_C(1) << 29)

/* Packed: an indirect table may be anywhere. */
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
	/* As the driver set them; checked when it enables the queue. */
	uint16_t size;
	uint16_t vector;
	bool ready;
	bool indirect, event_idx;	/* as was negotiated */
	_Atomic uint16_t barrier;	/* of no value: virtq.c */
	uint64_t desc_gpa, avail_gpa, used_gpa;

	const volatile struct vdesc *desc;
	const volatile struct vavail *avail;
	volatile struct vused *used;
	uint16_t next_avail, next_used;
	uint16_t signalled;	/* next_used when the driver was last asked */
};

/* A request: nout buffers to read, then nin to write. */
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
