#include <sys/eventfd.h>

#include <string.h>

#include "vio.h"
#include "vio_worker.h"

#define S(name) VIRTIO_CONFIG_S_##name

static void
kicked(struct io_source *s, short revents)
{
	struct vio *v = s->arg;
	eventfd_t n;

	(void)revents;
	(void)eventfd_read(s->fd, &n);
	pthread_mutex_lock(&v->lock);
	if (vio_live(v))
		v->ops->kick(v);
	pthread_mutex_unlock(&v->lock);
}

/*
 * The caller has set ram, io, the number of queues, the features and the
 * configuration. Returns 0, or -1 and errno.
 */
int
vio_init(struct vio *v, const struct vio_ops *ops, void *dev)
{
	v->ops = ops;
	v->dev = dev;
	v->offered |= VIO_F_VERSION_1;
	v->config_vector = VIRTIO_MSI_NO_VECTOR;
	pthread_mutex_init(&v->lock, NULL);
	if (ops->request != NULL)
		return vio_workers_start(v);
	if ((v->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		return -1;
	io_add(v->io, &(struct io_source){ .fd = v->kick, .ready = kicked,
	    .arg = v });
	return 0;
}

/* May the device touch its queues? */
bool
vio_live(const struct vio *v)
{
	return !v->resetting &&
	    (v->status & (S(DRIVER_OK) | S(NEEDS_RESET))) == S(DRIVER_OK);
}

/* We changed the configuration: tell the driver. */
void
vio_config_changed(struct vio *v)
{
	v->generation++;
	if ((v->status & S(DRIVER_OK)) != 0 &&
	    v->config_vector != VIRTIO_MSI_NO_VECTOR)
		v->interrupt(v, v->config_vector);
}

/* The driver broke a rule: do nothing until it resets the device (2.1.2). */
void
vio_break(struct vio *v)
{
	if (v->ops->halt != NULL)
		v->ops->halt(v);
	v->status |= S(NEEDS_RESET);
	vio_config_changed(v);
}

/*
 * The guest disabled bus mastering: the device must not access memory. The device
 * does not go on later: a driver disables a device in use only to get rid of it.
 */
void
vio_halt(struct vio *v)
{
	if (vio_live(v))
		vio_break(v);
}

/* After one or more pushes: interrupt the driver, if it wants that. */
void
vio_done(struct vio *v, struct virtq *q)
{
	if (q->vector != VIRTIO_MSI_NO_VECTOR && virtq_wants_interrupt(q))
		v->interrupt(v, q->vector);
}

static void
reset(struct vio *v)
{
	unsigned int i;

	if (v->ops->reset != NULL)
		v->ops->reset(v);
	v->resetting = false;
	v->status = 0;
	v->accepted = 0;
	v->config_vector = VIRTIO_MSI_NO_VECTOR;
	memset(v->q, 0, sizeof(v->q));
	for (i = 0; i < VIO_QUEUES; i++) {
		v->q[i].size = v->ops->queue_size != NULL ?
		    v->ops->queue_size(v, i) : VIRTQ_MAX;
		v->q[i].vector = VIRTIO_MSI_NO_VECTOR;
	}
}

/* A worker has no request any more. The last one does the reset that waits for this. */
void
vio_idle(struct vio *v)
{
	if (--v->busy == 0 && v->resetting)
		reset(v);
}

/* The eventfd by which the driver notifies that queue. */
int
vio_notified(const struct vio *v, unsigned int queue)
{
	return v->notify[queue] != 0 ? v->notify[queue] : v->kick;
}

/* The driver may have put requests into the queues before it set DRIVER_OK. */
static void
wake(struct vio *v)
{
	unsigned int i;

	if (v->ops->request == NULL)
		(void)eventfd_write(v->kick, 1);
	else
		for (i = 0; i < v->nqueues; i++)
			(void)eventfd_write(v->notify[i], 1);
}

/*
 * The driver writes the status (2.1, 3.1). 0 resets the device. Features that
 * the device refuses leave FEATURES_OK clear. DRIVER_OK without FEATURES_OK is
 * ignored. The driver can set the other bits and not clear them. While a
 * worker has a request a reset only begins: the driver waits until it reads 0
 * (4.1.4.3.2), and until then its writes are ignored.
 */
void
vio_set_status(struct vio *v, uint8_t status)
{
	uint8_t set = status & (uint8_t)~v->status;

	if (v->resetting)
		return;
	if (status == 0) {
		v->resetting = true;
		if (v->busy == 0)
			reset(v);
		return;
	}
	v->status |= status & (S(ACKNOWLEDGE) | S(DRIVER) | S(FAILED));
	if ((set & S(FEATURES_OK)) != 0 &&
	    (v->accepted & ~v->offered) == 0 &&
	    (v->accepted & VIO_F_VERSION_1) != 0)
		v->status |= S(FEATURES_OK);
	if ((set & S(DRIVER_OK)) != 0 && (v->status & S(FEATURES_OK)) != 0) {
		v->status |= S(DRIVER_OK);
		if (v->ops->start != NULL)
			v->ops->start(v);
		wake(v);
	}
}

/* Are the sizes and addresses of the queues fixed? */
bool
vio_frozen(const struct vio *v)
{
	return (v->status & (S(DRIVER_OK) | S(FEATURES_OK))) !=
	    S(FEATURES_OK);
}
