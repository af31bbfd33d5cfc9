/*
 * /dev/stdin, /dev/stdout and /dev/stderr for a command of another user. To open one
 * of them is to open the file of descriptor 0, 1 or 2 again. An anonymous pipe belongs
 * to the user who made it, and has mode 600: no other user can open it again, even
 * with a descriptor of it. So its mode becomes 666; both for reading and for writing,
 * since programs open for reading what they only write to.
 *
 * The owner does not change. So he can still open the pipe, and a later command of
 * yet another user can, too. The only path of such a pipe is in /proc, for processes
 * that have a descriptor of it or may inspect such a process.
 *
 * Nothing else is changed: a file, a named pipe and a terminal have paths that others
 * know, and outlive the command. A socket cannot be opened again.
 */
#ifndef VOLT_REOPEN_H
#define VOLT_REOPEN_H

#include "must.h"

MUST_CHECK int reopen_allow(int fd);
MUST_CHECK int reopen_allow_stdio(void);

#endif
