/*
 * fastsock: one loop for descriptors, timers, signals, children, listeners and the work of other threads. Level, edge,
 * one-shot and exclusive triggers on epoll; level and one-shot on poll and select.
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
 * stale or misplaced argument is an error, not a crash. Nothing but a wait blocks. Nothing global is touched without being
 * asked for: no signal handler but by fsock_signal_start, no log but by fsock_set_log.
 *
 * Threads: a loop is used on the thread that made it, which is checked. Wakers and submitters are used from anywhere, batches
 * of datagrams by one thread at a time.
 *
 * Callbacks come with user data and a drop function for it, which is called exactly once, after the last call. If the
 * function that takes them fails, the user data is still the caller's and drop is not called. A callback must not
 * longjmp, call pthread_exit, nor let a C++ exception out (nor a Rust panic, but see FSOCK_E_PANIC); and pthread_cancel on
 * a thread that is in here ends the whole process. To end a loop from another thread, submit a function that calls
 * fsock_loop_stop.
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

/** The first value of an fsock_listen_options. */
#define FSOCK_LISTEN_OPTIONS_INIT {sizeof(fsock_listen_options), 0, 0, 0}

/** The first value of an fsock_accept_stats. */
#define FSOCK_ACCEPT_STATS_INIT {sizeof(fsock_accept_stats), 0, 0, 0, 0, 0}

/** The first value of an fsock_stream_options. */
#define FSOCK_STREAM_OPTIONS_INIT {sizeof(fsock_stream_options), 0, 0, 0, 0, 0, 0, 0, 0}

/** The first value of an fsock_server_options. */
#define FSOCK_SERVER_OPTIONS_INIT {sizeof(fsock_server_options), 0, 0, 0}

/** The first value of an fsock_server_counters. */
#define FSOCK_SERVER_COUNTERS_INIT {sizeof(fsock_server_counters), 0, 0, 0, 0, 0, 0, 0}

/** The first value of an fsock_stats. */
#define FSOCK_STATS_INIT {sizeof(fsock_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* Of <sys/socket.h>, which need not be included for this header. */
struct sockaddr;
struct sockaddr_storage;

/** The token names nothing: what it named was removed, or it was never a token of that kind on this loop. */
#define FSOCK_E_STALE (-INT32_C(10001))

/** The call came from another thread than the loop's own. Only a waker may be used from anywhere. */
#define FSOCK_E_THREAD (-INT32_C(10002))

/**
 * A panic inside the library, or inside a callback written in Rust of a program that has the library linked in statically. The
 * loop can be used again. (Of a Rust program that uses the shared library a panic must not leave a callback: the two have
 * a runtime each, and the process ends.)
 */
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

/**
 * Listen flag: several listeners of one user may share the address, each with a queue of its own (SO_REUSEPORT): every
 * one of them must ask for it. Not for Unix addresses.
 */
#define FSOCK_LISTEN_REUSE_PORT UINT32_C(1)

/** Listen flag: an IPv6 listener leaves IPv4 alone (IPV6_V6ONLY). */
#define FSOCK_LISTEN_ONLY_V6 UINT32_C(2)

/** Listen flag: an IPv6 listener takes IPv4 as well, whatever the system's default is. */
#define FSOCK_LISTEN_DUAL_STACK UINT32_C(4)

/** Listen flag: the address may not be taken again while connections of an earlier listener linger (no SO_REUSEADDR). */
#define FSOCK_LISTEN_NO_REUSE_ADDRESS UINT32_C(8)

/** Listen flag: connections carry messages, not bytes (SOCK_SEQPACKET). Unix addresses only. */
#define FSOCK_LISTEN_SEQPACKET UINT32_C(16)

/**
 * Stream event: the connection that fsock_stream_connect began is there. (Or failed: then FSOCK_STREAM_CLOSED comes, and
 * this does not.)
 */
#define FSOCK_STREAM_CONNECTED UINT32_C(1)

/** Stream event: bytes from the peer, in data and length: at least one, at most 65536. */
#define FSOCK_STREAM_DATA UINT32_C(2)

/**
 * Stream event: the peer has sent all that it will. Unless the callback calls fsock_stream_keep, the stream is closed when
 * what is queued has been sent.
 */
#define FSOCK_STREAM_END UINT32_C(3)

/** Stream event: the queue was full, and has fallen to the low-water mark. */
#define FSOCK_STREAM_WRITABLE UINT32_C(4)

/**
 * Stream event: a time-out is over; detail is one of FSOCK_TIMEOUT_. Unless the callback calls fsock_stream_keep (which
 * starts it anew) or fsock_stream_close (which sends what is queued first), the stream is closed with -ETIMEDOUT.
 */
#define FSOCK_STREAM_TIMED_OUT UINT32_C(5)

/**
 * Stream event: the server that accepted this connection is being drained. Unless the callback calls fsock_stream_keep, to
 * finish what it is at and close then, the stream is closed when what is queued has been sent.
 */
#define FSOCK_STREAM_STOPPING UINT32_C(6)

/**
 * Stream event: the last one, always; the token is stale, the socket is closed. error is 0 when both sides were done,
 * else what ended the connection: -ECONNRESET, -EPIPE, -ETIMEDOUT, -ECONNREFUSED and the like, or what the callback has
 * returned.
 */
#define FSOCK_STREAM_CLOSED UINT32_C(7)

/** Time-out: nothing was received nor sent. */
#define FSOCK_TIMEOUT_IDLE UINT32_C(1)

