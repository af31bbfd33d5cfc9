/* The settings of a new network namespace. */
#ifndef VOLT_NETNS_H
#define VOLT_NETNS_H

#include "must.h"

MUST_CHECK int netns_loopback(void);
MUST_CHECK int netns_settings(const char **failed);

#endif
