/* A disk that goes wrong at a given moment: loaded before the C library (LD_PRELOAD), it counts what a process does to
 * files below FAULT_UNDER (writes, cuts, syncs, removals), and spoils the operation number FAULT_AT by FAULT_KIND:
 *
 *   eio, enospc   it fails with that error; so do the FAULT_MORE operations after it
 *   cut           the power goes: of that write the first half reaches the disk, and of everything that was written
 *                 since the last sync of its file every other write is undone; the process ends with status 86
 *
 * When the process ends, FAULT_COUNT (a file elsewhere) holds how many operations there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { UNSYNCED_MAX = 65536, PATH_BYTES = 4096, CUT_STATUS = 86 };

/* What stood where something was written and not synced yet. */
struct before {
    int fd;
    off_t at, size;
    size_t bytes;
    char *content;
};

static struct before unsynced[UNSYNCED_MAX];
static int unsynced_count;
static long operations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }
static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is_watched(int fd) {
    const char *under = getenv("FAULT_UNDER");
    char link[64], path[PATH_BYTES];
    if (!under) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, under, strlen(under)) == 0;
}

__attribute__((destructor)) static void tell(void) {
    const char *file = getenv("FAULT_COUNT");
    FILE *out = file ? fopen(file, "w") : NULL;
    if (out) {
        fprintf(out, "%ld", operations);
        fclose(out);
    }
}

/* The error for this operation, or 0; below 0 where the power goes. */
static int verdict(void) {
    long at = number("FAULT_AT"), past = ++operations - at;
    const char *kind = getenv("FAULT_KIND");
    if (!kind || at == 0 || past < 0 || past > number("FAULT_MORE")) return 0;
    if (strcmp(kind, "cut") == 0) return past == 0 ? -1 : 0;
    return strcmp(kind, "enospc") == 0 ? ENOSPC : EIO;
}

static void remember(int fd, off_t at, size_t bytes) {
    struct stat now;
    char link[64];
    /* It may be open for writing alone; what is appended can only be torn. */
    if (fcntl(fd, F_GETFL) & O_APPEND) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int readable = open(link, O_RDONLY | O_CLOEXEC);
    if (unsynced_count == UNSYNCED_MAX || fstat(fd, &now) != 0) abort();
    struct before *before = &unsynced[unsynced_count++];
    /* Beyond the end of a file there are zeros, as in blocks that were never written. */
    *before = (struct before){.fd = fd, .at = at, .size = now.st_size, .bytes = bytes, .content = calloc(1, bytes + 1)};
    ssize_t (*read_at)(int, void *, size_t, off_t) = real("pread");
    if (!before->content || read_at(readable, before->content, bytes, at) < 0) abort();
    int (*end)(int) = real("close");
    end(readable);
}

static void forget(int fd) {
    int kept = 0;
    for (int n = 0; n < unsynced_count; n++) {
        if (unsynced[n].fd == fd) free(unsynced[n].content);
        else unsynced[kept++] = unsynced[n];
    }
    unsynced_count = kept;
}

static void lose_power(void) {
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite");
    int (*cut)(int, off_t) = real("ftruncate");
    for (int n = unsynced_count - 1; n >= 0; n--) {
        struct before *before = &unsynced[n];
        if (n % 2) continue;
        write_at(before->fd, before->content, before->bytes, before->at);
        if (n == unsynced_count - 1) cut(before->fd, before->size);
    }
    tell();
    _exit(CUT_STATUS);
}

static ssize_t spoiled(int fd, const void *bytes, size_t count, off_t at) {
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite");
    pthread_mutex_lock(&lock);
    int error = verdict();
    if (error <= 0) remember(fd, at, count);
    if (error < 0) {
        write_at(fd, bytes, count / 2, at);
        lose_power();
    }
    pthread_mutex_unlock(&lock);
    if (error == 0) return write_at(fd, bytes, count, at);
    errno = error;
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    ssize_t (*write_at)(int, const void *, size_t, off_t) = real("pwrite");
    return is_watched(fd) ? spoiled(fd, bytes, count, at) : write_at(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*write_on)(int, const void *, size_t) = real("write");
    if (!is_watched(fd)) return write_on(fd, bytes, count);
    struct stat now;
    int appends = fcntl(fd, F_GETFL) & O_APPEND;
    off_t at = appends && fstat(fd, &now) == 0 ? now.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t written = spoiled(fd, bytes, count, at);
    if (written > 0) lseek(fd, at + written, SEEK_SET);
    return written;
}

/* Whether an operation that writes nothing goes on; the power may go instead. */
static int goes_on(int fd, int syncs) {
    pthread_mutex_lock(&lock);
    int error = verdict();
    if (error < 0) lose_power();
    if (error == 0 && syncs) forget(fd);
    pthread_mutex_unlock(&lock);
    errno = error;
    return error == 0;
}

int ftruncate(int fd, off_t size) {
    int (*cut)(int, off_t) = real("ftruncate");
    return !is_watched(fd) || goes_on(fd, 0) ? cut(fd, size) : -1;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fsync(int fd) {
    int (*sync)(int) = real("fsync");
    return !is_watched(fd) || goes_on(fd, 1) ? sync(fd) : -1;
}

int fdatasync(int fd) {
    int (*sync)(int) = real("fdatasync");
    return !is_watched(fd) || goes_on(fd, 1) ? sync(fd) : -1;
}

/* What was written and never synced counts as written once the file is closed. */
int close(int fd) {
    int (*end)(int) = real("close");
    pthread_mutex_lock(&lock);
    forget(fd);
    pthread_mutex_unlock(&lock);
    return end(fd);
}

int unlink(const char *path) {
    int (*remove)(const char *) = real("unlink");
    const char *under = getenv("FAULT_UNDER");
    return !under || strncmp(path, under, strlen(under)) != 0 || goes_on(-1, 0) ? remove(path) : -1;
}
