/* User namespaces. */
#ifndef VOLT_USERNS_H
#define VOLT_USERNS_H

#include "must.h"

MUST_CHECK int userns_is_initial(void);

#endif
