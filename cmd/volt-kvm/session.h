/* What volt-kvm does from the guest's start to its end (session.c). */
#ifndef VOLT_KVM_SESSION_H
#define VOLT_KVM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"
#include "talk.h"

struct config;
struct vm;

struct session {
	struct vm *vm;
	const struct config *cfg;
	bool up;	/* volt-guest has started the command */
	bool done;	/* the command has ended */
	struct server server;	/* if there is control= */
	bool told;	/* a SIGTERM was sent to it */
	int ready;	/* where to say that it has started (VOLT_READY); or -1 */
	struct talk_end end;	/* how; valid once it is done */

	/* CLOCK_MONOTONIC, ms; 0: does not apply */
	int64_t boot_end, stop_end, panic_end;
	int64_t asked;	/* the first signal that the guest has not answered */
	int asked_by;	/* which one */
	bool warned;	/* of that silence */

	/* At the end. */
	bool looked;	/* at the console, for the guest's last words */
	uint64_t taken;	/* bytes of output that were taken so far */
	int64_t taken_end;	/* when more must be; 0: not yet known */
};

void session_signal(struct session *s, int signo);
void session_begin(struct session *s, struct vm *vm, const struct config *cfg);
_Noreturn void session_run(struct session *s);
_Noreturn void session_fail(struct session *s, const char *why);

#endif
