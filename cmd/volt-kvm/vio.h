/*
 * A virtio device without its transport (virtio 1.2, 2 and 3). A device is a
 * const vio_ops and its own state; the transport sets up the queues in struct
 * vio and is told of interrupts by a pointer. vCPU threads come in through the
 * transport, the I/O thread through the kick; the lock is held in every
 * function of vio_ops but request(), which is a worker's (vio_worker.c).
 */
#ifndef VOLT_KVM_VIO_H
#define VOLT_KVM_VIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "must.h"
#include "ram.h"
#include "virtq.h"

#define VIO_QUEUES 12
#define VIO_CONFIG 64	/* bytes of device configuration, at most */
#define VIO_NO_VECTOR 0xffff

/* Device status (2.1) */
#define VIO_ACKNOWLEDGE 1
#define VIO_DRIVER 2
#define VIO_DRIVER_OK 4
#define VIO_FEATURES_OK 8
#define VIO_NEEDS_RESET 64
#define VIO_FAILED 128

#define VIO_BIT(n) (UINT64_C(1) << (n))
#define VIO_F_VERSION_1 VIO_BIT(32)

struct vio;

struct vio_ops {
	const char *name;
	uint16_t id;	/* 5 */
	uint32_t class;	/* of PCI: class, subclass, interface */
	void (*kick)(struct vio *v);	/* I/O thread: look at the queues */
	/*
	 * Or, instead of kick(), a worker: do this request of queue 0, without
	 * the lock. Returns how many bytes were written, or -1 if the driver
	 * broke a rule.
	 */
	int64_t (*request)(struct vio *v, struct vchain *c);
	void (*start)(struct vio *v);	/* DRIVER_OK; or NULL */
	void (*reset)(struct vio *v);	/* or NULL */
	/* Whoever else is at the queues is to leave them; or NULL: nobody is */
	void (*halt)(struct vio *v);
};

struct vio {
	const struct vio_ops *ops;
	void *dev;
	const struct ram *ram;
	struct io *io;
	pthread_mutex_t lock;
	int kick;	/* eventfd: some queue was notified */
	int notify[VIO_QUEUES];	/* a queue's own, or 0: that one */

	uint64_t offered, accepted;
	uint8_t status;
	uint8_t generation;
	bool busy;	/* the worker has a request */
	bool resetting;	/* as soon as it has not */
	uint16_t nqueues;
	struct virtq q[VIO_QUEUES];
	uint8_t config[VIO_CONFIG];	/* the driver cannot write it */
	uint16_t config_len;
	struct vchain chain;	/* for kick(), or the worker's */

	void *transport;
	void (*interrupt)(struct vio *v, uint16_t vector);
	/* Interrupts of a vector may come by an eventfd; with -1 no more. */
	void (*wire)(struct vio *v, uint16_t vector, int fd);
	int wired[VIO_QUEUES + 1];	/* whose eventfd nobody has to poll: it; or 0 */
	uint16_t config_vector;
};

MUST_CHECK int vio_init(struct vio *v, const struct vio_ops *ops, void *dev);
MUST_CHECK bool vio_live(const struct vio *v);
void vio_break(struct vio *v);
void vio_halt(struct vio *v);
void vio_done(struct vio *v, struct virtq *q);
void vio_idle(struct vio *v);

/* for transports */
void vio_set_status(struct vio *v, uint8_t status);
MUST_CHECK bool vio_frozen(const struct vio *v);

/* vio_worker.c */
MUST_CHECK int vio_worker_start(struct vio *v);

#endif
