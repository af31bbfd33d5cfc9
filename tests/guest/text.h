/* Write the bytes from text to text_end to COM1. */
	.macro say_text
	mov $0x3f8, %dx
	lea text(%rip), %rsi
	mov $text_end - text, %ecx
1:	lodsb
	out %al, %dx
	loop 1b
	.endm
