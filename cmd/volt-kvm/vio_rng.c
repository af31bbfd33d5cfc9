/* Random numbers (virtio 1.2, 5.4), from the host's kernel. */
#include <sys/random.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "chain.h"
#include "config.h"
#include "devices.h"

#define RNG_MOST 256	/* bytes for a request: getrandom(2) gives these at once */

struct rng {
	struct vio vio;
	struct vio_pci pci;
};

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
	.id = VIRTIO_ID_RNG,
	.class = 0xff0000, /* no class fits */
	.kick = kick,
};

void
rng_init(struct vm *vm, const struct config *cfg)
{
	struct rng *rng = calloc(1, sizeof(*rng));

	(void)cfg;
	if (rng == NULL)
		err(EXIT_LINK, "random numbers");
	rng->vio.nqueues = 1;
	devices_plug(vm, &rng->pci, &rng->vio, &ops, rng);
}
