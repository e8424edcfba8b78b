/* Servers: connections with data of their own, a limit, an end in good order, and one without. */
#include <netinet/in.h>

#include "check.h"

#define CLIENTS 5

struct service {
    int made, refuse, drops, connection_drops, drained, closed, keep;
    fsock_server_counters stats;
};

struct connection {
    struct service *service;
    uint64_t bytes;
};

static int on_accept(fsock_loop *loop, uint64_t server, uint64_t token, void **connection, void *user) {
    struct service *service = (struct service *)user;
    fsock_server_counters stats = FSOCK_SERVER_COUNTERS_INIT;
    CHECK_IS(fsock_server_stats(loop, server, &stats), 0);
    CHECK(stats.connections >= 1 && *connection == NULL);
    if (service->refuse) return -ECONNABORTED;
    struct connection *own = (struct connection *)calloc(1, sizeof *own);
    own->service = service;
    *connection = own;
    service->made++;
    return fsock_stream_write(loop, token, "hello", 5);
}

static int on_event(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user) {
    struct connection *own = (struct connection *)user;
    if (event->kind == FSOCK_STREAM_DATA) {
        own->bytes += event->length;
        return fsock_stream_write(loop, token, event->data, event->length);
    }
    if (event->kind == FSOCK_STREAM_STOPPING && own->service->keep) return fsock_stream_keep(loop, token);
    if (event->kind == FSOCK_STREAM_CLOSED) own->service->closed++;
    return 0;
}

static void drop_connection(void *user) {
    struct connection *own = (struct connection *)user;
    CHECK(own->service->drops == 0); /* The server's own goes last. */
    own->service->connection_drops++;
    free(own);
}

static void on_drop(void *user) { ((struct service *)user)->drops++; }

static void on_drained(fsock_loop *loop, uint64_t server, const fsock_server_counters *stats, void *user) {
    struct service *service = (struct service *)user;
    CHECK_IS(fsock_server_stop(loop, server), FSOCK_E_STALE);
    service->drained++;
    service->stats = *stats;
}

static int bound(struct sockaddr_storage *address, uint32_t *length) {
    socklen_t room = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", address, length), 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)address, *length) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)address, &room) == 0);
    return fd;
}

static uint64_t start(fsock_loop *loop, uint32_t limit, struct service *service, struct sockaddr_storage *address,
                      uint32_t *length) {
    fsock_server_options options = FSOCK_SERVER_OPTIONS_INIT;
    uint64_t server = 0;
    memset(service, 0, sizeof *service);
    options.connection_limit = limit;
    int fd = bound(address, length);
    CHECK_IS(fsock_server_start(loop, fd, &options, NULL, on_accept, on_event, drop_connection, service, on_drop, &server), 0);
    CHECK(close(fd) == 0 && server != 0); /* The loop has a duplicate. */
    return server;
}

static int client(struct sockaddr_storage *address, uint32_t length) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)address, length) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

static void turn_until(fsock_loop *loop, const int *count, int wanted) {
    int64_t until = now_ns() + 20000 * MS;
    while (*count < wanted) {
        CHECK(fsock_loop_run_once(loop, 1000 * MS) >= 0);
        CHECK(now_ns() < until);
    }
}

static void a_limit_and_a_drain(fsock_loop *loop, int keep) {
    struct service service;
    struct sockaddr_storage address;
    uint32_t length;
    fsock_server_counters stats = FSOCK_SERVER_COUNTERS_INIT;
    int clients[CLIENTS];
    uint64_t server = start(loop, 3, &service, &address, &length);
    for (int i = 0; i < CLIENTS; i++) clients[i] = client(&address, length);
    turn_until(loop, &service.made, 3);
    while (fsock_loop_run_once(loop, 20 * MS) > 0) {
    }
    CHECK_IS(fsock_server_stats(loop, server, &stats), 0);
    CHECK(service.made == 3 && stats.connections == 3 && stats.accepted == 3 && stats.limited == 1);
    close(clients[0]);
    turn_until(loop, &service.made, 4); /* There was room for one more. */
    CHECK_IS(fsock_server_limit(loop, server, 0), 0);
    turn_until(loop, &service.made, 5);
    service.keep = keep;
    CHECK_IS(fsock_server_drain(loop, server, keep ? 20 * MS : 20000 * MS, on_drained, &service, NULL), 0);
    CHECK_IS(fsock_server_drain(loop, server, 0, NULL, NULL, NULL), -EALREADY);
    if (!keep) {
        for (int i = 1; i < CLIENTS; i++) shutdown(clients[i], SHUT_WR);
    }
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(service.drained == 1 && service.closed == 5 && service.connection_drops == 5 && service.drops == 1);
    CHECK(service.stats.connections == 0 && service.stats.accepted == 5);
    CHECK(service.stats.cut_off == (keep ? UINT64_C(4) : UINT64_C(0)));
    for (int i = 1; i < CLIENTS; i++) {
        CHECK(take(clients[i]) == 5);
        close(clients[i]);
    }
}

