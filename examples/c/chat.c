/* A chat: chat HOST:PORT. Every line of a client goes to all others. Who reads too slowly has to go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fastsock.h>

enum { LINE = 1024, BACKLOG = 65536 };

struct client {
    int fd;
    uint64_t token;
    size_t in, out; /* how much of each is used */
    char line[LINE], backlog[BACKLOG];
    struct client *next, **self;
};
static struct client *clients;

/* The last that happens to a client: fsock_remove, or the end of the loop, sees to it. */
static void forget(void *user) {
    struct client *client = (struct client *)user;
    *client->self = client->next;
    if (client->next) client->next->self = client->self;
    close(client->fd);
    free(client);
}

/* Gives a client bytes, now or when it has room for them. Returns 0 when it has too many already, or is gone. */
static int give(fsock_loop *loop, struct client *client, const char *bytes, size_t length) {
    ssize_t sent = client->out > 0 ? 0 : send(client->fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent > 0) bytes += sent, length -= (size_t)sent;
    if (length == 0) return 1;
    if (client->out + length > BACKLOG) return 0;
    memcpy(client->backlog + client->out, bytes, length);
    if (client->out == 0) fsock_modify(loop, client->token, FSOCK_READABLE | FSOCK_WRITABLE, FSOCK_LEVEL);
    client->out += length;
    return 1;
}

static void broadcast(fsock_loop *loop, const struct client *from, const char *bytes, size_t length) {
    struct client *client = clients, *next;
    for (; client; client = next) {
        next = client->next;
        if (client != from && !give(loop, client, bytes, length)) fsock_remove(loop, client->token);
    }
}

/* Returns 0 when the client is done with. */
static int hear(fsock_loop *loop, struct client *client) {
    ssize_t n = recv(client->fd, client->line + client->in, LINE - client->in, 0);
    char *end;
    if (n <= 0) return n < 0 && errno == EAGAIN;
    client->in += (size_t)n;
    while ((end = (char *)memchr(client->line, '\n', client->in)) != NULL || client->in == LINE) {
        size_t length = end ? (size_t)(end - client->line) + 1 : (size_t)LINE;
        broadcast(loop, client, client->line, length);
        client->in -= length;
        memmove(client->line, client->line + length, client->in);
    }
    return 1;
}

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    struct client *client = (struct client *)user;
    if (ready & FSOCK_READY_WRITE && client->out > 0) {
        ssize_t sent = send(client->fd, client->backlog, client->out, MSG_NOSIGNAL);
        if (sent > 0) memmove(client->backlog, client->backlog + sent, client->out -= (size_t)sent);
        if (client->out == 0) fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL);
    }
    if (ready & ~FSOCK_READY_WRITE && !hear(loop, client)) fsock_remove(loop, token);
}

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *from, uint32_t size,
                          void *user) {
    struct client *client = fd < 0 ? NULL : (struct client *)malloc(sizeof *client);
    (void)token, (void)from, (void)size, (void)user;
    if (!client) {
        if (fd >= 0) close(fd);
        return;
    }
    client->fd = fd, client->in = client->out = 0, client->next = clients, client->self = &clients;
    if (fsock_add_callback(loop, fd, FSOCK_READABLE, FSOCK_LEVEL, on_ready, client, forget, &client->token) < 0) {
        close(fd), free(client); /* it is still ours */
        return;
    }
    if (clients) clients->self = &client->next;
    clients = client;
}

int main(int argc, char **argv) {
    struct sockaddr_storage at;
    uint32_t size = 0;
    uint64_t listener;
    char text[128] = "";
    fsock_loop *loop = NULL;
    int r;
    if (argc != 2 || fsock_address_parse(argv[1], &at, &size) < 0)
        return fputs("usage: chat HOST:PORT, such as 127.0.0.1:7777; port 0: any\n", stderr), 2;
    if ((r = fsock_loop_new(NULL, &loop)) == 0)
        r = fsock_listen(loop, (struct sockaddr *)&at, size, NULL, on_connection, NULL, NULL, &listener);
    if (r == 0) {
        size = sizeof at, getsockname(fsock_listener_fd(loop, listener), (struct sockaddr *)&at, &size);
        fsock_address_format((struct sockaddr *)&at, size, text, sizeof text);
        printf("READY %s\n", text), fflush(stdout);
        r = fsock_loop_run(loop);
    }
    if (r < 0) fprintf(stderr, "chat: %s: %s\n", argv[1], fsock_strerror(r));
    return fsock_loop_free(loop), r < 0;
}
