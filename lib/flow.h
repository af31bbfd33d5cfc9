/*
 * A flow copies bytes from one descriptor to another, through a buffer. The caller
 * polls, and each call is one read(2) or write(2). The buffer is filled only when it is
 * empty: so a slow reader slows the writer down.
 */
#ifndef VOLT_FLOW_H
#define VOLT_FLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define FLOW_PIECE 32768	/* the driver of a virtio console sends this at once */

struct flow {
	int from, to;	/* -1: the flow has ended there */
	int own;	/* from or to, which flow_end() closes; -1: neither */
	bool recv, send;	/* from, to: a socket, whose mode others share */
	size_t most;	/* bytes of one write; 0: as many as there are */
	size_t at, len;	/* buf[at] to buf[len - 1] must be written */
	char buf[FLOW_PIECE];
};

MUST_CHECK bool flow_is_full(const struct flow *f);
MUST_CHECK int flow_fill(struct flow *f, size_t most);
MUST_CHECK int flow_drain(struct flow *f);
void flow_drop(struct flow *f);
void flow_type_eof(struct flow *f, int tty);
void flow_end(struct flow *f);

#endif
