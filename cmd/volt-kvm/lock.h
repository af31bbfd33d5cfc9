/*
 * What volt-kvm gives up once the guest is set up. Each kind of thread has a filter of
 * system calls, made of share/kvm-*.seccomp when volt was built. Landlock, where the
 * kernel has it, takes all files and networks. The descriptors that are open stay.
 *
 * A build with a sanitizer has no filter: the sanitizers' own calls are unknown.
 */
#ifndef VOLT_KVM_LOCK_H
#define VOLT_KVM_LOCK_H

enum lock_kind { LOCK_VCPU, LOCK_DISK, LOCK_IO, LOCK_KINDS };

void lock_begin(void);
void lock_thread(enum lock_kind kind);

#endif
