/* Listeners: connections come with their address, as many as the budget says; paused, refused, adopted, ended. */
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "check.h"

#define MOST 16

struct server {
    int calls, drops, pause_at, remove_at, stop_at, error, fds[MOST];
    char peer[128];
};

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *peer, uint32_t length,
                          void *user) {
    struct server *server = (struct server *)user;
    fsock_accept_stats stats = FSOCK_ACCEPT_STATS_INIT;
    if (fd < 0) {
        CHECK(peer == NULL && length == 0);
        server->error = fd;
        return;
    }
    CHECK_IS(fsock_loop_run(loop), -EBUSY);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(fsock_address_format(peer, length, server->peer, sizeof server->peer) > 0);
    CHECK(server->calls < MOST);
    server->fds[server->calls++] = fd;
    /* Its own callback has the listener. */
    CHECK_IS(fsock_listener_stats(loop, token, &stats), -EBUSY);
    CHECK_IS(fsock_listener_fd(loop, token), -EBUSY);
    if (server->calls == server->pause_at) CHECK_IS(fsock_modify(loop, token, 0, FSOCK_LEVEL), 0);
    if (server->calls == server->remove_at) CHECK_IS(fsock_remove(loop, token), 0);
    if (server->calls == server->stop_at) CHECK_IS(fsock_loop_stop(loop), 0);
    CHECK(server->drops == 0);
}

static void on_drop(void *user) { ((struct server *)user)->drops++; }

static void begin(struct server *server) { memset(server, 0, sizeof *server); }

static void end(struct server *server) {
    for (int i = 0; i < server->calls; i++) CHECK(close(server->fds[i]) == 0);
    server->calls = 0;
}

static uint64_t listen_at(fsock_loop *loop, const char *text, const fsock_listen_options *options, struct server *server) {
    struct sockaddr_storage address;
    uint32_t length;
    uint64_t token = 0;
    CHECK_IS(fsock_address_parse(text, &address, &length), 0);
    CHECK_IS(fsock_listen(loop, (struct sockaddr *)&address, length, options, on_connection, server, on_drop, &token), 0);
    CHECK(token != 0);
    return token;
}

/* A client of this listener, connected before it is accepted. */
static int client_of(fsock_loop *loop, uint64_t token) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    CHECK(getsockname(fsock_listener_fd(loop, token), (struct sockaddr *)&address, &length) == 0);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0);
    return fd;
}

static void budgets(fsock_loop *loop) {
    struct server server;
    fsock_listen_options options = FSOCK_LISTEN_OPTIONS_INIT;
    fsock_accept_stats stats = FSOCK_ACCEPT_STATS_INIT;
    int clients[6];
    static const uint32_t cases[][2] = {{0, 1}, {1, 1}, {4, 4}, {100, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&server);
        options.budget = cases[i][0];
        uint64_t token = listen_at(loop, "127.0.0.1:0", &options, &server);
        for (int n = 0; n < 6; n++) clients[n] = client_of(loop, token);
        CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
        CHECK(server.calls == (int)cases[i][1]);
        while (server.calls < 6) CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
        CHECK(strncmp(server.peer, "127.0.0.1:", 10) == 0);
        CHECK_IS(fsock_listener_stats(loop, token, &stats), 0);
        CHECK(stats.accepted == 6 && stats.pauses == 0 && stats.refused == 0 && stats.aborted == 0);
        CHECK_IS(fsock_remove(loop, token), 0);
        CHECK(server.drops == 1);
        CHECK_IS(fsock_listener_fd(loop, token), FSOCK_E_STALE);
        CHECK_IS(fsock_listener_stats(loop, token, &stats), FSOCK_E_STALE);
        for (int n = 0; n < 6; n++) close(clients[n]);
        end(&server);
    }
}

