/*
 * Telling a failed set-up from a command that ends with the same status: a
 * counter (eventfd) that travels down the chain in VOLT_STATUS. The last link
 * adds one as it becomes the command; a link that waited for it, and itself
 * ends with 128+N, adds 256 times the signal N. Whoever waits further out looks
 * once all is over.
 */
#ifndef VOLT_STATUS_H
#define VOLT_STATUS_H

#include <stdbool.h>

int status_watch(void);
bool status_is_ours(int fd);
int status_start(void);
void status_unstart(int counter);
void status_tell(int wstatus);
void status_report(int fd, int counter, int wstatus);

#endif
