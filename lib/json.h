/* Writing of JSON: strings and numbers. */
#ifndef VOLT_JSON_H
#define VOLT_JSON_H

#include <stdio.h>

void json_string(FILE *f, const char *s);
void json_value(FILE *f, const char *s);

#endif
