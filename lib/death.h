/*
 * The death signal (PR_SET_PDEATHSIG): it ends a process with the parent that waits
 * for it. It is kept over exec(2), but the kernel clears it when the process changes
 * its IDs or enters a user namespace. So such a change is made between death_hold()
 * and death_release(): they restore the signal, and notice a parent that has ended
 * meanwhile.
 */
#ifndef VOLT_DEATH_H
#define VOLT_DEATH_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "must.h"

struct death {
	bool alone;	/* set by the caller: make no thread; setns(2) may refuse it */
	int signo;	/* 0: none */
	int watch;	/* readable once the parent has ended; -1: none */
	pid_t parent;	/* 0: in another PID namespace */
	bool guarded;
	atomic_int state, tid;
	_Alignas(16) char stack[4096];
};

MUST_CHECK int death_hold(struct death *d, int watch);
MUST_CHECK int death_release(struct death *d);

#endif
