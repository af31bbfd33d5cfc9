/*
 * Shadow queues: the memory that a vhost-user daemon sees, in place of the guest's.
 *
 * It is a small memfd with one split virtqueue for each of the guest's, and room for
 * requests and answers. volt-kvm is the driver here. It copies a request in, and the
 * answer out once the daemon has used the buffer. So the guest's memory stays private,
 * and neither the guest nor the daemon can change what volt-kvm has checked in its own
 * copy.
 *
 * The daemon may write to all of that memory at any time. What volt-kvm must rely on
 * is in struct shadow, which the daemon does not see. The memfd is sealed: the daemon
 * cannot make it shorter.
 *
 * A request has a slot. Slot i owns the descriptors from i * SHADOW_DESCS on, so there
 * is no list of free descriptors.
 */
#ifndef VOLT_KVM_SHADOW_H
#define VOLT_KVM_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"
#include "virtq.h"

#define SHADOW_QUEUES 2
#define SHADOW_SIZE 256u	/* entries of a queue */
#define SHADOW_DESCS 4u
#define SHADOW_SLOTS (SHADOW_SIZE / SHADOW_DESCS)
#define SHADOW_PAGE 4096u
#define SHADOW_RING (3u * SHADOW_PAGE)	/* bytes of the three parts of a queue */
#define SHADOW_BYTES ((size_t)8 << 20)
#define SHADOW_ROOM ((unsigned int)((SHADOW_BYTES - SHADOW_QUEUES * SHADOW_RING) / \
	SHADOW_PAGE))	/* pages for requests and answers */

/* Where the daemon is told that the memory is. It is no address of ours. */
#define SHADOW_BASE UINT64_C(0x100000)

struct shadow_slot {
	bool busy;	/* the daemon has it */
	unsigned int page, npages;	/* of the room */
	uint32_t out, in;	/* bytes of the request, and of room for the answer */
};

struct shadow {
	int fd;
	uint8_t *base;
	struct {
		struct vdesc *desc;
		struct vavail *avail;
		const volatile struct vused *used;
		uint16_t next_avail, next_used;
		unsigned int busy;	/* slots */
		struct shadow_slot slot[SHADOW_SLOTS];
		int kick, call;	/* eventfds, to the daemon and from it */
	} q[SHADOW_QUEUES];
	uint8_t taken[SHADOW_ROOM];	/* by page */
};

MUST_CHECK int shadow_init(struct shadow *s);
MUST_CHECK uint64_t shadow_address(const struct shadow *s, const volatile void *p);
MUST_CHECK int shadow_take(struct shadow *s, unsigned int queue, uint32_t out,
    uint32_t in);
uint8_t *shadow_out(const struct shadow *s, unsigned int queue, unsigned int slot);
uint8_t *shadow_in(const struct shadow *s, unsigned int queue, unsigned int slot);
void shadow_post(struct shadow *s, unsigned int queue, unsigned int slot,
    uint32_t cut1, uint32_t cut2);
void shadow_kick(const struct shadow *s, unsigned int queue);
MUST_CHECK int shadow_next(struct shadow *s, unsigned int queue, unsigned int *slot,
    uint32_t *len);
void shadow_free(struct shadow *s, unsigned int queue, unsigned int slot);

#endif
