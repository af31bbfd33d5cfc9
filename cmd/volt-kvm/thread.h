#ifndef VOLT_KVM_THREAD_H
#define VOLT_KVM_THREAD_H

#include <pthread.h>
#include <time.h>

#include "lock.h"
#include "must.h"

MUST_CHECK int thread_timer(timer_t *timer);
MUST_CHECK int thread_start(pthread_t *t, void *(*run)(void *), void *arg, enum
    lock_kind kind, timer_t *timer);
void thread_go(void);

#endif
