/* The ports between volt-kvm and volt-init in the guest. */
#ifndef VOLT_KVM_CONSOLE_H
#define VOLT_KVM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Lines that the guest's control port sends: what status=FD writes (volt(7)),
 * "up" before the command starts, "heard" when it has got a signal, "lost" if
 * nobody took its output. Lines that it gets: "signal N", "size R C".
 */
void console_on_line(void (*line)(const char *line));
void console_signal(unsigned int signo);
void console_size(const char *size);
bool console_drained(void);
void console_look(void);
uint64_t console_taken(void);
void console_lose(void);
int console_lost(void);

#endif
