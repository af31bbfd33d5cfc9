/*
 * The protocol of the socket of control=: messages of one line of text without a newline,
 * by SOCK_SEQPACKET. A client sends orders:
 *
 *     stdin, stdout, stderr    with a descriptor each: a stream socket
 *     join                     run a command with these streams (guest.h: the request is
 *                              the first that comes by the standard input)
 *     signal N                 to that command; without a join to volt-kvm
 *     size ROWS COLUMNS        of the terminal of that command
 *     state                    print the state
 *     pause yes|no             the processors
 *     balloon BYTES            the size of the balloon
 *     grow DISK                look whether the disk, such as vda, has grown
 *     rate DEVICE[:...]        a limit (rate.h)
 *
 * volt-kvm answers an order that is not for a command by "ok", by "error" and a text, or
 * by the state. For a command it sends the lines of the guest's control port: up, heard,
 * lost, and at the end exit N, signal N or failed N; or gone, if the guest does not say how
 * it ended. A client that goes away ends its command.
 */
#ifndef VOLT_KVM_TALK_H
#define VOLT_KVM_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define TALK_LINE 128	/* bytes of an order and its NUL, at most */
#define TALK_ANSWER 32768	/* bytes of an answer, at most */

#define TALK_GONE "gone"
#define TALK_OK "ok"
#define TALK_ERROR "error "

enum talk_order { TALK_STDIN, TALK_STDOUT, TALK_STDERR, TALK_JOIN, TALK_SIGNAL,
	TALK_SIZE, TALK_STATE, TALK_PAUSE, TALK_BALLOON, TALK_GROW, TALK_RATE, TALK_ORDERS };

struct talk {
	enum talk_order order;
	uint64_t number;	/* a signal, bytes; or 1 for yes */
	const char *text;	/* a size or a disk: what follows the order */
};

/* How a command ended, as the guest or volt-kvm reports it. */
struct talk_end {
	char how;	/* 'e'xit, 's'ignal, 'f'ailed; '\0': it has not */
	int code;	/* the status or the signal */
};

MUST_CHECK int talk_parse(struct talk *t, char *line, size_t len);
MUST_CHECK bool talk_end_parse(struct talk_end *e, const char *line);
const char *talk_end_word(char how);

#endif