/** Time-out: nothing was received while the stream was read. */
#define FSOCK_TIMEOUT_READ UINT32_C(2)

/** Time-out: the peer has taken nothing of what is queued. */
#define FSOCK_TIMEOUT_WRITE UINT32_C(3)

/** Datagram flag: it was longer than its room, and the rest is lost. */
#define FSOCK_DATAGRAM_TRUNCATED UINT32_C(1)

/** Log level: a bug, in the library or in a callback. */
#define FSOCK_LOG_ERROR UINT32_C(1)

/** Log level: something that the program or its host should see to. */
#define FSOCK_LOG_WARNING UINT32_C(2)

/** A loop: the sources, timers and wakers of one thread. Made by fsock_loop_new, ended by fsock_loop_free. */
typedef struct fsock_loop fsock_loop;

/** Room for datagrams that come several at a time. Made by fsock_recv_batch_new, ended by fsock_recv_batch_free. */
typedef struct fsock_recv_batch fsock_recv_batch;

/** Datagrams to be sent several at a time. Made by fsock_send_batch_new, ended by fsock_send_batch_free. */
typedef struct fsock_send_batch fsock_send_batch;

/** Sends functions to a loop from any thread. Made by fsock_submitter_new, ended by fsock_submitter_free. */
typedef struct fsock_submitter fsock_submitter;

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
 * free is one. NULL is none. It may call any function of the loop except those that wait.
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

/**
 * A function that was submitted to a loop, and runs on its thread. It may call any function of the loop except those
 * that wait.
 */
typedef void (*fsock_submit_callback)(fsock_loop *loop, void *user);

/**
 * The process got this signal, times times since the last call (at least once; the kernel merges equal signals that are
 * pending at once, signal(7)).
 *
 * It is called on the loop's thread as every other callback, not inside a signal handler: it may call any function of
 * the loop except those that wait, and any function of the C library.
 */
typedef void (*fsock_signal_callback)(fsock_loop *loop, uint64_t token, int signum, uint64_t times, void *user);

/**
 * A child process has ended. status is what waitpid(2) would have given: for WIFEXITED, WEXITSTATUS, WIFSIGNALED and the
 * like. Or it is negative: -ECHILD, the child has ended, but someone else has waited for it, or SIGCHLD is ignored.
 *
 * Called once; the token is stale by then. It may call any function of the loop except those that wait.
 */
typedef void (*fsock_child_callback)(fsock_loop *loop, uint64_t token, int status, void *user);

/** How to listen. Set it up with FSOCK_LISTEN_OPTIONS_INIT, then change what matters: zero means the default throughout. */
typedef struct fsock_listen_options {
    /** sizeof(fsock_listen_options): tells the library which version of the struct this is. */
    uint32_t size;
    /** A sum of FSOCK_LISTEN_ flags. */
    uint32_t flags;
    /** How many connections may wait to be accepted; 0, and whatever is beyond net.core.somaxconn: that many (listen(2)). */
    uint32_t backlog;
    /**
     * How many connections are accepted for each time that the listener is reported ready; 0: one, which spares the
     * accept(2) that finds none. More for connections that come in bursts.
     */
    uint32_t budget;
} fsock_listen_options;

/**
 * A connection was accepted: fd is its socket, non-blocking and close-on-exec, and yours from now on: close it in the
 * end. peer is the client's address, of length bytes (a socklen_t), valid until this returns; length 0: it has none.
 *
 * Or fd is negative: accepting has failed for good, with this error (-EBADF, -EINVAL and the like: the socket was
 * broken from outside), and the listener is removed: this is its last call, and peer is NULL.
 *
 * It may call any function of the loop except those that wait, and may remove the listener, or pause it.
 */
typedef void (*fsock_accept_callback)(fsock_loop *loop,
                                      uint64_t token,
                                      int fd,
                                      const struct sockaddr *peer,
                                      uint32_t length,
                                      void *user);

/** Counters of a listener. Set it up with FSOCK_ACCEPT_STATS_INIT. */
typedef struct fsock_accept_stats {
    /** sizeof(fsock_accept_stats): tells the library which version of the struct this is. */
    uint32_t size;
    /** 0. */
    uint32_t reserved;
    /** Connections accepted. */
    uint64_t accepted;
    /** Times that accepting paused for want of descriptors or memory. */
    uint64_t pauses;
    /** Connections closed unserved, after their clients had waited for a second of such pauses. */
    uint64_t refused;
    /** Connections that were gone before they could be accepted. */
    uint64_t aborted;
} fsock_accept_stats;

/**
 * Marks and time-outs of a stream. Set it up with FSOCK_STREAM_OPTIONS_INIT, then change what matters: zero means the
 * default throughout. Times are in nanoseconds.
 */
typedef struct fsock_stream_options {
    /** sizeof(fsock_stream_options): tells the library which version of the struct this is. */
    uint32_t size;
    /** 0. */
    uint32_t reserved;
    /** With so many bytes queued, or more, the stream is full, and not read; 0: 65536. */
    uint64_t high_water;
    /** So few have to be left for it to be full no more; 0: a quarter of high_water. */
    uint64_t low_water;
    /** The longest time in which nothing is received nor sent; 0: for ever. */
    uint64_t idle_timeout_ns;
    /** The longest time in which nothing is received, while the stream is read (not paused, not full); 0: for ever. */
    uint64_t read_timeout_ns;
    /** The longest time in which the peer takes nothing of what is queued; 0: for ever. */
    uint64_t write_timeout_ns;
    /** The longest time that connecting may take; 0: as long as the kernel tries, about two minutes (tcp(7)). */
    uint64_t connect_timeout_ns;
    /**
     * After fsock_stream_close: the longest time in which the peer takes nothing of what is queued, and then the longest
     * time for it to close as well; 0: 5 seconds. 1, for want of a smaller one, does not wait for anybody.
     */
    uint64_t close_timeout_ns;
} fsock_stream_options;

