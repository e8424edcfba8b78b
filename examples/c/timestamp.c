/* A timestamp service: timestamp HOST:PORT. Each client gets the time as a line, and the connection ends (RFC 867). */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fastsock.h>

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *from, uint32_t size,
                          void *user) {
    time_t now = time(NULL);
    const char *line = ctime(&now);
    (void)loop, (void)token, (void)from, (void)size, (void)user;
    if (fd < 0) { /* the listener is broken for good */
        fprintf(stderr, "timestamp: %s\n", fsock_strerror(fd));
        return;
    }
    /* A fresh socket has room for a line: this does not wait, and what a client that is gone does not get is no loss. */
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) perror("send");
    close(fd);
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    uint32_t size = 0;
    uint64_t listener;
    char text[128];
    fsock_loop *loop;
    int r;
    if (argc != 2 || fsock_address_parse(argv[1], &at, &size) < 0) {
        fprintf(stderr, "usage: timestamp HOST:PORT, such as 127.0.0.1:1313 or [::1]:1313; port 0: any\n");
        return 2;
    }
    if ((r = fsock_loop_new(NULL, &loop)) < 0) {
        fprintf(stderr, "timestamp: %s\n", fsock_strerror(r));
        return 1;
    }
    r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &listener);
    if (r == 0) {
        size = sizeof at;
        if (getsockname(fsock_listener_fd(loop, listener), (struct sockaddr *)&at, &size) == 0) {
            fsock_address_format((struct sockaddr *)&at, size, text, sizeof text);
            printf("READY %s\n", text);
            fflush(stdout);
        }
        r = fsock_loop_run(loop);
    }
    if (r < 0) fprintf(stderr, "timestamp: %s: %s\n", argv[1], fsock_strerror(r));
    fsock_loop_free(loop);
    return r < 0;
}
