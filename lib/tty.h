/* Terminals. */
#ifndef VOLT_TTY_H
#define VOLT_TTY_H

#include <stddef.h>

size_t tty_eof(int tty, char last, char buf[2]);

#endif
