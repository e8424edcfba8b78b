/*
 * fastsock: one loop for many descriptors, timers and wakers. Level, edge, one-shot and exclusive triggers on epoll;
 * level and one-shot on poll and select.
 *
 *     static void on_ready(fsock_loop *loop, uint64_t token, uint32_t ready, void *user) {
 *         char text[256];
 *         ssize_t n = read(0, text, sizeof text);
 *         (void)ready, (void)user;
 *         if (n <= 0) fsock_remove(loop, token);
 *         else printf("%zd bytes\n", n);
 *     }
 *     int main(void) {
 *         fsock_loop *loop;
 *         if (fsock_loop_new(NULL, &loop) < 0) return 1;
 *         int r = fsock_add_callback(loop, 0, FSOCK_READABLE, FSOCK_LEVEL, on_ready, NULL, NULL, NULL);
 *         if (r == 0) r = fsock_loop_run(loop);
 *         if (r < 0) fprintf(stderr, "%s\n", fsock_strerror(r));
 *         return fsock_loop_free(loop);
 *     }
 *
 * Results: 0 or more is good; less is an error, either the system's errno, negated, or one of FSOCK_E_. A null,
 * stale or misplaced argument is an error, not a crash. Nothing but a wait blocks, and nothing installed is global: no
 * signal handler, no disposition.
 *
 * Threads: a loop is used on the thread that made it, which is checked. A waker is used from anywhere.
 *
 * Callbacks come with user data and a drop function for it, which is called exactly once, after the last call. If the
 * function that takes them fails, the user data is still the caller's and drop is not called. A callback must not
 * longjmp, call pthread_exit, nor let a C++ exception out; and pthread_cancel on a thread that is in here ends the whole
 * process. To end a loop from another thread, wake a waker whose callback calls fsock_loop_stop.
 *
 * Written by cbindgen from the library's source: do not edit.
 */

#ifndef FASTSOCK_H
#define FASTSOCK_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header; fsock_version tells the library's. */
#define FSOCK_VERSION_MAJOR UINT32_C(0)
#define FSOCK_VERSION_MINOR UINT32_C(1)
#define FSOCK_VERSION_PATCH UINT32_C(0)
#define FSOCK_VERSION_NUMBER (FSOCK_VERSION_MAJOR << 16 | FSOCK_VERSION_MINOR << 8 | FSOCK_VERSION_PATCH)
#define FSOCK_VERSION_STRING "0.1.0"

/** The first value of an fsock_config. */
#define FSOCK_CONFIG_INIT {sizeof(fsock_config), 0}

/** The first value of an fsock_stats. */
#define FSOCK_STATS_INIT {sizeof(fsock_stats), 0, 0, 0, 0, 0, 0, 0}

/** The token names nothing: what it named was removed, or it was never a token of that kind on this loop. */
#define FSOCK_E_STALE (-INT32_C(10001))

/** The call came from another thread than the loop's own. Only a waker may be used from anywhere. */
#define FSOCK_E_THREAD (-INT32_C(10002))

/** A panic inside the library or inside a callback written in Rust. The loop can be used again. */
#define FSOCK_E_PANIC (-INT32_C(10003))

/** The loop has been freed, or is about to be. */
#define FSOCK_E_CLOSED (-INT32_C(10004))

/** A source without a callback is ready while nobody takes events: the call wanted was fsock_loop_wait. */
#define FSOCK_E_NOCALLBACK (-INT32_C(10005))

/** The backend that the environment variable FASTSOCK_BACKEND names (epoll, poll or select), else the best. */
#define FSOCK_BACKEND_DEFAULT UINT32_C(0)

/** epoll(7): every trigger; a wait costs by what is ready. */
#define FSOCK_BACKEND_EPOLL UINT32_C(1)

/** poll(2): level and one-shot; a wait costs by what is watched. */
#define FSOCK_BACKEND_POLL UINT32_C(2)

/** select(2): level and one-shot; FD_SETSIZE is no limit on Linux. */
#define FSOCK_BACKEND_SELECT UINT32_C(3)

/** fsock_loop_wait and fsock_loop_run_once: no timeout. */
#define FSOCK_FOREVER (-INT64_C(1))

/** Interest: bytes, a datagram, a connection to accept, or the end of the stream. */
#define FSOCK_READABLE UINT32_C(1)

/** Interest: room in the send buffer, or a connect that has ended, well or not: read SO_ERROR. */
#define FSOCK_WRITABLE UINT32_C(2)

