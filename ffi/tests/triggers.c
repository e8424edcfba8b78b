/* Edge, one-shot and exclusive, and rearm; what a backend cannot do is refused. */
#include "check.h"

static void one_shot(fsock_loop *loop) {
    fsock_event events[2];
    uint64_t token;
    int pair[2];
    make_pair(pair);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_ONESHOT, &token), 0);
    put(pair[1], "a");
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_loop_wait(loop, events, 2, MS), 0);
    put(pair[1], "b");
    CHECK_IS(fsock_loop_wait(loop, events, 2, MS), 0);
    CHECK_IS(fsock_rearm(loop, token), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK(events[0].token == token);
    CHECK_IS(fsock_loop_wait(loop, events, 2, 0), 0);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_LEVEL), 0);
    for (int i = 0; i < 2; i++) CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_remove(loop, token), 0);
    close_pair(pair);
}

static void edge(fsock_loop *loop) {
    fsock_event events[2];
    uint64_t token = 7;
    int pair[2];
    make_pair(pair);
    if (!is_epoll(loop)) {
        CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_EDGE, &token), -EOPNOTSUPP);
        CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_EXCLUSIVE, &token), -EOPNOTSUPP);
        CHECK(token == 7);
        CHECK_IS(fsock_loop_fd(loop), -EOPNOTSUPP);
        close_pair(pair);
        return;
    }
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_EDGE, &token), 0);
    put(pair[1], "a");
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    /* Nothing was read: no second report, until more comes or it is asked for. */
    CHECK_IS(fsock_loop_wait(loop, events, 2, MS), 0);
    put(pair[1], "b");
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_rearm(loop, token), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK(take(pair[0]) == 2);
    CHECK_IS(fsock_rearm(loop, token), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, 0), 0);
    CHECK_IS(fsock_remove(loop, token), 0);

    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_EXCLUSIVE | FSOCK_ONESHOT, &token), -EINVAL);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_PRIORITY, FSOCK_EXCLUSIVE, &token), -EINVAL);
    CHECK_IS(fsock_add(loop, pair[0], FSOCK_READABLE, FSOCK_EXCLUSIVE | FSOCK_EDGE, &token), 0);
    put(pair[1], "c");
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_modify(loop, token, FSOCK_READABLE, FSOCK_EXCLUSIVE), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_remove(loop, token), 0);

    /* One loop inside another, by its descriptor. */
    fsock_loop *inner = new_loop();
    CHECK_IS(fsock_add(loop, fsock_loop_fd(inner), FSOCK_READABLE, FSOCK_LEVEL, &token), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, 0), 0);
    CHECK_IS(fsock_add(inner, pair[0], FSOCK_READABLE, FSOCK_LEVEL, &token), 0);
    CHECK_IS(fsock_loop_wait(loop, events, 2, FSOCK_FOREVER), 1);
    CHECK_IS(fsock_remove(loop, events[0].token), 0);
    CHECK_IS(fsock_loop_free(inner), 0);
    close_pair(pair);
}

int main(void) {
    fsock_loop *loop = new_loop();
    one_shot(loop);
    edge(loop);
    CHECK_IS(fsock_loop_free(loop), 0);
    return 0;
}
