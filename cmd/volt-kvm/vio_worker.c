/*
 * Workers: the thread of a device whose requests may wait.
 *
 * Theory of operation. A flush or a read of a disk takes as long as the host
 * likes: seconds on a slow one, for ever on a network's that has gone. The I/O
 * thread must not wait for it, for it is also the thread of the signals, the
 * console and the network. So each disk has a worker, a thread that is made at
 * start-up and ends with the process.
 *
 * io_uring would do without a thread of ours. But the jail that we are meant to
 * run in refuses it: volt-lock's profiles, strict and default, have none of its
 * calls, as those of most container engines, for what it does is not seen by
 * seccomp. A second way for those who have it would be a second thing to test;
 * and what the kernel's own threads do for io_uring on a file that is not in
 * the page cache is what this thread does.
 *
 * The worker waits for the eventfd that a notification writes; pops a request
 * with the lock held; does it without; and pushes it with the lock held again.
 * In between the request is its own: the descriptors were copied and checked,
 * and the RAM that they name is never unmapped. vCPUs read and write the
 * registers meanwhile. There is one request at a time, in the order of the
 * queue, so a flush comes after every write that the driver was told of.
 *
 * A reset may come in between. From then on the driver may use the memory of
 * its queues and buffers for something else, so it must not be over before the
 * worker has let go of them. The vCPU that asks for it is not held up: the
 * status is 0 only once the worker is back (virtio 1.2, 4.1.4.3), for which a
 * driver has to wait anyhow; the request is then dropped, not pushed. No signal
 * waits for any of that: the main thread ends the process, whatever the worker
 * does. What bounds the wait is the bound of one request.
 */
#include <sys/eventfd.h>

#include <stddef.h>

#include "thread.h"
#include "vio.h"

/* With the lock held, which is given up while a request is done. */
static void
serve(struct vio *v)
{
	struct virtq *q = &v->q[0];
	int64_t len;
	int rc = 0;

	while (rc != -1 && vio_live(v) &&
	    (rc = virtq_pop(q, v->ram, &v->chain)) == 1) {
		v->busy = true;
		pthread_mutex_unlock(&v->lock);
		len = v->ops->request(v, &v->chain);
		pthread_mutex_lock(&v->lock);
		if (len == -1) {
			rc = -1;
		} else if (vio_live(v)) {
			virtq_push(q, &v->chain, (uint32_t)len);
			vio_done(v, q);
		}
		vio_idle(v);
	}
	if (rc == -1 && vio_live(v))
		vio_break(v);
}

static void *
work(void *arg)
{
	struct vio *v = arg;
	eventfd_t n;

	for (;;) {
		(void)eventfd_read(v->kick, &n);
		pthread_mutex_lock(&v->lock);
		serve(v);
		pthread_mutex_unlock(&v->lock);
	}
	return NULL;
}

/* At start-up. Returns 0, or -1 and errno. */
int
vio_worker_start(struct vio *v)
{
	pthread_t thread;

	if ((v->kick = eventfd(0, EFD_CLOEXEC)) == -1) /* a read waits */
		return -1;
	return thread_start(&thread, work, v);
}