/** Interest: urgent data (MSG_OOB) and the like. */
#define FSOCK_PRIORITY UINT32_C(4)

/** Ready: bytes, a datagram or a connection wait. */
#define FSOCK_READY_READ UINT32_C(1)

/** Ready: urgent data waits. */
#define FSOCK_READY_PRI UINT32_C(2)

/** Ready: a send would take at least something. */
#define FSOCK_READY_WRITE UINT32_C(4)

/** Ready: an error waits in SO_ERROR, or the read end of a pipe is gone. Comes unasked. */
#define FSOCK_READY_ERR UINT32_C(8)

/**
 * Ready: both directions are closed; on a pipe, the writer is gone. Comes unasked, and without FSOCK_READY_READ when
 * nothing is left to read: treat it as readable.
 */
#define FSOCK_READY_HUP UINT32_C(16)

/**
 * Ready: the peer will send nothing more; what it sent before may still wait, so read first. Comes with
 * FSOCK_READABLE. The select backend reports this, FSOCK_READY_ERR and FSOCK_READY_HUP as FSOCK_READY_READ and
 * FSOCK_READY_WRITE.
 */
#define FSOCK_READY_RDHUP UINT32_C(8192)

/** Flag: reported at every wait for as long as it is ready. The default, and the one that forgives. */
#define FSOCK_LEVEL UINT32_C(0)

/**
 * Flag: reported once for each time that it becomes ready. Go on until EAGAIN (or, on a stream, a short read or
 * write), or call fsock_rearm: what is left gives no second event. epoll only.
 */
#define FSOCK_EDGE UINT32_C(1)

/** Flag: reported once, and then not until fsock_rearm or fsock_modify. */
#define FSOCK_ONESHOT UINT32_C(2)

/**
 * Flag: of several loops that watch this listener, wake at least one but not all (EPOLLEXCLUSIVE). epoll only; goes
 * with FSOCK_LEVEL and FSOCK_EDGE, FSOCK_READABLE and FSOCK_WRITABLE.
 */
#define FSOCK_EXCLUSIVE UINT32_C(4)

/**
 * Timer flag: repeats at whole multiples of the period after the first deadline, however long the callback takes.
 * Periods that were missed are told of, not made up for. The default.
 */
#define FSOCK_TIMER_RATE UINT32_C(0)

/** Timer flag: repeats a period after each callback has returned. */
#define FSOCK_TIMER_DELAY UINT32_C(1)

/** A loop: the sources, timers and wakers of one thread. Made by fsock_loop_new, ended by fsock_loop_free. */
typedef struct fsock_loop fsock_loop;

/** Wakes a loop from any thread. Made by fsock_waker_new, ended by fsock_waker_free. */
typedef struct fsock_waker fsock_waker;

/** How to make a loop. Set it up with FSOCK_CONFIG_INIT, then change what matters: zero means the default throughout. */
typedef struct fsock_config {
    /** sizeof(fsock_config): tells the library which version of the struct this is. */
    uint32_t size;
    /** FSOCK_BACKEND_DEFAULT, _EPOLL, _POLL or _SELECT. */
    uint32_t backend;
} fsock_config;

/** One source that is ready: an element of fsock_loop_wait's array. 16 bytes. */
typedef struct fsock_event {
    /** Which source: what fsock_add gave. */
    uint64_t token;
    /** What for: a sum of FSOCK_READY_ bits. */
    uint32_t ready;
    /** 0. */
    uint32_t reserved;
} fsock_event;

/**
 * A source is ready. ready is a sum of FSOCK_READY_ bits.
 *
 * It may call any function of the loop except those that wait, and may remove anything, its own source included.
 */
typedef void (*fsock_callback)(fsock_loop *loop, uint64_t token, uint32_t ready, void *user);

/**
 * Gives a callback's user data back: called exactly once, after the last call of the callback, on the loop's thread.
 * free is one. NULL is none. It may call any function of the loop.
 */
typedef void (*fsock_drop)(void *user);

/**
 * A timer is due. passed is the number of deadlines that have passed since the last call: 1, or more when a
 * fixed-rate timer was held up.
 *
 * It may call any function of the loop except those that wait, and may stop any timer, its own included.
 */
typedef void (*fsock_timer_callback)(fsock_loop *loop, uint64_t token, uint64_t passed, void *user);

/**
 * A waker was used, once or more often, since the last call.
 *
 * It may call any function of the loop except those that wait, and may free its own waker.
 */
