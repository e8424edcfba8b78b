//! Servers: listeners whose connections are streams, within limits.

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use fastsock::net::Listener;
use fastsock::server::{Server, ServerOptions, ServerStats};
use fastsock::stream::StreamEvent;
use fastsock::{Reactor, Token};

use crate::error::{Code, Result};
use crate::guard::guard;
use crate::handle;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::stream::{self, fsock_stream_callback, fsock_stream_options};
use crate::turn::Turn;
use crate::user::{User, fsock_drop};
use crate::versioned::{self, Versioned};

/// A server has accepted a connection: token is its stream's, server the server's, user the server's user data. What is
/// put into *connection comes back as user in every event of the stream, and goes to the server's drop_connection
/// in the end. It may write to the stream already.
///
/// Returns: 0; or a negative errno, and the connection is closed: then *connection stays yours.
pub type fsock_server_callback = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut fsock_loop,
        server: u64,
        token: u64,
        connection: *mut *mut c_void,
        user: *mut c_void,
    ) -> c_int,
>;

/// A server was drained: its last connection is gone, and its token stale. stats is gone when this returns.
pub type fsock_drained_callback = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut fsock_loop,
        server: u64,
        stats: *const fsock_server_counters,
        user: *mut c_void,
    ),
>;

/// Limits and callbacks of a server. Set it up with FSOCK_SERVER_OPTIONS_INIT, then change what matters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_server_options {
    /// sizeof(fsock_server_options): tells the library which version of the struct this is.
    pub size: u32,
    /// The most connections at a time: others wait in the kernel's queue. 0: no limit but the process's own.
    pub connection_limit: u32,
    /// How many connections are accepted for each time that the listener is ready; 0: one.
    pub budget: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: four integers of one size.
unsafe impl Versioned for fsock_server_options {
    const DEFAULT: fsock_server_options = fsock_server_options { size: 0, connection_limit: 0, budget: 0, reserved: 0 };
    const SHORTEST: usize = 8;
}

/// Counters of a server. Set it up with FSOCK_SERVER_COUNTERS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_server_counters {
    /// sizeof(fsock_server_counters): tells the library which version of the struct this is.
    pub size: u32,
    /// Connections that are open now.
    pub connections: u32,
    /// Connections accepted.
    pub accepted: u64,
    /// Of these, the ones that the accepting callback has refused.
    pub refused: u64,
    /// Times that the limit of connections was reached.
    pub limited: u64,
    /// Connections that were cut off at the end of a drain.
    pub cut_off: u64,
    /// The errno, negated, for which the listener was given up, or 0.
    pub failure: i32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: two u32, four u64, two integers of four bytes: no padding.
unsafe impl Versioned for fsock_server_counters {
    const DEFAULT: fsock_server_counters = fsock_server_counters {
        size: 0,
        connections: 0,
        accepted: 0,
        refused: 0,
        limited: 0,
        cut_off: 0,
        failure: 0,
        reserved: 0,
    };
    const SHORTEST: usize = 8;
}

impl From<ServerStats> for fsock_server_counters {
    fn from(stats: ServerStats) -> fsock_server_counters {
        fsock_server_counters {
            size: size_of::<fsock_server_counters>() as u32,
            connections: stats.connections,
            accepted: stats.accepted,
            refused: stats.refused,
            limited: stats.limited,
            cut_off: stats.cut_off,
            failure: -stats.failure,
            reserved: 0,
        }
    }
}

/// What a connection keeps alive.
struct Connection {
    own: User,
    _servers: Rc<User>,
}

impl Connection {
    fn user(&self) -> &User {
        &self.own
    }
}

