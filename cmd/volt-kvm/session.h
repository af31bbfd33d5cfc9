/* The life of a running guest: signals, the command's end, the machine's. */
#ifndef VOLT_KVM_SESSION_H
#define VOLT_KVM_SESSION_H

struct config;
struct vm;

void session_begin(struct vm *vm, const struct config *cfg);
_Noreturn void session_run(void);

#endif
