/* virtq.c and ram.c of volt-kvm: queues in the memory of a guest that lies. */
#include <stdlib.h>
#include <string.h>

#include "../../cmd/volt-kvm/virtq.h"
#include "unit.h"

#define MEMORY 16384u
#define LOW 12288u
#define SIZE 8u
#define DESC 0x1000u
#define AVAIL 0x1400u
#define USED 0x1800u
#define DATA 0x2000u

static _Alignas(4096) uint8_t memory[MEMORY];
static uint8_t file[8192];
static const struct ram ram = { memory, MEMORY, LOW,
	{ { 1ul << 40, sizeof(file), file } }, 1 };
static struct virtq q;
static struct vchain c;

static void
put16(uint64_t at, uint16_t v)
{
	memcpy(memory + at, &v, sizeof(v));
}

static uint16_t
get16(uint64_t at)
{
	uint16_t v;

	memcpy(&v, memory + at, sizeof(v));
	return v;
}

static void
desc(uint64_t table, unsigned int i, uint64_t addr, uint32_t len,
    uint16_t flags, uint16_t next)
{
	struct vdesc d = { addr, len, flags, next };

	memcpy(memory + table + i * sizeof(d), &d, sizeof(d));
}

/* The driver makes the chain from head on available. */
static void
offer(uint16_t head)
{
	uint16_t idx = get16(AVAIL + 2);

	put16(AVAIL + 4 + 2 * (idx % SIZE), head);
	put16(AVAIL + 2, (uint16_t)(idx + 1));
}

static void
begin(uint64_t features)
{
	memset(memory, 0, sizeof(memory));
	q = (struct virtq){ .size = SIZE, .desc_gpa = DESC,
		.avail_gpa = AVAIL, .used_gpa = USED };
	CHECK_INT(virtq_enable(&q, &ram, features), 0);
}

static int
pop(void)
{
	return virtq_pop(&q, &ram, &c);
}

/* --- ram.c ----------------------------------------------------------------- */

static void
memory_has_ends(void)
{
	CHECK(ram_at(&ram, 0, LOW) == memory);
	CHECK(ram_at(&ram, LOW - 1, 1) == memory + LOW - 1);
	CHECK(ram_at(&ram, 0, LOW + 1) == NULL);
	CHECK(ram_at(&ram, LOW - 1, 2) == NULL);
	CHECK(ram_at(&ram, LOW, 1) == NULL);
	CHECK(ram_at(&ram, 1, UINT64_MAX) == NULL);
	CHECK(ram_at(&ram, UINT64_MAX, 2) == NULL);
	CHECK(ram_at(&ram, RAM_HIGH - 1, 1) == NULL);
	CHECK(ram_at(&ram, RAM_HIGH, MEMORY - LOW) == memory + LOW);
	CHECK(ram_at(&ram, RAM_HIGH, MEMORY - LOW + 1) == NULL);
	CHECK(ram_at(&ram, RAM_HIGH + MEMORY - LOW, 0) == NULL);
}

static void
a_file_is_only_read(void)
{
	const uint64_t at = UINT64_C(1) << 40;

	CHECK(ram_at(&ram, at, 1) == NULL);
	CHECK(ram_read_at(&ram, at, sizeof(file)) == file);
	CHECK(ram_read_at(&ram, at + 8191, 1) == file + 8191);
	CHECK(ram_read_at(&ram, at, sizeof(file) + 1) == NULL);
	CHECK(ram_read_at(&ram, at + 8191, 2) == NULL);
	CHECK(ram_read_at(&ram, at + 1, UINT64_MAX) == NULL);
	CHECK(ram_read_at(&ram, at - 1, 2) == NULL);
	CHECK(ram_read_at(&ram, at + 8192, 1) == NULL);
	CHECK(ram_read_at(&ram, LOW - 1, 1) == memory + LOW - 1);
	CHECK(ram_read_at(&ram, LOW, 1) == NULL);
	CHECK(ram_end(&ram) == at + sizeof(file));
}

/* --- the queue's place ----------------------------------------------------- */

static void
a_queue_is_in_memory(void)
{
	static const uint16_t sizes[] = { 0, 3, 6, 257, 512, 65535 };
	struct virtq good = { .size = SIZE, .desc_gpa = DESC,
		.avail_gpa = AVAIL, .used_gpa = USED }, bad;
	size_t i;

	for (i = 0; i < UNIT_COUNT(sizes); i++) {
		bad = good;
		bad.size = sizes[i];
		CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
		CHECK(!bad.ready);
	}
	bad = good;
	bad.desc_gpa += 8;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	bad = good;
	bad.avail_gpa++;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	bad = good;
	bad.used_gpa += 2;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	/* The event's index behind each ring is part of it. */
	bad = good;
	bad.used_gpa = LOW - 4 - 8 * SIZE;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	bad = good;
	bad.avail_gpa = LOW - 4 - 2 * SIZE;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	bad.avail_gpa -= 2;
	CHECK_INT(virtq_enable(&bad, &ram, 0), 0);
	bad = good;
	bad.desc_gpa = LOW - 16 * SIZE + 16;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	bad = good;
	bad.used_gpa = UINT64_MAX - 3;
	CHECK_INT(virtq_enable(&bad, &ram, 0), -1);
	CHECK_INT(virtq_enable(&good, &ram, 0), 0);
}

