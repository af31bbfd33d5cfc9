/* Prints a line and then causes a triple fault: the interrupt table is empty. */
#include "text.h"
	.text
	.globl start
start:	say_text
	ud2
text:	.ascii "last words\033[31m\n"
text_end:
