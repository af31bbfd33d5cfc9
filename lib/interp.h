/* What a program file is run by. */
#ifndef VOLT_INTERP_H
#define VOLT_INTERP_H

#include <limits.h>
#include <stdbool.h>

bool interp_missing(const char *command, char interp[static PATH_MAX]);

#endif
