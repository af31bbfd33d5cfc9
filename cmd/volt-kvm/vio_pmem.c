/*
 * Persistent memory (virtio 1.2, 5.19): files of the host in the guest's memory. The
 * guest can only read them. It needs no copy of what it reads: with DAX its pages are
 * those of the host's page cache, which all guests with the same file share.
 */
#include <linux/virtio_pmem.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "backing.h"
#include "chain.h"
#include "config.h"
#include "devices.h"

struct pmem {
	struct vio vio;
	struct vio_pci pci;
};

/* Nothing is written, so there is nothing to flush (5.19.6). */
static void
kick(struct vio *v)
{
	struct virtq *q = &v->q[0];
	struct virtio_pmem_req r;
	struct virtio_pmem_resp answer;
	unsigned int most = VIRTQ_MAX;
	struct vchain *c = &v->chain;
	size_t len;
	int rc = 0;

	while (most-- > 0 && (rc = virtq_pop(q, v->ram, c)) == 1) {
		answer.ret = virtq_gather(c->iov, c->nout, 0, &r, sizeof(r)) ==
		    sizeof(r) && r.type == VIRTIO_PMEM_REQ_TYPE_FLUSH ? 0 : EIO;
		len = virtq_scatter(c->iov + c->nout, c->nin, 0, &answer,
		    sizeof(answer));
		virtq_push(q, c, (uint32_t)len);
	}
	if (rc == -1)
		vio_break(v);
	else
		vio_done(v, q);
}

static const struct vio_ops ops = {
	.name = "pmem",
	.id = VIRTIO_ID_PMEM,
	.class = 0x058000, /* memory, other */
	.kick = kick,
};

/* Map the file, and set start and size in the configuration (5.19.4). */
static void
map(struct vm *vm, struct vio *v, const struct disk *d)
{
	struct virtio_pmem_config c;
	const struct ram_file *f;
	struct backing b;

	backing_open(&b, "pmem", d);
	if (b.is_device)
		errx(EXIT_LINK, "pmem=%s: not a regular file", d->path);
	if (ram_add_file(&vm->ram, vm->fd, b.fd, b.size) == -1)
		err(EXIT_LINK, "pmem=%s", d->path);
	/* The descriptor stays open for its lock. */
	if (ram_end(&vm->ram) > UINT64_C(1) << arch_address_bits(vm->kvm))
		errx(EXIT_LINK, "pmem=%s: this processor has no addresses for it",
		    d->path);
	f = &vm->ram.file[vm->ram.nfiles - 1];
	c.start = f->gpa;
	c.size = f->size;
	v->config_len = sizeof(c);
	memcpy(v->config, &c, sizeof(c));
}

void
pmem_init(struct vm *vm, const struct config *cfg)
{
	struct pmem *p;
	unsigned int i;

	for (i = 0; i < cfg->npmems; i++) {
		if ((p = calloc(1, sizeof(*p))) == NULL)
			err(EXIT_LINK, "pmem=%s", cfg->pmems[i].path);
		p->vio.nqueues = 1;
		map(vm, &p->vio, &cfg->pmems[i]);
		devices_plug(vm, &p->pci, &p->vio, &ops, p);
	}
}
