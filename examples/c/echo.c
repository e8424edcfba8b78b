/* An echo server: echo HOST PORT [--edge]. With port 0 the kernel chooses; READY tells. */
#define _GNU_SOURCE 1 /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
static void on_connection(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    int one = 1, fd = accept4(*(int *)user, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer = (struct peer *)calloc(1, sizeof *peer);
    (void)token, (void)ready;
    if (fd < 0 || !peer) { close(fd), free(peer), usleep(1000); return; } /* nothing left: at least do not spin */
    peer->fd = fd, setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fsock_add_callback(loop, fd, FSOCK_READABLE, trigger, on_ready, peer, hang_up, NULL) < 0) hang_up(peer);
}
int main(int argc, char **argv) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int r, one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fsock_loop *loop = NULL;
    memset(&at, 0, sizeof at), at.sin_family = AF_INET;
    if (argc < 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) return puts("usage: echo HOST PORT [--edge]"), 2;
    at.sin_port = htons((uint16_t)atoi(argv[2])), trigger = argc > 3 && !strcmp(argv[3], "--edge") ? FSOCK_EDGE : 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, (struct sockaddr *)&at, size) ||
        listen(fd, SOMAXCONN) || getsockname(fd, (struct sockaddr *)&at, &size)) return perror("listen"), 1;
    printf("READY %d\n", ntohs(at.sin_port)), fflush(stdout);
    if ((r = fsock_loop_new(NULL, &loop)) == 0)
        r = fsock_add_callback(loop, fd, FSOCK_READABLE, FSOCK_LEVEL, on_connection, &fd, NULL, NULL);
    if (r == 0) r = fsock_loop_run(loop);
    return fprintf(stderr, "%s\n", fsock_strerror(r)), fsock_loop_free(loop), 1;
}
