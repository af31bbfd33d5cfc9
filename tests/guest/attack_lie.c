/* A guest of a share whose daemon lies: two requests, and what comes of them. */
#include "guest.h"

static struct device d;
static struct queue q[2];
static struct {
	uint32_t len, opcode;
	uint64_t unique, nodeid;
	uint32_t id[4];
} out;
static struct {
	uint32_t len;
	int32_t error;
	uint64_t unique;
	uint8_t data[4096];
} in;

static const char *
ask(void)
{
	uint16_t idx = q[1].used.idx;

	out.len = sizeof(out);
	out.opcode = 17; /* STATFS */
	out.unique++;
	in.error = 1;
	q[1].desc[0] = (struct desc){ (uintptr_t)&out, sizeof(out), NEXT, 1 };
	q[1].desc[1] = (struct desc){ (uintptr_t)&in, sizeof(in), WRITE, 0 };
	submit(&d, 1, &q[1], 0);
	if (!wait_used(&q[1], (uint16_t)(idx + 1)))
		return "no answer\n";
	switch (*(volatile int32_t *)&in.error) {
	case 0:
		return "an answer\n";
	case -5:
		return "an I/O error\n";
	default:
		return "nonsense\n";
	}
}

int
main(void)
{
	device_want(&d, 26, "there is a share");
	device_start(&d, 0, q, 2, QUEUE);
	say(ask());
	say(ask());
	done();
}
