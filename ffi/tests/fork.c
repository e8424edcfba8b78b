/* After fork(2): refused until fsock_loop_reinit, which leaves the parent's loop alone. */
#include <signal.h>
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

struct heard {
    int connections, jobs, signals, drops;
};

static void on_connection(fsock_loop *loop, uint64_t token, int fd, const struct sockaddr *peer, uint32_t length,
                          void *user) {
    (void)loop, (void)token, (void)peer, (void)length;
    CHECK(fd >= 0 && close(fd) == 0);
    ((struct heard *)user)->connections++;
}
static void on_job(fsock_loop *loop, void *user) {
    (void)loop;
    ((struct heard *)user)->jobs++;
}
static void on_signal(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user) {
    (void)loop, (void)token, (void)signum, (void)times;
    ((struct heard *)user)->signals++;
}
static void on_end(fsock_loop *loop, uint64_t token, int status, void *user) {
    (void)loop, (void)token, (void)status, (void)user;
}
static void on_drop(void *user) { ((struct heard *)user)->drops++; }

/* Listeners, submitters and signals go on in the child; what is new waits for the reinit there, and nothing is lost in the
 * parent. */
static void every_noun(void) {
    fsock_loop *loop = new_loop();
    struct heard heard;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    fsock_submitter *submitter;
    uint64_t token, signal_token;
    int status = -1, client;
    memset(&heard, 0, sizeof heard);
    CHECK_IS(fsock_address_parse("127.0.0.1:0", &address, &length), 0);
    CHECK_IS(fsock_listen(loop, (struct sockaddr *)&address, length, NULL, on_connection, &heard, on_drop, &token), 0);
    CHECK_IS(fsock_signal_start(loop, SIGUSR1, on_signal, &heard, on_drop, &signal_token), 0);
    CHECK_IS(fsock_submitter_new(loop, &submitter), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        fsock_submitter *another = NULL;
        CHECK_IS(fsock_loop_run_once(loop, 0), -ECHILD);
        CHECK_IS(fsock_listen(loop, (struct sockaddr *)&address, length, NULL, on_connection, &heard, on_drop, NULL), -ECHILD);
        CHECK_IS(fsock_signal_start(loop, SIGUSR2, on_signal, &heard, on_drop, NULL), -ECHILD);
        CHECK_IS(fsock_submitter_new(loop, &another), -ECHILD);
        int r = fsock_child_start(loop, getppid(), on_end, &heard, on_drop, NULL);
        CHECK(r == -ECHILD || r == -EOPNOTSUPP); /* an older valgrind knows no pidfd_open(2) */
        CHECK(heard.drops == 0);
        CHECK_IS(fsock_loop_reinit(loop), 0);
    } else {
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    /* In the child, and then in the parent. */
    CHECK(getsockname(fsock_listener_fd(loop, token), (struct sockaddr *)&address, &length) == 0);
    CHECK((client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(connect(client, (struct sockaddr *)&address, length) == 0);
    CHECK_IS(fsock_submit(submitter, on_job, &heard, on_drop), 0);
    CHECK(raise(SIGUSR1) == 0);
    while (heard.connections + heard.jobs + heard.signals < 3) {
        int r = fsock_loop_run_once(loop, FSOCK_FOREVER);
        CHECK(r >= 0 || r == -EINTR);
    }
    CHECK(heard.connections == 1 && heard.jobs == 1 && heard.signals == 1 && heard.drops == 1);
    CHECK(close(client) == 0);
    CHECK_IS(fsock_submitter_free(submitter), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(heard.drops == 3);
    if (pid == 0) exit(0);
}

int main(void) {
    fsock_loop *loop;
    fsock_event event;
    fsock_waker *waker;
    uint64_t token;
    int pair[2], status = -1, woken = 0;
    pid_t pid;
    kept_event();
    every_noun();
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
