/* Drives the whole C API by bytes: what they say is done outside of callbacks and inside of them, sensible or not.
 *
 *     make fuzz-c                         with clang's libFuzzer, until something is found or it is interrupted
 *     cc -DREPLAY fuzz.c ... && ./fuzz    4000 inputs made of a counter, the same each time; or the files that are named
 *
 * What must hold: no call but a panic's would return FSOCK_E_PANIC, and none does; a live token is found, a stale one is not;
 * nothing is called after its end; every drop function is called once, before the loop is gone. The sanitizers watch the
 * memory: each user data is an allocation, which its drop function frees. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fastsock.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

enum { THINGS = 16, PAIRS = 3, WAKERS = 3, SUBMITTERS = 2, DEPTH = 4 };
enum { NONE, SOURCE, TIMER, SIGNAL, LISTENER, STREAM, SERVER };

/* What C knows of a registration; the user data of its callback is an allocation that points here. */
struct thing {
    int kind, is_live;
    unsigned serial; /* whose it is: the place is used again */
    uint64_t token;
};

struct user {
    struct thing *thing; /* NULL: a waker's, or a job's */
    unsigned serial;
};

static const uint8_t *input;
static size_t left;
static fsock_loop *loop;
static int is_freed, depth, users;
static struct thing things[THINGS];
static int pairs[PAIRS][2];
static fsock_waker *wakers[WAKERS];
static fsock_submitter *submitters[SUBMITTERS];

static void step(void);

static unsigned next(void) { return left == 0 ? 0 : (left--, *input++); }
static unsigned below(unsigned n) { return next() % n; }
static uint64_t wide(void) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | next();
    return bits;
}

/* A result that may be. */
static int sound(int r) {
    CHECK(r != FSOCK_E_PANIC);
    CHECK(r != FSOCK_E_THREAD);
    CHECK(fsock_strerror(r)[0] != 0);
    return r;
}

static struct user *give(struct thing *thing) {
    static unsigned serial;
    struct user *user = (struct user *)malloc(sizeof *user);
    user->thing = thing, user->serial = ++serial;
    if (thing) thing->serial = serial;
    users++;
    return user;
}

/* Whether this is still the user data of what is in its place. */
static int is_current(const struct user *user) { return user->thing && user->thing->serial == user->serial; }

static void drop(void *pointer) {
    struct user *user = (struct user *)pointer;
    users--;
    CHECK(users >= 0);
    if (is_current(user)) user->thing->is_live = 0;
    free(user);
    if (depth < DEPTH && below(4) == 0) {
        depth++;
        step();
        depth--;
    }
}

/* What every callback does: some of what the bytes say. */
static void called(void *pointer) {
    CHECK(!is_freed);
    if (is_current((struct user *)pointer)) CHECK(((struct user *)pointer)->thing->is_live);
    depth++;
    for (unsigned n = below(3); depth < DEPTH && n > 0; n--) step();
    depth--;
}