/** What the callback of a stream is told. */
typedef struct fsock_stream_event {
    /** One of FSOCK_STREAM_; let unknown ones pass. */
    uint32_t kind;
    /** Of FSOCK_STREAM_CLOSED: 0, or a negative errno. */
    int32_t error;
    /** Of FSOCK_STREAM_TIMED_OUT: one of FSOCK_TIMEOUT_. */
    uint32_t detail;
    /** 0. */
    uint32_t reserved;
    /** Of FSOCK_STREAM_DATA: the bytes, which are the library's and gone when the callback returns; else NULL. */
    const void *data;
    /** How many bytes. */
    size_t length;
} fsock_stream_event;

/**
 * Something has happened to a stream. event is gone when this returns.
 *
 * It may call any function of the loop except those that wait, on this stream and on others. What it writes is gathered,
 * and sent when it returns.
 *
 * Returns: 0; or a negative errno, with which the connection is closed at once.
 */
typedef int (*fsock_stream_callback)(fsock_loop *loop, uint64_t token, const fsock_stream_event *event, void *user);

/** Limits and callbacks of a server. Set it up with FSOCK_SERVER_OPTIONS_INIT, then change what matters. */
typedef struct fsock_server_options {
    /** sizeof(fsock_server_options): tells the library which version of the struct this is. */
    uint32_t size;
    /** The most connections at a time: others wait in the kernel's queue. 0: no limit but the process's own. */
    uint32_t connection_limit;
    /** How many connections are accepted for each time that the listener is ready; 0: one. */
    uint32_t budget;
    /** 0. */
    uint32_t reserved;
} fsock_server_options;

/**
 * A server has accepted a connection: token is its stream's, server the server's, user the server's user data. What is
 * put into *connection comes back as user in every event of the stream, and goes to the server's drop_connection
 * in the end. It may write to the stream already.
 *
 * Returns: 0; or a negative errno, and the connection is closed: then *connection stays yours.
 */
typedef int (*fsock_server_callback)(fsock_loop *loop, uint64_t server, uint64_t token, void **connection, void *user);

/** Counters of a server. Set it up with FSOCK_SERVER_COUNTERS_INIT. */
typedef struct fsock_server_counters {
    /** sizeof(fsock_server_counters): tells the library which version of the struct this is. */
    uint32_t size;
    /** Connections that are open now. */
    uint32_t connections;
    /** Connections accepted. */
    uint64_t accepted;
    /** Of these, the ones that the accepting callback has refused. */
    uint64_t refused;
    /** Times that the limit of connections was reached. */
    uint64_t limited;
    /** Connections that were cut off at the end of a drain. */
    uint64_t cut_off;
    /** The errno, negated, for which the listener was given up, or 0. */
    int32_t failure;
    /** 0. */
    uint32_t reserved;
} fsock_server_counters;

/** A server was drained: its last connection is gone, and its token stale. stats is gone when this returns. */
typedef void (*fsock_drained_callback)(fsock_loop *loop,
                                       uint64_t server,
                                       const fsock_server_counters *stats,
                                       void *user);

/**
 * A datagram that came: an element of fsock_recv_batch_recv's array. It and what it points at are valid until the batch is
 * used again.
 */
typedef struct fsock_datagram {
    /** What is in it. */
    const uint8_t *bytes;
    /** How many bytes that is: 0 for an empty datagram. */
    size_t length;
    /** Who sent it, as from_length bytes of a struct sockaddr. */
    const struct sockaddr *from;
    /** A socklen_t: 0 when the sender has no address. */
    uint32_t from_length;
    /** 0, or FSOCK_DATAGRAM_TRUNCATED. */
    uint32_t flags;
    /** Of datagrams that the kernel has joined (UDP_GRO, udp(7)) the size of each, the last may be shorter; else 0. */
    uint32_t segment;
    /** 0. */
    uint32_t reserved;
} fsock_datagram;

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
    /**
     * Times that a listener could not accept: for want of descriptors or memory, and then it pauses; or for good, and
     * then it is removed.
     */
    uint64_t accept_failures;
    /** Sources given up because a descriptor of the same number was added: theirs was closed before they were removed. */
    uint64_t closed_unasked;
    /** Nanoseconds spent in waits. 0 unless fsock_loop_measure is on. */
    uint64_t idle_ns;
    /** Nanoseconds that the longest callback took until it returned. 0 unless fsock_loop_measure is on. */
    uint64_t longest_callback_ns;
} fsock_stats;

/**
 * Something is worth telling. level is one of FSOCK_LOG_; a reader should let unknown ones pass. text is one sentence,
 * without a newline; it is the library's, and gone when this returns.
 *
 * Called on the thread that it happens on. It may call any function of the library but fsock_set_log and those that wait,
 * but what these would tell is not told.
 */
