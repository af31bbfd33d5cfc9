/* Says that it runs, and never does anything more. */
	.text
	.globl start
start:	mov $0x3f8, %dx
	lea text(%rip), %rsi
	mov $text_end - text, %ecx
1:	lodsb
	out %al, %dx
	loop 1b
2:	pause
	jmp 2b
text:	.ascii "hanging\n"
text_end:
