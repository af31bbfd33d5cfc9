/* How KVM is called. */
#ifndef VOLT_KVM_KVM_H
#define VOLT_KVM_KVM_H

#include <linux/kvm.h>

#include "sys.h"

static inline int
kvm_call(int fd, unsigned long request, const void *arg)
{
	return sys_ioctl(fd, request, arg);
}

/* For a request whose argument is a number. */
static inline int
kvm_call_n(int fd, unsigned long request, unsigned long n)
{
	return (int)syscall(SYS_ioctl, fd, request, n);
}

#endif