typedef void (*fsock_log_callback)(uint32_t level, const char *text, void *user);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that runs: major << 16 | minor << 8 | patch. FSOCK_VERSION_NUMBER is that of the header.
 *
 * Returns: the number. Errors: none. Ownership: nothing changes hands. Thread: any. Since 0.1.0.
 */
uint32_t fsock_version(void);

/**
 * The version of the library that runs, as text: "0.1.0". FSOCK_VERSION_STRING is that of the header.
 *
 * Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
 * Thread: any. Since 0.1.0.
 */
const char *fsock_version_string(void);

/**
 * What a result means, in a sentence that says what to do.
 *
 * Takes any result of any function; what is not an error is "success". For an errno that the table has no sentence
 * for, use strerror(3) on its negation.
 *
 * Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
 * Thread: any. Since 0.1.0.
 */
const char *fsock_strerror(int code);

/**
 * The name of a result: "EINTR" for -EINTR, "FSOCK_E_STALE", "OK", or "UNKNOWN".
 *
 * Returns: a static string, never NULL. Errors: none. Ownership: the string is the library's; do not free it.
 * Thread: any. Since 0.1.0.
 */
const char *fsock_err_name(int code);

/**
 * fsock_strerror into a buffer, and for an errno that the table has no sentence for, strerror_r(3)'s.
 *
 * Writes at most cap bytes to text, the last a NUL; text may be NULL when cap is 0.
 *
 * Returns: the length of the whole text without the NUL; if that is cap or more, it was cut short. Errors: -EINVAL (text is
 * NULL and cap is not 0). Ownership: the buffer is the caller's. Thread: any. Since 0.1.0.
 */
int fsock_strerror_r(int code, char *text, size_t cap);

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
 * came), -EINVAL (a null pointer), and those of fsock_loop_run. Ownership: nothing changes hands. Thread: the loop's own.
 * Since 0.1.0.
 */
int fsock_loop_run_once(fsock_loop *loop, int64_t timeout_ns);

/**
 * Waits until something is ready or due, no longer than the timeout, and calls nothing back: for a host with a lock of its
 * own (an interpreter's), which lets go of it for this call alone.
 *
 * What was harvested is called back, or put into the array, by the next fsock_loop_run_once or fsock_loop_wait, which then
 * does not wait. A negative timeout (FSOCK_FOREVER) waits without end, 0 does not wait.
 *
 * Returns: the number of events harvested; timers that are due, wakers and the like come on top; 0 at once when a stop is
 * pending. Errors: -EINTR (a signal came: wait again), -EBUSY (inside a callback), -ECHILD (see fsock_loop_reinit), -EINVAL
 * (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_harvest(fsock_loop *loop, int64_t timeout_ns);

/**
 * Ends the wait or run that is going on, after the callback that is running; if none is, the next one returns at once.
 * Events that were harvested and not called back for wait for the next one.
 *
 * From another thread, submit a function that calls this (fsock_submit).
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
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_backend(fsock_loop *loop);

/**
 * The descriptor that is readable when a source is ready, a timer is due, a waker was used or a signal came: for a host
 * that waits in a loop of its own, and calls fsock_loop_run_once or fsock_loop_wait with a timeout of 0 whenever the
 * descriptor is readable.
 *
 * The first call makes timers show in it, by a timerfd_create(2). It may become readable for a timer that was stopped
 * meanwhile. After fsock_loop_reinit, and whenever rebuilds in fsock_stats has grown, the descriptor is another one:
 * call this again, which costs nothing.
 *
 * Returns: the descriptor. Errors: -EOPNOTSUPP (the backend is not epoll: use fsock_loop_timeout), -EMFILE, -ENFILE,
 * -ENOMEM, -ECHILD (see fsock_loop_reinit), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: it stays the loop's; do not close it. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_fd(fsock_loop *loop);

/**
 * How long a host with a wait of its own may sleep before it calls this loop: until the next timer is due.
 *
 * Returns: nanoseconds; 0 when something is due or was left by an earlier turn; FSOCK_FOREVER (-1) when no timer is
 * set. Errors: all below -1: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int64_t fsock_loop_timeout(fsock_loop *loop);

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
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer or an unknown bit), -EOPNOTSUPP, -ENOMEM, -ECHILD (see
 * fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes hands. Thread: the loop's own.
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
 * Returns: 0. Errors: -EINVAL (a null pointer, a negative time or an unknown flag), -ENOSPC (2^29 timers),
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
 * Makes a submitter, by which any thread has functions called on the loop's.
 *
 * Until it is freed, fsock_loop_run goes on, for work may come.
 *
 * Returns: 0, and the submitter in *out. Errors: -EINVAL (a null pointer), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
 * fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED; *out is not written to then. Ownership: the submitter is the
 * caller's, until fsock_submitter_free. Thread: the loop's own. Since 0.1.0.
 */
int fsock_submitter_new(fsock_loop *loop, fsock_submitter **out);

/**
 * Has callback(loop, user) called once on the loop's thread, in one of its next turns; never in this call.
 *
 * What one thread submits is called in the order in which it did so. What was written to memory before is visible there. A
 * turn calls what was submitted when it began, no more: whoever submits without end starves nobody; the queue
 * has no bound. However much is submitted while the loop sleeps, it is woken by one write(2). drop, if it is not NULL,
 * is called exactly once with user, on the loop's thread: after the callback, or, when the loop is freed before that,
 * instead of it.
 *
 * Returns: 0. Errors: FSOCK_E_CLOSED (the loop has been freed), -EINVAL (a null pointer). Ownership: on success user is the
 * loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: any, several at a time,
 * between fsock_submitter_new and fsock_submitter_free, also when the loop is gone; not in a signal handler, nor in a child
 * after fork(2) when other threads submit. Since 0.1.0.
 */
