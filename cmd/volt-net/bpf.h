/*
 * An assembler for small BPF programs, which run on frames as tc-bpf(8) says.
 * Registers are numbers from 0 to 10. bpf_begin() puts the context into
 * register 6, and bpf_call() overwrites registers 0 to 5.
 *
 * bpf_need() copies the first bytes of the frame to the stack, and drops a
 * frame that is shorter. bpf_field() then loads a field into register 2. On the
 * stack the frame has FRAME bytes and ends at the frame pointer, which aligns
 * all the fields that we load.
 *
 * If a program is too long, bpf_load() fails.
 */
#ifndef VOLT_NET_BPF_H
#define VOLT_NET_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define BPF_INSNS 512

struct bpf_prog {
	struct bpf_insn insn[BPF_INSNS];
	size_t n;
	bool full;
};

/*
 * Registers. op is BPF_ADD, BPF_SUB …; size is BPF_B, BPF_H, BPF_W or BPF_DW.
 */
void bpf_set(struct bpf_prog *p, uint8_t reg, int32_t value);
void bpf_set64(struct bpf_prog *p, uint8_t reg, uint64_t value);
void bpf_set_map(struct bpf_prog *p, uint8_t reg, int map);
void bpf_move(struct bpf_prog *p, uint8_t to, uint8_t from);
void bpf_math(struct bpf_prog *p, uint8_t op, uint8_t reg, uint8_t with);
void bpf_math_by(struct bpf_prog *p, uint8_t op, uint8_t reg, int32_t value);
void bpf_read(struct bpf_prog *p, uint8_t size, uint8_t to, uint8_t at,
    size_t off);
void bpf_write(struct bpf_prog *p, uint8_t size, uint8_t at, uint8_t from,
    int16_t off);

/*
 * A jump returns its place. bpf_land() makes the next instruction its target.
 */
size_t bpf_jump(struct bpf_prog *p, uint8_t op, uint32_t value);
size_t bpf_jump_regs(struct bpf_prog *p, uint8_t op, uint8_t a, uint8_t b);
size_t bpf_jump_always(struct bpf_prog *p);
void bpf_land(struct bpf_prog *p, size_t jump);

void bpf_begin(struct bpf_prog *p);
void bpf_call(struct bpf_prog *p, int function);
void bpf_exit(struct bpf_prog *p);
void bpf_leave(struct bpf_prog *p, int verdict);

void bpf_need(struct bpf_prog *p, int len);
void bpf_field(struct bpf_prog *p, uint8_t size, int off);
void bpf_and(struct bpf_prog *p, uint32_t mask);
void bpf_expect(struct bpf_prog *p, int off, const void *bytes, size_t len);
uint32_t bpf_word(const void *bytes, size_t size);

/* Both return a descriptor, or -1 and errno. */
MUST_CHECK int bpf_make_map(void);
MUST_CHECK int bpf_load(const struct bpf_prog *p);

#endif