static void on_ready(fsock_loop *l, uint64_t token, uint32_t ready, void *user) {
    (void)ready;
    CHECK(l == loop && ((struct user *)user)->thing->token == token);
    called(user);
}
static void on_time(fsock_loop *l, uint64_t token, uint64_t passed, void *user) {
    (void)token;
    CHECK(l == loop && passed > 0);
    called(user);
}
static void on_signal(fsock_loop *l, uint64_t token, int signum, uint64_t times, void *user) {
    (void)token;
    CHECK(l == loop && signum == SIGUSR1 && times > 0);
    called(user);
}
static void on_connection(fsock_loop *l, uint64_t token, int fd, const struct sockaddr *peer, uint32_t length, void *user) {
    (void)token, (void)peer, (void)length;
    CHECK(l == loop && fd >= 0);
    close(fd);
    called(user);
}
/* Some of what comes goes back; now and then the connection is found wanting. */
static int on_event(fsock_loop *l, uint64_t token, const fsock_stream_event *event, void *user) {
    CHECK(l == loop && event->kind >= 1 && event->kind <= FSOCK_STREAM_CLOSED);
    if (event->kind == FSOCK_STREAM_DATA && below(4) == 0) (void)fsock_stream_write(l, token, event->data, event->length);
    if (below(8) == 0) (void)fsock_stream_keep(l, token);
    called(user);
    return below(16) == 0 ? -EIO : 0;
}
static int on_accepted(fsock_loop *l, uint64_t server, uint64_t token, void **connection, void *user) {
    struct user *mine;
    (void)server, (void)token;
    CHECK(l == loop);
    mine = give(NULL);
    called(user);
    if (below(4) == 0) {
        users--;
        free(mine);
        return -EIO;
    }
    *connection = mine;
    return 0;
}
static void on_drained(fsock_loop *l, uint64_t server, const fsock_server_counters *stats, void *user) {
    (void)server;
    CHECK(l == loop && stats->connections == 0);
    called(user);
}
static void on_call(fsock_loop *l, void *user) {
    CHECK(l == loop);
    called(user);
}
static void on_log(uint32_t level, const char *text, void *user) {
    (void)user;
    CHECK(level == FSOCK_LOG_WARNING && strlen(text) > 10);
}

static void begin(void) {
    fsock_config config = FSOCK_CONFIG_INIT;
    config.backend = 1 + below(3);
    CHECK(fsock_loop_new(&config, &loop) == 0);
    is_freed = 0;
    memset(things, 0, sizeof things);
}

/* The loop is gone: so is everything that it had. */
static void gone(void) {
    CHECK(users == 0);
    for (int i = 0; i < THINGS; i++) CHECK(!things[i].is_live || things[i].kind == SOURCE);
    for (int i = 0; i < WAKERS; i++) CHECK(!wakers[i] || fsock_waker_wake(wakers[i]) == FSOCK_E_CLOSED);
    for (int i = 0; i < WAKERS; i++) CHECK(fsock_waker_free(wakers[i]) == 0);
    for (int i = 0; i < SUBMITTERS; i++) CHECK(fsock_submitter_free(submitters[i]) == 0);
    memset(wakers, 0, sizeof wakers);
    memset(submitters, 0, sizeof submitters);
}

/* After what may have ended the loop by a drop function, outside of callbacks. */
static void renew(void) {
    if (depth > 0 || !is_freed) return;
    gone();
    begin();
}

/* As above; and the result told it. */
static int after(int r) {
    CHECK(depth > 0 || !is_freed || r == FSOCK_E_CLOSED);
    renew();
    return sound(r);
}

static void free_loop(void) {
    int was_freed = is_freed;
    if (depth == 0) {
        is_freed = 1;
        depth = 1; /* drop functions find a loop that ends */
        CHECK(fsock_loop_free(loop) == 0);
        depth = 0;
        gone();
        begin();
        return;
    }
    is_freed = 1;
    CHECK(sound(fsock_loop_free(loop)) == (was_freed ? FSOCK_E_CLOSED : 0) || was_freed);
}

