/* Entropy (virtio 1.2, 5.4): the host kernel's. */
#include <sys/random.h>

#include <errno.h>

#include "config.h"
#include "devices.h"

#define RNG_MOST 256	/* bytes a request; more is not waited for */

static struct {
	struct vio vio;
	struct vio_pci pci;
} rng;

static void
kick(struct vio *v)
{
	struct virtq *q = &v->q[0];
	uint8_t buf[RNG_MOST];
	ssize_t n;
	size_t len;
	int rc = 0;
	unsigned int most = VIRTQ_MAX;

	while (most-- > 0 && (rc = virtq_pop(q, v->ram, &v->chain)) == 1) {
		n = getrandom(buf, sizeof(buf), GRND_NONBLOCK);
		len = virtq_scatter(v->chain.iov + v->chain.nout, v->chain.nin,
		    0, buf, n > 0 ? (size_t)n : 0);
		virtq_push(q, &v->chain, (uint32_t)len);
	}
	if (rc == -1)
		vio_break(v);
	else
		vio_done(v, q);
}

static const struct vio_ops ops = {
	.name = "rng",
	.id = 4,
	.class = 0xff0000,
	.kick = kick,
};

void
rng_init(struct vm *vm, const struct config *cfg)
{
	(void)cfg;
	rng.vio.nqueues = 1;
	devices_plug(vm, &rng.pci, &rng.vio, &ops, &rng);
}
