/*
 * Netlink, on libmnl. A request is built without checks: if something does not
 * fit, that sets a flag, and nl_run() then refuses the whole request.
 */
#ifndef VOLT_NET_NL_H
#define VOLT_NET_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define NL_SMALL 4096
#define NL_BATCH 131072

struct nl {
	int fd;
	uint32_t seq;
	bool interrupted;	/* the last dump changed while it was made */
	char why[128];	/* the kernel's text for its last error, or "" */
};

/* One or more messages that are sent together. */
struct nlreq {
	char *buf;
	size_t size, used;	/* used: bytes of the messages up to now */
	struct nlmsghdr *msg;	/* the last message */
	bool full;
	_Alignas(struct nlmsghdr) char small[NL_SMALL];
};

/* Called for each message of an answer, except acknowledgements. */
typedef void nl_cb(const struct nlmsghdr *msg, void *ctx);

MUST_CHECK int nl_open(struct nl *nl, int bus);
void nl_use(struct nl *nl, int fd);
MUST_CHECK int nl_run(struct nl *nl, struct nlreq *r, nl_cb *cb, void *ctx);
MUST_CHECK int nl_dump(struct nl *nl, struct nlreq *r, nl_cb *cb, void *ctx);
MUST_CHECK int nl_talk(struct nl *nl, struct nlreq *r);
_Noreturn void nl_fail(const struct nl *nl, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void *nlreq_init(struct nlreq *r, int type, int flags, size_t extra);
MUST_CHECK int nlreq_batch(struct nlreq *r);
void *nlreq_next(struct nlreq *r, int type, int flags, size_t extra);
void nlreq_put(struct nlreq *r, int attr, const void *data, size_t len);
void nlreq_str(struct nlreq *r, int attr, const char *s);
void nlreq_u8(struct nlreq *r, int attr, uint8_t v);
void nlreq_u32(struct nlreq *r, int attr, uint32_t v);
void nlreq_be32(struct nlreq *r, int attr, uint32_t v);
void *nlreq_extra(struct nlreq *r, size_t size);
struct nlattr *nlreq_nest(struct nlreq *r, int attr);
void nlreq_end(struct nlreq *r, struct nlattr *nest);

const void *nl_header(const struct nlmsghdr *msg, size_t size);
const void *nl_find(const struct nlmsghdr *msg, size_t extra, int attr,
    size_t *len);
const void *nl_inside(const void *nest, size_t size, int attr, size_t *len);
const char *nl_string(const void *data, size_t len, char *buf, size_t size);
bool nl_copy(const struct nlmsghdr *msg, size_t extra, int attr, void
    *to, size_t size);
void nl_copy_string(const struct nlmsghdr *msg, size_t extra, int attr,
    char *to, size_t size);

#endif