/* Starts something in a free place; the bytes choose flags and times, wrong ones too. */
static void start(int kind) {
    struct thing *thing = &things[below(THINGS)];
    struct sockaddr_storage address;
    uint32_t length = 0;
    int r = -1, fd = pairs[below(PAIRS)][below(2)];
    if (thing->is_live) return;
    unsigned interest = below(9), flags = below(9), with_callback = below(4);
    struct user *user = give(thing);
    thing->kind = kind, thing->is_live = 1, thing->token = 0;
    switch (kind) {
        case SOURCE:
            if (with_callback == 0) r = fsock_add(loop, fd, interest, flags, &thing->token);
            else r = fsock_add_callback(loop, fd, interest, flags, on_ready, user, drop, &thing->token);
            break;
        case TIMER:
            r = fsock_timer_start(loop, (int64_t)below(3) * 1000 - 1000, (int64_t)below(3) * 1000000, below(3), on_time, user,
                                  drop, &thing->token);
            break;
        case SIGNAL: r = fsock_signal_start(loop, below(8) ? SIGUSR1 : SIGKILL, on_signal, user, drop, &thing->token); break;
        case STREAM:
            fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            r = fsock_stream_add(loop, fd, NULL, on_event, user, drop, &thing->token);
            if (r < 0) close(fd);
            break;
        default:
            CHECK(fsock_address_parse("@fastsock fuzz", &address, &length) == 0);
            /* A name of one's own: another process fuzzes as well. */
            length += (uint32_t)snprintf((char *)&address + length, 40, " %d %d", (int)getpid(), (int)(thing - things));
            if (kind == LISTENER) {
                r = fsock_listen(loop, (struct sockaddr *)&address, length, NULL, on_connection, user, drop, &thing->token);
            } else {
                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (bind(fd, (struct sockaddr *)&address, length) == 0) CHECK(listen(fd, 4) == 0);
                r = fsock_server_start(loop, fd, NULL, NULL, on_accepted, on_event, drop, user, drop, &thing->token);
                close(fd); /* the loop has a duplicate */
            }
            if (r == 0 && below(2)) {
                int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                (void)!connect(client, (struct sockaddr *)&address, length);
                close(client);
            }
    }
    /* The loop does not own it: a source without a callback, or a failure. What was evicted may have run bytes. */
    if (r < 0 || (kind == SOURCE && with_callback == 0)) {
        users--;
        free(user);
    }
    if (r < 0) thing->is_live = 0, thing->token = 0;
    CHECK(sound(r) <= 0);
    renew();
}

static void on_stream(uint64_t token) {
    static const char bytes[70000];
    fsock_stream_options options = FSOCK_STREAM_OPTIONS_INIT;
    uint64_t queued;
    switch (below(12)) {
        case 0: case 1: sound(fsock_stream_write(loop, token, bytes, below(3) == 0 ? sizeof bytes : below(100))); break;
        case 2: sound(fsock_stream_write_file(loop, token, (int)below(8), 0, below(100))); break;
        case 3: sound(fsock_stream_flush(loop, token)); break;
        case 4: sound(fsock_stream_is_full(loop, token)); break;
        case 5: sound(fsock_stream_queued(loop, token, below(8) ? &queued : NULL)); break;
        case 6: sound(fsock_stream_pause(loop, token)); break;
        case 7: sound(fsock_stream_resume(loop, token)); break;
        case 8: sound(fsock_stream_shutdown(loop, token)); break;
        case 9: sound(fsock_stream_close(loop, token)); break;
        case 10: sound(fsock_stream_fd(loop, token)); break;
        default:
            options.size = below(8) ? (uint32_t)sizeof options : below(64);
            options.high_water = below(4) * 100, options.low_water = below(4) * 50;
            options.idle_timeout_ns = below(3), options.read_timeout_ns = below(3);
            options.write_timeout_ns = below(3), options.close_timeout_ns = below(3);
            sound(fsock_stream_configure(loop, token, &options));
    }
}

static void on_server(uint64_t token) {
    fsock_server_counters counters = FSOCK_SERVER_COUNTERS_INIT;
    struct user *user;
    switch (below(3)) {
        case 0: sound(fsock_server_limit(loop, token, below(3))); break;
        case 1: sound(fsock_server_stats(loop, token, &counters)); break;
        default:
            user = give(NULL);
            if (sound(fsock_server_drain(loop, token, (int64_t)below(3) - 1, on_drained, user, drop)) < 0) users--, free(user);
    }
}

