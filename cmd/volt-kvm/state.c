#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "balloon.h"
#include "blk.h"
#include "config.h"
#include "net.h"
#include "session.h"
#include "state.h"
#include "vm.h"

struct text {
	char *buf;
	size_t len, size;
};

/* Add a line; one that does not fit is left out. */
static void
add(struct text *t, const char *key, uint64_t value)
{
	int n = snprintf(t->buf + t->len, t->size - t->len, "%s %llu\n", key,
	    (unsigned long long)value);

	if (n > 0 && (size_t)n < t->size - t->len)
		t->len += (size_t)n;
	t->buf[t->len] = '\0';
}

static void
add_disk(struct text *t, const struct blk *b, unsigned int number)
{
	static const char *const counts[BLK_COUNTS] = { "reads", "read.bytes",
		"writes", "written.bytes", "flushes", "errors" };
	char key[32];
	int i;

	snprintf(key, sizeof(key), "vd%c.size", 'a' + (int)number);
	add(t, key, blk_size(b));
	for (i = 0; i < BLK_COUNTS; i++) {
		snprintf(key, sizeof(key), "vd%c.%s", 'a' + (int)number, counts[i]);
		add(t, key, blk_counted(b, (enum blk_count)i));
	}
}

static const char *
state_word(const struct session *s)
{
	if (s->done || atomic_load(&s->vm->end) != VM_RUNS)
		return "ends";
	if (atomic_load(&s->vm->paused))
		return atomic_load(&s->vm->parked) == s->vm->ncpus ? "paused" :
		    "pauses";
	return s->vm->lane != NULL && !s->up ? "starts" : "runs";
}

/*
 * I/O thread: print the guest's state to buf, whole lines of "key value". Counters of
 * other threads may be a little old.
 */
void
state_print(const struct session *s, char *buf, size_t size)
{
	static const char *const exits[EXITS] = { "exits.pio", "exits.mmio",
		"exits.other" };
	const struct vm *vm = s->vm;
	struct text t = { .buf = buf, .size = size };
	unsigned int i, k, joins = 0;
	struct net_counts net;
	uint64_t sum;

	t.len = (size_t)snprintf(buf, size, "state %s\n", state_word(s));
	add(&t, "pid", (uint64_t)s->server.pid);
	add(&t, "cpus", vm->ncpus);
	add(&t, "memory", vm->ram.size);
	add(&t, "balloon", balloon_wanted(vm->balloon));
	add(&t, "balloon.actual", balloon_actual(vm->balloon));
	for (k = 0; k < EXITS; k++) {
		for (sum = 0, i = 0; i < vm->ncpus; i++)
			sum += vm->cpu[i].exits[k];
		add(&t, exits[k], sum);
	}
	for (i = 0; i < vm->ndisks; i++)
		add_disk(&t, vm->disk[i], i);
	if (vm->net != NULL && net_counted(vm->net, &net)) {
		add(&t, "net.received", net.received);
		add(&t, "net.received.bytes", net.received_bytes);
		add(&t, "net.sent", net.sent);
		add(&t, "net.sent.bytes", net.sent_bytes);
	}
	for (i = 0; i < GUEST_JOINS; i++)
		joins += s->server.join[i].lane != NULL;
	add(&t, "joins", joins);
}