/* Pause, stop, remove: each holds at once, in the midst of a burst. */
static void in_a_burst(fsock_loop *loop) {
    struct server server;
    fsock_listen_options options = FSOCK_LISTEN_OPTIONS_INIT;
    int clients[6];
    begin(&server);
    server.pause_at = 2, server.stop_at = 4, server.remove_at = 5;
    options.budget = 100;
    uint64_t token = listen_at(loop, "127.0.0.1:0", &options, &server);
    for (int n = 0; n < 6; n++) clients[n] = client_of(loop, token);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(server.calls == 2);
    CHECK_IS(fsock_loop_run_once(loop, 0), 0);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(server.calls == 4 && server.drops == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(server.calls == 5 && server.drops == 1);
    for (int n = 0; n < 6; n++) close(clients[n]);
    end(&server);
}

static void free_inside(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *peer, uint32_t length, void *user) {
    (void)token, (void)peer, (void)length;
    ((struct server *)user)->calls++;
    close(fd);
    CHECK_IS(fsock_loop_free(loop), 0);
}

static void freed_in_a_burst(void) {
    struct server server;
    fsock_listen_options options = FSOCK_LISTEN_OPTIONS_INIT;
    struct sockaddr_storage address;
    uint32_t length;
    uint64_t token;
    int clients[3];
    fsock_loop *loop = new_loop();
    begin(&server);
    options.budget = 10;
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK_IS(fsock_listen(loop, (struct sockaddr *)&address, length, &options, free_inside, &server, on_drop, &token), 0);
    for (int n = 0; n < 3; n++) clients[n] = client_of(loop, token);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
    CHECK(server.calls == 1 && server.drops == 1);
    for (int n = 0; n < 3; n++) close(clients[n]);
}

static int warnings;

static void on_log(uint32_t level, const char *text, void *user) {
    CHECK(level == FSOCK_LOG_WARNING && strstr(text, "RLIMIT_NOFILE") != NULL && user == NULL);
    warnings++;
}

/* Out of descriptors: the client waits, nothing spins, and it is served as soon as there is room. */
static void exhausted(fsock_loop *loop) {
    struct server server;
    struct rlimit before, low;
    fsock_accept_stats stats = FSOCK_ACCEPT_STATS_INIT;
    fsock_stats all = FSOCK_STATS_INIT;
    begin(&server);
    CHECK_IS(fsock_set_log(on_log, NULL), 0);
    uint64_t token = listen_at(loop, "127.0.0.1:0", NULL, &server);
    int client = client_of(loop, token);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    low = before;
    low.rlim_cur = (rlim_t)client; /* the lowest free number is beyond this */
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int64_t begun = now_ns();
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(server.calls == 0);
    CHECK_IS(fsock_listener_stats(loop, token, &stats), 0);
    CHECK(stats.pauses == 1 && stats.accepted == 0);
    CHECK_IS(fsock_loop_stats(loop, &all), 0);
    CHECK(all.accept_failures == 1 && warnings == 1);
    /* It pauses longer and longer, 10 ms at first: it does not spin, though a client waits. */
    while (stats.pauses < 4) {
        CHECK(fsock_loop_run_once(loop, FSOCK_FOREVER) >= 0);
        CHECK_IS(fsock_listener_stats(loop, token, &stats), 0);
    }
    CHECK(now_ns() - begun >= 70 * MS);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_IS(fsock_set_log(NULL, NULL), 0);
    if (stats.refused > 0) { /* on a machine so busy that a second has passed: this client was turned away */
        close(client);
        client = client_of(loop, token);
    }
    while (server.calls == 0) CHECK(fsock_loop_run_once(loop, FSOCK_FOREVER) >= 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    close(client);
    end(&server);
}

static void unix_sockets(fsock_loop *loop) {
    struct server server;
    char name[64];
    begin(&server);
    snprintf(name, sizeof name, "@fastsock listener.c %d", (int)getpid());
    uint64_t token = listen_at(loop, name, NULL, &server);
    int client = client_of(loop, token);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(server.calls == 1 && strcmp(server.peer, "unnamed") == 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    close(client);
    end(&server);
}

/* A socket of one's own: the loop has a duplicate. */
static void adopted(fsock_loop *loop) {
    struct server server;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    fsock_listen_options options = FSOCK_LISTEN_OPTIONS_INIT;
    uint64_t token;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), pipes[2];
    begin(&server);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 && pipe(pipes) == 0);
    CHECK_IS(fsock_listen_fd(loop, -1, NULL, on_connection, &server, on_drop, &token), -EBADF);
    CHECK_IS(fsock_listen_fd(loop, 1 << 20, NULL, on_connection, &server, on_drop, &token), -EBADF);
    CHECK_IS(fsock_listen_fd(loop, pipes[0], NULL, on_connection, &server, on_drop, &token), -ENOTSOCK);
    CHECK_IS(fsock_listen_fd(loop, udp, NULL, on_connection, &server, on_drop, &token), -EOPNOTSUPP);
    CHECK_IS(fsock_listen_fd(loop, fd, NULL, NULL, &server, on_drop, &token), -EINVAL);
    options.backlog = 1;
    CHECK_IS(fsock_listen_fd(loop, fd, &options, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK(server.drops == 0);
    CHECK_IS(fsock_listen_fd(loop, fd, NULL, on_connection, &server, on_drop, &token), 0);
    CHECK(fsock_listener_fd(loop, token) != fd);
    CHECK(close(fd) == 0 && close(udp) == 0 && close(pipes[0]) == 0 && close(pipes[1]) == 0);
    int client = client_of(loop, token);
    CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
    CHECK(server.calls == 1);
    /* Made deaf from outside: told once, and it is gone. */
    CHECK(shutdown(fsock_listener_fd(loop, token), SHUT_RDWR) == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(server.error == -EINVAL && server.drops == 1);
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    close(client);
    end(&server);
}

static void refused(fsock_loop *loop) {
    struct server server;
    struct sockaddr_storage address, taken;
    uint32_t length, taken_length = sizeof taken;
    uint64_t token, first;
    fsock_listen_options options = FSOCK_LISTEN_OPTIONS_INIT;
    struct {
        fsock_listen_options known;
        uint64_t more;
    } newer;
    begin(&server);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    struct sockaddr *at = (struct sockaddr *)&address;
    CHECK_IS(fsock_listen(NULL, at, length, NULL, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_listen(loop, NULL, length, NULL, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_listen(loop, at, 0, NULL, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_listen(loop, at, 15, NULL, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_listen(loop, at, UINT32_MAX, NULL, on_connection, &server, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_listen(loop, at, length, NULL, NULL, &server, on_drop, &token), -EINVAL);
    options.flags = 1U << 31;
    CHECK_IS(fsock_listen(loop, at, length, &options, on_connection, &server, on_drop, &token), -EINVAL);
    options.flags = FSOCK_LISTEN_ONLY_V6 | FSOCK_LISTEN_DUAL_STACK;
    CHECK_IS(fsock_listen(loop, at, length, &options, on_connection, &server, on_drop, &token), -EINVAL);
    options.flags = FSOCK_LISTEN_ONLY_V6;
    CHECK_IS(fsock_listen(loop, at, length, &options, on_connection, &server, on_drop, &token), -EINVAL);
    options.flags = FSOCK_LISTEN_SEQPACKET;
    CHECK_IS(fsock_listen(loop, at, length, &options, on_connection, &server, on_drop, &token), -ESOCKTNOSUPPORT);
    options.size = 3, options.flags = 0;
    CHECK_IS(fsock_listen(loop, at, length, &options, on_connection, &server, on_drop, &token), -EINVAL);
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer, newer.more = 1;
    CHECK_IS(fsock_listen(loop, at, length, &newer.known, on_connection, &server, on_drop, &token), -E2BIG);
    newer.more = 0;
    CHECK_IS(fsock_listen(loop, at, length, &newer.known, on_connection, &server, NULL, &first), 0);
    CHECK(getsockname(fsock_listener_fd(loop, first), (struct sockaddr *)&taken, &taken_length) == 0);
    CHECK_IS(fsock_listen(loop, (struct sockaddr *)&taken, taken_length, NULL, on_connection, &server, on_drop, &token),
             -EADDRINUSE);
    CHECK(server.drops == 0);
    CHECK_IS(fsock_remove(loop, first), 0);
    /* A source that is no listener. */
    int pair[2];
    make_pair(pair);
    CHECK_IS(fsock_add(loop, pair[0], 0, 0, &token), 0);
    CHECK_IS(fsock_listener_fd(loop, token), FSOCK_E_STALE);
    CHECK_IS(fsock_listener_fd(NULL, token), -EINVAL);
    CHECK_IS(fsock_listener_stats(NULL, token, NULL), -EINVAL);
    CHECK_IS(fsock_remove(loop, token), 0);
    close_pair(pair);
}

int main(void) {
    fsock_loop *loop = new_loop();
    refused(loop);
    budgets(loop);
    in_a_burst(loop);
    freed_in_a_burst();
    unix_sockets(loop);
    /* valgrind counts descriptors itself, and closes the connection that it finds to be too many. */
    if (!getenv("UNDER_VALGRIND")) exhausted(loop);
    adopted(loop);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
