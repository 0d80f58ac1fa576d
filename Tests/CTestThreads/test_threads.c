// Tests wait for servers and programs in calls that block, and Swift's tasks have no more threads than there are
// processors: a server that runs in the tests' own process would get none of them. Here tasks have enough.
//
// The hooks are those of the Swift runtime: `include/swift/Runtime/Concurrency.h` of its source.

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 48

#define SWIFT __attribute__((swiftcall))

typedef struct Job Job;

extern SWIFT void swift_job_run(Job *, void *executor, void *implementation);
extern SWIFT void (*swift_task_enqueueGlobal_hook)(Job *, void *original);
extern SWIFT void (*swift_task_enqueueGlobalWithDelay_hook)(unsigned long long nanoseconds, Job *, void *original);
extern SWIFT void (*swift_task_enqueueGlobalWithDeadline_hook)(
    long long seconds, long long nanoseconds, long long tolerance, long long tolerance_nanoseconds, int clock, Job *,
    void *original);

/// A job, and when it is due by the monotonic clock.
typedef struct Entry {
    struct Entry *next;
    long long due;
    Job *job;
} Entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
/// In the order in which they are due.
static Entry *first;

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void enqueue(Job *job, long long due) {
    Entry *entry = malloc(sizeof *entry);
    if (!entry) abort();
    entry->due = due;
    entry->job = job;
    pthread_mutex_lock(&lock);
    Entry **place = &first;
    while (*place && (*place)->due <= due) place = &(*place)->next;
    entry->next = *place;
    *place = entry;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void *work(void *unused) {
    pthread_mutex_lock(&lock);
    for (;;) {
        Entry *entry = first;
        if (!entry) {
            pthread_cond_wait(&changed, &lock);
        } else if (entry->due > now(CLOCK_MONOTONIC)) {
            struct timespec due = {entry->due / 1000000000, entry->due % 1000000000};
            pthread_cond_timedwait(&changed, &lock, &due);
        } else {
            first = entry->next;
            if (first) pthread_cond_signal(&changed);  // this thread is no longer the one that waits for it
            pthread_mutex_unlock(&lock);
            swift_job_run(entry->job, NULL, NULL);
            free(entry);
            pthread_mutex_lock(&lock);
        }
    }
    return NULL;
}

static SWIFT void enqueue_now(Job *job, void *original) { enqueue(job, now(CLOCK_MONOTONIC)); }

static SWIFT void enqueue_after(unsigned long long nanoseconds, Job *job, void *original) {
    enqueue(job, now(CLOCK_MONOTONIC) + (long long)nanoseconds);
}

/// What a clock of Swift's is on Linux.
static clockid_t clock_of(int clock) {
    switch (clock) {
    case 1: return CLOCK_BOOTTIME;   // continuous
    case 2: return CLOCK_MONOTONIC;  // suspending
    default: return CLOCK_REALTIME;
    }
}

static SWIFT void enqueue_at(
    long long seconds, long long nanoseconds, long long tolerance, long long tolerance_nanoseconds, int clock, Job *job,
    void *original) {
    long long left = seconds * 1000000000LL + nanoseconds - now(clock_of(clock));
    enqueue(job, now(CLOCK_MONOTONIC) + left);
}

__attribute__((constructor)) static void start(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    for (int index = 0; index < THREADS; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL)) abort();
        pthread_detach(thread);
    }
    swift_task_enqueueGlobal_hook = enqueue_now;
    swift_task_enqueueGlobalWithDelay_hook = enqueue_after;
    swift_task_enqueueGlobalWithDeadline_hook = enqueue_at;
}
