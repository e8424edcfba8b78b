/* An echo service on buffered streams, with a limit and an orderly end: stream_echo ADDRESS, as in 127.0.0.1:7777.
 * With port 0 the kernel chooses; READY tells. SIGINT and SIGTERM drain it. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fastsock.h"

#define SECOND INT64_C(1000000000)

static int on_event(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user) {
    (void)user;
    /* What is not looked at (the end, a time-out) closes the connection. */
    return event->kind == FSOCK_STREAM_DATA ? fsock_stream_write(loop, token, event->data, event->length) : 0;
}

static void on_drained(fsock_loop *loop, uint64_t server, const fsock_server_counters *stats, void *user) {
    (void)server, (void)user;
    fprintf(stderr, "%llu connections served\n", (unsigned long long)stats->accepted);
    fsock_loop_stop(loop);
}

static void on_signal(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    (void)token, (void)signum, (void)times;
    /* Asked twice, it ends at once. */
    if (fsock_server_drain(loop, *(uint64_t *)user, 5 * SECOND, on_drained, NULL, NULL) < 0) fsock_loop_stop(loop);
}

/* A bound socket, and its address as text. */
static int bound(const char *text, char *name, size_t cap) {
    struct sockaddr_storage address;
    struct sockaddr *at = (struct sockaddr *)&address;
    uint32_t length;
    socklen_t room = sizeof address;
    int one = 1, fd;
    if (fsock_address_parse(text, &address, &length) < 0) {
        fprintf(stderr, "usage: stream_echo ADDRESS, as in 127.0.0.1:7777, [::1]:7777 or ./socket (not %s)\n", text);
        return -2;
    }
    fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, at, length) ||
        getsockname(fd, at, &room)) {
        perror(text);
        return -1;
    }
    fsock_address_format(at, room, name, cap);
    return fd;
}

int main(int argc, char **argv) {
    fsock_loop *loop = NULL;
    fsock_server_options limits = FSOCK_SERVER_OPTIONS_INIT;
    fsock_stream_options streams = FSOCK_STREAM_OPTIONS_INIT;
    uint64_t server = 0;
    char name[128];
    int fd = bound(argc > 1 ? argv[1] : "127.0.0.1:7777", name, sizeof name);
    if (fd < 0) return -fd;
    limits.connection_limit = 10000;
    streams.idle_timeout_ns = 300 * SECOND;
    int r = fsock_loop_new(NULL, &loop);
    if (r == 0) r = fsock_server_start(loop, fd, &limits, &streams, NULL, on_event, NULL, NULL, NULL, &server);
    close(fd); /* The loop has a duplicate. */
    if (r == 0) r = fsock_signal_start(loop, SIGINT, on_signal, &server, NULL, NULL);
    if (r == 0) r = fsock_signal_start(loop, SIGTERM, on_signal, &server, NULL, NULL);
    if (r == 0) {
        printf("READY %s\n", name); /* not before it listens */
        fflush(stdout);
        r = fsock_loop_run(loop);
    }
    if (r < 0) fprintf(stderr, "stream_echo: %s: %s\n", name, fsock_strerror(r));
    fsock_loop_free(loop);
    return r < 0;
}