int fsock_submit(const fsock_submitter *submitter, fsock_submit_callback callback, void *user, fsock_drop drop);

/**
 * Ends a submitter. No fsock_submit may come after this, nor at the same time. What was submitted is still called. NULL is
 * fine.
 *
 * Returns: 0. Errors: none. Ownership: the submitter is the library's again. Thread: any, also when the loop is gone.
 * Since 0.1.0.
 */
int fsock_submitter_free(fsock_submitter *submitter);

/**
 * Calls back when the process gets this signal, instead of what the signal did before.
 *
 * Any number of loops and callbacks may watch one signal, and each is told. The handler is set by sigaction(2) with
 * SA_RESTART, for this signal alone; when the last that watches it is stopped, the signal does again what it did
 * before, unless someone else has set a handler since. A wait that the signal interrupts ends with -EINTR,
 * and the next calls back; fsock_loop_run goes on by itself. After fork(2), see fsock_loop_reinit; exec(3) sets
 * the signal to its default. user, drop and token are as for fsock_add_callback.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer; no such signal; SIGKILL or SIGSTOP, which nobody can catch; or SIGSEGV,
 * SIGBUS, SIGFPE or SIGILL, which a loop cannot handle later), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see
 * fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any
 * error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_signal_start(fsock_loop *loop,
                       int signum,
                       fsock_signal_callback callback,
                       void *user,
                       fsock_drop drop,
                       uint64_t *token);

/**
 * Stops watching a signal. No call comes after this, not even for a signal that came before. drop is called as by
 * fsock_remove.
 *
 * Returns: 0. Errors: FSOCK_E_STALE (it was stopped before), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED
 * (also when drop has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
 */
int fsock_signal_stop(fsock_loop *loop, uint64_t token);

/**
 * Calls back once when this child process ends, also if it has ended already and was not waited for.
 *
 * The loop waits for this child (waitid(2)) and for no other, once it has ended; so do not wait for it yourself, nor
 * kill it by its number after the callback, when the number may be another's. SIGCHLD is not touched. It costs one
 * descriptor (pidfd_open(2)). The token is that of a source: fsock_remove gives the child up, which is then yours to wait
 * for again. user, drop and token are as for fsock_add_callback; drop is called after the callback, or by fsock_remove.
 *
 * Returns: 0. Errors: -ESRCH (no such process, or it was waited for already), -ECHILD (not a child of this process; or see
 * fsock_loop_reinit), -EINVAL (a null pointer, or no process number), -EOPNOTSUPP (before Linux 5.4, or elsewhere),
 * -EMFILE, -ENFILE, -ENOMEM, FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop; on any
 * error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_child_start(fsock_loop *loop,
                      int pid,
                      fsock_child_callback callback,
                      void *user,
                      fsock_drop drop,
                      uint64_t *token);

/**
 * Makes an address of text: "127.0.0.1:80", "[::1]:80", "/a/path" or "./a/path" for a Unix socket, "@name" for an abstract
 * one (unix(7)). No names are looked up: for those there is getaddrinfo(3).
 *
 * Returns: 0, the address in *address (a struct sockaddr_storage of the caller's, from <sys/socket.h>) and how many bytes
 * of it count in *length, which is a socklen_t. Errors: -EINVAL (a null pointer, or no such address), -ENAMETOOLONG (a
 * path beyond 107 bytes). Ownership: nothing is kept. Thread: any. Since 0.1.0.
 */
int fsock_address_parse(const char *text, struct sockaddr_storage *address, uint32_t *length);

/**
 * An address as text, as fsock_address_parse takes it; "unnamed" for a Unix socket without a name.
 *
 * Writes at most cap bytes to text, the last a NUL; 128 are always enough. text may be NULL when cap is 0.
 *
 * Returns: the length of the whole text without the NUL; if that is cap or more, it was cut short. Errors: -EINVAL (a null
 * pointer, or a length that no address has). Ownership: nothing is kept. Thread: any. Since 0.1.0.
 */
int fsock_address_format(const struct sockaddr *address, uint32_t length, char *text, size_t cap);