static void
no_queue_has_no_requests(void)
{
	q = (struct virtq){ .size = SIZE };
	CHECK(!virtq_waiting(&q));
	CHECK_INT(pop(), 0);
}

/* --- chains ---------------------------------------------------------------- */

static void
requests_come_in_order(void)
{
	unsigned int i;

	begin(0);
	CHECK_INT(pop(), 0);
	put16(AVAIL + 2, 65533); /* the index goes over the end */
	q.next_avail = q.next_used = 65533;
	put16(USED + 2, 65533);
	for (i = 0; i < SIZE; i++) {
		desc(DESC, i, DATA + i, 1, 0, 0);
		offer((uint16_t)i);
	}
	CHECK(virtq_waiting(&q));
	for (i = 0; i < SIZE; i++) {
		CHECK_INT(pop(), 1);
		CHECK_INT(c.head, i);
		CHECK_INT(c.nout, 1);
		CHECK_INT(c.nin, 0);
		CHECK(c.iov[0].iov_base == memory + DATA + i);
		virtq_push(&q, &c, 3);
	}
	CHECK_INT(get16(USED + 2), 5);
	CHECK_INT(get16(USED + 4 + 8 * (65533 % SIZE)), 0);
	CHECK_INT(get16(USED + 4 + 8 * (65533 % SIZE) + 4), 3);
	CHECK(!virtq_waiting(&q));
	offer(1);
	CHECK_INT(pop(), 1);
	virtq_unpop(&q);
	CHECK(virtq_waiting(&q));
	CHECK_INT(pop(), 1);
	CHECK_INT(c.head, 1);
}

static void
chains_that_are_none(void)
{
	begin(0);
	put16(AVAIL + 2, SIZE + 1); /* more than there are */
	CHECK_INT(pop(), -1);
	begin(0);
	offer(SIZE); /* no such descriptor */
	CHECK_INT(pop(), -1);
	begin(0);
	offer(65535);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, DATA, 1, VRING_DESC_F_NEXT, SIZE);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, DATA, 1, VRING_DESC_F_NEXT, 0); /* a loop */
	offer(0);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	desc(DESC, 1, DATA, 1, 0, 0); /* to be read behind what is written */
	offer(0);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, LOW - 1, 2, 0, 0);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, UINT64_MAX, UINT32_MAX, 0, 0);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(0);
	desc(DESC, 0, DATA, 16, VRING_DESC_F_INDIRECT, 0); /* was not agreed on */
	offer(0);
	CHECK_INT(pop(), -1);
}

static void
a_chain_as_long_as_the_queue(void)
{
	uint16_t i;

	begin(0);
	for (i = 0; i < SIZE; i++)
		desc(DESC, i, DATA, 1, i < SIZE - 1 ? VRING_DESC_F_NEXT : 0,
		    (uint16_t)(i + 1));
	offer(0);
	CHECK_INT(pop(), 1);
	CHECK_INT(c.nout, SIZE);
}

