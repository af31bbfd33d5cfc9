/* The ports between volt-kvm and volt-guest (guest.h). */
#ifndef VOLT_KVM_CONSOLE_H
#define VOLT_KVM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

struct lane;

void console_on_line(struct lane *l,
    void (*line)(void *arg, const char *line), void *arg);
void console_signal(struct lane *l, unsigned int signo);
void console_size(struct lane *l, const char *size);
MUST_CHECK bool console_drained(struct lane *l);
void console_look(struct lane *l);
uint64_t console_taken(const struct lane *l);
void console_lose(struct lane *l);
MUST_CHECK int console_lost(const struct lane *l);

/* The lanes of join=. */
MUST_CHECK struct lane *console_free_lane(struct lane *first, unsigned int n);
void console_attach(struct lane *l, struct lane *zero, const int stream[3]);
void console_detach(struct lane *l);
MUST_CHECK bool console_left(struct lane *l);
void console_release(struct lane *l);

#endif
