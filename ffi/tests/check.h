/* What every C test shares: CHECK, and descriptors that are ready or not. Compiles as C99 and as C++11. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fastsock.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* Compares two results, and tells both by name. */
#define CHECK_IS(result, expected) \
    do { \
        int r_ = (int)(result), e_ = (int)(expected); \
        if (r_ != e_) { \
            fprintf(stderr, "%s:%d: %s is %d (%s), not %d (%s)\n", __FILE__, __LINE__, #result, r_, fsock_err_name(r_), \
                    e_, fsock_err_name(e_)); \
            exit(1); \
        } \
    } while (0)

#define MS INT64_C(1000000)

/* Not every test uses every helper. */
#if defined(__GNUC__)
#define HELPER __attribute__((unused)) static
#else
#define HELPER static
#endif

HELPER fsock_loop *new_loop(void) {
    fsock_loop *loop = NULL;
    CHECK_IS(fsock_loop_new(NULL, &loop), 0);
    CHECK(loop != NULL);
    return loop;
}

HELPER int is_epoll(fsock_loop *loop) { return fsock_loop_backend(loop) == (int)FSOCK_BACKEND_EPOLL; }

HELPER int is_select(fsock_loop *loop) { return fsock_loop_backend(loop) == (int)FSOCK_BACKEND_SELECT; }

/* Two connected, non-blocking stream sockets. */
HELPER void make_pair(int pair[2]) {
    int i;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (i = 0; i < 2; i++) CHECK(fcntl(pair[i], F_SETFL, O_NONBLOCK) == 0);
}

HELPER void close_pair(int pair[2]) {
    close(pair[0]);
    close(pair[1]);
}

HELPER void put(int fd, const char *text) { CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text)); }

/* Reads all that is there; returns how much that was. */
HELPER size_t take(int fd) {
    char buffer[4096];
    size_t sum = 0;
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) sum += (size_t)n;
    return sum;
}

HELPER int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Returns when the main thread sleeps: in its wait, for what it does besides never blocks. */
HELPER void await_main_asleep(void) {
    char path[64], text[256], *end;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    do {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof text - 1);
        CHECK(n > 0 && close(fd) == 0);
        text[n] = 0;
        end = strrchr(text, ')'); /* "1 (name) S ...": proc(5) */
        CHECK(end != NULL);
    } while (strncmp(end, ") S", 3) != 0);
}

/* A child process that runs this shell command. */
HELPER pid_t spawn(const char *command) {
    char sh[] = "sh", c[] = "-c", text[256], *argv[] = {sh, c, text, NULL}, *envp[] = {NULL};
    pid_t pid;
    CHECK(strlen(command) < sizeof text);
    strcpy(text, command);
    CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, envp) == 0);
    return pid;
}

/* A drop function that counts: user is an int. */
HELPER void count_drop(void *user) { ++*(int *)user; }

#endif
