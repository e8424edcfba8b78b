/*
 * Timers of one library, measured. The program that includes this supplies begin, set, again, cancel and last; here is
 * what is done with them, the same for every library:
 *
 *   insert        1,000,000 one-shot timers, with deadlines at random from one second to a minute away
 *   cancel        nine of ten of these, in random order
 *   re-arm        each of the others, in random order, with another such deadline
 *   insert again  those that were cancelled: by now the memory is there
 *   fire          the others, re-armed within 50 ms of one another, when all of them are due; those that were inserted
 *                 again are cancelled before that, and none may fire
 *
 * The first four are done inside a callback of the loop, as in a program: several libraries take the time once for
 * each turn, and need not ask the clock again there. Prints nanoseconds of CPU time for each timer, as JSON.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NEAREST_MS = 1000, FURTHEST_MS = 60000, SOON_MS = 50, KEPT_OF = 10 };

/* Supplied by the program. Results below 0 are errors. */
static const char *library(void);                 /* its name and version */
static int begin(void (*work)(void));             /* runs the loop, in which `work` is called once, until `last` */
static int room(size_t count);                    /* called first: memory for so many */
static int set(size_t index, uint32_t ms);        /* starts a timer; `due` is called when it fires */
static int again(size_t index, uint32_t ms);      /* gives one that is set another deadline */
static int cancel(size_t index);
static void last(void);                           /* makes the loop return */

static size_t count = 1000000, kept, fired, unexpected;
static uint32_t *order, *first, *second; /* deadlines lie in the order of their use */
static unsigned char *may_fire;
static double spent[5];
static double since;

static double clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void wrong(const char *what) {
    fprintf(stderr, "%s: %s went wrong\n", library(), what);
    exit(1);
}

/* For the callback of a timer. */
static inline void due(size_t index) {
    unexpected += may_fire[index] != 1;
    may_fire[index]++;
    if (++fired == kept) last();
}

/* xorshift64, the same numbers for every library. */
static uint32_t below(uint32_t limit) {
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state % limit);
}

static uint32_t deadline(void) { return NEAREST_MS + below(FURTHEST_MS - NEAREST_MS); }

/* The first `kept` of the order are those that stay. */
static void draw(void) {
    kept = count / KEPT_OF;
    order = malloc(count * sizeof *order), first = malloc(count * sizeof *first);
    second = malloc(count * sizeof *second), may_fire = calloc(count, 1);
    if (kept == 0 || !order || !first || !second || !may_fire) wrong("setting up");
    memset(may_fire, 0, count);
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i, first[i] = deadline(), second[i] = deadline();
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = below((uint32_t)i + 1);
        uint32_t swapped = order[i];
        order[i] = order[other], order[other] = swapped;
    }
}

static void lap(int part, size_t timers) {
    double now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (part >= 0) spent[part] = (now - since) / (double)timers;
    since = now;
}

static void work(void) {
    int bad = 0;
    lap(-1, 1);
    for (size_t i = 0; i < count; i++) bad |= set(i, first[i]);
    lap(0, count);
    for (size_t i = kept; i < count; i++) bad |= cancel(order[i]);
    lap(1, count - kept);
    for (size_t i = 0; i < kept; i++) bad |= again(order[i], second[i]);
    lap(2, kept);
    for (size_t i = count; i-- > kept;) bad |= set(order[i], second[i]);
    lap(3, count - kept);
    for (size_t i = kept; i < count; i++) bad |= cancel(order[i]);
    for (size_t i = 0; i < kept; i++) bad |= again(order[i], 1 + below(SOON_MS)), may_fire[order[i]] = 1;
    if (bad < 0) wrong("a call");
    /* The loop's next turn finds all of them due: it has nothing to wait for. */
    for (double end = clock_ns(CLOCK_MONOTONIC) + (SOON_MS + 2) * 1e6; clock_ns(CLOCK_MONOTONIC) < end;) continue;
    lap(-1, 1);
}

int main(int argc, char **argv) {
    if (argc > 1) count = (size_t)strtoul(argv[1], NULL, 10);
    if (argc > 2 || count < KEPT_OF || count > 100000000) {
        fprintf(stderr, "usage: %s [TIMERS]\n", argv[0]);
        return 2;
    }
    draw();
    if (room(count) < 0 || begin(work) < 0) wrong("the loop");
    lap(4, kept);
    if (fired != kept || unexpected) {
        fprintf(stderr, "%s: %zu timers fired, %zu of them wrongly; it should be %zu\n", library(), fired, unexpected, kept);
        return 1;
    }
    printf("{\"library\": \"%s\", \"timers\": %zu, \"insert\": %.2f, \"cancel\": %.2f, \"re-arm\": %.2f, "
           "\"insert again\": %.2f, \"fire\": %.2f}\n",
           library(), count, spent[0], spent[1], spent[2], spent[3], spent[4]);
    return 0;
}

#endif
