/* Requests a reset from the keyboard controller. */
	.text
	.globl start
start:	mov $0xfe, %al
	out %al, $0x64
1:	pause
	jmp 1b