static void
indirect_tables(void)
{
	static const uint32_t sizes[] = { 0, 1, 15, 17, 16 * (VIRTQ_MAX + 1) };
	unsigned int i;

	begin(VIRTQ_F_INDIRECT_DESC);
	desc(DESC, 0, DATA, 1, VRING_DESC_F_NEXT, 1);
	desc(DESC, 1, DATA + 64, 16 * 20, VRING_DESC_F_INDIRECT, 9);
	for (i = 0; i < 20; i++) /* longer than the queue */
		desc(DATA + 64, i, DATA, 1, i < 19 ?
		    VRING_DESC_F_NEXT | VRING_DESC_F_WRITE : VRING_DESC_F_WRITE, (uint16_t)(i + 1));
	offer(0);
	CHECK_INT(pop(), 1);
	CHECK_INT(c.nout, 1);
	CHECK_INT(c.nin, 20);
	for (i = 0; i < UNIT_COUNT(sizes); i++) {
		begin(VIRTQ_F_INDIRECT_DESC);
		desc(DESC, 0, DATA, sizes[i], VRING_DESC_F_INDIRECT, 0);
		offer(0);
		CHECK_INT(pop(), -1);
	}
	begin(VIRTQ_F_INDIRECT_DESC); /* in itself */
	desc(DESC, 0, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	desc(DATA, 0, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(VIRTQ_F_INDIRECT_DESC); /* something behind it */
	desc(DESC, 0, DATA, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(VIRTQ_F_INDIRECT_DESC); /* a next beyond it */
	desc(DESC, 0, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	desc(DATA, 0, DATA, 1, VRING_DESC_F_NEXT, 1);
	offer(0);
	CHECK_INT(pop(), -1);
	begin(VIRTQ_F_INDIRECT_DESC); /* it ends beyond the memory */
	desc(DESC, 0, LOW - 16, 32, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK_INT(pop(), -1);
}

/* --- notifications --------------------------------------------------------- */

static void
interrupts_by_flag(void)
{
	begin(0);
	CHECK(virtq_wants_interrupt(&q));
	put16(AVAIL, VRING_AVAIL_F_NO_INTERRUPT);
	CHECK(!virtq_wants_interrupt(&q));
}

static void
interrupts_by_event(void)
{
	begin(VIRTQ_F_EVENT_IDX);
	desc(DESC, 0, DATA, 1, 0, 0);
	CHECK(!virtq_wants_interrupt(&q)); /* nothing was pushed */
	offer(0);
	CHECK_INT(pop(), 1);
	virtq_push(&q, &c, 0);
	CHECK(virtq_wants_interrupt(&q)); /* used_event is 0 */
	CHECK(!virtq_wants_interrupt(&q)); /* that was the last time */
	put16(AVAIL + 4 + 2 * SIZE, 2);
	offer(0);
	CHECK_INT(pop(), 1);
	virtq_push(&q, &c, 0);
	CHECK(!virtq_wants_interrupt(&q));
	offer(0);
	CHECK_INT(pop(), 1);
	virtq_push(&q, &c, 0);
	CHECK(virtq_wants_interrupt(&q));
	CHECK_INT(pop(), 0); /* asks to be notified of the next */
	CHECK_INT(get16(USED + 4 + 8 * SIZE), 3);
}

/* --- copies ---------------------------------------------------------------- */

static void
buffers_are_one(void)
{
	char a[] = "abc", b[] = "", d[] = "defg", to[16] = "";
	const struct iovec iov[] = { { a, 3 }, { b, 0 }, { d, 4 } };

	CHECK_INT(virtq_bytes(iov, 3), 7);
	CHECK_INT(virtq_gather(iov, 3, 0, to, sizeof(to)), 7);
	CHECK(memcmp(to, "abcdefg", 7) == 0);
	CHECK_INT(virtq_gather(iov, 3, 2, to, 3), 3);
	CHECK(memcmp(to, "cde", 3) == 0);
	CHECK_INT(virtq_gather(iov, 3, 7, to, 3), 0);
	CHECK_INT(virtq_gather(iov, 3, UINT64_MAX, to, 3), 0);
	CHECK_INT(virtq_scatter(iov, 3, 2, "XYZ", 3), 3);
	CHECK_STR(a, "abX");
	CHECK_STR(d, "YZfg");
	CHECK_INT(virtq_scatter(iov, 3, 6, "1234", 4), 1);
	CHECK_STR(d, "YZf1");
	CHECK_INT(virtq_scatter(iov, 0, 0, "1", 1), 0);
}

/* --- memory that is given back ---------------------------------------------- */

static void
whole_pages_are_released(void)
{
	static const uint8_t zeroes[4096];

	memset(memory, 1, sizeof(memory));
	ram_release(memory + 1, 8190); /* there is no whole page in it */
	ram_release(memory + 1, 0);
	ram_release(memory + 4096, 4095);
	CHECK(memory[0] == 1 && memory[4096] == 1 && memory[8191] == 1);
	ram_release(memory + 1, 8191);
	CHECK(memory[4095] == 1 && memory[8192] == 1);
	CHECK(memcmp(memory + 4096, zeroes, 4096) == 0);
	ram_release(memory, sizeof(memory));
	CHECK(memory[0] == 0 && memory[sizeof(memory) - 1] == 0);
}

static const struct unit tests[] = {
	UNIT(memory_has_ends),
	UNIT(a_file_is_only_read),
	UNIT(whole_pages_are_released),
	UNIT(a_queue_is_in_memory),
	UNIT(no_queue_has_no_requests),
	UNIT(requests_come_in_order),
	UNIT(chains_that_are_none),
	UNIT(a_chain_as_long_as_the_queue),
	UNIT(indirect_tables),
	UNIT(interrupts_by_flag),
	UNIT(interrupts_by_event),
	UNIT(buffers_are_one),
};

UNIT_MAIN(tests)
