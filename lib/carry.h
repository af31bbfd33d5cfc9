/*
 * Descriptors that go down the chain. A variable whose name begins with VOLT_ names
 * them: "N[:N...]", with "-" for a missing one. Any program may set the variable. So a
 * descriptor is believed only after a check (toolbox_is_ours() and others), which
 * returns 1 or 0; or -1 and errno if it could not find out, which is an error and
 * neither answer.
 */
#ifndef VOLT_CARRY_H
#define VOLT_CARRY_H

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

MUST_CHECK bool carry_is_variable(const char *text);
MUST_CHECK bool carry_next(const char **cursor, int *fd);
MUST_CHECK int carry_find(const char *name, int (*is_ours)(int fd));
MUST_CHECK bool carry_is_none(int error);
MUST_CHECK int carry_announce(const char *name, const int *fd, size_t n,
    const char *more);
MUST_CHECK int carry_unlike(void);

#endif
