/* What the files of volt-init share. */
#ifndef VOLT_INIT_H
#define VOLT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "supervise.h"

struct init {
	bool dry, boot, die_with_parent;
	bool group;	/* signals go to the command's process group */
	uint64_t grace;	/* ms; 0: no limit */
	uint64_t timeout;	/* ms; 0: no limit */
	struct env env;
	const char *ready;	/* path of the notify socket, or NULL */
	int stop_signal;	/* or 0 */
	size_t nlocks, nholds;
	const char **locks;	/* files to lock */
	int status_fd;	/* or -1 */
};

/* boot.c */
_Noreturn void boot(char *argv[]);

/* locks.c */
void locks_add(void *init, const char *key, const char *value);
void locks_hold(void *init, const char *key, const char *value);
void locks_take(const struct init *in);

/* ready.c */
void ready_open(struct init *in, struct supervise *s);

#endif
