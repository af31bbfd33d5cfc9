/* The values of words: numbers, sizes, times, lists. */
#ifndef VOLT_VALUE_H
#define VOLT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "must.h"

MUST_CHECK int value_uint(const char *s, uint64_t max, uint64_t *out);
MUST_CHECK int value_size(const char *s, uint64_t *out);
MUST_CHECK int value_time(const char *s, uint64_t *ms);
MUST_CHECK int value_field(const char **cursor, char sep, char *buf, size_t
    size);

#endif
