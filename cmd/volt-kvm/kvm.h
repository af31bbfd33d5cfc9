/* How KVM is called. */
#ifndef VOLT_KVM_KVM_H
#define VOLT_KVM_KVM_H

#include <linux/kvm.h>
#include <sys/syscall.h>

#include <unistd.h>

/* ioctl(2): the type of its request differs between C libraries. */
static inline int
kvm_call(int fd, unsigned long request, const void *arg)
{
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static inline int
kvm_call_n(int fd, unsigned long request, unsigned long n)
{
	return (int)syscall(SYS_ioctl, fd, request, n);
}

#endif