/// Does something to a server.
///
/// # Safety
/// The loop is null or alive.
unsafe fn on<T>(
    r#loop: *mut fsock_loop,
    token: u64,
    body: impl FnOnce(&mut Server<'_, 'static, Turn>) -> Result<T>,
) -> Result<T> {
    // SAFETY: as promised.
    unsafe { fsock_loop::on(r#loop, Kind::Server, token, |reactor, token| body(&mut reactor.server(token)?)) }
}

/// Accepts connections on a socket that is bound, as buffered streams: see fsock_stream_add.
///
/// The loop keeps a duplicate of fd, and makes it non-blocking and listen. accepted is called for each connection; NULL: every
/// stream gets user, and drop_connection must be NULL. event is called for what happens to the streams, and
/// drop_connection, if it is not NULL, exactly once with each connection's data, after its last event. options and streams
/// may be NULL; nothing of them is kept. TCP is set to send at once (TCP_NODELAY). When the process runs out of
/// descriptors, accepting pauses, as by fsock_listen.
///
/// Returns: 0, and in *token the server. Errors: -EINVAL (a null pointer, an option out of range), -E2BIG (a struct has a
/// part that this library does not know), -EBADF, -ENOTSOCK, -EOPNOTSUPP (datagrams do not listen), -EPROTOTYPE (the
/// connections would carry messages), -ENOSPC, -ENOMEM, -EMFILE, -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD,
/// FSOCK_E_CLOSED. Ownership: fd stays the caller's; on success user is the loop's, until drop, which comes when the server
/// and the last of its connections are gone; on any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_server_start(
    r#loop: *mut fsock_loop,
    fd: c_int,
    options: *const fsock_server_options,
    streams: *const fsock_stream_options,
    accepted: fsock_server_callback,
    event: fsock_stream_callback,
    drop_connection: fsock_drop,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let event = event.ok_or(Code::INVALID)?;
        // SAFETY: C gave structs as large as they say, by the header's contract.
        let (options, streams) = unsafe { (versioned::read(options)?, versioned::read(streams)?.checked()?) };
        if options.reserved != 0 || (accepted.is_none() && drop_connection.is_some()) {
            return Err(Code::INVALID);
        }
        let given = handle::descriptor(fd)?;
        let mut limits = ServerOptions::new().streams(streams);
        if options.connection_limit > 0 {
            limits = limits.connection_limit(options.connection_limit);
        }
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let mut listener = Listener::from_fd(given.try_clone_to_owned()?)?;
            listener.set_budget(options.budget);
            // Kept by every stream as well: for whom it is the user data, and who is told of it.
            let user = Rc::new(user);
            let make = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, stream: Token| {
                let mut connection = user.data();
                if let Some(accepted) = accepted {
                    connection = ptr::null_mut();
                    let mut answer = 0;
                    let server = reactor.stream(stream)?.server().map_or(0, Token::to_bits);
                    let place = &raw mut connection;
                    // SAFETY: the function and its argument came together from C, and drop was not called yet; the place
                    // lives on this frame.
                    turn.call(reactor, |r#loop| unsafe {
                        answer = accepted(r#loop, server, stream.to_bits(), place, user.data());
                    });
                    if answer < 0 {
                        return Err(io::Error::from_raw_os_error(answer.saturating_neg()));
                    }
                }
                let connection = Connection { own: turn.user(connection, drop_connection), _servers: user.clone() };
                Ok(move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, token, told: StreamEvent<'_>| {
                    stream::tell(event, connection.user(), reactor, turn, token, told)
                })
            };
            Ok(reactor.serve(listener, &limits, make)?)
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}

/// Ends a server at once: its listener and its connections are closed with no further event, their data and the server's
/// dropped.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED (also when a drop function
/// has freed the loop). Ownership: user goes back by drop. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_server_stop(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { fsock_loop::end_one(r#loop, Kind::Server, token) })
}

/// Ends a server in good order: the listener is closed, every stream is told FSOCK_STREAM_STOPPING, and closed when what is
/// queued for it has been sent, unless its callback keeps it for a while. Those left after longest_ns nanoseconds are cut off
/// with -ETIMEDOUT. When the last is gone, drained is called, if it is not NULL, and the token is stale.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EALREADY (it is being drained), -EINVAL (a null pointer, or a negative time),
/// -ENOSPC, FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success user is the loop's, until drop, which is called exactly
/// once, after drained; on any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_server_drain(
    r#loop: *mut fsock_loop,
    token: u64,
    longest_ns: i64,
    drained: fsock_drained_callback,
    user: *mut c_void,
    drop: fsock_drop,
) -> c_int {
    guard(|| {
        let longest = u64::try_from(longest_ns).map(Duration::from_nanos).map_err(|_| Code::INVALID)?;
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let server = unsafe { fsock_loop::on(r#loop, Kind::Server, token, |_, server| Ok(server)) }?;
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let done = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, stats: ServerStats| {
                let Some(drained) = drained else { return };
                let stats = fsock_server_counters::from(stats);
                // SAFETY: the function and its argument came together from C, and drop was not called yet; the stats live
                // on this frame.
                turn.call(reactor, |r#loop| unsafe { drained(r#loop, token, &stats, user.data()) });
            };
            reactor.server(server)?.drain(longest, done)?;
            Ok(server)
        };
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, ptr::null_mut(), start) }
    })
}

/// Gives a server another limit of connections; 0: none. Connections beyond it stay open.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_server_limit(r#loop: *mut fsock_loop, token: u64, connections: u32) -> c_int {
    guard(|| {
        let limit = if connections == 0 { u32::MAX } else { connections };
        let set = |server: &mut Server<'_, 'static, Turn>| {
            server.set_connection_limit(limit);
            Ok(0)
        };
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { on(r#loop, token, set) }
    })
}

/// Reads the counters of a server. stats->size must be set (FSOCK_SERVER_COUNTERS_INIT does that), as for fsock_loop_stats.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD,
/// FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_server_stats(
    r#loop: *mut fsock_loop,
    token: u64,
    stats: *mut fsock_server_counters,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let known = unsafe { on(r#loop, token, |server| Ok(server.stats())) }?;
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        unsafe { versioned::write(fsock_server_counters::from(known), stats) }?;
        Ok(0)
    })
}
