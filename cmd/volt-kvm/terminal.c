#include <sys/ioctl.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "terminal.h"

static struct termios saved;
static bool is_raw;

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
	struct termios t;

	if (is_raw || tcgetattr(STDIN_FILENO, &saved) == -1)
		return; /* raw already, or not a terminal */
	t = saved;
	cfmakeraw(&t);
	is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
	(void)atexit(terminal_restore);
}

void
terminal_restore(void)
{
	if (is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	is_raw = false;
}
