/* The ports between volt-kvm and volt-guest. */
#ifndef VOLT_KVM_CONSOLE_H
#define VOLT_KVM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

/* line gets each line of the control port (guest.h), without its newline. */
void console_on_line(void (*line)(const char *line));
void console_signal(unsigned int signo);
void console_size(const char *size);
MUST_CHECK bool console_drained(void);
void console_look(void);
uint64_t console_taken(void);
void console_lose(void);
MUST_CHECK int console_lost(void);

#endif
