/* Preloaded into a process, gives it a disk and a clock that misbehave while it runs.

   FAULTS names a file of three 64-bit integers, which may be changed at any time:
     [0] milliseconds that each fsync takes
     [1] the errno that writes and fsyncs fail with, or 0
     [2] seconds by which the system clock is ahead
   Only files whose path contains FAULTS_PATH are concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *faults;
static const char *concerned;

__attribute__((constructor)) static void set_up(void) {
    const char *path = getenv("FAULTS");
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int descriptor = path ? real_open(path, O_RDONLY) : -1;
    concerned = getenv("FAULTS_PATH");
    if (descriptor < 0) return;
    void *mapped = mmap(NULL, 3 * sizeof(int64_t), PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped != MAP_FAILED) faults = mapped;
}

static int is_concerned(int descriptor) {
    char link[64], path[4096];
    if (!faults || !concerned || !(faults[0] || faults[1])) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, concerned) != NULL;
}

static int fails(int descriptor) {
    if (!is_concerned(descriptor) || !faults[1]) return 0;
    errno = (int)faults[1];
    return 1;
}

static void wait_for_disk(int descriptor) {
    if (!is_concerned(descriptor) || !faults[0]) return;
    struct timespec wait = {faults[0] / 1000, faults[0] % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

#define WRITING(name, parameters, arguments)                                          \
    ssize_t name parameters {                                                         \
        static ssize_t (*real) parameters;                                            \
        if (!real) real = (ssize_t (*) parameters)dlsym(RTLD_NEXT, #name);            \
        return fails(descriptor) ? -1 : real arguments;                               \
    }
WRITING(write, (int descriptor, const void *data, size_t size), (descriptor, data, size))
WRITING(pwrite, (int descriptor, const void *data, size_t size, off_t at), (descriptor, data, size, at))
WRITING(pwrite64, (int descriptor, const void *data, size_t size, off64_t at), (descriptor, data, size, at))

#define SYNCING(name)                                                                 \
    int name(int descriptor) {                                                        \
        static int (*real)(int);                                                      \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);                      \
        wait_for_disk(descriptor);                                                    \
        return fails(descriptor) ? -1 : real(descriptor);                             \
    }
SYNCING(fsync)
SYNCING(fdatasync)

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (faults && clock == CLOCK_REALTIME) now->tv_sec += faults[2];
    return result;
}