static void stopped_at_once(fsock_loop *loop) {
    struct service service;
    struct sockaddr_storage address;
    uint32_t length;
    uint64_t server = start(loop, 0, &service, &address, &length);
    int one = client(&address, length);
    turn_until(loop, &service.made, 1);
    CHECK_IS(fsock_server_stop(loop, server), 0);
    CHECK(service.closed == 0 && service.connection_drops == 1 && service.drops == 1);
    CHECK_IS(fsock_server_stop(loop, server), FSOCK_E_STALE);
    CHECK_IS(fsock_server_limit(loop, server, 1), FSOCK_E_STALE);
    CHECK_IS(fsock_server_drain(loop, server, 0, on_drained, &service, on_drop), FSOCK_E_STALE);
    CHECK(service.drops == 1);
    CHECK_IS(fsock_loop_run(loop), 0);
    close(one);
}

static void refused(fsock_loop *loop) {
    struct service service;
    struct sockaddr_storage address;
    uint32_t length;
    fsock_server_counters stats = FSOCK_SERVER_COUNTERS_INIT;
    char byte;
    uint64_t server = start(loop, 0, &service, &address, &length);
    service.refuse = 1;
    int one = client(&address, length);
    while (stats.refused == 0) {
        CHECK(fsock_loop_run_once(loop, 1000 * MS) >= 0);
        CHECK_IS(fsock_server_stats(loop, server, &stats), 0);
    }
    CHECK(stats.connections == 0 && service.made == 0 && service.connection_drops == 0);
    CHECK(fcntl(one, F_SETFL, 0) == 0 && read(one, &byte, 1) == 0);
    close(one);
    CHECK_IS(fsock_server_stop(loop, server), 0);
}

static void misuse(fsock_loop *loop) {
    struct sockaddr_storage address;
    uint32_t length;
    struct service service;
    fsock_server_options options = FSOCK_SERVER_OPTIONS_INIT;
    uint64_t server = 0;
    int fd = bound(&address, &length), packets = socket(AF_INET, SOCK_DGRAM, 0);
    memset(&service, 0, sizeof service);
    CHECK_IS(fsock_server_start(NULL, fd, NULL, NULL, NULL, on_event, NULL, NULL, NULL, &server), -EINVAL);
    CHECK_IS(fsock_server_start(loop, fd, NULL, NULL, on_accept, NULL, NULL, &service, on_drop, &server), -EINVAL);
    CHECK_IS(fsock_server_start(loop, fd, NULL, NULL, NULL, on_event, drop_connection, &service, on_drop, &server), -EINVAL);
    CHECK_IS(fsock_server_start(loop, -1, NULL, NULL, on_accept, on_event, NULL, &service, on_drop, &server), -EBADF);
    CHECK_IS(fsock_server_start(loop, packets, NULL, NULL, on_accept, on_event, NULL, &service, on_drop, &server), -EOPNOTSUPP);
    options.reserved = 1;
    CHECK_IS(fsock_server_start(loop, fd, &options, NULL, on_accept, on_event, NULL, &service, on_drop, &server), -EINVAL);
    CHECK(server == 0 && service.drops == 0);
    close(fd);
    close(packets);
    CHECK_IS(fsock_server_stop(loop, 0), FSOCK_E_STALE);
    CHECK_IS(fsock_server_drain(loop, 1, -1, NULL, NULL, NULL), -EINVAL);
    CHECK_IS(fsock_server_stats(loop, 1, NULL), FSOCK_E_STALE);
}

int main(void) {
    fsock_loop *loop = new_loop();
    a_limit_and_a_drain(loop, 0);
    a_limit_and_a_drain(loop, 1);
    stopped_at_once(loop);
    refused(loop);
    misuse(loop);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
