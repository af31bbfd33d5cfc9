/* JSON, written: a flat object, or what a program builds of these. */
#ifndef VOLT_JSON_H
#define VOLT_JSON_H

#include <stdio.h>

void json_string(FILE *f, const char *s);
void json_value(FILE *f, const char *s);

#endif
