/* A worker thread and a waker: numbers from the standard input are taken apart into primes, one thread computing while the
 * loop goes on reading. (To have a function called on the loop's thread for each result there is fsock_submit.) */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastsock.h>

struct job {
    uint64_t number;
    char answer[400];
    struct job *next;
};

/* What the threads share. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *todo, **last_todo = &todo, *done, **last_done = &done;
static int no_more;
static fsock_waker *waker;

static void factor(struct job *job) {
    uint64_t n = job->number, p;
    size_t at = (size_t)snprintf(job->answer, sizeof job->answer, "%" PRIu64 ":", n);
    for (p = 2; p <= n / p; p++)
        for (; n % p == 0; n /= p) at += (size_t)snprintf(job->answer + at, sizeof job->answer - at, " %" PRIu64, p);
    if (n > 1) snprintf(job->answer + at, sizeof job->answer - at, " %" PRIu64, n);
}

static void *work(void *user) {
    struct job *job;
    (void)user;
    pthread_mutex_lock(&lock);
    while (todo || !no_more) {
        if (!todo) {
            pthread_cond_wait(&more, &lock);
            continue;
        }
        job = todo;
        if (!(todo = job->next)) last_todo = &todo;
        pthread_mutex_unlock(&lock);
        factor(job);
        pthread_mutex_lock(&lock);
        job->next = NULL, *last_done = job, last_done = &job->next;
        fsock_waker_wake(waker); /* however often, the loop is called once */
    }
    pthread_mutex_unlock(&lock);
    fsock_waker_free(waker); /* with it the loop has nothing left to wait for */
    return NULL;
}

static void print_answers(void) {
    struct job *job, *next;
    pthread_mutex_lock(&lock);
    job = done, done = NULL, last_done = &done;
    pthread_mutex_unlock(&lock);
    for (; job; job = next) next = job->next, puts(job->answer), free(job);
    fflush(stdout);
}

static void on_wake(fsock_loop *loop, void *user) {
    (void)loop, (void)user;
    print_answers();
}

static void on_input(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
    static char text[65];
    static size_t used;
    ssize_t n = read(0, text + used, sizeof text - 1 - used);
    char *line = text, *end;
    (void)ready, (void)user;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    used += n > 0 ? (size_t)n : 0, text[used] = 0;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        struct job *job = (struct job *)calloc(1, sizeof *job);
        if (!job) continue;
        job->number = strtoull(line, NULL, 10);
        pthread_mutex_lock(&lock);
        *last_todo = job, last_todo = &job->next;
        pthread_cond_signal(&more);
        pthread_mutex_unlock(&lock);
    }
    used = strlen(line), memmove(text, line, used);
    if (n > 0 && used < sizeof text - 1) return;
    pthread_mutex_lock(&lock); /* the end, or a line that is no number */
    no_more = 1, pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
    fsock_remove(loop, token);
}

int main(void) {
    fsock_loop *loop = NULL;
    pthread_t thread;
    int r = fsock_loop_new(NULL, &loop), is_running = 0;
    if (r == 0) r = fsock_waker_new(loop, on_wake, NULL, NULL, &waker);
    if (r == 0) is_running = (r = -pthread_create(&thread, NULL, work, NULL)) == 0;
    if (r == 0 && fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK) < 0) r = -errno;
    if (r == 0) r = fsock_add_callback(loop, 0, FSOCK_READABLE, FSOCK_LEVEL, on_input, NULL, NULL, NULL);
    if (r == 0) r = fsock_loop_run(loop); /* until the worker has freed its waker */
    if (r < 0) return fprintf(stderr, "worker: %s (a pipe or a terminal, please)\n", fsock_strerror(r)), 1;
    if (is_running) pthread_join(thread, NULL);
    print_answers();
    return fsock_loop_free(loop);
}
