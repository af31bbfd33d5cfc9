/*
 * The connections of a vsock device (virtio 1.2, 5.10): their states, their credit,
 * and the packets that are due. There is no system call here: vio_vsock.c has the
 * queues and the sockets.
 *
 * A connection has two ends. The guest's end is reached by packets, and the host's
 * end is a socket. The two may be shut down one direction at a time. Credit is how
 * many bytes an end may send before the other has taken them: the guest's is
 * VSOCK_BUFFER, and ours is what the guest says. The counters of bytes wrap at 2^32.
 *
 * There are VSOCK_CONNS connections at the most. A new one may take the place of the
 * oldest that is not in use: see vsock_new().
 */
#ifndef VOLT_KVM_VSOCK_H
#define VOLT_KVM_VSOCK_H

#include <linux/virtio_vsock.h>

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

#define VSOCK_HOST 2u	/* the context IDs (CID) */
#define VSOCK_GUEST 3u
#define VSOCK_CONNS 128u
#define VSOCK_BUFFER (UINT32_C(128) << 10)	/* bytes */
#define VSOCK_REFUSALS 64u
#define VSOCK_PORT (UINT32_C(1) << 30)	/* our own ports begin here */

/* The directions, as the guest's kernel has them. */
#define VSOCK_RCV VIRTIO_VSOCK_SHUTDOWN_RCV
#define VSOCK_SEND VIRTIO_VSOCK_SHUTDOWN_SEND
#define VSOCK_BOTH (VSOCK_RCV | VSOCK_SEND)

enum vsock_state {
	VSOCK_FREE,
	VSOCK_HELLO,	/* a client of the host has not said the port yet */
	VSOCK_ASKED,	/* the guest has not answered the client's request */
	VSOCK_CALLED,	/* the host has not answered the guest's request */
	VSOCK_OPEN,
	VSOCK_LEFT,	/* the host's end is closed, and the guest knows or will */
	VSOCK_ENDED,	/* the guest's end is closed, and the host takes the rest */
	VSOCK_CLOSING,	/* both are closed, and a RST to the guest is due */
};

struct vsock_conn {
	enum vsock_state state;
	uint32_t guest_port, host_port;
	uint32_t serial;	/* no other connection had it for long */
	unsigned int tell;	/* the packets that are due; vsock.c has the names */
	unsigned int guest_shut, host_shut;	/* directions, as that end sees them */

	/* From the guest: what came, what the host took, and the last report. */
	uint32_t got, taken, told;
	/* To the guest: what was sent, and what the guest reported. */
	uint32_t sent, peer_taken, peer_buffer;
};

/* A RST for a packet that belongs to no connection. */
struct vsock_refusal {
	uint64_t host_cid;
	uint32_t guest_port, host_port;
	uint16_t type;
};

struct vsock {
	struct vsock_conn conn[VSOCK_CONNS];
	struct vsock_refusal refusal[VSOCK_REFUSALS];
	unsigned int nrefusals;
	uint32_t serial;	/* of the last new connection */
	uint32_t port;	/* of our own, the last one used */
	unsigned int turn;	/* the connection that speaks next */
};

/* What the caller must do after a packet. */
enum vsock_event {
	VSOCK_NOTHING,
	VSOCK_CALL,	/* the guest wants to connect: call vsock_called() later */
	VSOCK_ANSWERED,	/* the guest took the client's request */
	VSOCK_DATA,	/* keep the packet's data; vsock_took() when the host takes it */
	VSOCK_SHUT,	/* the guest shut down its end, or more of it */
};

/* From the guest. */
MUST_CHECK bool vsock_ready(const struct vsock *s);
MUST_CHECK enum vsock_event vsock_packet(struct vsock *s, const struct
    virtio_vsock_hdr *h, unsigned int *slot);
void vsock_reset(struct vsock *s);

/* To the guest. */
MUST_CHECK bool vsock_due(const struct vsock *s);
MUST_CHECK bool vsock_next(struct vsock *s, struct virtio_vsock_hdr *h);
MUST_CHECK uint32_t vsock_room(const struct vsock_conn *c);
void vsock_send(struct vsock_conn *c, uint32_t len, struct virtio_vsock_hdr *h);

/* From the host. */
MUST_CHECK bool vsock_vacant(const struct vsock *s, bool host);
MUST_CHECK int vsock_new(struct vsock *s, bool host);
void vsock_ask(struct vsock *s, struct vsock_conn *c, uint32_t port);
void vsock_called(struct vsock_conn *c, bool connected);
void vsock_took(struct vsock_conn *c, uint32_t len);
void vsock_host_shut(struct vsock_conn *c, unsigned int directions);
void vsock_host_gone(struct vsock_conn *c);

#endif
