/*
 * A virtio device without its transport (virtio 1.2, 2 and 3). A device is a
 * const struct vio_ops and a state of its own. The transport sets up the queues
 * in struct vio, and the device calls it to interrupt the driver. vCPU threads
 * enter by the transport, the I/O thread by kick(). The lock is held in every
 * function of vio_ops but request(), which a worker calls (vio_worker.c).
 */
#ifndef VOLT_KVM_VIO_H
#define VOLT_KVM_VIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "must.h"
#include "ram.h"
#include "virtq.h"

#define VIO_QUEUES 66	/* the console of joined commands has these */
#define VIO_CONFIG 64	/* bytes of device configuration, at most */

#define VIO_BIT(n) (UINT64_C(1) << (n))	/* a feature, by its number */
#define VIO_F_VERSION_1 VIO_BIT(VIRTIO_F_VERSION_1)

struct vio;
struct worker;

struct vio_ops {
	const char *name;
	uint16_t id;	/* the device ID (5) */
	uint32_t class;	/* the PCI class, subclass and interface */
	void (*kick)(struct vio *v);	/* I/O thread: look at the queues */
	/*
	 * A device with workers has this in place of kick(): do a request of that
	 * queue. The lock is not held, and the workers of other queues may be here
	 * as well. Returns how many bytes were written to the request's buffers, or
	 * -1 if the driver broke a rule.
	 */
	int64_t (*request)(struct vio *v, unsigned int queue, struct vchain *c);
	void (*start)(struct vio *v);	/* the driver set DRIVER_OK; or NULL */
	void (*reset)(struct vio *v);	/* or NULL */
	void (*halt)(struct vio *v);	/* stop vhost; NULL: there is none */
	/* The most entries of queue i; NULL: VIRTQ_MAX. */
	uint16_t (*queue_size)(const struct vio *v, unsigned int i);
	/* The driver writes the configuration; NULL: it cannot. */
	void (*configure)(struct vio *v, uint32_t off, const void *data,
	    unsigned int len);
};

struct vio {
	const struct vio_ops *ops;
	void *dev;
	const struct ram *ram;
	struct io *io;
	pthread_mutex_t lock;
	int kick;	/* eventfd: the driver notified a queue; 0: there are workers */
	int notify[VIO_QUEUES];	/* an eventfd for this queue; 0: kick */

	uint64_t offered, accepted;
	uint8_t status;
	uint8_t generation;
	unsigned int busy;	/* so many workers have a request */
	bool resetting;	/* reset the device once none has */
	uint16_t nqueues;
	struct virtq q[VIO_QUEUES];
	uint8_t config[VIO_CONFIG];	/* only configure() writes it for the driver */
	uint16_t config_len;
	struct vchain chain;	/* the request in kick() */
	struct worker *workers;	/* one for each queue; or NULL */

	void *transport;
	void (*interrupt)(struct vio *v, uint16_t vector);
	/* From now on a write to the eventfd sends this vector; -1: none does. */
	void (*wire)(struct vio *v, uint16_t vector, int fd);
	int wired[VIO_QUEUES + 1];	/* the eventfd that KVM reads; or 0 */
	uint16_t config_vector;
};

MUST_CHECK int vio_init(struct vio *v, const struct vio_ops *ops, void *dev);
MUST_CHECK bool vio_live(const struct vio *v);
void vio_break(struct vio *v);
void vio_config_changed(struct vio *v);
void vio_halt(struct vio *v);
void vio_done(struct vio *v, struct virtq *q);
void vio_idle(struct vio *v);
MUST_CHECK int vio_notified(const struct vio *v, unsigned int queue);

/* For transports. */
void vio_set_status(struct vio *v, uint8_t status);
MUST_CHECK bool vio_frozen(const struct vio *v);

#endif
