/*
 * What volt-kvm looks at in a guest's FUSE requests and in a daemon's answers
 * (linux/fuse.h). Both may lie. A request is checked in a copy that the guest cannot
 * change any more.
 */
#ifndef VOLT_KVM_FUSE_H
#define VOLT_KVM_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define FUSE_IN_HEADER 40u	/* bytes: struct fuse_in_header */
#define FUSE_OUT_HEADER 16u	/* struct fuse_out_header */
#define FUSE_WRITE_HEADER 80u	/* that of a request, and struct fuse_write_in */

/* Bytes of a request's beginning that are checked: every name is in them. */
#define FUSE_HEAD 8192u

/* Room for an answer without data: a structure, or the text of a symlink. */
#define FUSE_ROOM (FUSE_OUT_HEADER + 4096u)

/* The daemons' limits: 256 pages of data, and a page for the headers. */
#define FUSE_MOST ((1u << 20) + 4096u)

#define FUSE_RANGES 32

/* IDs that are mapped in the daemon's user namespace. */
struct fuse_ids {
	unsigned int n;
	struct {
		uint32_t first, count;
	} range[FUSE_RANGES];
};

struct fuse_rules {
	bool suid;	/* the guest may set set-user-ID bits and file capabilities */
	struct fuse_ids uids, gids;
};

/* What volt-kvm remembers of a request. */
struct fuse_request {
	uint32_t opcode;
	uint64_t unique;
	bool silent;	/* there need not be an answer */
	uint32_t room;	/* bytes of the longest answer */
};

MUST_CHECK int fuse_check(const struct fuse_rules *r, uint8_t *head, size_t len,
    uint64_t total, struct fuse_request *q);
MUST_CHECK int fuse_answer(const struct fuse_request *q,
    const uint8_t head[FUSE_OUT_HEADER], uint32_t len);
void fuse_error(const struct fuse_request *q, int error,
    uint8_t head[FUSE_OUT_HEADER]);
void fuse_destroy(struct fuse_request *q, uint8_t head[FUSE_IN_HEADER]);
MUST_CHECK int fuse_ids_parse(struct fuse_ids *ids, const char *map);

#endif
