/*
 * libuv: every read goes into one buffer, and is written at once with uv_try_write, which takes no memory; only what the
 * socket does not take is queued, and nothing more is read until that is gone.
 *
 *     uv_echo HOST PORT       prints "READY <port>"
 */
#include "serve.h"

#include <string.h>
#include <uv.h>

static char buffer[BUFFER];

struct owed {
    uv_write_t request; /* first: its address is that of the whole */
    char bytes[];
};

static void check(int result, const char *what) {
    if (result == 0) return;
    fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
    exit(1);
}

static void on_buffer(uv_handle_t *peer, size_t suggested, uv_buf_t *into) {
    (void)peer, (void)suggested;
    *into = uv_buf_init(buffer, sizeof buffer);
}

static void on_closed(uv_handle_t *peer) { free(peer); }

static void hang_up(uv_stream_t *peer) {
    if (!uv_is_closing((uv_handle_t *)peer)) uv_close((uv_handle_t *)peer, on_closed);
}

static void on_data(uv_stream_t *peer, ssize_t got, const uv_buf_t *from);

static void on_sent(uv_write_t *request, int result) {
    uv_stream_t *peer = request->handle;
    free(request);
    if (result == 0) result = uv_read_start(peer, on_buffer, on_data);
    if (result != 0) hang_up(peer);
}

static void keep(uv_stream_t *peer, const char *bytes, size_t length) {
    struct owed *owed = malloc(sizeof *owed + length);
    uv_buf_t rest;
    if (!owed) fail("malloc");
    memcpy(owed->bytes, bytes, length);
    rest = uv_buf_init(owed->bytes, (unsigned)length);
    uv_read_stop(peer);
    check(uv_write(&owed->request, peer, &rest, 1, on_sent), "uv_write");
}

static void on_data(uv_stream_t *peer, ssize_t got, const uv_buf_t *from) {
    uv_buf_t reply = uv_buf_init(from->base, got > 0 ? (unsigned)got : 0);
    int sent;
    if (got <= 0) {
        if (got < 0) hang_up(peer);
        return;
    }
    sent = uv_try_write(peer, &reply, 1);
    if (sent == got) return;
    if (sent < 0 && sent != UV_EAGAIN) {
        hang_up(peer);
        return;
    }
    if (sent < 0) sent = 0;
    keep(peer, from->base + sent, (size_t)(got - sent));
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *peer;
    if (status < 0) return;
    peer = malloc(sizeof *peer);
    if (!peer) fail("malloc");
    check(uv_tcp_init(listener->loop, peer), "uv_tcp_init");
    if (uv_accept(listener, (uv_stream_t *)peer) != 0 || uv_tcp_nodelay(peer, 1) != 0 ||
        uv_read_start((uv_stream_t *)peer, on_buffer, on_data) != 0)
        hang_up((uv_stream_t *)peer);
}

int main(int argc, char **argv) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    if (!loop) fail("uv_default_loop");
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_tcp_open(&listener, serve(argc, argv)), "uv_tcp_open");
    check(uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection), "uv_listen");
    uv_run(loop, UV_RUN_DEFAULT);
    return 1;
}
