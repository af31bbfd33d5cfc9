/*
 * Telling a failed set-up from a command that ends with the same status: a
 * counter (eventfd) that travels down the chain in VOLT_STATUS. The last link
 * adds one as it becomes the command; whoever waits looks once all is over.
 */
#ifndef VOLT_STATUS_H
#define VOLT_STATUS_H

#include <stdbool.h>

int status_watch(void);
bool status_started(int counter);
int status_start(void);
void status_unstart(int counter);
void status_report(int fd, int counter, int wstatus);

#endif
