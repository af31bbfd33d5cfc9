#include <sys/eventfd.h>

#include <string.h>

#include "vio.h"

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
 * ram and io are set by the caller, and so are the number of queues, the
 * features and the configuration. Returns 0, or -1 and errno.
 */
int
vio_init(struct vio *v, const struct vio_ops *ops, void *dev)
{
	v->ops = ops;
	v->dev = dev;
	v->offered |= VIO_F_VERSION_1;
	v->config_vector = VIO_NO_VECTOR;
	pthread_mutex_init(&v->lock, NULL);
	if (ops->request != NULL)
		return vio_worker_start(v);
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
	    (v->status & (VIO_DRIVER_OK | VIO_NEEDS_RESET)) == VIO_DRIVER_OK;
}

static void
config_changed(struct vio *v)
{
	v->generation++;
	if ((v->status & VIO_DRIVER_OK) != 0 &&
	    v->config_vector != VIO_NO_VECTOR)
		v->interrupt(v, v->config_vector);
}

/* The driver broke a rule: stand still until it resets the device (2.1.2). */
void
vio_break(struct vio *v)
{
	v->status |= VIO_NEEDS_RESET;
	config_changed(v);
}

/*
 * The device may access memory no more. What it was at is not taken up again:
 * no driver does that to a device in use but to be rid of it.
 */
void
vio_halt(struct vio *v)
{
	if (!vio_live(v))
		return;
	if (v->ops->halt != NULL)
		v->ops->halt(v);
	vio_break(v);
}

/* Tell the driver of what was pushed. */
void
vio_done(struct vio *v, struct virtq *q)
{
	if (q->vector != VIO_NO_VECTOR && virtq_wants_interrupt(q))
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
	v->config_vector = VIO_NO_VECTOR;
	memset(v->q, 0, sizeof(v->q));
	for (i = 0; i < VIO_QUEUES; i++) {
		v->q[i].size = VIRTQ_MAX;
		v->q[i].vector = VIO_NO_VECTOR;
	}
}

/* The worker has no request any more: a reset that waits for that is done. */
void
vio_idle(struct vio *v)
{
	v->busy = false;
	if (v->resetting)
		reset(v);
}

/*
 * The driver writes the status (2.1, 3.1): 0 resets; features are refused by
 * leaving FEATURES_OK clear; DRIVER_OK without it is not taken; other bits can
 * only be set. While a request is under way a reset only begins: the driver
 * waits until it reads 0 (4.1.4.3.2), and what else it writes is not taken.
 */
void
vio_set_status(struct vio *v, uint8_t status)
{
	uint8_t set = status & (uint8_t)~v->status;

	if (v->resetting)
		return;
	if (status == 0) {
		v->resetting = true;
		if (!v->busy)
			reset(v);
		return;
	}
	v->status |= status & (VIO_ACKNOWLEDGE | VIO_DRIVER | VIO_FAILED);
	if ((set & VIO_FEATURES_OK) != 0 &&
	    (v->accepted & ~v->offered) == 0 &&
	    (v->accepted & VIO_F_VERSION_1) != 0)
		v->status |= VIO_FEATURES_OK;
	if ((set & VIO_DRIVER_OK) != 0 && (v->status & VIO_FEATURES_OK) != 0) {
		v->status |= VIO_DRIVER_OK;
		if (v->ops->start != NULL)
			v->ops->start(v);
		(void)eventfd_write(v->kick, 1);
	}
}

/* Are the queues' size and place fixed? */
bool
vio_frozen(const struct vio *v)
{
	return (v->status & (VIO_DRIVER_OK | VIO_FEATURES_OK)) !=
	    VIO_FEATURES_OK;
}
