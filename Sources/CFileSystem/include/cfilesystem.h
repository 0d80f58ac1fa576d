/* Linux calls that glibc hides without _GNU_SOURCE, which Swift's import of glibc does not define.
 * All answer as the system calls do: -1 and errno. */
#ifndef ZENITH_CFILESYSTEM_H
#define ZENITH_CFILESYSTEM_H

#include <sys/types.h>

/* O_PATH: a descriptor that only stands for a place in the tree; needs no permission to read it. */
extern const int cfs_o_path;

/* openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; ENOSYS where the kernel or its headers lack it. */
int cfs_open_beneath(int directory, const char *path, int flags, mode_t mode);

/* renameat2(2) with RENAME_NOREPLACE. */
int cfs_rename_no_replace(int directory, const char *from, const char *to);

/* copy_file_range(2) at both files' own positions. */
ssize_t cfs_copy_range(int from, int to, size_t count);

/* Starts writing these bytes to the disk and does not wait for it: a hint, so nothing is returned. */
void cfs_start_writeback(int file, off_t offset, off_t count);

/* syncfs(2): waits until all of the file system that holds this descriptor is on disk. */
int cfs_synchronize(int file);

/* Lets writes to an open file pass the page cache by, or not: O_DIRECT. */
int cfs_set_direct(int file, int is_direct);

#endif
