/*
 * libevent's events: one persistent event for each connection, in the memory of that connection.
 *
 *     event_echo HOST PORT    prints "READY <port>"
 */
#include "peer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct peer {
    struct event event;
    struct owed owed;
};

static struct event_base *base;

static void on_ready(evutil_socket_t fd, short events, void *user);

static void watch(struct peer *peer, int fd, short events) {
    if (event_assign(&peer->event, base, fd, (short)(events | EV_PERSIST), on_ready, peer) != 0) fail("event_assign");
    if (event_add(&peer->event, NULL) != 0) fail("event_add");
}

static void rewatch(struct peer *peer, int fd, short events) {
    event_del(&peer->event);
    watch(peer, fd, events);
}

static void hang_up(struct peer *peer, int fd) {
    event_del(&peer->event);
    close(fd);
    free(peer->owed.bytes);
    free(peer);
}

static void on_ready(evutil_socket_t fd, short events, void *user) {
    struct peer *peer = user;
    (void)events;
    switch (echo(fd, &peer->owed)) {
    case AS_BEFORE: break;
    case READ: rewatch(peer, fd, EV_READ); break;
    case WRITE: rewatch(peer, fd, EV_WRITE); break;
    case HANG_UP: hang_up(peer, fd); break;
    }
}

static void on_connection(evutil_socket_t listener, short events, void *user) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer;
    (void)events, (void)user;
    if (fd < 0) return;
    peer = calloc(1, sizeof *peer);
    if (!peer) fail("calloc");
    no_delay(fd);
    watch(peer, fd, EV_READ);
}

int main(int argc, char **argv) {
    struct event listener;
    base = event_base_new();
    if (!base) fail("event_base_new");
    event_assign(&listener, base, serve(argc, argv), EV_READ | EV_PERSIST, on_connection, NULL);
    if (event_add(&listener, NULL) != 0) fail("event_add");
    event_base_dispatch(base);
    return 1;
}
