/* The caller's terminal, which console=pty joins to one in the guest. */
#ifndef VOLT_KVM_TERMINAL_H
#define VOLT_KVM_TERMINAL_H

#include <stddef.h>

void terminal_size(char *buf, size_t size);
void terminal_raw(void);
void terminal_restore(void);

#endif
