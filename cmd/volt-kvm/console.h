/* The ports between volt-kvm and volt-guest (guest.h). */
#ifndef VOLT_KVM_CONSOLE_H
#define VOLT_KVM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

struct console;

/* line() gets each line from the control port, without its newline. */
void console_on_line(struct console *c,
    void (*line)(void *arg, const char *line), void *arg);
void console_signal(struct console *c, unsigned int signo);
void console_size(struct console *c, const char *size);
MUST_CHECK bool console_drained(struct console *c);
void console_look(struct console *c);
uint64_t console_taken(const struct console *c);
void console_lose(struct console *c);
MUST_CHECK int console_lost(const struct console *c);

#endif
