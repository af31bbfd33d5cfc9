/*
 * The contract between volt-kvm, outside of the guest, and volt-guest, the guest's
 * first program.
 *
 * volt-kvm packs the payload, an initramfs. It holds volt-guest; the other volt
 * programs that the command names; the command's arguments and variables (strings,
 * each with its NUL); the kernel's modules, and a file with their names in order;
 * random bytes; and the words of struct guest_words, one on each line.
 *
 * They communicate by four ports of a virtio console. On the control port volt-guest
 * writes lines: GUEST_UP before the command starts, GUEST_HEARD for each signal,
 * GUEST_LOST if output was lost, and at the end the line of status= (volt(7)).
 * volt-kvm writes GUEST_SIGNAL with a number, and GUEST_SIZE with the rows and
 * columns of the terminal.
 *
 * A lane is such a set of four ports. Lane 0 is that of the first command. With control=
 * there is a second virtio console with GUEST_JOINS more lanes, for join=. volt-kvm
 * writes GUEST_JOIN with the number of a lane to the control port of lane 0. Then
 * volt-guest opens the ports of that lane, and reads a request from its standard input:
 * a struct guest_request, words, arguments and variables. What follows is the input of
 * the command. When it has ended volt-guest reports that on the lane's control port, and
 * closes the ports. They may be used again once all are closed.
 *
 * Root in the guest can write to a control port, so volt-kvm does not trust these
 * lines: it ignores one that is malformed.
 */
#ifndef VOLT_GUEST_H
#define VOLT_GUEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"
#include "trust.h"

/* Paths in the payload. Like those of cpio(5) they do not begin with a slash. */
#define GUEST_DIR "volt"
#define GUEST_PROGRAMS GUEST_DIR "/bin"
#define GUEST_INIT GUEST_PROGRAMS "/volt-guest"
#define GUEST_SHARE GUEST_DIR "/share"
#define GUEST_SHARE_WORDS GUEST_SHARE "/volt"
#define GUEST_WORDS GUEST_DIR "/guest"
#define GUEST_ARGV GUEST_DIR "/argv"
#define GUEST_ENV GUEST_DIR "/env"
#define GUEST_SIG GUEST_DIR "/sig-"	/* and the name of the disk */
#define GUEST_SEED GUEST_DIR "/seed"
#define GUEST_MODULES GUEST_DIR "/modules"
#define GUEST_MODULES_ORDER GUEST_MODULES "/order"
#define GUEST_ROOT GUEST_DIR "/root"	/* where the root is mounted */
#define GUEST_LOWER GUEST_DIR "/disk"	/* the lower directory of an overlay */
#define GUEST_UPPER GUEST_DIR "/over"	/* its upper and work directories */

/* Suffixes of a module: it may fail to load; it is still compressed. */
#define GUEST_MODULE_SOFT "?"
#define GUEST_MODULE_PACKED ".p"

/* Lines of the control port, without their newline. */
#define GUEST_UP "up"
#define GUEST_HEARD "heard"
#define GUEST_LOST "lost"
#define GUEST_SIGNAL "signal "
#define GUEST_SIZE "size "
#define GUEST_JOIN "join "

#define GUEST_JOINS 8	/* lanes for join=, from number 1 */

enum guest_port { GUEST_STDIN, GUEST_STDOUT, GUEST_STDERR, GUEST_CONTROL,
	GUEST_PORTS };

#define GUEST_PORT_NAME 24	/* bytes of a port's name, at most, and its NUL */

/*
 * A request. The numbers are bytes: of words, as guest_words_print() makes them; of the
 * command's arguments and of variables, strings with their NULs. The texts follow.
 */
#define GUEST_REQUEST_MOST ((uint32_t)1 << 20)	/* of all texts */
struct guest_request {
	uint32_t words, argv, env;
};

#define GUEST_SHARES 8
#define GUEST_DISKS 26	/* vda to vdz */

/* What volt-guest must do. A word that was not given is NULL. */
struct guest_words {
	const char *pmems;	/* how many files of pmem= */
	const char *root, *overlay, *hostname, *chdir;
	const char *console, *size;	/* "pty"; "ROWS COLUMNS" */
	/* The network card, as volt-net leased its addresses (tap.h). */
	const char *mac, *ip, *gw, *ip6, *gw6, *dns, *search, *options;
	/* Directories of the host, each as guest_share_parse() has it. */
	const char *share[GUEST_SHARES];
	unsigned int nshares;
	/* Disks with dm-verity, each as guest_verity_parse() has it. */
	const char *verity[GUEST_DISKS];
	unsigned int nverity;
};

/* A disk of the guest and how to mount it: DEV[:TYPE][:ro]. */
#define GUEST_TYPE "ext4"	/* the default */
#define GUEST_SHARE_TYPE "virtiofs"	/* DEV is the tag of a directory */
struct guest_disk {
	char dev[64];	/* "vda", "/dev/vda", "pmem0" */
	char type[64];	/* "": not given */
	bool ro;
};

void guest_port_name(char name[GUEST_PORT_NAME], unsigned int lane,
    enum guest_port port);
MUST_CHECK int64_t guest_request_size(const struct guest_request *r);
MUST_CHECK bool guest_strings(const char *text, size_t len, size_t *n);
MUST_CHECK int guest_disk_parse(struct guest_disk *d, const char *word);
/* A directory of the host and where to mount it: TAG:DST[:ro]. */
struct guest_share {
	char tag[16];
	char dst[PATH_MAX];
	bool ro;
};

MUST_CHECK int guest_share_print(const struct guest_share *s, char *buf, size_t size);
MUST_CHECK int guest_share_parse(struct guest_share *s, const char *word);
/* A disk with dm-verity: DEV:verity=HASH[:hashes=OFFSET][:sig=FILE]. */
struct guest_verity {
	char dev[8];	/* "vda" */
	struct trust trust;
};

MUST_CHECK int guest_verity_print(const struct guest_verity *v, char *buf, size_t size);
MUST_CHECK int guest_verity_parse(struct guest_verity *v, const char *word);
MUST_CHECK int guest_words_print(const struct guest_words *w, char *buf, size_t size);
void guest_words_parse(struct guest_words *w, char *text);

#endif
