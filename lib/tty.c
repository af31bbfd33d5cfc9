#include <string.h>
#include <termios.h>

#include "tty.h"

/*
 * What to write to the master of a pty at the end of its input: its end-of-file
 * character; twice if the first one would only end an unfinished line. last is the last
 * byte that was written. Returns the number of characters; 0 if the terminal's mode has
 * no end-of-file character.
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
