/* Says something, then a triple fault: the table of interrupts is empty. */
#include "text.h"
	.text
	.globl start
start:	say_text
	ud2
text:	.ascii "last words\033[31m\n"
text_end:
