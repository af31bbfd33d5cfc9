#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "balloon.h"
#include "config.h"
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

static const char *
state_word(const struct session *s)
{
	if (s->done || atomic_load(&s->vm->end) != VM_RUNS)
		return "ends";
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
	uint64_t sum;

	t.len = (size_t)snprintf(buf, size, "state %s\n", state_word(s));
	add(&t, "pid", (uint64_t)s->server.pid);
	add(&t, "cpus", vm->ncpus);
	add(&t, "memory", vm->ram.size);
	for (k = 0; k < EXITS; k++) {
		for (sum = 0, i = 0; i < vm->ncpus; i++)
			sum += vm->cpu[i].exits[k];
		add(&t, exits[k], sum);
	}
	for (i = 0; i < GUEST_JOINS; i++)
		joins += s->server.join[i].lane != NULL;
	add(&t, "joins", joins);
}
