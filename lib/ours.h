/*
 * Is a descriptor that an environment variable names the chain's own? Any program may
 * set the variable. Each check (toolbox_is_ours() and others) returns 1 or 0; or -1 and
 * errno if it could not find out, which is an error and neither answer.
 */
#ifndef VOLT_OURS_H
#define VOLT_OURS_H

int ours_unlike(void);

#endif
