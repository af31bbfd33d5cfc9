/* What the command line says. */
#ifndef VOLT_KVM_CONFIG_H
#define VOLT_KVM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"
#include "ram.h"
#include "rate.h"
#include "tap.h"
#include "trust.h"
#include "vsock_host.h"

#define CONFIG_DISKS GUEST_DISKS
#define CONFIG_PMEMS RAM_FILES	/* pmem0 to pmem7 */
#define CONFIG_SHARES 9	/* the root, and eight more */
#define CONFIG_LIST 64

struct blob {
	void *data;
	size_t len;
};

struct disk {
	const char *path;
	bool ro, direct;
	unsigned int block;	/* the guest's block size; 0: the backing's */
	const char *scratch;	/* overlay: a directory; "": memory; or NULL */
	struct trust trust;
};

/* A directory of the host, by virtio-fs. */
struct share {
	const char *key;	/* "share" or "root" */
	const char *path;
	const char *dst;	/* where the guest mounts it; NULL: as its root */
	char tag[16];	/* its name for the guest's kernel */
	bool ro, suid;

	/* Its daemon (share.h). */
	int sock;	/* connected to it */
	int said;	/* a pipe from its standard error */
	int pid;	/* the first link of its chain: a child that nobody waits for */
	int pidfd;	/* of that process */
};

/* The strings are passed to the guest unchanged. */
struct net_config {
	bool present;
	int tap[TAP_QUEUES];	/* one for each pair of queues */
	unsigned int ntaps;
	uint8_t mac[6];
	unsigned int mtu;	/* 0: the driver's default */
	const char *ip, *gw, *ip6, *gw6, *dns, *search, *options;
};

struct config {
	bool dry, console, stats, json;
	const char *control;	/* the path of a guest's socket, or NULL */
	struct host_socket control_host;	/* open if a guest is started */
	const char *join;	/* run the command in the guest of that socket */
	const char *orders[CONFIG_LIST];	/* for a living guest (talk.h) */
	unsigned int norders;
	const char *only_living;	/* a word that a living guest alone takes */
	bool pty;	/* console=pty */
	uint64_t memory;
	const char *memory_text;
	uint64_t balloon;	/* its size at the start, in bytes */
	unsigned int cpus;
	bool nested;
	const char *kernel;
	const char *initrd;
	struct trust kernel_trust, initrd_trust;	/* fsverity= alone */
	const char *modules;	/* NULL: /lib/modules/VERSION */
	const char *root;	/* NULL: the initramfs */
	const char *overlay;	/* of the root: "tmpfs", a device, or NULL */
	const char *hostname;
	const char *tap;
	struct net_config net;
	const char *vsock;	/* the path, or NULL */
	struct host_socket vsock_host;	/* open if that is given */
	const char *chdir;
	uint64_t boot_timeout, stop_timeout;	/* ms; 0: none */
	int status_fd;	/* or -1 */
	struct disk disks[CONFIG_DISKS];
	unsigned int ndisks;
	struct disk pmems[CONFIG_PMEMS];	/* read-only */
	unsigned int npmems;
	struct share shares[CONFIG_SHARES];
	unsigned int nshares;
	const char *virtiofsd;	/* NULL: where distributions have it */
	const char *cmdline[CONFIG_LIST];
	unsigned int ncmdline;
	struct rate_word rate[CONFIG_LIST];
	unsigned int nrates;
	bool net_rate;	/* one of them is for the network card */
	const char *env[CONFIG_LIST];
	unsigned int nenv;
	char **argv;	/* the command; { NULL } if there is none */

	/* The files. */
	struct blob image;	/* the kernel */
	struct blob payload;	/* the initramfs that volt-kvm makes */
	struct blob user_initrd;
};

/* words.c */
void config_parse(struct config *c, int argc, char *argv[]);

#endif
