/* Submitters: functions of other threads run on the loop's, in order, and every drop function is called once. */
#include <pthread.h>

#include "check.h"

#define THREADS 4
#define EACH 200

static pthread_t loop_thread;
static int order[THREADS], calls, drops, refused;

struct job {
    int thread, number;
};

static void give_back(void *user) {
    CHECK(pthread_equal(pthread_self(), loop_thread));
    drops++;
    free(user);
}

static void on_job(fsock_loop *loop, void *user) {
    struct job *job = (struct job *)user;
    CHECK(pthread_equal(pthread_self(), loop_thread));
    CHECK_IS(fsock_loop_run_once(loop, 0), -EBUSY);
    CHECK(order[job->thread]++ == job->number);
    calls++;
}

struct worker {
    fsock_submitter *submitter;
    int number;
};

static void *work(void *user) {
    struct worker *worker = (struct worker *)user;
    for (int i = 0; i < EACH; i++) {
        struct job *job = (struct job *)malloc(sizeof *job);
        job->thread = worker->number, job->number = i;
        CHECK_IS(fsock_submit(worker->submitter, on_job, job, give_back), 0);
    }
    CHECK_IS(fsock_submitter_free(worker->submitter), 0);
    return NULL;
}

static void many_threads(void) {
    fsock_loop *loop = new_loop();
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        CHECK_IS(fsock_submitter_new(loop, &workers[i].submitter), 0);
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    /* Ends by itself, when all submitters are gone and all that came of them has run. */
    CHECK_IS(fsock_loop_run(loop), 0);
    CHECK(calls == THREADS * EACH && drops == calls);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_IS(fsock_loop_free(loop), 0);
}

static fsock_submitter *again;

static void submit_again(fsock_loop *loop, void *user) {
    int *left = (int *)user;
    (void)loop;
    calls++;
    if (--*left > 0) CHECK_IS(fsock_submit(again, submit_again, left, NULL), 0);
}

/* What a function submits is for the next turn: nobody is starved. */
static void one_a_turn(void) {
    fsock_loop *loop = new_loop();
    int left = 3, turns = 0;
    calls = 0;
    CHECK_IS(fsock_submitter_new(loop, &again), 0);
    CHECK_IS(fsock_submit(again, submit_again, &left, NULL), 0);
    while (left > 0) {
        CHECK_IS(fsock_loop_run_once(loop, FSOCK_FOREVER), 1);
        CHECK(calls == ++turns);
    }
    CHECK_IS(fsock_submitter_free(again), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
}

static void never(fsock_loop *loop, void *user) {
    (void)loop, (void)user;
    CHECK(!"called");
}

static void submit_from_drop(void *user) {
    give_back(user);
    refused = fsock_submit(again, never, NULL, NULL);
}

/* What waits when the loop ends is given back, uncalled; later there is nobody to take it. */
static void the_loop_goes_first(void) {
    fsock_loop *loop = new_loop();
    int keep = 0;
    drops = 0;
    CHECK_IS(fsock_submitter_new(loop, &again), 0);
    for (int i = 0; i < 3; i++) CHECK_IS(fsock_submit(again, never, malloc(1), give_back), 0);
    CHECK_IS(fsock_submit(again, never, malloc(1), submit_from_drop), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK(drops == 4 && refused == FSOCK_E_CLOSED);
    CHECK_IS(fsock_submit(again, never, &keep, count_drop), FSOCK_E_CLOSED);
    CHECK(keep == 0);
    CHECK_IS(fsock_submitter_free(again), 0);
}

static void free_loop(fsock_loop *loop, void *user) {
    (void)user;
    CHECK_IS(fsock_loop_free(loop), 0);
    CHECK_IS(fsock_submit(again, never, NULL, NULL), 0); /* it is there until this returns */
}

static void the_loop_is_freed_inside(void) {
    fsock_loop *loop = new_loop();
    drops = 0;
    CHECK_IS(fsock_submitter_new(loop, &again), 0);
    CHECK_IS(fsock_submit(again, free_loop, malloc(1), give_back), 0);
    CHECK_IS(fsock_submit(again, never, malloc(1), give_back), 0);
    CHECK_IS(fsock_loop_run(loop), FSOCK_E_CLOSED);
    CHECK(drops == 2);
    CHECK_IS(fsock_submitter_free(again), 0);
}

int main(void) {
    fsock_submitter *submitter = NULL;
    fsock_loop *loop = new_loop();
    loop_thread = pthread_self();
    CHECK_IS(fsock_submitter_new(NULL, &submitter), -EINVAL);
    CHECK_IS(fsock_submitter_new(loop, NULL), -EINVAL);
    CHECK_IS(fsock_submit(NULL, never, NULL, NULL), -EINVAL);
    CHECK_IS(fsock_submitter_free(NULL), 0);
    CHECK_IS(fsock_submitter_new(loop, &submitter), 0);
    CHECK_IS(fsock_submit(submitter, NULL, &calls, count_drop), -EINVAL);
    CHECK(calls == 0);
    CHECK_IS(fsock_submitter_free(submitter), 0);
    CHECK_IS(fsock_loop_free(loop), 0);
    many_threads();
    one_a_turn();
    the_loop_goes_first();
    the_loop_is_freed_inside();
    return 0;
}