static void on_token(unsigned what) {
    struct thing *thing = &things[below(THINGS)];
    uint64_t token = below(8) == 0 ? wide() : thing->token;
    int was_live = thing->is_live && token == thing->token && token != 0, kind = thing->kind, r, wanted;
    switch (what) {
        case 0: r = fsock_remove(loop, token), wanted = kind == SOURCE || kind == LISTENER || kind == STREAM; break;
        case 1: r = fsock_timer_stop(loop, token), wanted = kind == TIMER; break;
        case 2: r = fsock_signal_stop(loop, token), wanted = kind == SIGNAL; break;
        case 3: sound(fsock_modify(loop, token, below(9), below(9))); return;
        case 4: sound(fsock_rearm(loop, token)); return;
        case 5: sound(fsock_timer_again(loop, token, (int64_t)below(3) * 1000 - 1000)); return;
        case 6: r = fsock_server_stop(loop, token), wanted = kind == SERVER; break;
        case 7: on_stream(token); return;
        case 8: on_server(token); return;
        default: {
            fsock_accept_stats stats = FSOCK_ACCEPT_STATS_INIT;
            sound(fsock_listener_fd(loop, token));
            sound(fsock_listener_stats(loop, token, &stats));
            return;
        }
    }
    sound(r);
    if (was_live && wanted && !is_freed) CHECK(r == 0 || r == FSOCK_E_STALE || r == FSOCK_E_CLOSED);
    if (was_live && !wanted) CHECK(r == FSOCK_E_STALE || r == FSOCK_E_CLOSED);
    /* A source without a callback has no drop function to tell. */
    if (r == 0 && was_live && wanted && kind == SOURCE && thing->token == token) thing->is_live = 0;
    after(r == FSOCK_E_CLOSED ? r : (is_freed ? FSOCK_E_CLOSED : r));
}

static void wait(void) {
    fsock_event events[4];
    int r;
    if (below(8) == 0) r = sound(fsock_loop_harvest(loop, 0));
    if (below(2)) r = fsock_loop_run_once(loop, 0);
    else r = fsock_loop_wait(loop, events, below(5), 0);
    if (depth > 0) CHECK(sound(r) == -EBUSY || r == FSOCK_E_CLOSED || r == -EINVAL);
    else after(r);
}

static void waker(void) {
    fsock_waker **place = &wakers[below(WAKERS)];
    struct user *user;
    switch (below(3)) {
        case 0:
            if (*place) return;
            user = give(NULL);
            if (sound(fsock_waker_new(loop, below(4) ? on_call : NULL, user, drop, place)) < 0) users--, free(user);
            break;
        case 1: if (*place) sound(fsock_waker_wake(*place)); break;
        default: {
            fsock_waker *old = *place;
            *place = NULL; /* its drop function may run bytes */
            int r = fsock_waker_free(old);
            after(depth == 0 && is_freed ? FSOCK_E_CLOSED : r);
        }
    }
}

static void submitter(void) {
    fsock_submitter **place = &submitters[below(SUBMITTERS)];
    switch (below(3)) {
        case 0: if (!*place) sound(fsock_submitter_new(loop, place)); break;
        case 1:
            if (*place) {
                struct user *user = give(NULL);
                if (sound(fsock_submit(*place, on_call, user, drop)) < 0) users--, free(user);
            }
            break;
        default: sound(fsock_submitter_free(*place)), *place = NULL;
    }
}

static void peers(void) {
    int *pair = pairs[below(PAIRS)];
    char bytes[64];
    switch (below(4)) {
        case 0: (void)!send(pair[below(2)], "x", 1, MSG_NOSIGNAL); break;
        case 1: (void)!recv(pair[below(2)], bytes, sizeof bytes, 0); break;
        case 2: shutdown(pair[below(2)], SHUT_WR); break;
        default: /* The forbidden thing: closed while they are watched. */
            close(pair[0]), close(pair[1]);
            CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    }
}

