/*
 * Whether a descriptor that an environment variable names is the chain's own:
 * the variable may come from anywhere. Each check (toolbox_is_ours() and its
 * kin) answers 1 or 0; or -1 and errno if it could not be made, which must not
 * be taken for either.
 */
#ifndef VOLT_OURS_H
#define VOLT_OURS_H

int ours_unlike(void);

#endif
