/*
 * A read-only device of the device mapper.
 *
 * Such a device has a name, and lives until it is removed. DM_ENDS asks the kernel to
 * remove it when it is not open or mounted any more: then it goes with its last user,
 * however that ends. The request needs a device that is open, and the device can be
 * opened only after it was made and has a table. A process that is killed in between
 * leaves an unused device. So these steps are made under a lock, an flock(2) of
 * DM_CONTROL: whoever holds it first removes the unused devices of that kind. They are
 * known by their UUID: a name like theirs may be a volume of LVM's.
 */
#ifndef VOLT_DM_H
#define VOLT_DM_H

#include <stdint.h>

#include "must.h"

#define DM_CONTROL "/dev/mapper/control"
#define DM_PATH 32	/* bytes of the path of a device */

enum dm_life { DM_ENDS, DM_STAYS };

MUST_CHECK int dm_make(const char *name, enum dm_life life, const char *type,
    uint64_t sectors, const char *table, char path[static DM_PATH]);

#endif
