/* Untrusted text that is shown to a person. */
#ifndef VOLT_TEXT_H
#define VOLT_TEXT_H

#include <stddef.h>

size_t text_char(const char *s, size_t len);
size_t text_show(const char *s, size_t len, char *buf, size_t size);

#endif
