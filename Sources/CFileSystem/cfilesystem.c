#define _GNU_SOURCE
#include "cfilesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

const int cfs_o_path = O_PATH;

int cfs_open_beneath(int directory, const char *path, int flags, mode_t mode) {
#if defined(SYS_openat2) && defined(RESOLVE_BENEATH)
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned)flags;
    how.mode = (flags & O_CREAT) ? mode : 0; /* openat2 refuses a mode that it would not use */
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
#else
    (void)directory, (void)path, (void)flags, (void)mode;
    errno = ENOSYS;
    return -1;
#endif
}

int cfs_rename_no_replace(int directory, const char *from, const char *to) {
    return renameat2(directory, from, directory, to, RENAME_NOREPLACE);
}

ssize_t cfs_copy_range(int from, int to, size_t count) { return copy_file_range(from, NULL, to, NULL, count, 0); }

void cfs_start_writeback(int file, off_t offset, off_t count) {
    (void)sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);
}

int cfs_synchronize(int file) { return syncfs(file); }

int cfs_set_direct(int file, int is_direct) {
    int flags = fcntl(file, F_GETFL);
    if (flags == -1) return -1;
    return fcntl(file, F_SETFL, is_direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}
