#define _GNU_SOURCE
#include "cprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int cprocess_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

/* The first descriptor that is free for certain: what the child gets lies below it. */
static int first_free(const struct cprocess_request *request) {
    int highest = request->file_count;
    for (int i = 0; i < request->file_count; i++)
        if (request->files[i] > highest) highest = request->files[i];
    return highest + 1;
}

/* In the child, between fork and exec: only calls that are safe after a fork of a process with threads. Does not
 * return when all goes well. The exec closes `report`. */
static void become(const struct cprocess_request *request, int *report, const gid_t *groups, int group_count) {
    /* All sources move out of the way first, as one may lie where another has to go. */
    int moved_report = fcntl(*report, F_DUPFD_CLOEXEC, first_free(request));
    if (moved_report < 0) return;
    *report = moved_report;
    int null_file = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_file < 0) return;
    int base = (null_file > moved_report ? null_file : moved_report) + 1;
    for (int i = 0; i < request->file_count; i++)
        if (dup2(request->files[i] < 0 ? null_file : request->files[i], base + i) < 0) return;
    for (int i = 0; i < request->file_count; i++)
        if (dup2(base + i, i) < 0) return;
    /* The rest is closed, but for the report. A kernel without the call leaves open what is not marked to be closed
     * by the exec, as all files of this project are. */
    close_range((unsigned)request->file_count, (unsigned)moved_report - 1, 0);
    close_range((unsigned)moved_report + 1, ~0U, 0);

    /* As a new program expects it: no signal ignored, which it would inherit, and none blocked. */
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    if (request->starts_session && setsid() < 0) return;
    if (request->changes_user &&
        (setgroups((size_t)group_count, groups) != 0 || setgid(request->group) != 0 || setuid(request->user) != 0))
        return;
    if (request->directory && chdir(request->directory) != 0) return;
    execve(request->program, request->arguments, request->environment);
}

pid_t cprocess_start(const struct cprocess_request *request) {
    /* Reads files, so it is done before the fork. */
    gid_t *groups = NULL;
    int group_count = 0;
    if (request->changes_user) {
        getgrouplist(request->user_name, request->group, NULL, &group_count);
        if (group_count < 1) group_count = 1;
        groups = calloc((size_t)group_count, sizeof *groups);
        if (!groups) return -1;
        if (getgrouplist(request->user_name, request->group, groups, &group_count) < 0) {
            free(groups);
            errno = EAGAIN; /* a group was added this moment */
            return -1;
        }
    }
    int report[2];
    if (cprocess_pipe(report) != 0) {
        free(groups);
        return -1;
    }
    /* No handler of this process may run in the child. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0) {
        become(request, &report[1], groups, group_count);
        int failure = errno;
        ssize_t written = write(report[1], &failure, sizeof failure);
        (void)written; /* a parent that is gone needs no answer */
        _exit(127);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(groups);
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        errno = error;
        return -1;
    }
    ssize_t count;
    do count = read(report[0], &error, sizeof error);
    while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count != sizeof error) return child; /* the exec has closed the pipe */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    errno = error;
    return -1;
}
