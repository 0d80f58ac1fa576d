import Foundation
import TestSupport
import Testing

/// A disk that fails to take what was written: `fdatasync` fails once, and what was written since the last one is lost.
@Suite("The safekeeper's disk", .serialized, .timeLimit(.minutes(30)))
struct SafekeeperSyncFailureTests {
    /// Stands before the C library's calls. While the file that `FAIL_SYNC` names exists, the next `fdatasync` of a
    /// WAL file takes it away, puts zeros in place of what was written since the last one, and fails: a kernel that
    /// could not write pages drops them, and tells once.
    private static let shim = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static struct { int fd; off_t at; size_t count; } written[65536];
        static int count;
        static int is_wal(int fd) {
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length < 0) return 0;
            path[length] = 0;
            return strstr(path, "/wal/0") != NULL;
        }
        ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
            static ssize_t (*real)(int, const void *, size_t, off_t);
            if (!real) real = dlsym(RTLD_NEXT, "pwrite");
            if (is_wal(fd)) {
                pthread_mutex_lock(&lock);
                if (count < 65536) { written[count].fd = fd; written[count].at = at; written[count++].count = size; }
                pthread_mutex_unlock(&lock);
            }
            return real(fd, bytes, size, at);
        }
        int fdatasync(int fd) {
            static int (*real)(int);
            static ssize_t (*put)(int, const void *, size_t, off_t);
            if (!real) { real = dlsym(RTLD_NEXT, "fdatasync"); put = dlsym(RTLD_NEXT, "pwrite"); }
            if (!is_wal(fd)) return real(fd);
            const char *flag = getenv("FAIL_SYNC");
            int fails = flag && unlink(flag) == 0;
            pthread_mutex_lock(&lock);
            for (int i = 0; i < count; i++) {
                if (written[i].fd != fd) continue;
                if (fails) {
                    char *zeros = calloc(1, written[i].count);
                    put(fd, zeros, written[i].count, written[i].at);
                    free(zeros);
                }
                written[i--] = written[--count];
            }
            pthread_mutex_unlock(&lock);
            if (fails) { errno = EIO; return -1; }
            return real(fd);
        }
        """

    @Test("what could not be put on disk is not acknowledged, and is received again")
    func failure() throws {
        let primary = try PostgresCluster.primary()
        try AcknowledgedLoad.prepare(primary)
        let directory = NSTemporaryDirectory() + "zenith-shim-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (source, library, flag) = (directory + "/shim.c", directory + "/shim.so", directory + "/fail")
        try Data((Self.shim + "\n").utf8).write(to: URL(fileURLWithPath: source))
        let compiler = try run(["sh", "-c", "command -v cc || command -v clang"]).output
        try run([compiler.trimmingCharacters(in: .newlines), "-shared", "-fPIC", "-O", "-o", library, source, "-ldl"])
            .check()
        let place = try SafekeeperPlace(environment: ["LD_PRELOAD": library, "FAIL_SYNC": flag])
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let load = try AcknowledgedLoad(primary)
        for _ in 0..<(TestSelection.isSoak ? 100 : 5) {
            try load.awaitCommits()
            try Data().write(to: URL(fileURLWithPath: flag))
            let deadline = ContinuousClock.now + .seconds(60)
            while FileManager.default.fileExists(atPath: flag) {
                try #require(ContinuousClock.now < deadline)
                usleep(1000)
            }
        }
        try load.awaitCommits()
        #expect(place.log.contains("synchronizing \(place.wal)"), "\(place.log)")
        // One that is followed by a crash: what is on disk is what was acknowledged.
        try Data().write(to: URL(fileURLWithPath: flag))
        while FileManager.default.fileExists(atPath: flag) { usleep(100) }
        place.kill()
        try primary.crash()
        let outcome = try load.finish()
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try outcome.expect(in: try place.recover(backup))
    }
}
