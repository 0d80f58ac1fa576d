/* Starting a program. Swift has no fork, and posix_spawn cannot change the user. */
#ifndef ZENITH_CPROCESS_H
#define ZENITH_CPROCESS_H

#include <sys/types.h>

struct cprocess_request {
    const char *program;        /* a path: nothing is looked up in PATH */
    char *const *arguments;     /* ends with NULL; the first is the program's own name */
    char *const *environment;   /* ends with NULL */
    const char *directory;      /* NULL: the caller's */
    const int *files;           /* the child's descriptors 0, 1, 2, ...; -1 is /dev/null. It gets no other */
    int file_count;             /* at least 3 */
    int starts_session;         /* setsid(2): survives the terminal */
    int changes_user;           /* then user, group and groups, as the user's name gives them */
    uid_t user;
    gid_t group;
    const char *user_name;
};

/* The process id, or -1 and errno: also when the program could not be executed. */
pid_t cprocess_start(const struct cprocess_request *request);

/* pipe2(2) with O_CLOEXEC. */
int cprocess_pipe(int ends[2]);

#endif
