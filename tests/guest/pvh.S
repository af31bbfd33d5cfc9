/* PVH's flat 32-bit entry: checks the magic, prints the result and powers off. */
	.section .note.Xen, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long start
	.text
	.code32
	.globl start
start:
	mov $no, %esi
	cmpl $0x336ec578, (%ebx)
	jne 1f
	mov $yes, %esi
1:	mov $0x3f8, %dx
2:	lodsb
	test %al, %al
	jz 3f
	out %al, %dx
	jmp 2b
3:	mov $0x600, %dx
	mov $0x34, %al
	out %al, %dx
4:	pause
	jmp 4b
	.data
yes:	.asciz "pvh ok\n"
no:	.asciz "no magic\n"