/**
 * Listens on an address, accepts what comes and hands each connection to the callback.
 *
 * address is a struct sockaddr_in, sockaddr_in6 or sockaddr_un, of length bytes; fsock_address_parse makes one of text. With
 * port 0 the kernel chooses: getsockname(2) on fsock_listener_fd tells. A Unix path must not exist, and is not
 * removed afterwards. options may be NULL; nothing of it is kept.
 *
 * When the process runs out of descriptors or memory, accepting pauses (10 ms at first, 500 ms at most) and goes on by
 * itself: no spinning; after a second of that, the clients that wait are taken and closed, by a descriptor held in
 * reserve, so that they learn of it. Connections that died in the queue are passed over. The token is that of a source:
 * fsock_modify with interest 0 pauses the listener (a limit of connections, say), with FSOCK_READABLE it goes on;
 * fsock_remove closes it. user, drop and token are as for fsock_add_callback.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer, an unknown flag, no address, or a flag about IPv6 at another), -E2BIG
 * (options has a part that this library does not know), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES (a port below 1024),
 * -ENOENT (the folder of a path), -EAFNOSUPPORT, -EOPNOTSUPP (FSOCK_LISTEN_REUSE_PORT at a Unix address),
 * -ESOCKTNOSUPPORT (FSOCK_LISTEN_SEQPACKET over IP), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see fsock_loop_reinit),
 * FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the listening socket is the loop's; on success user is as well, until drop; on
 * any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_listen(fsock_loop *loop,
                 const struct sockaddr *address,
                 uint32_t length,
                 const fsock_listen_options *options,
                 fsock_accept_callback callback,
                 void *user,
                 fsock_drop drop,
                 uint64_t *token);

/**
 * As fsock_listen, on a socket that is bound already: by a supervisor, a parent process, or with options of your own.
 *
 * The loop keeps a duplicate, and makes the socket non-blocking and listen, with the longest queue. Close yours when you
 * like. Of the options only the budget counts; flags and backlog must be 0.
 *
 * Returns: 0. Errors: -EBADF, -ENOTSOCK, -EINVAL (a null pointer, an option that does not count, or the socket is
 * connected), -EOPNOTSUPP (datagrams do not listen), and those of fsock_add_callback. Ownership: fd stays the
 * caller's; on success user is the loop's, until drop; on any error it stays the caller's, and drop is not called.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_listen_fd(fsock_loop *loop,
                    int fd,
                    const fsock_listen_options *options,
                    fsock_accept_callback callback,
                    void *user,
                    fsock_drop drop,
                    uint64_t *token);

/**
 * The descriptor of a listener: for getsockname(2) and setsockopt(2).
 *
 * Returns: the descriptor. Errors: FSOCK_E_STALE (also for a source that is no listener), -EBUSY (inside its own
 * callback), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: it stays the loop's; do not close it.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_listener_fd(fsock_loop *loop, uint64_t token);

/**
 * Reads the counters of a listener. stats->size must be set (FSOCK_ACCEPT_STATS_INIT does that), as for fsock_loop_stats.
 *
 * Returns: 0. Errors: FSOCK_E_STALE (also for a source that is no listener), -EBUSY (inside its own callback), -EINVAL (a
 * null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing is kept.
 * Thread: the loop's own. Since 0.1.0.
 */
int fsock_listener_stats(fsock_loop *loop, uint64_t token, fsock_accept_stats *stats);

/**
 * Takes a connected socket, for a buffered connection with a callback: bytes come as FSOCK_STREAM_DATA, what is written is
 * queued and goes out as the peer takes it, and the last event is FSOCK_STREAM_CLOSED.
 *
 * The socket is made non-blocking, and closed by the loop in the end. The token is that of a source: fsock_remove closes
 * the stream at once, with no further event. options may be NULL; nothing of it is kept. user, drop and token are as for
 * fsock_add_callback.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer, or an option out of range), -E2BIG (options has a part that this library
 * does not know), -EBADF, -ENOTSOCK, -EPROTOTYPE (it carries messages, not a stream of bytes), -ENOTCONN, -EEXIST (watched
 * already), -ENOSPC, -ENOMEM, -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success
 * fd is the loop's, and user is until drop; on any error both stay the caller's (fd may be non-blocking then), and drop is
 * not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_add(fsock_loop *loop,
                     int fd,
                     const fsock_stream_options *options,
                     fsock_stream_callback callback,
                     void *user,
                     fsock_drop drop,
                     uint64_t *token);

/**
 * Connects to an address, for a buffered connection: see fsock_stream_add. The callback is told FSOCK_STREAM_CONNECTED, or
 * FSOCK_STREAM_CLOSED with what went wrong; what is written before goes out then. TCP is set to send at once (TCP_NODELAY).
 *
 * address is a struct sockaddr_in, sockaddr_in6 or sockaddr_un, of length bytes; fsock_address_parse makes one of text.
 *
 * Returns: 0: the connection has begun. Errors: as fsock_stream_add, and what connect(2) says at once: -ENETUNREACH, or
 * -ENOENT, -ECONNREFUSED and -EAGAIN (its queue is full) for a Unix path; -EAFNOSUPPORT, -EMFILE, -ENFILE. Ownership:
 * on success user is the loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: the
 * loop's own. Since 0.1.0.
 */
int fsock_stream_connect(fsock_loop *loop,
                         const struct sockaddr *address,
                         uint32_t length,
                         const fsock_stream_options *options,
                         fsock_stream_callback callback,
                         void *user,
                         fsock_drop drop,
                         uint64_t *token);

/**
 * Sends bytes, behind what was written before: when the callback that is running returns, or another stream is written to,
 * or the next wait begins. What the kernel does not take is copied and queued; fsock_stream_is_full tells when to stop.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EPIPE (this side was shut down or closed), or the error that the connection has failed
 * with; -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own.
 * Since 0.1.0.
 */
int fsock_stream_write(fsock_loop *loop, uint64_t token, const void *data, size_t length);

