/*
 * The yardstick: an echo server written by hand on epoll, level-triggered, on one thread. One recv and one send for
 * each readiness (peer.h).
 *
 *     epoll_lt HOST PORT      prints "READY <port>"; port 0 lets the kernel choose
 */
#include "peer.h"

#include <sys/epoll.h>

enum { EVENTS = 512 };

static struct owed *owed; /* one for each possible descriptor */
static size_t most_fds;
static int epoll;

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

static void hang_up(int fd) {
    free(owed[fd].bytes);
    memset(&owed[fd], 0, sizeof owed[fd]);
    close(fd);
}

static void accept_one(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if ((size_t)fd >= most_fds) {
        close(fd);
        return;
    }
    no_delay(fd);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void ready(int fd) {
    switch (echo(fd, &owed[fd])) {
    case AS_BEFORE: break;
    case READ: watch(EPOLL_CTL_MOD, fd, EPOLLIN); break;
    case WRITE: watch(EPOLL_CTL_MOD, fd, EPOLLOUT); break;
    case HANG_UP: hang_up(fd); break;
    }
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    struct rlimit files;
    int listener = serve(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    most_fds = files.rlim_cur < 1 << 20 ? files.rlim_cur : 1 << 20;
    owed = calloc(most_fds, sizeof *owed);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!owed || epoll < 0) fail("setting up");
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_one(fd);
            else
                ready(fd);
        }
    }
}
