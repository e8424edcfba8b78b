/* What a caller can do wrong is an error code, never a crash. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "check.h"

static int pair[2];

static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    fsock_event event;
    (void)token, (void)ready;
    ++*(int *)user;
    CHECK_IS(fsock_loop_run(loop), -EBUSY);
    CHECK_IS(fsock_loop_run_once(loop, 0), -EBUSY);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, 0), -EBUSY);
}

static void on_time(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)token, (void)passed, (void)user;
    CHECK_IS(fsock_loop_run(loop), -EBUSY);
}

static void on_come(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    (void)loop, (void)token, (void)signum, (void)times, (void)user;
}

static void on_end(fsock_loop *loop, uint64_t token, int status, void *user) {
    (void)loop, (void)token, (void)status, (void)user;
}

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *peer, uint32_t length,
                          void *user) {
    (void)loop, (void)token, (void)fd, (void)peer, (void)length, (void)user;
}

static void nulls(fsock_loop *loop) {
    fsock_event event;
    fsock_stats stats = FSOCK_STATS_INIT;
    fsock_waker *waker;
    uint64_t token = 0;
    CHECK_IS(fsock_loop_new(NULL, NULL), -EINVAL);
    CHECK_IS(fsock_loop_free(NULL), 0);
    CHECK_IS(fsock_loop_wait(NULL, &event, 1, 0), -EINVAL);
    CHECK_IS(fsock_loop_wait(loop, NULL, 1, 0), -EINVAL);
    CHECK_IS(fsock_loop_wait(loop, &event, 0, 0), -EINVAL);
    CHECK_IS(fsock_loop_run(NULL), -EINVAL);
    CHECK_IS(fsock_loop_run_once(NULL, 0), -EINVAL);
    CHECK_IS(fsock_loop_stop(NULL), -EINVAL);
    CHECK_IS(fsock_loop_reinit(NULL), -EINVAL);
    CHECK_IS(fsock_loop_stats(NULL, &stats), -EINVAL);
    CHECK_IS(fsock_loop_stats(loop, NULL), -EINVAL);
    CHECK_IS(fsock_loop_backend(NULL), -EINVAL);
    CHECK_IS(fsock_loop_fd(NULL), -EINVAL);
    CHECK_IS(fsock_add(NULL, 0, FSOCK_READABLE, 0, &token), -EINVAL);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, 0, NULL), -EINVAL);
    CHECK_IS(fsock_add_callback(NULL, 0, FSOCK_READABLE, 0, on_ready, NULL, NULL, &token), -EINVAL);
    CHECK_IS(fsock_modify(NULL, 1, FSOCK_READABLE, 0), -EINVAL);
    CHECK_IS(fsock_remove(NULL, 1), -EINVAL);
    CHECK_IS(fsock_rearm(NULL, 1), -EINVAL);
    CHECK_IS(fsock_timer_start(NULL, 0, 0, 0, on_time, NULL, NULL, &token), -EINVAL);
    CHECK_IS(fsock_timer_stop(NULL, 1), -EINVAL);
    CHECK_IS(fsock_timer_again(NULL, 1, 0), -EINVAL);
    CHECK_IS(fsock_waker_new(NULL, NULL, NULL, NULL, &waker), -EINVAL);
    CHECK_IS(fsock_waker_new(loop, NULL, NULL, NULL, NULL), -EINVAL);
    CHECK(token == 0);
}

static void made_up_tokens(fsock_loop *loop) {
    uint64_t tokens[] = {0, 1, UINT64_MAX, UINT64_C(7) << 32, 0, 0, 0, 0, 0, 0, 0, 0};
    /* Of every kind that there may be: sources, timers, and the first waker, signal and so on. */
    for (uint64_t kind = 0; kind < 8; kind++) tokens[4 + kind] = (kind < 2 ? UINT64_C(99) : UINT64_C(1)) << 32 | kind << 29;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        CHECK_IS(fsock_modify(loop, tokens[i], FSOCK_READABLE, 0), FSOCK_E_STALE);
        CHECK_IS(fsock_remove(loop, tokens[i]), FSOCK_E_STALE);
        CHECK_IS(fsock_rearm(loop, tokens[i]), FSOCK_E_STALE);
        CHECK_IS(fsock_timer_stop(loop, tokens[i]), FSOCK_E_STALE);
        CHECK_IS(fsock_timer_again(loop, tokens[i], 0), FSOCK_E_STALE);
        CHECK_IS(fsock_signal_stop(loop, tokens[i]), FSOCK_E_STALE);
        CHECK_IS(fsock_listener_fd(loop, tokens[i]), FSOCK_E_STALE);
    }
}