/**
 * Sends a part of a file, behind what was written before, without a copy through this process (sendfile(2)). The file must
 * keep that much until it is sent: one that is cut shorter meanwhile ends the connection with -EIO. Reading it may block,
 * for as long as the disk takes.
 *
 * Returns: 0. Errors: as fsock_stream_write; -EBADF, -EMFILE. Ownership: fd stays the caller's; the loop keeps a duplicate
 * until the part is sent. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_write_file(fsock_loop *loop, uint64_t token, int fd, uint64_t offset, uint64_t count);

/**
 * Sends now what was written, as much as the kernel takes.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_flush(fsock_loop *loop, uint64_t token);

/**
 * Whether so much was written that the writer should wait for FSOCK_STREAM_WRITABLE. Until then the stream is not read.
 *
 * Returns: 1 or 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing
 * changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_is_full(fsock_loop *loop, uint64_t token);

/**
 * How many bytes were written and not yet taken by the kernel, in *count.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_queued(fsock_loop *loop, uint64_t token, uint64_t *count);

/**
 * Reads no more, until fsock_stream_resume: what the peer sends waits in the kernel, and then at the peer. Its end is not
 * noticed either.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_pause(fsock_loop *loop, uint64_t token);

/**
 * Reads again, after fsock_stream_pause.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_resume(fsock_loop *loop, uint64_t token);

/**
 * Tells the peer that nothing more comes, when what is queued has been sent; what it sends is still read.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_shutdown(fsock_loop *loop, uint64_t token);

/**
 * Closes the stream when what is queued has been sent, and waits a while for the peer to close as well, dropping what it
 * still sends: closed with bytes unread, TCP would reset the connection and destroy what is on its way. Then
 * FSOCK_STREAM_CLOSED comes. Done twice, it does nothing. To close at once and without a word, use fsock_remove.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands yet. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_close(fsock_loop *loop, uint64_t token);

/**
 * In the callback of FSOCK_STREAM_END, FSOCK_STREAM_TIMED_OUT or FSOCK_STREAM_STOPPING: the stream stays open, until it is
 * closed.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_keep(fsock_loop *loop, uint64_t token);

/**
 * Gives a stream other marks and time-outs. NULL: the defaults.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer, or an option out of range), -E2BIG, FSOCK_E_THREAD,
 * FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_configure(fsock_loop *loop, uint64_t token, const fsock_stream_options *options);

/**
 * The descriptor of a stream: for getpeername(2), getsockname(2) and setsockopt(2). Reading and writing it is the stream's
 * affair.
 *
 * Returns: the descriptor. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: it
 * stays the loop's; do not close it. Thread: the loop's own. Since 0.1.0.
 */
int fsock_stream_fd(fsock_loop *loop, uint64_t token);

/**
 * Accepts connections on a socket that is bound, as buffered streams: see fsock_stream_add.
 *
 * The loop keeps a duplicate of fd, and makes it non-blocking and listen. accepted is called for each connection; NULL: every
 * stream gets user, and drop_connection must be NULL. event is called for what happens to the streams, and
 * drop_connection, if it is not NULL, exactly once with each connection's data, after its last event. options and streams
 * may be NULL; nothing of them is kept. TCP is set to send at once (TCP_NODELAY). When the process runs out of
 * descriptors, accepting pauses, as by fsock_listen.
 *
 * Returns: 0, and in *token the server. Errors: -EINVAL (a null pointer, an option out of range), -E2BIG (a struct has a
 * part that this library does not know), -EBADF, -ENOTSOCK, -EOPNOTSUPP (datagrams do not listen), -EPROTOTYPE (the
 * connections would carry messages), -ENOSPC, -ENOMEM, -EMFILE, -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD,
 * FSOCK_E_CLOSED. Ownership: fd stays the caller's; on success user is the loop's, until drop, which comes when the server
 * and the last of its connections are gone; on any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_server_start(fsock_loop *loop,
                       int fd,
                       const fsock_server_options *options,
                       const fsock_stream_options *streams,
                       fsock_server_callback accepted,
                       fsock_stream_callback event,
                       fsock_drop drop_connection,
                       void *user,
                       fsock_drop drop,
                       uint64_t *token);

/**
 * Ends a server at once: its listener and its connections are closed with no further event, their data and the server's
 * dropped.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also when a drop function
 * has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
 */
int fsock_server_stop(fsock_loop *loop, uint64_t token);

/**
 * Ends a server in good order: the listener is closed, every stream is told FSOCK_STREAM_STOPPING, and closed when what is
 * queued for it has been sent, unless its callback keeps it for a while. Those left after longest_ns nanoseconds are cut off
 * with -ETIMEDOUT. When the last is gone, drained is called, if it is not NULL, and the token is stale.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EALREADY (it is being drained), -EINVAL (a null pointer, or a negative time),
 * -ENOSPC, FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop, which is called exactly
 * once, after drained; on any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
 */
int fsock_server_drain(fsock_loop *loop,
                       uint64_t token,
                       int64_t longest_ns,
                       fsock_drained_callback drained,
                       void *user,
                       fsock_drop drop);

/**
 * Gives a server another limit of connections; 0: none. Connections beyond it stay open.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
 * hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_server_limit(fsock_loop *loop, uint64_t token, uint32_t connections);

/**
 * Reads the counters of a server. stats->size must be set (FSOCK_SERVER_COUNTERS_INIT does that), as for fsock_loop_stats.
 *
 * Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD,
 * FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
 */
int fsock_server_stats(fsock_loop *loop, uint64_t token, fsock_server_counters *stats);

/**
 * Makes room for so many datagrams at a time (1 to 1024) of so many bytes each (at least 1). With UDP_GRO give each
 * 65535. Allocated once, here, and used again and again.
 *
 * Returns: 0, and the batch in *out. Errors: -EINVAL (a null pointer, or a number out of range), -ENOMEM (more than
 * 1 GiB in all). Ownership: the batch is the caller's, until fsock_recv_batch_free. Thread: any; a batch is used on one
 * thread at a time. Since 0.1.0.
 */
