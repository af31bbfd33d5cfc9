/* A cpio archive in memory, in the format of an initramfs ("newc"). */
#ifndef VOLT_KVM_CPIO_H
#define VOLT_KVM_CPIO_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

struct cpio {
	uint8_t *base;	/* a mapping */
	size_t len, room;
	unsigned int inode;
};

void cpio_dir(struct cpio *c, const char *path, mode_t mode);
void cpio_node(struct cpio *c, const char *path, mode_t mode, unsigned int maj,
    unsigned int min);
void cpio_file(struct cpio *c, const char *path, mode_t mode, const void *data,
    size_t len);
void cpio_fd(struct cpio *c, const char *path, mode_t mode, int fd);
void cpio_end(struct cpio *c);

#endif
