/* The echo on libev, which has no listeners nor streams: libev HOST:PORT. */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    ev_io io; /* first: a pointer to it is one to the peer */
    size_t from, to;
    char data[65536];
};

static void on_ready(struct ev_loop *loop, ev_io *io, int ready) {
    struct peer *peer = (struct peer *)io;
    ssize_t n = 1;
    if (ready & EV_READ) {
        n = recv(io->fd, peer->data, sizeof peer->data, 0);
        if (n > 0) peer->from = 0, peer->to = (size_t)n;
    }
    if (n > 0) {
        n = send(io->fd, peer->data + peer->from, peer->to - peer->from, MSG_NOSIGNAL);
        if (n > 0) peer->from += (size_t)n;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        ev_io_stop(loop, io);
        close(io->fd);
        free(peer);
    } else if (((io->events & EV_WRITE) != 0) != (peer->from < peer->to)) {
        ev_io_stop(loop, io);
        ev_io_modify(io, peer->from < peer->to ? EV_WRITE : EV_READ); /* back-pressure: never both */
        ev_io_start(loop, io);
    }
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int ready) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof *peer);
    (void)ready;
    if (fd >= 0 && !peer) close(fd);
    if (!peer) return; /* out of descriptors, this spins until there are some */
    ev_io_init(&peer->io, on_ready, fd, EV_READ);
    ev_io_start(loop, &peer->io);
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int fd, one = 1;
    unsigned port;
    char host[16], more;
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    ev_io listener;
    if (argc != 2 || sscanf(argv[1], "%15[0-9.]:%5u%c", host, &port, &more) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return fputs("usage: libev HOST:PORT, as in 127.0.0.1:7777\n", stderr), 2;
    at.sin_port = htons((uint16_t)port);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, (struct sockaddr *)&at, size) ||
        listen(fd, SOMAXCONN) || getsockname(fd, (struct sockaddr *)&at, &size) || !loop)
        return fprintf(stderr, "libev: %s: %s\n", argv[1], strerror(errno)), 1;
    printf("READY %s:%d\n", host, ntohs(at.sin_port)), fflush(stdout);
    ev_io_init(&listener, on_connection, fd, EV_READ);
    ev_io_start(loop, &listener);
    return !ev_run(loop, 0);
}
