/*
 * Paths below a root that somebody else may write. Every resolution is one
 * openat2(2) with RESOLVE_IN_ROOT: a symbolic link, absolute or full of "..",
 * stays below the root, whatever is swapped while we look.
 */
#ifndef VOLT_PATH_H
#define VOLT_PATH_H

#include <sys/types.h>

#include "must.h"

MUST_CHECK int path_open(int root, const char *path, int flags);
MUST_CHECK int path_make(int root, const char *path, mode_t type);

#endif
