/* Children: how each ended is told once, and no other child is waited for. */
#include <signal.h>
#include <sys/wait.h>

#include "check.h"

struct ended {
    int calls, drops, status;
};

static void on_end(fsock_loop *loop, uint64_t token, int status, void *user) {
    struct ended *ended = (struct ended *)user;
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    CHECK_IS(fsock_loop_run(loop), -EBUSY);
    CHECK(ended->drops == 0);
    ended->calls++;
    ended->status = status;
}

static void on_drop(void *user) { ((struct ended *)user)->drops++; }

static void wait_without_taking(pid_t pid) {
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
}

int main(void) {
    fsock_loop *loop = new_loop();
    struct ended ended[3];
    uint64_t token;
    pid_t pids[3], other;
    int status = 0;
    memset(ended, 0, sizeof ended);

    CHECK_IS(fsock_child_start(NULL, 1, on_end, NULL, NULL, NULL), -EINVAL);
    CHECK_IS(fsock_child_start(loop, getpid(), NULL, NULL, NULL, NULL), -EINVAL);
    CHECK_IS(fsock_child_start(loop, 0, on_end, &ended, on_drop, &token), -EINVAL);
    CHECK_IS(fsock_child_start(loop, -1, on_end, &ended, on_drop, &token), -EINVAL);
    if (fsock_child_start(loop, getpid(), on_end, &ended, on_drop, &token) == -EOPNOTSUPP && getenv("UNDER_VALGRIND")) {
        /* An older valgrind knows no pidfd_open(2). */
        CHECK_IS(fsock_loop_free(loop), 0);
        return 0;
    }
    CHECK_IS(fsock_child_start(loop, getpid(), on_end, &ended, on_drop, &token), -ECHILD);
    CHECK_IS(fsock_child_start(loop, getppid() > 1 ? getppid() : 1, on_end, &ended, on_drop, &token), -ECHILD);
    CHECK(ended[0].drops == 0);

    /* One ends by itself, one by a signal, one has ended already; another is nobody's business. */
    pids[0] = spawn("exit 7");
    pids[1] = spawn("kill -TERM $$");
    pids[2] = spawn("exit 0");
    other = spawn("exit 9");
    wait_without_taking(pids[2]);
    for (int i = 0; i < 3; i++)
        CHECK_IS(fsock_child_start(loop, pids[i], on_end, &ended[i], on_drop, i == 1 ? &token : NULL), 0);
    CHECK_IS(fsock_loop_run(loop), 0);
    for (int i = 0; i < 3; i++) CHECK(ended[i].calls == 1 && ended[i].drops == 1);
    CHECK(WIFEXITED(ended[0].status) && WEXITSTATUS(ended[0].status) == 7);
    CHECK(WIFSIGNALED(ended[1].status) && WTERMSIG(ended[1].status) == SIGTERM);
    CHECK(ended[2].status == 0);
    CHECK_IS(fsock_remove(loop, token), FSOCK_E_STALE);
    CHECK(waitpid(pids[0], &status, 0) == -1 && errno == ECHILD);
    CHECK(waitpid(other, &status, 0) == other && WEXITSTATUS(status) == 9);
    CHECK_IS(fsock_child_start(loop, other, on_end, &ended[0], on_drop, NULL), -ESRCH);

    /* Given up, it is ours again. */
    pids[0] = spawn("exit 3");
    CHECK_IS(fsock_child_start(loop, pids[0], on_end, &ended[0], on_drop, &token), 0);
    CHECK_IS(fsock_remove(loop, token), 0);
    CHECK(ended[0].drops == 2);
    CHECK(waitpid(pids[0], &status, 0) == pids[0] && WEXITSTATUS(status) == 3);

    /* Someone else was faster. */
    memset(ended, 0, sizeof ended);
    pids[0] = spawn("exit 0");
    CHECK_IS(fsock_child_start(loop, pids[0], on_end, &ended[0], on_drop, &token), 0);
    CHECK(waitpid(pids[0], &status, 0) == pids[0]);
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(ended[0].calls == 1 && ended[0].drops == 1 && ended[0].status == -ECHILD);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