static void plain_data(void) {
    struct sockaddr_storage address;
    uint32_t length = 0;
    char text[40], out[40];
    union {
        fsock_stats stats;
        uint8_t bytes[4100];
    } room;
    size_t n = below(sizeof text);
    for (size_t i = 0; i < n; i++) text[i] = (char)next();
    text[n] = 0;
    if (sound(fsock_address_parse(text, &address, &length)) == 0) {
        int needed = fsock_address_format((struct sockaddr *)&address, length, out, sizeof out);
        CHECK(needed > 0 && (needed >= (int)sizeof out || (int)strlen(out) == needed));
    }
    sound(fsock_address_format((struct sockaddr *)text, (uint32_t)below(sizeof text), out, below(sizeof out)));
    CHECK(fsock_strerror_r((int)wide(), out, sizeof out) > 0 && strlen(out) < sizeof out);
    memset(&room, 0xa5, sizeof room);
    room.stats.size = (uint32_t)wide();
    if (room.stats.size <= sizeof room || room.stats.size > 4096) sound(fsock_loop_stats(loop, &room.stats));
    sound(fsock_loop_measure(loop, (int)below(2)));
    sound((int)fsock_loop_timeout(loop));
    sound(fsock_loop_fd(loop));
}

static void datagrams(void) {
    fsock_recv_batch *recv = NULL;
    fsock_send_batch *send = NULL;
    const fsock_datagram *got;
    int pair[2], r;
    char bytes[64] = {0};
    if (sound(fsock_recv_batch_new(below(6), below(9), &recv)) < 0) return;
    if (sound(fsock_send_batch_new(below(6), below(64), &send)) == 0) {
        CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
        for (unsigned n = below(6); n > 0; n--) sound(fsock_send_batch_push(send, bytes, below(32), below(2) * 9, NULL, 0));
        if (below(4) == 0) sound(fsock_send_batch_skip(send));
        if (sound(fsock_send_batch_send(send, pair[0])) < 0) sound(fsock_send_batch_clear(send));
        while ((r = sound(fsock_recv_batch_recv(recv, pair[1], &got))) > 0)
            for (int i = 0; i < r; i++) memcpy(bytes, got[i].bytes, got[i].length);
        close(pair[0]), close(pair[1]);
    }
    sound(fsock_send_batch_free(send));
    sound(fsock_recv_batch_free(recv));
}

static void step(void) {
    switch (below(20)) {
        case 0: case 1: case 2: start(SOURCE); break;
        case 3: case 4: start(TIMER); break;
        case 5: start(SIGNAL); break;
        case 6: start(LISTENER); break;
        case 7: start(below(3) ? STREAM : SERVER); break;
        case 8: case 9: case 10: on_token(below(10)); break;
        case 11: case 12: wait(); break;
        case 13: waker(); break;
        case 14: submitter(); break;
        case 15: case 16: peers(); break;
        case 17: plain_data(); break;
        case 18: below(2) ? (void)sound(fsock_loop_stop(loop)) : datagrams(); break;
        default: below(4) ? (void)raise(SIGUSR1) : free_loop();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sigaction ignore;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN; /* what SIGUSR1 does while nobody watches it */
    CHECK(sigaction(SIGUSR1, &ignore, NULL) == 0);
    CHECK(fsock_set_log(on_log, NULL) == 0);
    input = data, left = size, depth = users = 0;
    for (int i = 0; i < PAIRS; i++) CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pairs[i]) == 0);
    begin();
    while (left > 0) step();
    is_freed = depth = 1;
    CHECK(fsock_loop_free(loop) == 0);
    depth = 0;
    gone();
    for (int i = 0; i < PAIRS; i++) close(pairs[i][0]), close(pairs[i][1]);
    return 0;
}

#ifdef REPLAY
int main(int argc, char **argv) {
    static uint8_t bytes[1 << 16];
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        ssize_t n = read(fd, bytes, sizeof bytes);
        CHECK(n >= 0 && close(fd) == 0);
        LLVMFuzzerTestOneInput(bytes, (size_t)n);
    }
    for (uint64_t seed = 1; argc == 1 && seed <= 4000; seed++) {
        uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t i = 0; i < 512; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
            bytes[i] = (uint8_t)(x >> 32);
        }
        LLVMFuzzerTestOneInput(bytes, 1 + seed % 512);
    }
    return 0;
}
#endif
