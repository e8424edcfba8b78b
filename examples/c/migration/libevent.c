/* The echo on libevent's bufferevents: libevent HOST:PORT. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void on_data(struct bufferevent *peer, void *user) {
    (void)user;
    bufferevent_write_buffer(peer, bufferevent_get_input(peer)); /* moved, not copied */
    if (evbuffer_get_length(bufferevent_get_output(peer)) >= 65536) bufferevent_disable(peer, EV_READ); /* back-pressure */
}

static void on_sent(struct bufferevent *peer, void *user) {
    (void)user;
    bufferevent_enable(peer, EV_READ);
}

static void on_last_sent(struct bufferevent *peer, void *user) {
    (void)user;
    bufferevent_free(peer);
}

static void on_end(struct bufferevent *peer, short what, void *user) {
    if ((what & BEV_EVENT_EOF) && evbuffer_get_length(bufferevent_get_output(peer)) > 0)
        bufferevent_setcb(peer, NULL, on_last_sent, on_end, user); /* bufferevent_free would throw it away */
    else
        bufferevent_free(peer);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int size, void *user) {
    struct bufferevent *peer = bufferevent_socket_new(user, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)listener, (void)from, (void)size;
    if (!peer) {
        evutil_closesocket(fd);
        return;
    }
    bufferevent_setcb(peer, on_data, on_sent, on_end, NULL);
    bufferevent_enable(peer, EV_READ);
}

int main(int argc, char **argv) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    struct evconnlistener *listener = NULL;
    struct event_base *base;
    unsigned port;
    char host[16], more;
    memset(&at, 0, sizeof at);
    /* Not evutil_parse_sockaddr_port, which knows no port 0. */
    if (argc != 2 || sscanf(argv[1], "%15[0-9.]:%5u%c", host, &port, &more) != 2 || port > 65535 ||
        evutil_inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return fputs("usage: libevent HOST:PORT, as in 127.0.0.1:7777\n", stderr), 2;
    at.sin_family = AF_INET, at.sin_port = htons((uint16_t)port);
    signal(SIGPIPE, SIG_IGN); /* a write to a peer that is gone */
    if ((base = event_base_new()) != NULL)
        listener = evconnlistener_new_bind(base, on_connection, base, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
                                           (struct sockaddr *)&at, sizeof at);
    if (listener && getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &size) == 0)
        printf("READY %s:%d\n", host, ntohs(at.sin_port)), fflush(stdout), event_base_dispatch(base);
    else
        fprintf(stderr, "libevent: %s: %s\n", argv[1], evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    return base ? event_base_free(base) : (void)0, 1;
}
