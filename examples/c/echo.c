/* An echo server: echo HOST PORT [--edge]. With port 0 the kernel chooses; READY tells. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fastsock.h"
struct peer { int fd; size_t len; char *backlog; }; /* backlog: what a peer that reads too slowly has still to get */
static char buffer[65536]; /* for all peers: what was received is gone before the next callback */
static uint32_t trigger;
static void hang_up(void *user) {
    struct peer *peer = (struct peer *)user;
    close(peer->fd), free(peer->backlog), free(peer);
}
static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct peer *peer = (struct peer *)user;
    size_t waited = peer->len;
    char *data = waited ? peer->backlog : buffer;
    ssize_t len = waited ? (ssize_t)waited : recv(peer->fd, buffer, sizeof buffer, 0);
    ssize_t sent = len > 0 ? send(peer->fd, data, (size_t)len, MSG_NOSIGNAL) : len;
    if (len <= 0 || (sent < 0 && errno != EAGAIN)) { if (!len || errno != EAGAIN) fsock_remove(loop, token); return; }
    peer->len = (size_t)(sent < 0 ? len : len - sent);
    if (peer->len > 0) { /* nothing more is received until this is gone: memory stays bounded */
        if (!waited && !(peer->backlog = (char *)malloc(peer->len))) { fsock_remove(loop, token); return; }
        memmove(peer->backlog, data + (size_t)len - peer->len, peer->len);
        if (!waited) fsock_modify(loop, token, FSOCK_WRITABLE, trigger);
    } else if (waited) {
        free(peer->backlog), peer->backlog = NULL, fsock_modify(loop, token, FSOCK_READABLE, trigger);
    } else if (trigger == FSOCK_EDGE && (len == (ssize_t)sizeof buffer || ready != FSOCK_READY_READ)) {
        fsock_rearm(loop, token); /* there may be more, even the end; some other peer's turn first */
    }
}
static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *from, uint32_t size, void *user) {
    int one = 1;
    struct peer *peer = fd < 0 ? NULL : (struct peer *)calloc(1, sizeof *peer);
    (void)token, (void)from, (void)size, (void)user;
    if (!peer) { close(fd); return; } /* fd < 0: the listener is broken, and run returns when the last peer is gone */
    peer->fd = fd, setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fsock_add_callback(loop, fd, FSOCK_READABLE, trigger, on_ready, peer, hang_up, NULL) < 0) hang_up(peer);
}
int main(int argc, char **argv) {
    struct sockaddr_storage at;
    char text[300] = ""; /* HOST:PORT */
    uint32_t size = 0;
    uint64_t token;
    int r, fd = -1;
    fsock_loop *loop = NULL;
    if (argc > 2) snprintf(text, sizeof text, strchr(argv[1], ':') ? "[%s]:%s" : "%s:%s", argv[1], argv[2]);
    if (fsock_address_parse(text, &at, &size)) return fputs("usage: echo HOST PORT [--edge]\n", stderr), 2;
    trigger = argc > 3 && !strcmp(argv[3], "--edge") ? FSOCK_EDGE : FSOCK_LEVEL;
    if ((r = fsock_loop_new(NULL, &loop)) == 0)
        r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &token);
    if (r == 0) fd = fsock_listener_fd(loop, token), r = getsockname(fd, (struct sockaddr *)&at, &size) ? -errno : 0;
    if (r == 0) printf("READY %d\n", ntohs(((struct sockaddr_in *)&at)->sin_port)), fflush(stdout), r = fsock_loop_run(loop);
    return fprintf(stderr, "echo: %s: %s\n", text, fsock_strerror(r)), fsock_loop_free(loop), 1;
}
