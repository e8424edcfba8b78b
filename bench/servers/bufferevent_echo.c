/*
 * libevent's buffered connections: what came in is moved, not copied, into what goes out. Its buffers read at most 4 KiB
 * a call in the 2.1 versions, whatever is asked for here.
 *
 *     bufferevent_echo HOST PORT      prints "READY <port>"
 */
#include "serve.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static void on_data(struct bufferevent *peer, void *user) {
    (void)user;
    bufferevent_write_buffer(peer, bufferevent_get_input(peer));
    /* Who does not take what is sent gets nothing more until that is gone. */
    if (evbuffer_get_length(bufferevent_get_output(peer)) > BUFFER) bufferevent_disable(peer, EV_READ);
}

static void on_sent(struct bufferevent *peer, void *user) {
    (void)user;
    if (!(bufferevent_get_enabled(peer) & EV_READ)) bufferevent_enable(peer, EV_READ);
}

static void on_end(struct bufferevent *peer, short events, void *user) {
    (void)events, (void)user;
    bufferevent_free(peer);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int length, void *user) {
    struct bufferevent *peer = bufferevent_socket_new(user, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)listener, (void)from, (void)length;
    if (!peer) fail("bufferevent_socket_new");
    no_delay(fd);
    bufferevent_set_max_single_read(peer, BUFFER);
    bufferevent_set_max_single_write(peer, BUFFER);
    bufferevent_setcb(peer, on_data, on_sent, on_end, NULL);
    bufferevent_enable(peer, EV_READ);
}

int main(int argc, char **argv) {
    struct event_base *base = event_base_new();
    if (!base) fail("event_base_new");
    /* A backlog of 0: the socket listens already. */
    if (!evconnlistener_new(base, on_connection, base, LEV_OPT_CLOSE_ON_EXEC, 0, serve(argc, argv)))
        fail("evconnlistener_new");
    event_base_dispatch(base);
    return 1;
}