static void other_kinds(fsock_loop *loop) {
    uint64_t source, timer;
    fsock_waker *waker;
    int drops = 0;
    CHECK_IS(fsock_add_callback(loop, pair[0], 0, 0, on_ready, &drops, count_drop, &source), 0);
    CHECK_IS(fsock_timer_start(loop, 3600000 * MS, 0, 0, on_time, &drops, count_drop, &timer), 0);
    CHECK_IS(fsock_waker_new(loop, NULL, &drops, count_drop, &waker), 0);
    CHECK_IS(fsock_remove(loop, timer), FSOCK_E_STALE);
    CHECK_IS(fsock_modify(loop, timer, 0, 0), FSOCK_E_STALE);
    CHECK_IS(fsock_rearm(loop, timer), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_stop(loop, source), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_again(loop, source, 0), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_again(loop, timer, -1), -EINVAL);
    made_up_tokens(loop);
    CHECK(drops == 0);
    CHECK_IS(fsock_remove(loop, source), 0);
    CHECK_IS(fsock_remove(loop, source), FSOCK_E_STALE);
    CHECK_IS(fsock_timer_stop(loop, timer), 0);
    CHECK_IS(fsock_timer_stop(loop, timer), FSOCK_E_STALE);
    CHECK_IS(fsock_waker_free(waker), 0);
    CHECK(drops == 3);
    /* The slot has another tenant now: the old token does not reach it. */
    uint64_t next;
    CHECK_IS(fsock_add_callback(loop, pair[0], 0, 0, on_ready, &drops, count_drop, &next), 0);
    CHECK(next != source);
    CHECK_IS(fsock_remove(loop, source), FSOCK_E_STALE);
    CHECK_IS(fsock_remove(loop, next), 0);
    CHECK(drops == 4);
}

static void *elsewhere(void *user) {
    fsock_loop *loop = (fsock_loop *)user;
    fsock_event event;
    fsock_stats stats = FSOCK_STATS_INIT;
    fsock_accept_stats accepted = FSOCK_ACCEPT_STATS_INIT;
    fsock_waker *waker = NULL;
    fsock_submitter *submitter = NULL;
    struct sockaddr_storage address;
    uint32_t length;
    uint64_t token;
    int drops = 0;
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, 0, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_add_callback(loop, pair[0], 0, 0, on_ready, &drops, count_drop, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_modify(loop, 1, 0, 0), FSOCK_E_THREAD);
    CHECK_IS(fsock_remove(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_rearm(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, on_time, &drops, count_drop, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_timer_stop(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_timer_again(loop, 1, 0), FSOCK_E_THREAD);
    CHECK_IS(fsock_waker_new(loop, NULL, &drops, count_drop, &waker), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, 0), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_run_once(loop, 0), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_stop(loop), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_stats(loop, &stats), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_backend(loop), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_fd(loop), FSOCK_E_THREAD);
    CHECK(fsock_loop_timeout(loop) == FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_harvest(loop, 0), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_measure(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_submitter_new(loop, &submitter), FSOCK_E_THREAD);
    CHECK_IS(fsock_signal_start(loop, SIGUSR1, on_come, &drops, count_drop, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_signal_stop(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_child_start(loop, 1, on_end, &drops, count_drop, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK_IS(fsock_listen(loop, (struct sockaddr *)&address, length, NULL, on_connection, &drops, count_drop, &token),
             FSOCK_E_THREAD);
    CHECK_IS(fsock_listen_fd(loop, pair[0], NULL, on_connection, &drops, count_drop, &token), FSOCK_E_THREAD);
    CHECK_IS(fsock_listener_fd(loop, 1), FSOCK_E_THREAD);
    CHECK_IS(fsock_listener_stats(loop, 1, &accepted), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_reinit(loop), FSOCK_E_THREAD);
    CHECK_IS(fsock_loop_free(loop), FSOCK_E_THREAD);
    CHECK(drops == 0);
    return NULL;
}

static void on_signal(int number) { (void)number; }

static void interrupted(fsock_loop *loop) {
    struct sigaction action;
    struct itimerval timer;
    fsock_event event;
    memset(&action, 0, sizeof action);
    memset(&timer, 0, sizeof timer);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    timer.it_value.tv_usec = timer.it_interval.tv_usec = 20000;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), -EINTR);
    CHECK_IS(fsock_loop_run_once(loop, 60000 * MS), -EINTR);
    memset(&timer, 0, sizeof timer);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

int main(void) {
    fsock_loop *loop = new_loop();
    fsock_event events[2];
    uint64_t token;
    pthread_t thread;
    int calls = 0, directory = open("/", O_RDONLY);
    make_pair(pair);

    nulls(loop);
    made_up_tokens(loop);
    other_kinds(loop);
    CHECK(pthread_create(&thread, NULL, elsewhere, loop) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    /* valgrind puts a pointer of its own into pselect's argument, and trips over it when a signal makes it start again. */
    if (!is_select(loop) || !getenv("UNDER_VALGRIND")) interrupted(loop);

    CHECK_IS(fsock_add(loop, directory, FSOCK_READABLE, 0, &token), -EPERM);
    CHECK_IS(fsock_add(loop, directory, 0, 0, &token), -EPERM);
    CHECK_IS(fsock_add(loop, -1, FSOCK_READABLE, 0, &token), -EBADF);
    CHECK_IS(fsock_add(loop, INT32_MAX, FSOCK_READABLE, 0, &token), -EBADF);
    CHECK_IS(fsock_add(loop, INT32_MIN, 0, 0, &token), -EBADF);
    CHECK_IS(fsock_add(loop, pair[0], UINT32_MAX, 0, &token), -EINVAL);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, UINT32_MAX, &token), -EINVAL);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, 0, &token), 0);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, 0, &token), -EEXIST);
    CHECK_IS(fsock_modify(loop, token, 8, 0), -EINVAL);
    CHECK_IS(fsock_modify(loop, token, 0, FSOCK_EDGE | FSOCK_ONESHOT), -EINVAL);
    put(pair[1], "x");
    CHECK_IS(fsock_loop_wait(loop, events, 2, INT64_MIN), 1);
    CHECK_IS(fsock_loop_wait(loop, events, SIZE_MAX, -5), 1);
    CHECK_IS(fsock_loop_wait(loop, events, 2, INT64_MAX), 1);
    CHECK_IS(fsock_remove(loop, token), 0);

    /* No waiting inside a callback. */
    CHECK_IS(fsock_add_callback(loop, pair[0], FSOCK_READABLE, FSOCK_ONESHOT, on_ready, &calls, NULL, &token), 0);
    CHECK_IS(fsock_timer_start(loop, 0, 0, 0, on_time, NULL, NULL, NULL), 0);
    while (calls == 0) CHECK(fsock_loop_run_once(loop, FSOCK_FOREVER) >= 0);
    CHECK_IS(fsock_remove(loop, token), 0);

    close(directory);
    close_pair(pair);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
