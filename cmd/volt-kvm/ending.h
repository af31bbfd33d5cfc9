/* The end of a command: what volt-kvm tells those that wait for it (status.h). */
#ifndef VOLT_KVM_ENDING_H
#define VOLT_KVM_ENDING_H

#include "talk.h"

int ending_status(const struct talk_end *e);
void ending_report(const struct talk_end *e, int status_fd, int signo);
void ending_output(int lost);

#endif
