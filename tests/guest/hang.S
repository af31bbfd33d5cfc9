/* Never does anything. */
	.text
	.globl start
start:	pause
	jmp start
