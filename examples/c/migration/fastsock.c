/* The echo on fastsock's streams: fastsock HOST:PORT. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fastsock.h"

static int on_event(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user) {
    (void)user;
    /* Back-pressure is built in: a stream that is full is not read. The end closes it, when what is queued has been sent. */
    return event->kind == FSOCK_STREAM_DATA ? fsock_stream_write(loop, token, event->data, event->length) : 0;
}

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *from, uint32_t size, void *user) {
    (void)token, (void)from, (void)size, (void)user;
    /* fd < 0: the listener is broken, and run returns when the last stream is gone. */
    if (fd >= 0 && fsock_stream_add(loop, fd, NULL, on_event, NULL, NULL, NULL) < 0) close(fd);
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    uint32_t size = 0;
    char name[128];
    uint64_t token;
    fsock_loop *loop = NULL;
    int r;
    if (argc != 2 || fsock_address_parse(argv[1], &at, &size) < 0)
        return fputs("usage: fastsock HOST:PORT, as in 127.0.0.1:7777\n", stderr), 2;
    r = fsock_loop_new(NULL, &loop);
    if (r == 0) r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &token);
    if (r == 0) r = getsockname(fsock_listener_fd(loop, token), (struct sockaddr *)&at, &size) < 0 ? -errno : 0;
    if (r == 0) r = fsock_address_format((struct sockaddr *)&at, size, name, sizeof name);
    if (r > 0) printf("READY %s\n", name), fflush(stdout), r = fsock_loop_run(loop);
    if (r < 0) fprintf(stderr, "fastsock: %s: %s\n", argv[1], fsock_strerror(r));
    return fsock_loop_free(loop), 1;
}
