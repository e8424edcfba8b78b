/* The echo on libuv: libuv HOST:PORT. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct peer {
    uv_tcp_t tcp; /* must live until on_closed, and the request until on_written */
    uv_write_t request;
    char data[65536];
};

static void on_closed(uv_handle_t *handle) { free(handle->data); }

static void hang_up(struct peer *peer) { uv_close((uv_handle_t *)&peer->tcp, on_closed); }

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct peer *peer = handle->data;
    (void)suggested;
    *room = uv_buf_init(peer->data, sizeof peer->data);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room);

static void on_written(uv_write_t *request, int status) {
    if (status == UV_ECANCELED) return; /* by uv_close */
    if (status < 0 || uv_read_start(request->handle, on_room_wanted, on_read) < 0) hang_up(request->handle->data);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room) {
    struct peer *peer = stream->data;
    uv_buf_t text = uv_buf_init(room->base, length > 0 ? (unsigned)length : 0);
    if (length == 0) return; /* EAGAIN */
    uv_read_stop(stream);    /* until this is written: back-pressure */
    if (length < 0 || uv_write(&peer->request, stream, &text, 1, on_written) < 0) hang_up(peer);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct peer *peer = status < 0 ? NULL : malloc(sizeof *peer);
    if (!peer) return;
    uv_tcp_init(listener->loop, &peer->tcp);
    peer->tcp.data = peer;
    if (uv_accept(listener, (uv_stream_t *)&peer->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&peer->tcp, on_room_wanted, on_read) < 0)
        hang_up(peer);
}

int main(int argc, char **argv) {
    struct sockaddr_in at;
    int r, size = sizeof at;
    unsigned port;
    char host[16], more;
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    if (argc != 2 || sscanf(argv[1], "%15[0-9.]:%5u%c", host, &port, &more) != 2 || port > 65535 ||
        uv_ip4_addr(host, (int)port, &at) < 0)
        return fputs("usage: libuv HOST:PORT, as in 127.0.0.1:7777\n", stderr), 2;
    signal(SIGPIPE, SIG_IGN); /* a write to a peer that is gone */
    r = uv_tcp_init(loop, &listener);
    if (r == 0) r = uv_tcp_bind(&listener, (struct sockaddr *)&at, 0);
    if (r == 0) r = uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection);
    if (r == 0) r = uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &size);
    if (r == 0) printf("READY %s:%d\n", host, ntohs(at.sin_port)), fflush(stdout), r = uv_run(loop, UV_RUN_DEFAULT);
    return fprintf(stderr, "libuv: %s: %s\n", argv[1], uv_strerror(r)), 1;
}
