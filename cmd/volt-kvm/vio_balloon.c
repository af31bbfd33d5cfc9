/*
 * The memory balloon (virtio 1.2, 5.5): the guest gives memory back.
 *
 * It does so by itself: it reports pages that are free, and takes them again without
 * asking. And it does so when it is told to, up to the size of the balloon: then it
 * takes them back only when the balloon shrinks, or when it would otherwise have to
 * kill a process. In both cases the host frees the pages at once. They read as zeroes
 * when the guest uses them again, and until then cost nothing.
 *
 * Linux reports blocks of 2 MiB and more, so it does not break huge pages into small
 * ones. There is always a balloon: an idle guest should not cost what it once used.
 *
 * The queue for reports is number 4 if all queues are counted, as the specification
 * does, and number 2 if only those in use are, as most versions of Linux do. So each
 * queue above 1 is for reports.
 */
#include <linux/virtio_balloon.h>

#include <err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "balloon.h"
#include "chain.h"
#include "config.h"
#include "devices.h"

#define F(name) VIO_BIT(VIRTIO_BALLOON_F_##name)

/* Up to what is offered: nothing of hints or poison. */
#define CONFIG_LEN offsetof(struct virtio_balloon_config, free_page_hint_cmd_id)

#define PAGE (UINT64_C(1) << VIRTIO_BALLOON_PFN_SHIFT)
#define PAGES 4096u	/* of one request; Linux has 256 */
#define REPORT_MOST (UINT64_C(1) << 30)	/* bytes of one request; Linux: 128 MiB */
#define BURST 8	/* requests of one queue in a row */

enum { INFLATE, DEFLATE, QUEUES = 5 };

struct balloon {
	struct vio vio;
	struct vio_pci pci;
	uint32_t page[PAGES];	/* of the request */
};

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Free n pages in a row. Returns 0, or -1 if they are not the guest's memory. */
static int
release(const struct ram *ram, uint32_t first, uint32_t n)
{
	void *p = ram_at(ram, first * PAGE, n * PAGE);

	if (p == NULL)
		return -1;
	ram_release(p, n * PAGE);
	return 0;
}

/*
 * The driver puts the pages into the balloon whose numbers are in the chain. Pages in
 * a row are one call. Returns 0, or -1 if the driver broke a rule.
 */
static int
inflate(struct vio *v)
{
	struct balloon *b = v->dev;
	uint64_t bytes = virtq_bytes(v->chain.iov, v->chain.nout);
	size_t n, i, run;

	if (bytes > sizeof(b->page) || bytes % sizeof(b->page[0]) != 0)
		return -1;
	n = virtq_gather(v->chain.iov, v->chain.nout, 0, b->page,
	    (size_t)bytes) / sizeof(b->page[0]);
	qsort(b->page, n, sizeof(b->page[0]), by_number);
	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n &&
		    b->page[i + run] - b->page[i] == run; run++)
			;
		if (release(v->ram, b->page[i], (uint32_t)run) == -1)
			return -1;
	}
	return 0;
}

/* The buffers themselves are free. They are the guest's memory: virtq.c has checked. */
static int
report(struct vio *v)
{
	const struct iovec *in = v->chain.iov + v->chain.nout;
	uint64_t left = REPORT_MOST, len;
	unsigned int i;

	for (i = 0; i < v->chain.nin; i++) {
		len = in[i].iov_len < left ? in[i].iov_len : left;
		ram_release(in[i].iov_base, len);
		left -= len;
	}
	return 0;
}

/* From now on the pages may be used again, as they may be without a word. */
static int
deflate(struct vio *v)
{
	(void)v;
	return 0;
}

/* Returns 0, or -1 if the driver broke a rule. */
static int
serve(struct vio *v, unsigned int i)
{
	struct virtq *q = &v->q[i];
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		rc = i == INFLATE ? inflate(v) : i == DEFLATE ? deflate(v) :
		    report(v);
		if (rc == -1)
			break;
		virtq_push(q, &v->chain, 0);
	}
	if (n > 0)
		vio_done(v, q);
	if (n == BURST) /* the other devices first */
		(void)eventfd_write(v->kick, 1);
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		if (serve(v, i) == -1) {
			vio_break(v);
			return;
		}
}

/* The driver says how many pages are in the balloon. It can write nothing else. */
static void
configure(struct vio *v, uint32_t off, const void *data, unsigned int len)
{
	if (off == offsetof(struct virtio_balloon_config, actual) && len == 4)
		memcpy(v->config + off, data, len);
}

static struct virtio_balloon_config *
space(struct balloon *b)
{
	return (void *)b->vio.config;
}

static void
reset(struct vio *v)
{
	space(v->dev)->actual = 0;
}

static const struct vio_ops ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.class = 0x050000, /* memory, RAM */
	.kick = kick,
	.reset = reset,
	.configure = configure,
};

void
balloon_init(struct vm *vm, const struct config *cfg)
{
	struct balloon *b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		err(EXIT_LINK, "balloon");
	vm->balloon = b;
	b->vio.nqueues = QUEUES;
	b->vio.offered = F(DEFLATE_ON_OOM) | F(REPORTING);
	b->vio.config_len = CONFIG_LEN;
	space(b)->num_pages = (uint32_t)(cfg->balloon / PAGE);
	devices_plug(vm, &b->pci, &b->vio, &ops, b);
}

/*
 * From any thread: the balloon shall have that size, which is rounded down to a page
 * and is no more than the guest's memory. The guest follows as far as it can.
 */
void
balloon_set(struct balloon *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->vio.lock);
	if (bytes > b->vio.ram->size)
		bytes = b->vio.ram->size;
	space(b)->num_pages = (uint32_t)(bytes / PAGE);
	vio_config_changed(&b->vio);
	pthread_mutex_unlock(&b->vio.lock);
}

static uint64_t
field(struct balloon *b, const uint32_t *pages)
{
	uint64_t n;

	pthread_mutex_lock(&b->vio.lock);
	n = *pages;
	pthread_mutex_unlock(&b->vio.lock);
	return n * PAGE;
}

/* The size that the balloon shall have, in bytes. */
uint64_t
balloon_wanted(struct balloon *b)
{
	return field(b, &space(b)->num_pages);
}

/* The size that it has, as the guest says. */
uint64_t
balloon_actual(struct balloon *b)
{
	return field(b, &space(b)->actual);
}
