/* Names of capabilities (capabilities(7)). */
#ifndef VOLT_CAPNAME_H
#define VOLT_CAPNAME_H

#include <stddef.h>

#include "must.h"

#define CAPNAME_SETS 64	/* bits of the kernel's sets */

MUST_CHECK int capname_parse(const char *name);
const char *capname_of(unsigned int cap);
size_t capname_known(void);

#endif
