/* Threads for a device whose requests may block (vio_worker.c). */
#ifndef VOLT_KVM_VIO_WORKER_H
#define VOLT_KVM_VIO_WORKER_H

#include "must.h"

struct vio;

MUST_CHECK int vio_workers_start(struct vio *v);

#endif
