/* The file system of a disk. */
#ifndef VOLT_SUPERBLOCK_H
#define VOLT_SUPERBLOCK_H

const char *superblock_type(const char *path);

#endif
