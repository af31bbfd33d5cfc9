/* The 64-bit entry: set the stack and call main(). */
	.section .text.start, "ax"
	.globl start
start:
	lea stack_top(%rip), %rsp
	call main
1:	mov $0x600, %dx
	mov $0x34, %al
	out %al, %dx
	jmp 1b
	.bss
	.align 16
	.skip 65536
stack_top:
