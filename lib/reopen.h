/*
 * /dev/stdin, /dev/stdout and /dev/stderr for a command of another user. They
 * are names for what the descriptors 0 to 2 hold. A pipe without a name belongs
 * to the user who made it, and its mode, 600, lets no other user open it, not
 * even one who holds it. So its mode becomes 666. For both directions: programs
 * open what they only write to for reading, too.
 *
 * The owner stays as he is, and so may open the pipe as before, and the next
 * command of yet another user finds it open to him as well. A name to open such
 * a pipe by is in /proc, for those who hold it, or may look into a process that
 * does; all else learn nothing of it.
 *
 * Nothing else is changed. A file, a named pipe and a terminal have names that
 * others know, and outlast the command. A socket cannot be opened by anybody.
 */
#ifndef VOLT_REOPEN_H
#define VOLT_REOPEN_H

#include "must.h"

MUST_CHECK int reopen_allow(int fd);
MUST_CHECK int reopen_allow_stdio(void);

#endif
