// A library to preload into a server: the disk under one folder fails while a control file says how.
//
//   cc -shared -fPIC -O1 -o disk_faults.so Scripts/faults/disk_faults.c -ldl
//   LD_PRELOAD=./disk_faults.so APUS_FAULT_DIR=/data APUS_FAULT_FILE=/tmp/fault apus coordinator --data /data
//
// APUS_FAULT_DIR   Files whose path begins with this fail; it must be free of symbolic links.
// APUS_FAULT_FILE  What the first word of this file says happens; where there is no file, nothing does:
//   full      writes and growing files fail with ENOSPC, a long write only after its first half: a torn tail
//   fsync     fsync and fdatasync fail with EIO
//   readonly  everything that changes a file, or opens one to change it, fails with EROFS
//
// The control file is read at each call, so that a fault begins and ends in a running process.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { NONE, FULL, FSYNC, READONLY };

// Writes of more bytes than this are cut in half while the disk is full.
#define TORN_BYTES 512

// System calls of this file's own go past the functions that it replaces.
static enum fault present_fault(void) {
    const char *file = getenv("APUS_FAULT_FILE");
    if (!file) return NONE;
    int saved = errno;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    char word[16] = "";
    if (descriptor >= 0) {
        ssize_t count = syscall(SYS_read, descriptor, word, sizeof word - 1);
        word[count < 0 ? 0 : count] = 0;
        syscall(SYS_close, descriptor);
    }
    errno = saved;
    if (!strncmp(word, "full", 4)) return FULL;
    if (!strncmp(word, "fsync", 5)) return FSYNC;
    if (!strncmp(word, "readonly", 8)) return READONLY;
    return NONE;
}

static int is_under(const char *path) {
    const char *folder = getenv("APUS_FAULT_DIR");
    return folder && path && !strncmp(path, folder, strlen(folder));
}

static enum fault fault_of(int descriptor) {
    enum fault fault = present_fault();
    if (fault == NONE) return NONE;
    char link[64], path[4096];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0) return NONE;
    path[length] = 0;
    return is_under(path) ? fault : NONE;
}

// How much of a write goes through; -1, with errno set, for nothing.
static ssize_t allowed(int descriptor, size_t count) {
    switch (fault_of(descriptor)) {
    case FULL:
        if (count > TORN_BYTES) return (ssize_t)(count / 2);
        errno = ENOSPC;
        return -1;
    case READONLY:
        errno = EROFS;
        return -1;
    default:
        return (ssize_t)count;
    }
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    ssize_t some = allowed(descriptor, count);
    return some < 0 ? -1 : syscall(SYS_write, descriptor, bytes, (size_t)some);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    ssize_t some = allowed(descriptor, count);
    return some < 0 ? -1 : syscall(SYS_pwrite64, descriptor, bytes, (size_t)some, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

static int sync_as(long number, int descriptor) {
    if (fault_of(descriptor) == FSYNC) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(number, descriptor);
}

int fsync(int descriptor) { return sync_as(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return sync_as(SYS_fdatasync, descriptor); }

int ftruncate64(int descriptor, off64_t length) {
    if (fault_of(descriptor) == READONLY) {
        errno = EROFS;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

static int no_room(int descriptor) {
    switch (fault_of(descriptor)) {
    case FULL: return ENOSPC;
    case READONLY: return EROFS;
    default: return 0;
    }
}

int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    int error = no_room(descriptor);
    if (error) {
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, length);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    return fallocate64(descriptor, mode, offset, length);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    int error = no_room(descriptor);
    if (error) return error;
    return syscall(SYS_fallocate, descriptor, 0, offset, length) < 0 ? errno : 0;
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return posix_fallocate64(descriptor, offset, length);
}

static int open_as(const char *path, int flags, va_list rest) {
    int creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = creates ? va_arg(rest, mode_t) : 0;
    int changes = (flags & O_ACCMODE) != O_RDONLY || creates || (flags & O_TRUNC);
    if (changes && is_under(path) && present_fault() == READONLY) {
        errno = EROFS;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int descriptor = open_as(path, flags, rest);
    va_end(rest);
    return descriptor;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int descriptor = open_as(path, flags, rest);
    va_end(rest);
    return descriptor;
}

int unlink(const char *path) {
    if (is_under(path) && present_fault() == READONLY) {
        errno = EROFS;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
