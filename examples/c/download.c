/* A file server: download FILE HOST:PORT. Whoever connects gets the file, from the page cache to the socket by sendfile(2). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fastsock.h>

enum { CHUNK = 1 << 20, PATIENCE_S = 60 };

struct download {
    int fd;
    off_t at;
    uint64_t timer;
    fsock_loop *loop;
};
static int file;

static void finish(void *user) {
    struct download *download = (struct download *)user;
    fsock_timer_stop(download->loop, download->timer);
    close(download->fd);
    free(download);
}

/* A chunk, then the others' turn: the loop calls again for as long as there is room. */
static void on_room(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct download *download = (struct download *)user;
    ssize_t sent = sendfile(download->fd, file, &download->at, CHUNK);
    (void)ready;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent <= 0) fsock_remove(loop, token); /* all of it, or the client is gone */
    else fsock_timer_again(loop, download->timer, PATIENCE_S * INT64_C(1000000000));
}

/* Nothing was taken for a minute. user is the source's token, in an allocation of its own. */
static void on_timeout(fsock_loop *loop, uint64_t timer, uint64_t passed, void *user) {
    (void)timer, (void)passed;
    fsock_remove(loop, *(uint64_t *)user);
}

static void on_connection(fsock_loop *loop, uint64_t listener, int fd, const struct sockaddr *from, uint32_t size,
                          void *user) {
    struct download *download;
    uint64_t *token;
    (void)listener, (void)from, (void)size, (void)user;
    if (fd < 0) return;
    download = (struct download *)calloc(1, sizeof *download);
    token = (uint64_t *)malloc(sizeof *token);
    if (download && token) {
        download->fd = fd, download->loop = loop;
        if (fsock_timer_start(loop, PATIENCE_S * INT64_C(1000000000), 0, 0, on_timeout, token, free, &download->timer) == 0) {
            if (fsock_add_callback(loop, fd, FSOCK_WRITABLE, FSOCK_LEVEL, on_room, download, finish, token) == 0) return;
            finish(download); /* stops the timer, which frees the token, and closes the socket */
            return;
        }
    }
    close(fd), free(download), free(token); /* out of memory: this client gets nothing */
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    struct stat stat;
    uint32_t size = 0;
    uint64_t listener;
    char text[128] = "";
    fsock_loop *loop = NULL;
    int r;
    if (argc != 3 || fsock_address_parse(argv[2], &at, &size) < 0) {
        fputs("usage: download FILE HOST:PORT, such as 127.0.0.1:7777; port 0: any\n", stderr);
        return 2;
    }
    if ((file = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 || fstat(file, &stat) < 0) return perror(argv[1]), 1;
    if (!S_ISREG(stat.st_mode)) return fprintf(stderr, "%s: not a regular file\n", argv[1]), 1;
    signal(SIGPIPE, SIG_IGN); /* there is no MSG_NOSIGNAL for sendfile */
    if ((r = fsock_loop_new(NULL, &loop)) == 0)
        r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &listener);
    if (r == 0) {
        size = sizeof at, getsockname(fsock_listener_fd(loop, listener), (struct sockaddr *)&at, &size);
        fsock_address_format((struct sockaddr *)&at, size, text, sizeof text);
        printf("READY %s\n", text), fflush(stdout);
        r = fsock_loop_run(loop);
    }
    if (r < 0) fprintf(stderr, "download: %s: %s\n", argv[2], fsock_strerror(r));
    return fsock_loop_free(loop), close(file), r < 0;
}
