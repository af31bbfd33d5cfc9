/*
 * volt-init as the first program of a guest (volt-kvm(1)). volt-kvm puts an
 * initramfs together (cmd/volt-kvm/payload.c):
 *
 *	/volt/guest	what to do, in words, a line each (guest.c)
 *	/volt/argv, env	the command and its variables, each with its NUL
 *	/volt/modules	kernel modules, and "order", their names a line each
 *	/volt/seed	random bytes
 *	/volt/bin, share/volt	the toolbox
 *	/volt/root, over, disk	where to mount
 */
#ifndef VOLT_INIT_GUEST_H
#define VOLT_INIT_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "supervise.h"

#define GUEST_FILE "/volt/guest"
#define GUEST_ROOT "/volt/root"	/* becomes the root */
#define GUEST_DISK "/volt/disk"	/* under an overlay */
#define GUEST_OVER "/volt/over"	/* what is written to it */

enum guest_port { GUEST_STDIN, GUEST_STDOUT, GUEST_STDERR, GUEST_CONTROL,
	GUEST_PORTS };

struct guest {
	char *root, *overlay, *hostname, *chdir;
	char *console, *size;
	char *mac, *ip, *gw, *ip6, *gw6, *dns, *search, *options;	/* or NULL */
	char **argv, **env;
	int port[GUEST_PORTS];
};

/* guest.c */
bool guest_here(void);
_Noreturn void guest_main(void);

/* guest_boot.c */
void guest_early(void);
void guest_seed(void);
void guest_modules(void);
void guest_ports(struct guest *g);

/* guest_root.c */
void guest_root(const struct guest *g);
void guest_root_end(void);

/* guest_net.c */
void guest_net(const struct guest *g);

/* guest_pump.c */
void guest_pump_pipes(struct guest *g, int child_end[3]);
void guest_pump_begin(struct guest *g, struct supervise *s);
void guest_pump_answer(int ms);
void guest_pump_end(void);

#endif
