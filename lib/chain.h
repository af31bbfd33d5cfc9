/* The chain contract (volt(7)): how a link becomes the next command. */
#ifndef VOLT_CHAIN_H
#define VOLT_CHAIN_H

enum {
	EXIT_LINK = 125,	/* a link failed, or its words were wrong */
	EXIT_CANTEXEC = 126,	/* the command was found but cannot run */
	EXIT_NOTFOUND = 127,	/* the command was not found */
	EXIT_SIGNAL = 128,	/* plus N: signal N killed the command */
};

void chain_begin(void);
void chain_keep(void);
void chain_refuse_waste(void);
void chain_seal(void);
void chain_advise(const char *line);
void chain_prepare(char *const argv[]);
_Noreturn void chain_exec(char *const argv[]);

#endif
