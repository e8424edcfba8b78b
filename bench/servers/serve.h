/*
 * What every server here begins with, whatever loop it is on: as many descriptors as the hard limit allows, a
 * listening socket of its own with a backlog of 4096, and the line that says which port it has.
 */
#ifndef SERVE_H
#define SERVE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 65536, BACKLOG = 4096 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* The socket that HOST and PORT of the command line name, listening, and READY said; port 0 lets the kernel choose. */
static int serve(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    struct rlimit files;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: %s HOST PORT, the host an IPv4 address\n", argv[0]);
        exit(2);
    }
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("getrlimit");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("setrlimit");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail("SO_REUSEADDR");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(fd, BACKLOG) != 0) fail("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
    printf("READY %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static inline void no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

#endif
