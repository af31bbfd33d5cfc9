/* The mount that a descriptor is on. */
#ifndef VOLT_MOUNTID_H
#define VOLT_MOUNTID_H

#include <stdint.h>

#include "must.h"

MUST_CHECK int mountid_get(int fd, uint64_t *id);

#endif
