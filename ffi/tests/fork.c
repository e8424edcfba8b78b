/* After fork(2): refused until fsock_loop_reinit, which leaves the parent's loop alone. */
#include <sys/wait.h>

#include "check.h"

static void on_wake(fsock_loop *loop, void *user) {
    ++*(int *)user;
    CHECK_IS(fsock_loop_stop(loop), 0);
}

static void on_time(fsock_loop *loop, uint64_t token, uint64_t passed, void *user) {
    (void)loop, (void)token, (void)passed, (void)user;
}

/* A run had no place for it, and a wait that is refused does not lose it. */
static void kept_event(void) {
    fsock_loop *loop = new_loop();
    fsock_event events[2];
    uint64_t token;
    int pair[2], status = -1;
    pid_t pid;
    make_pair(pair);
    put(pair[1], "x");
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_ONESHOT, &token), 0);
    CHECK_IS(fsock_timer_start(loop, 3600 * 1000 * MS, 0, 0, on_time, NULL, NULL, NULL), 0);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_NOCALLBACK);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_IS(fsock_loop_wait(loop, events, 2, 0), -ECHILD);
        CHECK_IS(fsock_loop_reinit(loop), 0);
    } else {
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK_IS(fsock_loop_wait(loop, events, 2, 0), 1);
    CHECK(events[0].token == token);
    CHECK_IS(fsock_loop_free(loop), 0);
    close_pair(pair);
    if (pid == 0) exit(0);
}

static void child(fsock_loop *loop, uint64_t token, fsock_waker *waker, int *woken) {
    fsock_event event;
    CHECK_IS(fsock_loop_wait(loop, &event, 1, 0), -ECHILD);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, 0), -ECHILD);
    CHECK_IS(fsock_loop_reinit(loop), 0);
    int n;
    while ((n = fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER)) == 0) {} /* it may begin with a wake-up */
    CHECK_IS(n, 1);
    CHECK(event.token == token);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK_IS(fsock_waker_wake(waker), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(*woken == 1);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK_IS(fsock_waker_free(waker), 0);
}

int main(void) {
    fsock_loop *loop;
    fsock_event event;
    fsock_waker *waker;
    uint64_t token;
    int pair[2], status = -1, woken = 0;
    pid_t pid;
    kept_event();
    loop = new_loop();
    make_pair(pair);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, 0, &token), 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &woken, NULL, &waker), 0);
    CHECK_IS(fsock_waker_free(waker), 0);
    CHECK_IS(fsock_waker_new(loop, on_wake, &woken, NULL, &waker), 0);
    put(pair[1], "x");
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(loop, token, waker, &woken);
        close_pair(pair);
        return 0;
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_IS(fsock_loop_wait(loop, &event, 1, FSOCK_FOREVER), 1);
    CHECK(event.token == token && woken == 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK_IS(fsock_waker_free(waker), 0);
    close_pair(pair);
    return 0;
}
