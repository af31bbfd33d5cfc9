/* A small driver library for the tiny guests, which have no kernel. */
#ifndef VOLT_TEST_GUEST_H
#define VOLT_TEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECAM 0xe0000000ul
#define QUEUE 16	/* entries of a queue */
#define PATIENCE 300000	/* how often to look for an event */

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { F_INDIRECT = 1 << 28, F_EVENT_IDX = 1 << 29 };
enum { ACK = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct queue {
	struct desc desc[256] __attribute__((aligned(16)));
	struct {
		uint16_t flags, idx, ring[QUEUE], used_event;
	} avail __attribute__((aligned(4)));
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, len;
		} ring[QUEUE];
		uint16_t avail_event;	/* both are here if the size is QUEUE */
	} used __attribute__((aligned(4)));
};

struct device {
	volatile uint8_t *config;	/* in the ECAM */
	volatile uint8_t *bar;
};

/* Offsets in BAR 0 of volt-kvm's devices. */
enum { C_DFSELECT = 0, C_DF = 4, C_GFSELECT = 8, C_GF = 12, C_VECTOR = 16,
	C_NQUEUES = 18, C_STATUS = 20, C_GENERATION = 21, C_QSELECT = 22,
	C_QSIZE = 24, C_QVECTOR = 26, C_QENABLE = 28, C_QNOTIFY = 30,
	C_QDESC = 32, C_QAVAIL = 40, C_QUSED = 48, DEVICE_CONFIG = 0x2000,
	NOTIFY = 0x3000, MSIX = 0x4000, PENDING = 0x5000 };

static inline void
outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t
inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint8_t r8(volatile void *p) { return *(volatile uint8_t *)p; }
static inline uint16_t r16(volatile void *p) { return *(volatile uint16_t *)p; }
static inline uint32_t r32(volatile void *p) { return *(volatile uint32_t *)p; }
static inline uint64_t r64(volatile void *p) { return *(volatile uint64_t *)p; }
static inline void w8(volatile void *p, uint8_t v) { *(volatile uint8_t *)p = v; }
static inline void w16(volatile void *p, uint16_t v) { *(volatile uint16_t *)p = v; }
static inline void w32(volatile void *p, uint32_t v) { *(volatile uint32_t *)p = v; }
static inline void w64(volatile void *p, uint64_t v) { *(volatile uint64_t *)p = v; }

void say(const char *s);
uint8_t hear(void);
void check(bool ok, const char *what);
_Noreturn void done(void);

bool device_find(struct device *d, uint16_t id, unsigned int nth);
void device_want(struct device *d, uint16_t id, const char *what);
uint8_t device_begin(struct device *d, uint32_t low_features);
void queue_set(struct device *d, uint16_t i, struct queue *q, uint16_t size);
void queue_enable(struct device *d, uint16_t i);
void device_go(struct device *d);
void device_start(struct device *d, uint32_t features, struct queue *q,
    uint16_t n, uint16_t size);
void submit(struct device *d, uint16_t i, struct queue *q, uint16_t head);
bool wait_used(struct queue *q, uint16_t idx);
bool wait_broken(struct device *d);
void clear(void *p, size_t n);

extern unsigned int failures;

#endif