int fsock_recv_batch_new(size_t datagrams, size_t size, fsock_recv_batch **out);

/**
 * Receives the datagrams that are there, as many as the batch has room for, in one recvmmsg(2). Make the socket
 * non-blocking, or this waits until the batch is full.
 *
 * Returns: how many, at least 1, and in *datagrams the first of an array of so many; what the batch held before is gone.
 * Errors: -EAGAIN (there is none: wait until it is readable), -ECONNREFUSED (news of one sent earlier), -EBADF, -ENOTSOCK,
 * -EINVAL (a null pointer); an error after the first datagram is told by the next call.
 * Ownership: the array is the batch's, until that is used again or freed. Thread: any, one at a time for each batch.
 * Since 0.1.0.
 */
int fsock_recv_batch_recv(fsock_recv_batch *batch, int fd, const fsock_datagram **datagrams);

/**
 * Ends a batch. NULL is fine.
 *
 * Returns: 0. Errors: none. Ownership: the batch is the library's again. Thread: any. Since 0.1.0.
 */
int fsock_recv_batch_free(fsock_recv_batch *batch);

/**
 * Makes room for so many datagrams (1 to 1024) that have so many bytes in all. Allocated once, here, and used again and
 * again.
 *
 * Returns: 0, and the batch in *out. Errors: -EINVAL (a null pointer, or a number out of range), -ENOMEM (more than
 * 1 GiB in all). Ownership: the batch is the caller's, until fsock_send_batch_free. Thread: any; a batch is used on one
 * thread at a time. Since 0.1.0.
 */
int fsock_send_batch_new(size_t datagrams, size_t bytes, fsock_send_batch **out);

/**
 * Copies a datagram in, for this address, or, if to is NULL, for the one that the socket is connected to.
 *
 * bytes may be NULL when length is 0: an empty datagram. With a segment size that is not 0 the kernel cuts it into
 * datagrams of that many bytes, the last may be shorter: UDP_SEGMENT, udp(7); at most 64 of them and 65507 bytes in all.
 *
 * Returns: 0. Errors: -ENOBUFS (there is no room: send first, room comes back when all have been sent; in an empty batch:
 * it is larger than the batch), -EINVAL (a null pointer, a segment beyond 65535, or a length that no address has).
 * Ownership: nothing is kept. Thread: any, one at a time for each batch. Since 0.1.0.
 */
int fsock_send_batch_push(fsock_send_batch *batch,
                          const void *bytes,
                          size_t length,
                          uint32_t segment,
                          const struct sockaddr *to,
                          uint32_t to_length);

/**
 * Sends what the kernel takes now, in one sendmmsg(2). No SIGPIPE comes of it.
 *
 * Returns: how many datagrams have left the batch, which keeps the others for the next call; 0 for an empty batch.
 * Errors: about the first that is still to be sent: -EAGAIN (wait until it is writable), -ECONNREFUSED (news of an
 * earlier one: call again), -EMSGSIZE, -ENETUNREACH, -EDESTADDRREQ (fsock_send_batch_skip gives it up), -EOPNOTSUPP
 * (segments, on a socket or a kernel that cannot cut them), -EBADF, -ENOTSOCK, -EINVAL (a null pointer).
 * Ownership: nothing changes hands. Thread: any, one at a time for each batch. Since 0.1.0.
 */
int fsock_send_batch_send(fsock_send_batch *batch, int fd);

/**
 * How many datagrams are still to be sent; one that is to be cut counts as one.
 *
 * Returns: the number. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each batch. Since 0.1.0.
 */
int fsock_send_batch_length(const fsock_send_batch *batch);

/**
 * Gives up the first datagram that is still to be sent: the one that an error of fsock_send_batch_send is about. Nothing
 * happens to an empty batch.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each
 * batch. Since 0.1.0.
 */
int fsock_send_batch_skip(fsock_send_batch *batch);

/**
 * Gives up all that is still to be sent.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer). Ownership: nothing changes hands. Thread: any, one at a time for each
 * batch. Since 0.1.0.
 */
int fsock_send_batch_clear(fsock_send_batch *batch);

/**
 * Ends a batch; what is still to be sent is not. NULL is fine.
 *
 * Returns: 0. Errors: none. Ownership: the batch is the library's again. Thread: any. Since 0.1.0.
 */
int fsock_send_batch_free(fsock_send_batch *batch);

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

/**
 * Begins (on is not 0), or ends, to measure the times in fsock_stats. Off at first: it costs two looks at the clock,
 * some 20 ns each, for each wait and each callback.
 *
 * Returns: 0. Errors: -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED.
 * Ownership: nothing changes hands. Thread: the loop's own. Since 0.1.0.
 */
int fsock_loop_measure(fsock_loop *loop, int on);

/**
 * Has the callback told what is worth telling and has no caller to be told: panics that were contained, descriptors that
 * were closed before their source was removed, listeners that cannot accept. One for the whole process; NULL for
 * none, as at first. A panic writes to the standard error as well.
 *
 * What the loop counts is told after a turn; the counters themselves are in fsock_stats.
 *
 * Returns: 0; from then on the one before is not called any more, nor running. Errors: -EBUSY (inside the log
 * callback). Ownership: user stays the caller's; it is used until another call of this has returned. Thread: any.
 * Since 0.1.0.
 */
int fsock_set_log(fsock_log_callback callback, void *user);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FASTSOCK_H */
