/*
 * A worker: the thread of a device whose requests may block.
 *
 * A flush or a read of a disk can take seconds on a slow host, and for ever on a
 * network file system whose server has gone. The I/O thread must not wait for it,
 * because it also serves the signals, the console and the network. So each disk
 * has a worker: a thread that starts with the guest and ends with the process.
 *
 * io_uring needs no thread of ours. But the jail that volt-kvm should run in
 * refuses it: volt-lock's profiles strict and default allow none of its calls,
 * like those of most container engines, because seccomp does not see what
 * io_uring does. To use it only if it is allowed would be a second path to test.
 * And for a file that is not in the page cache io_uring uses threads, too.
 *
 * The worker waits for the eventfd that a notification signals. It holds the lock
 * while it pops a request and while it pushes it, and not while it does it.
 * Meanwhile vCPUs can access the registers, and cannot change the request: its
 * descriptors were copied and checked, and RAM is never unmapped. The worker does
 * one request at a time, in the order of the queue. So a flush follows each write
 * that the driver was told of.
 *
 * A driver may reset the device while the worker has a request. After a reset the
 * driver may use the memory of the queues and buffers for something else. So the
 * reset is complete, and the status reads as 0, only when the worker has finished
 * its request (virtio 1.2, 4.1.4.3); the vCPU that asked for the reset goes on, and
 * its driver waits for the 0. The request is then dropped and not pushed. A signal
 * need not wait for the worker: the main thread ends the process in any case.
 */
#include <sys/eventfd.h>

#include <stddef.h>

#include "thread.h"
#include "vio.h"
#include "vio_worker.h"

/* Do the requests in the queue. Called with the lock, which a request releases. */
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

/* Start the worker of v. Returns 0, or -1 and errno. */
int
vio_worker_start(struct vio *v)
{
	pthread_t thread;

	if ((v->kick = eventfd(0, EFD_CLOEXEC)) == -1) /* a read blocks */
		return -1;
	return thread_start(&thread, work, v, LOCK_DISK, NULL);
}
