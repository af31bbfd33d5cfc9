/* The socket of control=, volt-kvm's side (talk.h). The I/O thread alone is here. */
#ifndef VOLT_KVM_SERVER_H
#define VOLT_KVM_SERVER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "host_socket.h"
#include "talk.h"

#define SERVER_CLIENTS (GUEST_JOINS + 8)

struct lane;
struct session;

struct server;

/* A connection. */
struct client {
	struct server *server;
	struct io_source *source;
	int fd;	/* or -1 */
	int stream[3];	/* sockets, which the command of join= gets; or -1 */
	bool joined;	/* it has had a command, and gives no other orders */
	struct join *join;	/* its command; NULL: there is none, or it is over */
	unsigned int tell;	/* what must still be sent */
	struct talk_end end;	/* of the command */
	int64_t since;	/* when it came, CLOCK_MONOTONIC, ms */
};

/* A command of join=, and its lane. */
struct join {
	struct lane *lane;	/* NULL: there is none */
	struct client *client;	/* NULL: it has gone */
	int64_t kill_at;	/* then the command is killed; 0: not yet, or over */
	/* What the guest has said. */
	unsigned int said;
	struct talk_end end;
	bool over;	/* the client was told of the end */
};

struct server {
	struct session *session;
	pid_t pid;	/* ours: later the filter of calls forbids to ask */
	int listener;
	struct client client[SERVER_CLIENTS];
	struct join join[GUEST_JOINS];
	struct io_source *source;
};

void server_begin(struct server *v, struct session *s, int listener);
void server_step(struct server *v);

#endif
