/* Files that are read by a mapping. */
#ifndef VOLT_KVM_FILE_H
#define VOLT_KVM_FILE_H

#include "config.h"

struct blob file_map(const char *path, const char *what, const struct trust *t);
void file_unmap(struct blob *b);

#endif
