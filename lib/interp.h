/* The interpreter of a program: a dynamic loader, or that of a script. */
#ifndef VOLT_INTERP_H
#define VOLT_INTERP_H

#include <limits.h>
#include <stdbool.h>

bool interp_find(int fd, char interp[static PATH_MAX]);
bool interp_missing(const char *command, char interp[static PATH_MAX]);

#endif
