/*
 * Paths below a root that another user may write to. Each lookup is one openat2(2)
 * with RESOLVE_IN_ROOT: a symlink, absolute or with "..", stays below the root, even
 * if another process replaces files meanwhile.
 */
#ifndef VOLT_PATH_H
#define VOLT_PATH_H

#include <sys/types.h>

#include "must.h"

MUST_CHECK int path_open(int root, const char *path, int flags);
MUST_CHECK int path_make(int root, const char *path, mode_t type);
MUST_CHECK int path_make_with(int root, const char *path, mode_t type, mode_t way,
    mode_t last);

#endif
