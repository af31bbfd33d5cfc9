/*
 * /dev/stdin, /dev/stdout and /dev/stderr for a command of another user. They
 * are names for what the descriptors 0 to 2 hold. A pipe without a name belongs
 * to the user who made it, and its mode, 600, lets no other user open it, not
 * even one who holds it. So its mode is changed: who holds the end for writing
 * may open it for writing, and who holds the end for reading for reading.
 *
 * Only who holds such a pipe, or may look into a process that does, has a name
 * to open it by, so nobody else gains by that. The owner stays as he is, and may
 * open the pipe as before.
 *
 * Nothing else is changed. A file, a named pipe and a terminal have names that
 * others know, and outlast the command. A socket cannot be opened by anybody.
 */
#ifndef VOLT_REOPEN_H
#define VOLT_REOPEN_H

int reopen_allow(int fd);
int reopen_allow_stdio(void);

#endif
