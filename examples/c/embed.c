/* Embedding: a program with a poll(2) loop of its own gets a server and a timer from fastsock. embed HOST:PORT
 * The host reads commands from its standard input ("count", "quit"), as it did before; whoever connects gets a greeting. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fastsock.h>

static unsigned long greeted, seconds;

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *from, uint32_t size,
                          void *user) {
    static const char hello[] = "hello\n";
    (void)loop, (void)token, (void)from, (void)size, (void)user;
    if (fd < 0) return;
    if (send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) > 0) greeted++;
    close(fd);
}

static void on_second(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)loop, (void)token, (void)user;
    seconds += passed;
}

/* A command of the host's. Returns 0 to end. */
static int command(void) {
    char text[64];
    ssize_t n = read(0, text, sizeof text - 1);
    if (n <= 0) return 0;
    text[n] = 0;
    if (strstr(text, "count")) {
        printf("%lu greeted in %lu seconds\n", greeted, seconds);
        fflush(stdout);
    }
    return strstr(text, "quit") == NULL;
}

/* The host's loop: one descriptor stands for all that fastsock watches, its timers included. */
static int host(fsock_loop *loop) {
    struct pollfd fds[2];
    int r, goes_on = 1, is_polled = fsock_loop_fd(loop) >= 0;
    memset(fds, 0, sizeof fds);
    fds[0].fd = 0, fds[0].events = POLLIN, fds[1].events = POLLIN;
    while (goes_on) {
        int64_t timeout = -1;
        fds[1].fd = fsock_loop_fd(loop); /* asked each time: it may change, and asking is cheap */
        if (!is_polled) {
            /* Without epoll there is no such descriptor: look often, and be there when the next timer is due. */
            int64_t next = fsock_loop_timeout(loop);
            fds[1].fd = -1, timeout = next < 0 || next > 10000000 ? 10 : next / 1000000 + 1;
        }
        if (poll(fds, 2, (int)timeout) < 0 && errno != EINTR) return -errno;
        if (fds[0].revents) goes_on = command();
        if (fds[1].revents || !is_polled) {
            r = fsock_loop_run_once(loop, 0); /* what is ready and due; never waits */
            if (r < 0 && r != -EINTR) return r;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    uint32_t size = 0;
    uint64_t listener;
    char text[128] = "";
    fsock_loop *loop = NULL;
    int r;
    if (argc != 2 || fsock_address_parse(argv[1], &at, &size) < 0) {
        fputs("usage: embed HOST:PORT, such as 127.0.0.1:7777; port 0: any\n", stderr);
        return 2;
    }
    if ((r = fsock_loop_new(NULL, &loop)) == 0)
        r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &listener);
    if (r == 0) r = fsock_timer_start(loop, 1000000000, 1000000000, FSOCK_TIMER_RATE, on_second, NULL, NULL, NULL);
    if (r == 0) {
        size = sizeof at, getsockname(fsock_listener_fd(loop, listener), (struct sockaddr *)&at, &size);
        fsock_address_format((struct sockaddr *)&at, size, text, sizeof text);
        printf("READY %s\n", text), fflush(stdout);
        r = host(loop);
    }
    if (r < 0) fprintf(stderr, "embed: %s: %s\n", argv[1], fsock_strerror(r));
    return fsock_loop_free(loop), r < 0;
}
