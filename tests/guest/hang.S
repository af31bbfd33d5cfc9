/* Says that it runs, and never does anything more. */
#include "text.h"
	.text
	.globl start
start:	say_text
2:	pause
	jmp 2b
text:	.ascii "hanging\n"
text_end:
