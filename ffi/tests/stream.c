/* Streams: echo, gathered writes, water marks, time-outs, half-close, the end, and what misuse gets. */
#include <netinet/in.h>

#include "check.h"

/* What a stream's callback saw, and what it is to do. */
struct seen {
    int events[8], drops, error, detail, answer, echo, keep, close_on_data, free_on_data, remove_on_data, stop;
    uint64_t bytes, token;
    char last[64];
};

static int on_event(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user) {
    struct seen *seen = (struct seen *)user;
    CHECK(seen->drops == 0 && event->reserved == 0 && event->kind >= 1 && event->kind <= FSOCK_STREAM_CLOSED);
    CHECK((event->kind == FSOCK_STREAM_DATA) == (event->data != NULL && event->length > 0));
    CHECK(seen->events[FSOCK_STREAM_CLOSED] == 0);
    CHECK_IS(fsock_loop_run_once(loop, 0), -EBUSY);
    seen->events[event->kind]++;
    seen->token = token;
    if (event->kind == FSOCK_STREAM_CLOSED) {
        seen->error = event->error;
        CHECK_IS(fsock_stream_write(loop, token, "x", 1), FSOCK_E_STALE);
        CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    }
    if (event->kind == FSOCK_STREAM_TIMED_OUT) seen->detail = (int)event->detail;
    if (event->kind == FSOCK_STREAM_DATA) {
        seen->bytes += event->length;
        memcpy(seen->last, event->data, event->length < sizeof seen->last ? event->length : sizeof seen->last);
        if (seen->echo) CHECK_IS(fsock_stream_write(loop, token, event->data, event->length), 0);
        if (seen->close_on_data) CHECK_IS(fsock_stream_close(loop, token), 0);
        if (seen->remove_on_data) CHECK_IS(fsock_remove(loop, token), 0);
        if (seen->free_on_data) CHECK_IS(fsock_loop_free(loop), 0);
    }
    if (seen->keep) CHECK_IS(fsock_stream_keep(loop, token), event->kind == FSOCK_STREAM_CLOSED ? FSOCK_E_STALE : 0);
    if (seen->stop) CHECK_IS(fsock_loop_stop(loop), 0);
    return seen->answer;
}

static void on_drop(void *user) { ((struct seen *)user)->drops++; }

static void begin(struct seen *seen) { memset(seen, 0, sizeof *seen); }

static uint64_t add(fsock_loop *loop, int fd, const fsock_stream_options *options, struct seen *seen) {
    uint64_t token = 0;
    CHECK_IS(fsock_stream_add(loop, fd, options, on_event, seen, on_drop, &token), 0);
    CHECK(token != 0);
    return token;
}

/* Turns until this many events of the kind were seen. */
static void turn_until(fsock_loop *loop, struct seen *seen, uint32_t kind, int count) {
    int64_t until = now_ns() + 20000 * MS;
    while (seen->events[kind] < count) {
        int r = fsock_loop_run_once(loop, 1000 * MS);
        CHECK(r >= 0 || r == -EINTR);
        CHECK(now_ns() < until);
    }
}

static void echo_until_the_end(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    begin(&seen);
    seen.echo = 1;
    make_pair(pair);
    uint64_t token = add(loop, pair[0], NULL, &seen);
    CHECK(fsock_stream_fd(loop, token) == pair[0]);
    put(pair[1], "hello");
    turn_until(loop, &seen, FSOCK_STREAM_DATA, 1);
    char back[16];
    CHECK(read(pair[1], back, sizeof back) == 5 && memcmp(back, "hello", 5) == 0);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.events[FSOCK_STREAM_END] == 1 && seen.events[FSOCK_STREAM_CLOSED] == 1 && seen.error == 0);
    CHECK(seen.drops == 1 && read(pair[1], back, sizeof back) == 0);
    CHECK(fcntl(pair[0], F_GETFD) < 0); /* The loop has closed it. */
    close(pair[1]);
}

static void half_close(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    begin(&seen);
    seen.keep = 1;
    make_pair(pair);
    uint64_t token = add(loop, pair[0], NULL, &seen);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    turn_until(loop, &seen, FSOCK_STREAM_END, 1);
    CHECK_IS(fsock_stream_write(loop, token, "late", 4), 0);
    CHECK_IS(fsock_stream_flush(loop, token), 0);
    CHECK(take(pair[1]) == 4);
    CHECK_IS(fsock_stream_shutdown(loop, token), 0);
    CHECK_IS(fsock_stream_write(loop, token, "x", 1), -EPIPE);
    CHECK_IS(fsock_stream_close(loop, token), 0);
    CHECK_IS(fsock_stream_close(loop, token), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.events[FSOCK_STREAM_CLOSED] == 1 && seen.drops == 1);
    close(pair[1]);
}

static void water_marks(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    uint64_t queued = 0;
    static char block[65536];
    fsock_stream_options options = FSOCK_STREAM_OPTIONS_INIT;
    options.high_water = 200000;
    options.low_water = 1000;
    begin(&seen);
    make_pair(pair);
    uint64_t token = add(loop, pair[0], &options, &seen);
    uint64_t written = 0, read_back = 0;
    while (fsock_stream_is_full(loop, token) == 0) {
        CHECK_IS(fsock_stream_write(loop, token, block, sizeof block), 0);
        written += sizeof block;
        CHECK(written < UINT64_C(100000000));
    }
    CHECK_IS(fsock_stream_queued(loop, token, &queued), 0);
    CHECK(queued >= 200000 && queued < 300000);
    put(pair[1], "not read while it is full");
    CHECK(fsock_loop_run_once(loop, 0) >= 0);
    CHECK(seen.events[FSOCK_STREAM_DATA] == 0);
    while (seen.events[FSOCK_STREAM_WRITABLE] == 0) {
        read_back += take(pair[1]);
        CHECK(fsock_loop_run_once(loop, 1000 * MS) >= 0);
    }
    CHECK_IS(fsock_stream_is_full(loop, token), 0);
    turn_until(loop, &seen, FSOCK_STREAM_DATA, 1);
    while (read_back < written) {
        CHECK(fsock_loop_run_once(loop, 0) >= 0);
        read_back += take(pair[1]);
    }
    CHECK(read_back == written);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK(seen.drops == 1 && seen.events[FSOCK_STREAM_CLOSED] == 0);
    close(pair[1]);
}

static void pause_and_resume(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    begin(&seen);
    make_pair(pair);
    uint64_t token = add(loop, pair[0], NULL, &seen);
    CHECK_IS(fsock_stream_pause(loop, token), 0);
    put(pair[1], "wait");
    CHECK(fsock_loop_run_once(loop, 0) >= 0 && fsock_loop_run_once(loop, 20 * MS) == 0);
    CHECK(seen.bytes == 0);
    CHECK_IS(fsock_stream_resume(loop, token), 0);
    turn_until(loop, &seen, FSOCK_STREAM_DATA, 1);
    CHECK(seen.bytes == 4);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL), -EINVAL); /* It knows what it waits for. */
    CHECK_IS(fsock_remove(loop, token), 0);
    close(pair[1]);
}

static void time_outs(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    fsock_stream_options options = FSOCK_STREAM_OPTIONS_INIT;
    options.idle_timeout_ns = 20 * MS;
    begin(&seen);
    seen.keep = 1;
    make_pair(pair);
    int64_t start = now_ns();
    uint64_t token = add(loop, pair[0], &options, &seen);
    turn_until(loop, &seen, FSOCK_STREAM_TIMED_OUT, 2); /* Kept, and so told again. */
    CHECK(now_ns() - start >= 40 * MS && seen.detail == (int)FSOCK_TIMEOUT_IDLE && seen.drops == 0);
    seen.keep = 0;
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.error == -ETIMEDOUT && seen.drops == 1);
    CHECK_IS(fsock_stream_configure(loop, token, &options), FSOCK_E_STALE);
    close(pair[1]);
    begin(&seen);
    make_pair(pair);
    token = add(loop, pair[0], NULL, &seen);
    options.idle_timeout_ns = 0;
    options.read_timeout_ns = 5 * MS;
    CHECK_IS(fsock_stream_configure(loop, token, &options), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.detail == (int)FSOCK_TIMEOUT_READ && seen.error == -ETIMEDOUT && seen.drops == 1);
    close(pair[1]);
}

static void connecting(fsock_loop *loop) {
    struct seen seen;
    struct sockaddr_storage address;
    struct sockaddr *to = (struct sockaddr *)&address;
    uint32_t length;
    socklen_t room = sizeof address;
    uint64_t token = 0;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK(bind(listening, to, length) == 0 && listen(listening, 4) == 0 && getsockname(listening, to, &room) == 0);
    begin(&seen);
    CHECK_IS(fsock_stream_connect(loop, to, length, NULL, on_event, &seen, on_drop, &token), 0);
    CHECK_IS(fsock_stream_write(loop, token, "early", 5), 0);
    turn_until(loop, &seen, FSOCK_STREAM_CONNECTED, 1);
    int peer = accept(listening, NULL, NULL);
    char text[8];
    CHECK(peer >= 0 && read(peer, text, sizeof text) == 5);
    close(peer);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.events[FSOCK_STREAM_END] == 1 && seen.error == 0 && seen.drops == 1);
    close(listening);
    begin(&seen);
    CHECK_IS(fsock_stream_connect(loop, to, length, NULL, on_event, &seen, on_drop, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.events[FSOCK_STREAM_CONNECTED] == 0 && seen.error == -ECONNREFUSED && seen.drops == 1);
}

static void files(fsock_loop *loop) {
    struct seen seen;
    int pair[2];
    char text[64];
    FILE *file = tmpfile();
    CHECK(file != NULL && fputs("0123456789", file) >= 0 && fflush(file) == 0);
    begin(&seen);
    make_pair(pair);
    uint64_t token = add(loop, pair[0], NULL, &seen);
    CHECK_IS(fsock_stream_write(loop, token, "<", 1), 0);
    CHECK_IS(fsock_stream_write_file(loop, token, fileno(file), 2, 5), 0);
    CHECK_IS(fsock_stream_write(loop, token, ">", 1), 0);
    CHECK_IS(fsock_stream_write_file(loop, token, -1, 0, 1), -EBADF);
    CHECK_IS(fsock_stream_close(loop, token), 0);
    while (seen.events[FSOCK_STREAM_CLOSED] == 0) {
        CHECK(fsock_loop_run_once(loop, 1000 * MS) >= 0);
        shutdown(pair[1], SHUT_WR);
    }
    CHECK(read(pair[1], text, sizeof text) == 7 && memcmp(text, "<23456>", 7) == 0);
    close(pair[1]);
    /* Shorter than was promised. */
    begin(&seen);
    make_pair(pair);
    token = add(loop, pair[0], NULL, &seen);
    CHECK_IS(fsock_stream_write_file(loop, token, fileno(file), 8, 5), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.error == -EIO && seen.drops == 1 && take(pair[1]) == 2);
    close(pair[1]);
    fclose(file);
}

static void ends_in_callbacks(fsock_loop *loop) {
    struct seen seen, other;
    int pair[2], second[2];
    /* An answer below 0 is the error it ends with. */
    begin(&seen);
    seen.answer = -EPROTO;
    make_pair(pair);
    add(loop, pair[0], NULL, &seen);
    put(pair[1], "x");
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.error == -EPROTO && seen.events[FSOCK_STREAM_CLOSED] == 1 && seen.drops == 1);
    close(pair[1]);
    /* Closed: what was written goes out. */
    begin(&seen);
    seen.echo = seen.close_on_data = 1;
    make_pair(pair);
    add(loop, pair[0], NULL, &seen);
    put(pair[1], "bye");
    turn_until(loop, &seen, FSOCK_STREAM_DATA, 1);
    CHECK(take(pair[1]) == 3);
    close(pair[1]);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.error == 0 && seen.drops == 1);
    /* Removed: nothing more is told. */
    begin(&seen);
    seen.echo = seen.remove_on_data = 1;
    make_pair(pair);
    add(loop, pair[0], NULL, &seen);
    put(pair[1], "bye");
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(seen.events[FSOCK_STREAM_CLOSED] == 0 && seen.drops == 1 && take(pair[1]) == 3);
    close(pair[1]);
    /* The loop is freed: so are the others. */
    fsock_loop *brief = new_loop();
    begin(&seen);
    begin(&other);
    seen.free_on_data = 1;
    make_pair(pair);
    make_pair(second);
    add(brief, pair[0], NULL, &seen);
    add(brief, second[0], NULL, &other);
    put(pair[1], "x");
    CHECK_IS(fsock_loop_run_once(brief, FSOCK_FOREVER), FSOCK_E_CLOSED);
    CHECK(seen.drops == 1 && other.drops == 1 && seen.events[FSOCK_STREAM_CLOSED] == 0);
    close(pair[1]);
    close(second[1]);
}

static void misuse(fsock_loop *loop) {
    struct seen seen;
    int pair[2], packets[2];
    uint64_t token = 0, count;
    fsock_stream_options options = FSOCK_STREAM_OPTIONS_INIT;
    begin(&seen);
    make_pair(pair);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets) == 0);
    CHECK_IS(fsock_stream_add(NULL, pair[0], NULL, on_event, &seen, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_stream_add(loop, pair[0], NULL, NULL, &seen, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_stream_add(loop, -1, NULL, on_event, &seen, on_drop, &token), -EBADF);
    CHECK_IS(fsock_stream_add(loop, 0x7fffffff, NULL, on_event, &seen, on_drop, &token), -EBADF);
    CHECK_IS(fsock_stream_add(loop, packets[0], NULL, on_event, &seen, on_drop, &token), -EPROTOTYPE);
    int lonely = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_IS(fsock_stream_add(loop, lonely, NULL, on_event, &seen, on_drop, &token), -ENOTCONN);
    FILE *file = tmpfile();
    CHECK_IS(fsock_stream_add(loop, fileno(file), NULL, on_event, &seen, on_drop, &token), -ENOTSOCK);
    int path = open("/", O_PATH | O_CLOEXEC);
    CHECK_IS(fsock_stream_add(loop, path, NULL, on_event, &seen, on_drop, &token), -EBADF);
    CHECK(close(path) == 0);
    CHECK(fclose(file) == 0 && close(lonely) == 0 && close(packets[0]) == 0 && close(packets[1]) == 0); /* Ours still. */
    options.low_water = 10;
    options.high_water = 10;
    CHECK_IS(fsock_stream_add(loop, pair[0], &options, on_event, &seen, on_drop, &token), -EINVAL);
    options.size = 3;
    CHECK_IS(fsock_stream_add(loop, pair[0], &options, on_event, &seen, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_stream_connect(loop, NULL, 16, NULL, on_event, &seen, on_drop, &token), -EINVAL);
    CHECK(token == 0 && seen.drops == 0);
    token = add(loop, pair[0], NULL, &seen);
    CHECK_IS(fsock_stream_add(loop, pair[0], NULL, on_event, &seen, on_drop, NULL), -EEXIST);
    CHECK_IS(fsock_stream_write(loop, token, NULL, 1), -EINVAL);
    CHECK_IS(fsock_stream_write(loop, token, NULL, 0), 0);
    CHECK_IS(fsock_stream_write(loop, token, "x", SIZE_MAX), -EINVAL);
    CHECK_IS(fsock_stream_queued(loop, token, NULL), -EINVAL);
    CHECK_IS(fsock_server_stop(loop, token), FSOCK_E_STALE);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    static int (*const each[])(fsock_loop *, uint64_t) = {fsock_stream_flush,  fsock_stream_is_full, fsock_stream_pause,
                                                          fsock_stream_resume, fsock_stream_shutdown, fsock_stream_close,
                                                          fsock_stream_keep,   fsock_stream_fd};
    uint64_t timer = 0;
    CHECK_IS(fsock_timer_start(loop, 1000 * MS, 0, FSOCK_TIMER_RATE, NULL, NULL, NULL, &timer), -EINVAL);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        CHECK_IS(each[i](NULL, token), -EINVAL);
        CHECK_IS(each[i](loop, token), FSOCK_E_STALE);
        CHECK_IS(each[i](loop, 0), FSOCK_E_STALE);
        CHECK_IS(each[i](loop, UINT64_MAX), FSOCK_E_STALE);
    }
    CHECK_IS(fsock_stream_queued(loop, token, &count), FSOCK_E_STALE);
    CHECK(seen.drops == 1);
    close(pair[1]);
}

int main(void) {
    fsock_loop *loop = new_loop();
    echo_until_the_end(loop);
    half_close(loop);
    water_marks(loop);
    pause_and_resume(loop);
    time_outs(loop);
    connecting(loop);
    files(loop);
    ends_in_callbacks(loop);
    misuse(loop);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
