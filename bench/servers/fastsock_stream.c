/*
 * fastsock's buffered connections, with no limit and no time-out, which the servers beside it do not have either
 * (examples/c/stream_echo.c has both).
 *
 *     fastsock_stream HOST PORT       prints "READY <port>"
 */
#include "serve.h"

#include <fastsock.h>

static int on_event(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user) {
    (void)user;
    return event->kind == FSOCK_STREAM_DATA ? fsock_stream_write(loop, token, event->data, event->length) : 0;
}

int main(int argc, char **argv) {
    fsock_loop *loop = NULL;
    uint64_t server;
    int fd = serve(argc, argv), r = fsock_loop_new(NULL, &loop);
    if (r == 0) r = fsock_server_start(loop, fd, NULL, NULL, NULL, on_event, NULL, NULL, NULL, &server);
    if (r == 0) r = fsock_loop_run(loop);
    fprintf(stderr, "fastsock_stream: %s\n", fsock_strerror(r));
    fsock_loop_free(loop);
    return 1;
}
