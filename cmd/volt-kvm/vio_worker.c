/*
 * Workers: the threads of a device whose requests may block.
 *
 * A flush or a read of a disk can take seconds on a slow host, and for ever on a
 * network file system whose server has gone. The I/O thread must not wait for it,
 * because it also serves the signals, the console and the network. So each queue
 * of a disk has a worker: a thread that starts with the guest and ends with the
 * process.
 *
 * io_uring needs no thread of ours. But the jail that volt-kvm should run in
 * refuses it: volt-lock's profiles strict and default allow none of its calls,
 * like those of most container engines, because seccomp does not see what
 * io_uring does. To use it only if it is allowed would be a second path to test.
 * And for a file that is not in the page cache io_uring uses threads, too.
 *
 * A worker waits for the eventfd that a notification of its queue signals. It holds
 * the device's lock while it pops a request and while it pushes it, and not while it
 * does it. Meanwhile vCPUs can access the registers, and cannot change the request:
 * its descriptors were copied and checked, and RAM is never unmapped. A worker does
 * one request at a time, in the order of its queue. Between two queues there is no
 * order, so a driver that needs one waits for the first request. It is told of a
 * request only when that is done: so a flush, in whichever queue, follows each
 * write that the driver was told of.
 *
 * A driver may reset the device while workers have requests. After a reset the
 * driver may use the memory of the queues and buffers for something else. So the
 * reset is complete, and the status reads as 0, only when the last worker has
 * finished its request (virtio 1.2, 4.1.4.3); the vCPU that asked for the reset goes
 * on, and its driver waits for the 0. The requests are then dropped and not pushed. A
 * signal need not wait for a worker: the main thread ends the process in any case.
 */
#include <sys/eventfd.h>

#include <stddef.h>
#include <stdlib.h>

#include "thread.h"
#include "vio.h"
#include "vio_worker.h"

struct worker {
	struct vio *vio;
	unsigned int queue;
	struct vchain chain;	/* its request */
};

/* Do the requests in the queue. Called with the lock, which a request releases. */
static void
serve(struct worker *w)
{
	struct vio *v = w->vio;
	struct virtq *q = &v->q[w->queue];
	int64_t len;
	int rc = 0;

	while (rc != -1 && vio_live(v) &&
	    (rc = virtq_pop(q, v->ram, &w->chain)) == 1) {
		v->busy++;
		pthread_mutex_unlock(&v->lock);
		len = v->ops->request(v, w->queue, &w->chain);
		pthread_mutex_lock(&v->lock);
		if (len == -1) {
			rc = -1;
		} else if (vio_live(v)) {
			virtq_push(q, &w->chain, (uint32_t)len);
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
	struct worker *w = arg;
	eventfd_t n;

	for (;;) {
		(void)eventfd_read(w->vio->notify[w->queue], &n);
		pthread_mutex_lock(&w->vio->lock);
		serve(w);
		pthread_mutex_unlock(&w->vio->lock);
	}
	return NULL;
}

/* Start a worker for each queue of v. Returns 0, or -1 and errno. */
int
vio_workers_start(struct vio *v)
{
	pthread_t thread;
	unsigned int i;

	if ((v->workers = calloc(v->nqueues, sizeof(*v->workers))) == NULL)
		return -1;
	for (i = 0; i < v->nqueues; i++) {
		v->workers[i].vio = v;
		v->workers[i].queue = i;
		v->notify[i] = eventfd(0, EFD_CLOEXEC); /* a read blocks */
		if (v->notify[i] == -1 ||
		    thread_start(&thread, work, &v->workers[i], LOCK_DISK, NULL) == -1)
			return -1;
	}
	return 0;
}
