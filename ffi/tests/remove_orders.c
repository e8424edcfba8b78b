/* Everything is ready at once, and the first of one kind that is called removes all, in every order: sources, timers,
 * signals, children, listeners, streams, servers and wakers. Nothing is called after that, every drop function once. */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

enum { SOURCE, TIMER, SIGNAL, CHILD, LISTENER, STREAM, SERVER, WAKER, KINDS, EACH = 2, ALL = KINDS * EACH };
enum { BY_REMOVE, BY_FREE };

struct thing {
    int kind, called, dropped, removed, pair[2];
    uint64_t token;
    fsock_waker *waker;
};

static struct thing things[ALL];
static fsock_loop *the_loop;
static int killer, first, step, how, killed, has_children;

static void remove_one(struct thing *thing) {
    CHECK(thing->dropped == 0);
    thing->removed = 1;
    switch (thing->kind) {
        case TIMER: CHECK_IS(fsock_timer_stop(the_loop, thing->token), 0); break;
        case SIGNAL: CHECK_IS(fsock_signal_stop(the_loop, thing->token), 0); break;
        case SERVER: CHECK_IS(fsock_server_stop(the_loop, thing->token), 0); break;
        case WAKER: CHECK_IS(fsock_waker_free(thing->waker), 0); break;
        case CHILD: /* one that is called is gone already */
            CHECK_IS(fsock_remove(the_loop, thing->token), thing->called ? FSOCK_E_STALE : 0);
            break;
        default: CHECK_IS(fsock_remove(the_loop, thing->token), 0);
    }
}

static void called(void *user) {
    struct thing *me = (struct thing *)user;
    CHECK(!killed);
    CHECK(!me->removed && me->dropped == 0);
    me->called++;
    if (me->kind != killer) return;
    killed = 1;
    if (how == BY_FREE) {
        CHECK_IS(fsock_loop_free(the_loop), 0);
        return;
    }
    for (int i = 0, at = first; i < ALL; i++, at = (at + step + ALL) % ALL) {
        struct thing *thing = &things[at];
        if (thing->kind == CHILD && (!has_children || (thing->called && thing != me))) continue;
        remove_one(thing);
        /* At once, but for the one that is called. */
        CHECK(thing->dropped == (thing != me));
    }
}

static void dropped(void *user) { ((struct thing *)user)->dropped++; }

static void on_ready(fsock_loop *l, uint64_t t, uint32_t r, void *user) { (void)l, (void)t, (void)r, called(user); }
static void on_time(fsock_loop *l, uint64_t t, uint64_t p, void *user) { (void)l, (void)t, (void)p, called(user); }
static void on_signal(fsock_loop *l, uint64_t t, int s, uint64_t n, void *user) {
    (void)l, (void)t, (void)s, (void)n, called(user);
}
static void on_end(fsock_loop *l, uint64_t t, int s, void *user) { (void)l, (void)t, (void)s, called(user); }
static void on_wake(fsock_loop *l, void *user) { (void)l, called(user); }
static void on_connection(fsock_loop *l, uint64_t t, int fd, const struct sockaddr *peer, uint32_t n, void *user) {
    (void)l, (void)t, (void)peer, (void)n;
    CHECK(fd >= 0 && close(fd) == 0);
    called(user);
}

static int on_event(fsock_loop *l, uint64_t t, const fsock_stream_event *event, void *user) {
    (void)l, (void)t;
    CHECK(event->kind == FSOCK_STREAM_DATA);
    called(user);
    return 0;
}
static int on_accepted(fsock_loop *l, uint64_t server, uint64_t t, void **connection, void *user) {
    (void)l, (void)server, (void)t, (void)connection;
    called(user);
    return -ECONNABORTED;
}

