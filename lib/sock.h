/* The kind of a socket. */
#ifndef VOLT_SOCK_H
#define VOLT_SOCK_H

#include "must.h"

MUST_CHECK int sock_option(int fd, int name);

#endif
