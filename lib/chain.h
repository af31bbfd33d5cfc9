/* The chain contract (volt(7)): how a link becomes the next command. */
#ifndef VOLT_CHAIN_H
#define VOLT_CHAIN_H

#include <stdbool.h>

#include "must.h"

enum {
	EXIT_LINK = 125,	/* a link failed, or its words were wrong */
	EXIT_CANTEXEC = 126,	/* the command was found but cannot run */
	EXIT_NOTFOUND = 127,	/* the command was not found */
	EXIT_SIGNAL = 128,	/* plus N: signal N killed the command */
};

MUST_CHECK bool chain_may_be_link(const char *command);
MUST_CHECK bool chain_is_name(const char *command);
void chain_begin(void);
void chain_keep(void);
void chain_find_own(void);
void chain_let_go(void);
void chain_refuse_waste(void);
void chain_seal(void);
void chain_advise(const char *line);
void chain_name(char *const argv[], const char *name);
void chain_prepare(char *const argv[]);
/* What a dry run did not do, for the links behind it. */
#define CHAIN_ROOT 'r'	/* the root would have changed */
#define CHAIN_INIT 'p'	/* the next process would be PID 1 */
MUST_CHECK bool chain_is_to(char what);
_Noreturn void chain_dry(char *const argv[], bool root, bool init);
_Noreturn void chain_exec(char *const argv[]);

#endif