typedef void (*fsock_waker_callback)(fsock_loop *loop, void *user);

/** Counters of a loop, from its beginning; they never go back. Set it up with FSOCK_STATS_INIT. */
typedef struct fsock_stats {
    /** sizeof(fsock_stats): tells the library which version of the struct this is. */
    uint32_t size;
    /** 0. */
    uint32_t reserved;
    /** Waits that have returned. */
    uint64_t turns;
    /** Events harvested. */
    uint64_t events;
    /** Waits ended by a waker. */
    uint64_t wakeups;
    /** Events of a registration that is gone: a descriptor was closed while a duplicate of it lived on. Dropped. */
    uint64_t stale_events;
    /** Times the kernel's set was made anew to be rid of such a duplicate. */
    uint64_t rebuilds;
    /** Timer callbacks called. */
    uint64_t timers_fired;
} fsock_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that runs: major << 16 | minor << 8 | patch. FSOCK_VERSION_NUMBER is that of the header.
 *
 * Thread: any. Since 0.1.0.
 */
uint32_t fsock_version(void);

/**
 * The version of the library that runs, as text: "0.1.0". FSOCK_VERSION_STRING is that of the header.
 *
 * Returns: a static string, never NULL; do not free it. Thread: any. Since 0.1.0.
 */
const char *fsock_version_string(void);

/**
 * What a result means, in a sentence that says what to do.
 *
 * Takes any result of any function; what is not an error is "success". For an errno that the table has no sentence
 * for, use strerror(3) on its negation.
 *
 * Returns: a static string, never NULL; do not free it. Thread: any. Since 0.1.0.
 */
const char *fsock_strerror(int code);

/**
 * The name of a result: "EINTR" for -EINTR, "FSOCK_E_STALE", "OK", or "UNKNOWN".
 *
 * Returns: a static string, never NULL; do not free it. Thread: any. Since 0.1.0.
 */
const char *fsock_err_name(int code);

/**
 * Makes a loop that belongs to the calling thread.
 *
 * config may be NULL for the defaults; nothing of it is kept.
 *
 * Returns: 0, and the loop in *out. Errors: -EINVAL (a null pointer, an unknown backend, or config->size not set),
 * -E2BIG (config has a part that this library does not know, and it is not zero), -EOPNOTSUPP (no such backend here),
 * -EMFILE, -ENFILE, -ENOMEM; *out is not written to then. Ownership: the loop is the caller's, until fsock_loop_free.
 * Thread: any; from then on the loop is used on this one. Since 0.1.0.
 */
int fsock_loop_new(const fsock_config *config, fsock_loop **out);

