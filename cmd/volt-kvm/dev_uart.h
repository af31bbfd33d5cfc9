/* COM1: a 16550A, for the kernel's messages and early consoles. */
#ifndef VOLT_KVM_DEV_UART_H
#define VOLT_KVM_DEV_UART_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define UART_PORT 0x3f8
#define UART_PORTS 8
#define UART_IRQ 4
#define UART_INPUT 64
#define UART_LOG 16384	/* bytes of output remembered; a power of two */

struct uart {
	pthread_mutex_t lock;
	int vmfd;
	_Atomic int copy;	/* descriptor that output goes to as well; or -1 */
	uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
	bool thr_empty;	/* interrupt not yet seen */
	bool level;	/* of the interrupt line */
	uint8_t input[UART_INPUT];
	unsigned int in_head, in_tail;
	uint8_t log[UART_LOG];
	uint64_t logged;
};

void uart_init(struct uart *u, int vmfd, int copy);
bool uart_pio(struct uart *u, unsigned int reg, uint8_t *data, bool write);
unsigned int uart_room(struct uart *u);
void uart_input(struct uart *u, const uint8_t *data, unsigned int len);
void uart_tail(struct uart *u, int fd, unsigned int lines);

#endif
