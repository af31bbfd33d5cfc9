/* The signals of volt-kvm: most are for a command in the guest. */
#ifndef VOLT_KVM_SIGNALS_H
#define VOLT_KVM_SIGNALS_H

#include <stdbool.h>

#include "must.h"

#define SIGNALS_INSIST 500	/* ms from a signal to the next that may end us */

MUST_CHECK int signals_open(void);
const char *signals_terminating(int signo);
MUST_CHECK bool signals_ours(int signo);

#endif
