/*
 * The yardstick: an echo server written by hand on epoll, level-triggered, on one thread. One recv
 * and one send for each readiness; what the socket does not take at once is kept and sent when
 * there is room, and nothing more is read from that connection until it is gone.
 *
 *     epoll_lt HOST PORT      prints "READY <port>"; port 0 lets the kernel choose
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 65536, EVENTS = 512, BACKLOG = 4096 };

/* What one connection is owed: bytes received that its socket did not take yet. */
struct owed {
    char *bytes;
    size_t sent, length;
};

static char buffer[BUFFER];
static struct owed *owed; /* one for each possible descriptor */
static size_t most_fds;
static int epoll;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

static void hang_up(int fd) {
    free(owed[fd].bytes);
    memset(&owed[fd], 0, sizeof owed[fd]);
    close(fd);
}

static int listen_on(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "not an IPv4 address: %s\n", host);
        exit(2);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(fd, BACKLOG) != 0) fail("listen");
    return fd;
}

static void accept_one(int listener) {
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if ((size_t)fd >= most_fds) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void keep(int fd, const char *bytes, size_t length) {
    owed[fd].bytes = malloc(length);
    if (!owed[fd].bytes) fail("malloc");
    memcpy(owed[fd].bytes, bytes, length);
    owed[fd].sent = 0;
    owed[fd].length = length;
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void pay(int fd) {
    struct owed *o = &owed[fd];
    ssize_t sent = send(fd, o->bytes + o->sent, o->length - o->sent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) hang_up(fd);
        return;
    }
    o->sent += (size_t)sent;
    if (o->sent == o->length) {
        free(o->bytes);
        o->bytes = NULL;
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    }
}

static void echo(int fd) {
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) hang_up(fd);
        return;
    }
    ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent == got) return;
    if (sent < 0) {
        if (errno != EAGAIN) {
            hang_up(fd);
            return;
        }
        sent = 0;
    }
    keep(fd, buffer + sent, (size_t)(got - sent));
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct rlimit files;
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    most_fds = files.rlim_cur < 1 << 20 ? files.rlim_cur : 1 << 20;
    owed = calloc(most_fds, sizeof *owed);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!owed || epoll < 0) fail("setting up");
    int listener = listen_on(argv[1], argv[2]);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
    printf("READY %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_one(fd);
            else if (owed[fd].bytes)
                pay(fd);
            else
                echo(fd);
        }
    }
}
