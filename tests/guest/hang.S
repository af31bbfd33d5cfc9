/* Prints that it runs, and then does nothing. */
#include "text.h"
	.text
	.globl start
start:	say_text
2:	pause
	jmp 2b
text:	.ascii "hanging\n"
text_end:
