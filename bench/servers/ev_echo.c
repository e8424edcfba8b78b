/*
 * libev: a watcher for each connection, in the memory of that connection.
 *
 *     ev_echo HOST PORT       prints "READY <port>"
 */
#include "peer.h"

#include <ev.h>

struct peer {
    ev_io watcher; /* first: its address is the peer's */
    struct owed owed;
};

static void hang_up(struct ev_loop *loop, struct peer *peer) {
    ev_io_stop(loop, &peer->watcher);
    close(peer->watcher.fd);
    free(peer->owed.bytes);
    free(peer);
}

static void watch(struct ev_loop *loop, ev_io *watcher, int events) {
    ev_io_stop(loop, watcher);
    ev_io_set(watcher, watcher->fd, events);
    ev_io_start(loop, watcher);
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events) {
    struct peer *peer = (struct peer *)watcher;
    (void)events;
    switch (echo(watcher->fd, &peer->owed)) {
    case AS_BEFORE: break;
    case READ: watch(loop, watcher, EV_READ); break;
    case WRITE: watch(loop, watcher, EV_WRITE); break;
    case HANG_UP: hang_up(loop, peer); break;
    }
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int events) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer;
    (void)events;
    if (fd < 0) return;
    peer = calloc(1, sizeof *peer);
    if (!peer) fail("calloc");
    no_delay(fd);
    ev_io_init(&peer->watcher, on_ready, fd, EV_READ);
    ev_io_start(loop, &peer->watcher);
}

int main(int argc, char **argv) {
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_io listener;
    if (!loop) fail("ev_default_loop");
    ev_io_init(&listener, on_connection, serve(argc, argv), EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    return 1;
}
