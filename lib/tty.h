/* Terminals. */
#ifndef VOLT_TTY_H
#define VOLT_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "must.h"

/* The mode of a terminal before tty_raw(). */
struct tty_mode {
	bool raw;	/* tty_restore() is due */
	struct termios saved;
};

bool tty_raw(struct tty_mode *m, int tty);
void tty_restore(struct tty_mode *m, int tty);
bool tty_copy_size(int from, int to);
MUST_CHECK int tty_slave(int master);
size_t tty_eof(int tty, char last, char buf[2]);

#endif
