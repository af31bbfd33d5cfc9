/*
 * The death signal (PR_SET_PDEATHSIG): how a process ends with the parent that
 * waits for it. It is kept over exec(2), but the kernel forgets it when the IDs
 * change or a user namespace is entered. So what does that stands between
 * death_hold() and death_release(): the signal is the same afterwards, and a
 * parent that has ended meanwhile is not missed.
 */
#ifndef VOLT_DEATH_H
#define VOLT_DEATH_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "must.h"

struct death {
	bool alone;	/* the caller's: no thread, setns(2) may refuse it */
	int signo;	/* 0: none */
	int watch;	/* readable once the parent is gone; -1: none is */
	pid_t parent;	/* 0: of another PID namespace */
	bool guarded;
	atomic_int state, tid;
	_Alignas(16) char stack[4096];
};

MUST_CHECK int death_hold(struct death *d, int watch);
MUST_CHECK int death_release(struct death *d);

#endif