/**
 * Ends a loop: removes every source and timer, calls their drop functions, and closes what the library opened (the
 * descriptors that were watched stay open, they are the caller's). NULL is fine.
 *
 * Inside a callback or a drop function the end comes when that has returned: nothing else is called back, and the
 * wait or run that is going on returns FSOCK_E_CLOSED. Wakers stay valid; each still wants its fsock_waker_free.
 *
 * Returns: 0. Errors: FSOCK_E_THREAD, FSOCK_E_CLOSED (freed already, by the callback that is running).
 * Ownership: the loop is the library's again. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_free(fsock_loop *loop);

/**
 * Waits until something is ready or due, calls back what has a callback, and puts the rest into the array.
 *
 * events has room for cap; at most that many are harvested in one call, the others stay for the next. Sources added
 * with fsock_add land in the array; timers, wakers and sources added with a callback are called before it returns. A
 * negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait; the resolution is a nanosecond, and a wait
 * never ends early for want of a finer clock. An event in the array may be out of date when a callback of this
 * call has removed its source: its token is stale then.
 *
 * Returns: the number of events in the array. 0: the timeout is over, or only callbacks were called, or
 * fsock_loop_stop was. Errors: -EINTR (a signal came: wait again), -EINVAL (a null pointer, or cap 0), -EBUSY (inside a
 * callback), -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_PANIC, FSOCK_E_CLOSED (a callback has freed the
 * loop). Ownership: the array is the caller's. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_wait(fsock_loop *loop, fsock_event *events, size_t cap, int64_t timeout_ns);

/**
 * Waits and calls back, over and over, until fsock_loop_stop is called or nothing is registered any more.
 *
 * Every source should have a callback: one added with fsock_add ends the run with FSOCK_E_NOCALLBACK when it becomes
 * ready. Its event is not lost, the next fsock_loop_wait gives it. Signals do not end the run.
 *
 * Returns: 0. Errors: -EBUSY (inside a callback), -ECHILD (see fsock_loop_reinit), FSOCK_E_NOCALLBACK, FSOCK_E_THREAD,
 * FSOCK_E_PANIC, FSOCK_E_CLOSED (a callback has freed the loop), -EINVAL (a null pointer).
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_run(fsock_loop *loop);

/**
 * Waits once, no longer than the timeout, and calls back what is ready and due: fsock_loop_run's inside.
 *
 * A negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait.
 *
 * Returns: the number of callbacks called; 0 after the timeout, or when a stop was pending. Errors: -EINTR (a signal
 * came), and those of fsock_loop_run. Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_run_once(fsock_loop *loop, int64_t timeout_ns);

/**
 * Ends the wait or run that is going on, after the callback that is running; if none is, the next one returns at once.
 * Events that were harvested and not called back for wait for the next one.
 *
 * From another thread, wake a waker whose callback calls this.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_stop(fsock_loop *loop);

/**
 * After fork(2), in the child: makes the loop the child's own. Every source, timer and waker stays registered; a waker
 * wakes the parent's loop in the parent and this one in the child. Before this call, the loop answers -ECHILD to
 * whatever would touch what it shares with the parent.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED, and as fsock_loop_new.
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_reinit(fsock_loop *loop);

/**
 * Which backend a loop waits with.
 *
 * Returns: FSOCK_BACKEND_EPOLL, _POLL or _SELECT. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_backend(fsock_loop *loop);

/**
 * The descriptor that is readable when a source is ready or a waker was used, to watch this loop from another one.
 * Timers do not show in it.
 *
 * Returns: the descriptor. Errors: -EOPNOTSUPP (the backend is not epoll), -EINVAL (a null pointer), FSOCK_E_THREAD,
 * FSOCK_E_CLOSED. Ownership: it stays the loop's; do not close it. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_fd(fsock_loop *loop);

/**
 * Watches a descriptor, whose events fsock_loop_wait puts into its array.
 *
 * interest is a sum of FSOCK_READABLE, FSOCK_WRITABLE and FSOCK_PRIORITY, or 0 for nothing yet. flags is FSOCK_LEVEL,
 * FSOCK_EDGE or FSOCK_ONESHOT, with FSOCK_EXCLUSIVE or without. Make the descriptor non-blocking. Add a TCP
 * socket after connect or listen has begun: before, the kernel reports it as hung up.
 *
 * Returns: 0, and in *token what names the source in events and calls; never 0, and never used twice. Errors: -EINVAL
 * (a null pointer or an unknown bit), -EBADF (not open), -EEXIST (watched already), -EPERM (a regular file or
 * directory), -EOPNOTSUPP (the backend has no such trigger), -ENOSPC, -ENOMEM, -ECHILD (see fsock_loop_reinit),
 * FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the descriptor stays the caller's; remove the source before closing it.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_add(fsock_loop *loop, int fd, uint32_t interest, uint32_t flags, uint64_t *token);

/**
 * Watches a descriptor, and calls back when it is ready.
 *
 * interest and flags are as for fsock_add. The callback is called by fsock_loop_run, fsock_loop_run_once and
 * fsock_loop_wait, on the loop's thread, never from in here. user comes back in every call. drop, if it is not NULL, is
 * called exactly once with user, after the last call: inside fsock_remove, or after the callback's return when that
 * removes itself, or inside fsock_loop_free. token may be NULL: the callback gets it as well.
 *
 * Returns: 0. Errors: as fsock_add. Ownership: on success user is the loop's, until drop; on any error it stays
 * the caller's, and drop is not called. The descriptor stays the caller's; drop is a good place to close it. Thread:
 * the loop's own. Since 0.1.0.
 */
int fsock_add_callback(fsock_loop *loop,
                       int fd,
                       uint32_t interest,
                       uint32_t flags,
                       fsock_callback callback,
                       void *user,
                       fsock_drop drop,
                       uint64_t *token);

/**
 * Changes interest and flags. An edge or one-shot source that is ready now fires (again).
 *
 * With interest 0 the source stays registered and nothing is reported, not even a hang-up.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, and as fsock_add. Ownership: nothing changes hands. Thread: the loop's own.
 * Since 0.1.0.
 */
