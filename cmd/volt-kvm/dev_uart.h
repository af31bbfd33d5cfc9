/*
 * COM1: a 16550A, for the kernel's messages and early consoles. Its last output
 * is kept. If it goes to a descriptor as well, the I/O thread writes it there,
 * and a vCPU whose output finds no room waits: for ever if this is what the
 * machine is for; else until nobody has taken any for two seconds, and then what
 * finds no room is lost.
 */
#ifndef VOLT_KVM_DEV_UART_H
#define VOLT_KVM_DEV_UART_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "stream.h"

#define UART_PORT 0x3f8
#define UART_PORTS 8
#define UART_IRQ 4
#define UART_INPUT 64
#define UART_LOG 16384	/* bytes of output remembered; a power of two */

struct uart {
	pthread_mutex_t lock;
	int vmfd;
	uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
	bool thr_empty;	/* interrupt not yet seen */
	bool level;	/* of the interrupt line */
	uint8_t input[UART_INPUT];
	unsigned int in_head, in_tail;
	uint8_t log[UART_LOG];
	uint64_t logged;

	struct stream out;	/* where output goes; fd -1: nowhere */
	bool patient;	/* a vCPU waits for ever */
	bool late;	/* nobody takes the output, for now */
	uint64_t sent;	/* how much of it was written, or is lost */
	pthread_cond_t room;
};

void uart_init(struct uart *u, int vmfd, int out, bool patient);
MUST_CHECK bool uart_pio(struct uart *u, unsigned int reg, uint8_t *data, bool
    write);
unsigned int uart_room(struct uart *u);
void uart_input(struct uart *u, const uint8_t *data, unsigned int len);
uint64_t uart_logged(struct uart *u);
uint64_t uart_sent(struct uart *u);
void uart_send(struct uart *u);
void uart_tail(struct uart *u, int fd, unsigned int lines);

#endif
