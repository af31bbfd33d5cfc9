/* See bpf.h. */
#include <linux/pkt_cls.h>
#include <sys/syscall.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf.h"

#define FRAME 78	/* a neighbour advertisement, with its target */

static void
emit(struct bpf_prog *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
    int32_t imm)
{
	if (p->n == BPF_INSNS) {
		p->full = true;
		return;
	}
	p->insn[p->n++] = (struct bpf_insn){ .code = code,
		.dst_reg = dst & 0xfU, .src_reg = src & 0xfU, .off = off,
		.imm = imm };
}

/* An instruction of two words, which contains 64 bits. */
static void
emit64(struct bpf_prog *p, uint8_t dst, uint8_t src, uint64_t v)
{
	emit(p, BPF_LD | BPF_DW, dst, src, 0, (int32_t)(uint32_t)v);
	emit(p, 0, 0, 0, 0, (int32_t)(uint32_t)(v >> 32));
}

void
bpf_set(struct bpf_prog *p, uint8_t reg, int32_t value)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value);
}

void
bpf_set64(struct bpf_prog *p, uint8_t reg, uint64_t value)
{
	emit64(p, reg, 0, value);
}

/* Set reg to the address of an array map's only value. */
void
bpf_set_map(struct bpf_prog *p, uint8_t reg, int map)
{
	emit64(p, reg, BPF_PSEUDO_MAP_VALUE, (uint32_t)map);
}

void
bpf_move(struct bpf_prog *p, uint8_t to, uint8_t from)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

void
bpf_math(struct bpf_prog *p, uint8_t op, uint8_t reg, uint8_t with)
{
	emit(p, BPF_ALU64 | op | BPF_X, reg, with, 0, 0);
}

void
bpf_math_by(struct bpf_prog *p, uint8_t op, uint8_t reg, int32_t value)
{
	emit(p, BPF_ALU64 | op | BPF_K, reg, 0, 0, value);
}

void
bpf_read(struct bpf_prog *p, uint8_t size, uint8_t to, uint8_t at, size_t off)
{
	emit(p, BPF_LDX | size | BPF_MEM, to, at, (int16_t)off, 0);
}

void
bpf_write(struct bpf_prog *p, uint8_t size, uint8_t at, uint8_t from,
    int16_t off)
{
	emit(p, BPF_STX | size | BPF_MEM, at, from, off, 0);
}

/* Jump if the comparison of the low half of register 2 with value is true. */
size_t
bpf_jump(struct bpf_prog *p, uint8_t op, uint32_t value)
{
	emit(p, BPF_JMP32 | op | BPF_K, BPF_REG_2, 0, 0, (int32_t)value);
	return p->n;
}

size_t
bpf_jump_regs(struct bpf_prog *p, uint8_t op, uint8_t a, uint8_t b)
{
	emit(p, BPF_JMP | op | BPF_X, a, b, 0, 0);
	return p->n;
}

size_t
bpf_jump_always(struct bpf_prog *p)
{
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	return p->n;
}

void
bpf_land(struct bpf_prog *p, size_t jump)
{
	if (!p->full)
		p->insn[jump - 1].off = (int16_t)(p->n - jump);
}

void
bpf_begin(struct bpf_prog *p)
{
	p->n = 0;
	p->full = false;
	bpf_move(p, 6, 1);
}

void
bpf_call(struct bpf_prog *p, int function)
{
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}

/* End with the verdict that is in register 0. */
void
bpf_exit(struct bpf_prog *p)
{
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void
bpf_leave(struct bpf_prog *p, int verdict)
{
	bpf_set(p, 0, verdict);
	bpf_exit(p);
}

/* Copy the first len bytes of the frame to the stack, or drop it. */
void
bpf_need(struct bpf_prog *p, int len)
{
	size_t there;

	bpf_move(p, 1, 6);
	bpf_set(p, 2, 0);
	bpf_move(p, 3, 10);
	bpf_math_by(p, BPF_ADD, 3, -FRAME);
	bpf_set(p, 4, len);
	bpf_call(p, BPF_FUNC_skb_load_bytes);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0);
	there = p->n;
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, there);
}

/* Load the field at off of the frame. Its byte order stays. */
void
bpf_field(struct bpf_prog *p, uint8_t size, int off)
{
	emit(p, BPF_LDX | size | BPF_MEM, BPF_REG_2, BPF_REG_10,
	    (int16_t)(off - FRAME), 0);
}

/* Clear all other bits of the field. */
void
bpf_and(struct bpf_prog *p, uint32_t mask)
{
	emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, (int32_t)mask);
}

/* The value that bpf_field() loads for these bytes, 2 or 4. */
uint32_t
bpf_word(const void *bytes, size_t size)
{
	uint16_t h;
	uint32_t w;

	if (size == 2) {
		memcpy(&h, bytes, sizeof(h));
		return h;
	}
	memcpy(&w, bytes, sizeof(w));
	return w;
}

/*
 * Drop the frame unless it has these bytes at off. Compares 16 or 32 bits at
 * once.
 */
void
bpf_expect(struct bpf_prog *p, int off, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t i, step, same;

	for (i = 0; i < len; i += step) {
		/* A field of 4 bytes is aligned here: FRAME % 4 is 2. */
		step = (off + (int)i) % 4 == 2 && len - i >= 4 ? 4 : 2;
		bpf_field(p, step == 4 ? BPF_W : BPF_H, off + (int)i);
		same = bpf_jump(p, BPF_JEQ, bpf_word(b + i, step));
		bpf_leave(p, TC_ACT_SHOT);
		bpf_land(p, same);
	}
}

static int
bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* An array of one 64-bit value. */
int
bpf_make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
		.value_size = 8, .max_entries = 1 };

	return bpf(BPF_MAP_CREATE, &attr);
}

int
bpf_load(const struct bpf_prog *p)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS };

	if (p->full) {
		errno = E2BIG;
		return -1;
	}
	attr.insns = (uint64_t)(uintptr_t)p->insn;
	attr.insn_cnt = (uint32_t)p->n;
	attr.license = (uint64_t)(uintptr_t)"ISC";
	return bpf(BPF_PROG_LOAD, &attr);
}
