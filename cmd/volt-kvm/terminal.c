#include <sys/ioctl.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "terminal.h"
#include "tty.h"

static struct tty_mode mode;

/* "ROWS COLUMNS" of the terminal at standard input; without one "24 80". */
void
terminal_size(char *buf, size_t size)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };

	(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &ws);
	snprintf(buf, size, "%u %u", ws.ws_row, ws.ws_col);
}

/* Pass each key to the guest, also ^C: the guest's terminal acts on it. */
void
terminal_raw(void)
{
	if (!mode.raw && tty_raw(&mode, STDIN_FILENO))
		(void)atexit(terminal_restore);
}

void
terminal_restore(void)
{
	tty_restore(&mode, STDIN_FILENO);
}
