/* What the files of volt-guest share. guest.h is the contract with volt-kvm. */
#ifndef VOLT_GUEST_INSIDE_H
#define VOLT_GUEST_INSIDE_H

#include <stdbool.h>

#include "guest.h"
#include "must.h"
#include "supervise.h"

struct inside {
	unsigned int lane;	/* 0: that of the first command */
	struct guest_words words;
	char **argv, **env;
	int port[GUEST_PORTS];
};

/* boot.c */
void boot_mounts(void);
void boot_seed(void);
void boot_modules(void);
MUST_CHECK bool boot_wait(bool (*is_there)(void *arg), void *arg);
void boot_ports(struct inside *in);

/* root.c */
void root_change(const struct guest_words *w);
void root_shares(const struct guest_words *w);
void root_leave(void);

/* net.c */
void net_up(const struct guest_words *w);

/* command.c */
MUST_CHECK char **command_strings(char *text, size_t len, const char *what);
void command_environment(char *const env[]);
void command_run(struct inside *in, struct supervise *s, int *wstatus);

/* join.c */
void join_start(unsigned int lane, const struct supervise *first);

/* pump.c */
void pump_open(struct inside *in, int child_end[3]);
void pump_begin(struct inside *in, struct supervise *s);
void pump_answer(int ms);
void pump_end(void);

#endif