/* A server with a client that waits. */
static void start_server(struct thing *thing) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK(bind(fd, (struct sockaddr *)&address, length) == 0);
    CHECK_IS(fsock_server_start(the_loop, fd, NULL, NULL, on_accepted, on_event, NULL, thing, dropped, &thing->token), 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0 && close(fd) == 0);
    CHECK((thing->pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(connect(thing->pair[0], (struct sockaddr *)&address, length) == 0);
}

/* A listener with a client that waits. */
static void start_listener(struct thing *thing) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK_IS(fsock_listen(the_loop, (struct sockaddr *)&address, length, NULL, on_connection, thing, dropped, &thing->token),
             0);
    CHECK(getsockname(fsock_listener_fd(the_loop, thing->token), (struct sockaddr *)&address, &length) == 0);
    CHECK((thing->pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(connect(thing->pair[0], (struct sockaddr *)&address, length) == 0);
}

static void start_child(struct thing *thing) {
    siginfo_t info;
    pid_t pid = spawn("exit 0");
    int r = fsock_child_start(the_loop, pid, on_end, thing, dropped, &thing->token);
    has_children = r != -EOPNOTSUPP; /* an older valgrind knows no pidfd_open(2) */
    if (has_children) CHECK_IS(r, 0);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | (has_children ? WNOWAIT : 0)) == 0);
}

static void start(struct thing *thing) {
    switch (thing->kind) {
        case SOURCE:
            make_pair(thing->pair);
            put(thing->pair[1], "x");
            CHECK_IS(fsock_add_callback(the_loop, thing->pair[0], FSOCK_READABLE, 0, on_ready, thing, dropped,
                                        &thing->token), 0);
            break;
        case TIMER: CHECK_IS(fsock_timer_start(the_loop, 0, MS, 0, on_time, thing, dropped, &thing->token), 0); break;
        case SIGNAL: CHECK_IS(fsock_signal_start(the_loop, SIGUSR1, on_signal, thing, dropped, &thing->token), 0); break;
        case CHILD: start_child(thing); break;
        case LISTENER: start_listener(thing); break;
        case STREAM:
            make_pair(thing->pair);
            put(thing->pair[1], "x");
            CHECK_IS(fsock_stream_add(the_loop, thing->pair[0], NULL, on_event, thing, dropped, &thing->token), 0);
            break;
        case SERVER: start_server(thing); break;
        default:
            CHECK_IS(fsock_waker_new(the_loop, on_wake, thing, dropped, &thing->waker), 0);
            CHECK_IS(fsock_waker_wake(thing->waker), 0);
    }
}

static void one(void) {
    int r;
    the_loop = new_loop();
    memset(things, 0, sizeof things);
    killed = 0;
    for (int i = 0; i < ALL; i++) {
        things[i].kind = i % KINDS;
        start(&things[i]);
    }
    CHECK(raise(SIGUSR1) == 0);
    do r = fsock_loop_run_once(the_loop, FSOCK_FOREVER);
    while ((r >= 0 || r == -EINTR) && !killed);
    if (how == BY_FREE) {
        CHECK_IS(r, FSOCK_E_CLOSED);
    } else {
        CHECK(r > 0);
        CHECK_IS(fsock_loop_run(the_loop), 0); /* nothing is left */
        CHECK_IS(fsock_loop_free(the_loop), 0);
    }
    for (int i = 0; i < ALL; i++) {
        struct thing *thing = &things[i];
        if (thing->kind == CHILD && !has_children) continue;
        CHECK(thing->dropped == 1);
        if (thing->kind == SOURCE) close_pair(thing->pair);
        if (thing->kind == STREAM) close(thing->pair[1]); /* the other was the loop's */
        if (thing->kind == LISTENER || thing->kind == SERVER) close(thing->pair[0]);
        if (thing->kind == WAKER && how == BY_FREE) CHECK_IS(fsock_waker_free(thing->waker), 0);
    }
    /* Children that were given up are ours again. */
    while (waitpid(-1, NULL, 0) > 0) {}
}

int main(void) {
    for (killer = 0; killer < KINDS; killer++) {
        if (killer == CHILD && getenv("UNDER_VALGRIND")) continue; /* which may know no pidfd_open(2) */
        how = BY_FREE;
        one();
        how = BY_REMOVE;
        /* Forwards, backwards, and by fives, which meets them all as well; from everywhere, where time allows. */
        static const int steps[] = {1, -1, 5};
        int is_slow = getenv("UNDER_VALGRIND") != NULL;
        for (size_t s = 0; s < 3; s++) {
            step = steps[s];
            for (first = 0; first < ALL; first += is_slow ? ALL : 1) one();
        }
    }
    return 0;
}
