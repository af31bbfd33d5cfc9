/*
 * volt-kvm: run a KVM guest and the command in it. Each vCPU has a thread of its own,
 * and so has each queue of a disk. The main thread does all other I/O.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "arch.h"
#include "chain.h"
#include "check.h"
#include "client.h"
#include "config.h"
#include "devices.h"
#include "file.h"
#include "lock.h"
#include "network.h"
#include "payload.h"
#include "say.h"
#include "session.h"
#include "share.h"
#include "terminal.h"
#include "thread.h"
#include "vcpu.h"
#include "vm.h"
#include "vsock_host.h"

static struct vm vm;
static struct config cfg;
static struct session session;

/* For -v and -N: one line for each item. */
static void
describe(const char *version)
{
	bool shared = false; /* the root */
	unsigned int i;

	say("memory %llu MiB, cpus %u", (unsigned long long)(cfg.memory >> 20),
	    cfg.cpus);
	say("kernel %s%s%s", cfg.kernel, version != NULL ? ", " : "",
	    version != NULL ? version : "");
	for (i = 0; i < cfg.ndisks; i++)
		say("vd%c %s%s%s%s%s%s", 'a' + (int)i, cfg.disks[i].path,
		    cfg.disks[i].ro ? ", read-only" : "",
		    cfg.disks[i].trust.verity.len > 0 ? ", verity" : "",
		    cfg.disks[i].trust.sig != NULL ? ", sig" : "",
		    cfg.disks[i].trust.fsverity.len > 0 ? ", fsverity" : "",
		    cfg.disks[i].scratch != NULL ? ", overlay" : "");
	for (i = 0; i < cfg.npmems; i++)
		say("pmem%u %s", i, cfg.pmems[i].path);
	for (i = 0; i < cfg.nshares; i++) {
		say("%s %s%s", cfg.shares[i].key, cfg.shares[i].path,
		    cfg.shares[i].ro ? ", read-only" : "");
		shared = shared || cfg.shares[i].dst == NULL;
	}
	if (*cfg.argv != NULL && !shared)
		say("root %s", cfg.root != NULL ? cfg.root : "the initramfs");
	if (cfg.net.present)
		say("network %s", cfg.tap != NULL ? cfg.tap : "of volt-net");
	if (cfg.vsock != NULL)
		say("vsock %s", cfg.vsock);
	if (cfg.control != NULL)
		say("control %s", cfg.control);
}

/* rate= */
static void
set_limits(void)
{
	const char *why;
	unsigned int i;

	for (i = 0; i < cfg.nrates; i++)
		if ((why = devices_limit(&vm, &cfg.rate[i])) != NULL)
			errx(EXIT_LINK, "rate=%s: %s", cfg.rate[i].device, why);
}

/*
 * The I/O thread copies bytes out of a file of pmem=, and they are no longer there. It
 * does that in no library function, so this need not be safe for a signal.
 */
static _Noreturn void
cut_off(int signo)
{
	(void)signo;
	session_fail(&session, "a file of pmem= has become shorter");
}

int
main(int argc, char *argv[])
{
	const char *version;

	config_parse(&cfg, argc, argv);
	if (cfg.join != NULL)
		client_join(&cfg);
	if (cfg.control != NULL && cfg.kernel == NULL)
		client_control(&cfg);
	cfg.image = file_map(cfg.kernel, "kernel", &cfg.kernel_trust);
	if (cfg.initrd != NULL)
		cfg.user_initrd = file_map(cfg.initrd, "initrd", &cfg.initrd_trust);
	network_open(&cfg);
	version = arch_kernel_version(&cfg);
	describe(version);
	arch_check(&cfg);
	check_initrd(&cfg);
	check_memory(&cfg);
	if (*cfg.argv != NULL)
		payload_make(&cfg, version);
	if (cfg.dry) {
		blk_check(&cfg);
		share_check(&cfg);
		chain_dry(cfg.argv, true, false);
	}

	chain_refuse_waste();
	if (cfg.vsock != NULL)
		vsock_host_open(&cfg.vsock_host, cfg.vsock);
	if (cfg.control != NULL)
		host_socket_open(&cfg.control_host, "control", cfg.control,
		    SOCK_SEQPACKET, NULL);
	share_start(&cfg);
	lock_begin();
	vm_open(&vm, &cfg);
	vcpu_create_all(&vm, cfg.cpus);
	devices_init(&vm, &cfg);
	set_limits();
	arch_load(&vm, &cfg);
	file_unmap(&cfg.image);
	file_unmap(&cfg.user_initrd);
	file_unmap(&cfg.payload);
	session_begin(&session, &vm, &cfg);
	if (cfg.npmems > 0)
		signal(SIGBUS, cut_off);
	/* No one may read the guest's memory by ptrace(2) or /proc. */
	prctl(PR_SET_DUMPABLE, 0);
	if (cfg.pty && *cfg.argv == NULL)
		terminal_raw();
	vcpu_start_all(&vm);
	thread_go();
	session_run(&session);
}
