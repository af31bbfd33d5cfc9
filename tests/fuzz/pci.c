/*
 * Fuzz the bus, the virtio transport and the queues, by devices of the harness's
 * own: they hand on all that they are given, byte by byte. The first byte of the
 * input says which of them is driven; then as in machine.h.
 * Link: volt-kvm
 */
#include "machine.h"

#define DEVICES 3

static struct plain {
	struct vio vio;
	struct vio_pci pci;
} devices[DEVICES];

/* What is written into one request was read from it, or from the next. */
static void
kick(struct vio *v)
{
	static uint8_t buf[4096];
	unsigned int i, most;
	uint64_t skip;
	size_t n, put;
	int rc = 0;

	for (i = 0; i < v->nqueues; i++) {
		for (most = VIRTQ_MAX; most > 0; most--) {
			rc = virtq_pop(&v->q[i], v->ram, &v->chain);
			if (rc != 1)
				break;
			skip = v->q[i].next_avail % 7u;
			n = virtq_gather(v->chain.iov, v->chain.nout, skip,
			    buf, sizeof(buf));
			put = virtq_scatter(v->chain.iov + v->chain.nout,
			    v->chain.nin, skip, buf, n);
			if (n > sizeof(buf) || put > n)
				abort();
			if (most % 8 == 1) {
				virtq_unpop(&v->q[i]);
				break;
			}
			virtq_push(&v->q[i], &v->chain, (uint32_t)put);
		}
		if (rc == -1)
			break;
		if (v->q[i].ready)
			vio_done(v, &v->q[i]);
	}
	if (rc == -1)
		vio_break(v);
}

static const struct vio_ops ops = {
	.name = "plain",
	.id = 63,
	.class = 0xff0000,
	.kick = kick,
};

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const uint16_t queues[DEVICES] = { 1, 3, VIO_QUEUES };
	static const uint16_t config[DEVICES] = { 0, 10, VIO_CONFIG };
	unsigned int i;

	if (device == NULL) {
		machine_begin();
		for (i = 0; i < DEVICES; i++) {
			devices[i].vio.nqueues = queues[i];
			devices[i].vio.config_len = config[i];
			devices[i].vio.offered = VIRTQ_F_INDIRECT_DESC |
			    VIRTQ_F_EVENT_IDX | VIO_BIT(i);
			devices_plug(&vm, &devices[i].pci, &devices[i].vio,
			    &ops, &devices[i]);
		}
		machine_keep(devices, sizeof(devices));
		machine_ready(&devices[0].vio);
	}
	if (size == 0)
		return 0;
	device = &devices[*data % DEVICES].vio;
	machine_run(data + 1, size - 1);
	return 0;
}
