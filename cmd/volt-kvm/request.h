/* What the guest gets of a command: its arguments, variables and words (guest.h). */
#ifndef VOLT_KVM_REQUEST_H
#define VOLT_KVM_REQUEST_H

#include <stddef.h>

struct config;

char *request_strings(char *const *list, size_t n, size_t *len);
char *request_environment(const struct config *cfg, size_t *len);
char *request_make(const struct config *cfg, size_t *len);

#endif
