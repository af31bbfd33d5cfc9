/* volt-kvm as the client of a living guest: join= and control= (talk.h). */
#ifndef VOLT_KVM_CLIENT_H
#define VOLT_KVM_CLIENT_H

#include "config.h"

/* client.c */
int client_connect(const char *key, const char *path);
_Noreturn void client_join(const struct config *cfg);

/* client_control.c */
_Noreturn void client_control(const struct config *cfg);

#endif
