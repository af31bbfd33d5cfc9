/*
 * COM1: a 16550A, for the kernel's messages and early consoles. The log keeps
 * the last output. If output also goes to a descriptor, the I/O thread writes it
 * there from the log. While the log is full a vCPU that has output waits. A
 * patient UART, that of a machine without a command, lets it wait for ever.
 * Another one lets it wait until the reader has taken nothing for two seconds;
 * from then on output that finds the log full is lost.
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
#define UART_LOG 16384	/* bytes of output in the log; a power of two */

struct uart {
	pthread_mutex_t lock;
	int vmfd;
	uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
	bool thr_empty;	/* the guest has not seen this interrupt yet */
	bool level;	/* of the interrupt line */
	uint8_t input[UART_INPUT];
	unsigned int in_head, in_tail;
	uint8_t log[UART_LOG];
	uint64_t logged;

	struct stream out;	/* where output goes; fd -1: nowhere */
	bool patient;	/* a vCPU waits for ever */
	bool late;	/* the reader has stalled */
	uint64_t sent;	/* how many bytes were written or are lost */
	pthread_cond_t room;	/* the log has room, or the reader stalled */
};

void uart_init(struct uart *u, int vmfd, int out, bool patient);
bool uart_pio(struct uart *u, unsigned int reg, uint8_t *data, bool
    write);
unsigned int uart_room(struct uart *u);
void uart_input(struct uart *u, const uint8_t *data, unsigned int len);
uint64_t uart_logged(struct uart *u);
uint64_t uart_sent(struct uart *u);
void uart_send(struct uart *u);
void uart_tail(struct uart *u, int fd, unsigned int lines);

#endif
