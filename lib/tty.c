#include <sys/ioctl.h>

#include <fcntl.h>
#include <string.h>

#include "tty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/*
 * Make the terminal pass each key on as it is, also ^C. This may be called again, if
 * another process may have changed the mode. Returns whether the terminal is raw now;
 * false if it is not a terminal.
 */
bool
tty_raw(struct tty_mode *m, int tty)
{
	struct termios t;

	if (tcgetattr(tty, &t) == -1)
		return false;
	if (!m->raw)
		m->saved = t;
	cfmakeraw(&t);
	/* Not TCSADRAIN, which waits for a terminal that takes no output. */
	if (tcsetattr(tty, TCSANOW, &t) == -1)
		return false;
	m->raw = true;
	return true;
}

/* Undo tty_raw(), if it has changed the mode. */
void
tty_restore(struct tty_mode *m, int tty)
{
	if (m->raw)
		(void)tcsetattr(tty, TCSANOW, &m->saved);
	m->raw = false;
}

/* Give a terminal the size of another. Returns false if they are not terminals. */
bool
tty_copy_size(int from, int to)
{
	struct winsize size;

	return ioctl(from, TIOCGWINSZ, &size) == 0 &&
	    ioctl(to, TIOCSWINSZ, &size) == 0;
}

/*
 * Open the slave of a pty, wherever its devpts is mounted. It closes on exec, and the
 * caller closes it. Returns the descriptor, or -1 and errno.
 */
int
tty_slave(int master)
{
	int unlock = 0;

	if (ioctl(master, TIOCSPTLCK, &unlock) == -1)
		return -1;
	return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

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