int fsock_modify(fsock_loop *loop, uint64_t token, uint32_t interest, uint32_t flags);

/**
 * Lets an edge or one-shot source fire again if it is still ready: for whoever stops before EAGAIN. Nothing changes for a
 * level source.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD,
 * FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_rearm(fsock_loop *loop, uint64_t token);

/**
 * Stops watching. No callback and no event of this source comes after this, not even one that was ready.
 *
 * drop is called before this returns; for the source whose callback is running, after that has returned and before
 * the next callback. Do this before the descriptor is closed.
 *
 * Returns: 0. Errors: FSOCK_E_STALE (nothing was removed), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also
 * when drop has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
 */
int fsock_remove(fsock_loop *loop, uint64_t token);

/**
 * Calls back after_ns nanoseconds from now, and then every period_ns nanoseconds; once only if period_ns is 0.
 *
 * Never early, on CLOCK_MONOTONIC; timers of one deadline are called in the order in which they were started. flags is
 * FSOCK_TIMER_RATE or FSOCK_TIMER_DELAY. A timer that was called for the last time is gone, unless its
 * callback has called fsock_timer_again. user, drop and token are as for fsock_add_callback: drop is called exactly
 * once, after the last call.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer, a negative time or an unknown flag), -ENOSPC (2^30 timers),
 * FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any error it stays the
 * caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_timer_start(fsock_loop *loop,
                      int64_t after_ns,
                      int64_t period_ns,
                      uint32_t flags,
                      fsock_timer_callback callback,
                      void *user,
                      fsock_drop drop,
                      uint64_t *token);

/**
 * Stops a timer. No call of it comes after this, not even one that was due. drop is called as by fsock_remove.
 *
 * Returns: 0. Errors: FSOCK_E_STALE (it was stopped, or called for the last time, before), -EINVAL (a null
 * pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also when drop has freed the loop). Ownership: user goes back by drop.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_timer_stop(fsock_loop *loop, uint64_t token);

/**
 * Gives a timer another deadline, after_ns nanoseconds from now; a repeating one goes on from there. Also in its own
 * callback, where it gives a one-shot timer another shot.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer or a negative time), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_timer_again(fsock_loop *loop, uint64_t token, int64_t after_ns);

/**
 * Makes a waker, by which any thread ends the loop's wait and has the callback called on the loop's thread.
 *
 * However often it is used between two turns, there is one call. callback may be NULL: then it ends the wait and no more.
 * user and drop are as for fsock_add_callback. Until it is freed, fsock_loop_run goes on.
 *
 * Returns: 0, and the waker in *out. Errors: -EINVAL (a null pointer), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
 * fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the waker is the caller's, until fsock_waker_free; on
 * success user is the loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: the
 * loop's own. Since 0.1.0.
 */
int fsock_waker_new(fsock_loop *loop,
                    fsock_waker_callback callback,
                    void *user,
                    fsock_drop drop,
                    fsock_waker **out);

/**
 * Makes the loop's wait return, and the callback be called. What this thread wrote to memory before is visible there.
 *
 * Cheap when the loop is awake: one write to an eventfd(2) for each time that it sleeps. For as long as the loop is
 * alive, a signal handler may call this.
 *
 * Returns: 0. Errors: FSOCK_E_CLOSED (the loop has been freed: nothing happens), -EINVAL (a null pointer).
 * Ownership: nothing changes hands. Thread: any, at any time between fsock_waker_new and fsock_waker_free, also when
 * the loop is gone. Since 0.1.0.
 */
int fsock_waker_wake(const fsock_waker *waker);

/**
 * Ends a waker. No wake may come after this, nor at the same time. NULL is fine.
 *
 * On the loop's thread the callback is not called again and drop is called before this returns (in the waker's own
 * callback: after that has returned). On another thread no call begins after this, one that has begun may still
 * run, and drop is called on the loop's thread, in its next turn or when it is freed. When the loop is gone, drop has
 * been called already.
 *
 * Returns: 0. Errors: FSOCK_E_CLOSED (drop has freed the loop; the waker is freed all the same).
 * Ownership: the waker is the library's again. Thread: any. Since 0.1.0.
 */
int fsock_waker_free(fsock_waker *waker);

/**
 * Reads the counters of a loop.
 *
 * stats->size must be set (FSOCK_STATS_INIT does that): as many bytes are written, zeroes where this library counts
 * nothing.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_stats(fsock_loop *loop, fsock_stats *stats);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FASTSOCK_H */
