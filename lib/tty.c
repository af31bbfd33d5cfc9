#include <string.h>
#include <termios.h>

#include "tty.h"

/*
 * What to write to a pty's master where a pipe would be closed: its end of file
 * is a character, and one more where the first would only end an unfinished
 * line; last is what was written before. Returns their number, 0 for a terminal
 * that is in no state to take one.
 */
size_t
tty_eof(int tty, char last, char buf[2])
{
	struct termios t;

	if (tcgetattr(tty, &t) == -1 || (t.c_lflag & ICANON) == 0)
		return 0;
	memset(buf, t.c_cc[VEOF], 2);
	return last == '\n' ? 1 : 2;
}
