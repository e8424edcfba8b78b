//! Sockets that listen.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::ptr;
use std::rc::Rc;

use fastsock::Reactor;
use fastsock::net::{Accepted, Kind as Carries, ListenOptions, Listener, PeerAddress};

use crate::address;
use crate::error::{Code, Result};
use crate::guard::guard;
use crate::handle;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};
use crate::versioned::{self, Versioned};

/// Listen flag: several listeners of one user may share the address, each with a queue of its own (SO_REUSEPORT): every
/// one of them must ask for it. Not for Unix addresses.
pub const FSOCK_LISTEN_REUSE_PORT: u32 = 1;
/// Listen flag: an IPv6 listener leaves IPv4 alone (IPV6_V6ONLY).
pub const FSOCK_LISTEN_ONLY_V6: u32 = 2;
/// Listen flag: an IPv6 listener takes IPv4 as well, whatever the system's default is.
pub const FSOCK_LISTEN_DUAL_STACK: u32 = 4;
/// Listen flag: the address may not be taken again while connections of an earlier listener linger (no SO_REUSEADDR).
pub const FSOCK_LISTEN_NO_REUSE_ADDRESS: u32 = 8;
/// Listen flag: connections carry messages, not bytes (SOCK_SEQPACKET). Unix addresses only.
pub const FSOCK_LISTEN_SEQPACKET: u32 = 16;

const FLAGS: u32 = FSOCK_LISTEN_REUSE_PORT
    | FSOCK_LISTEN_ONLY_V6
    | FSOCK_LISTEN_DUAL_STACK
    | FSOCK_LISTEN_NO_REUSE_ADDRESS
    | FSOCK_LISTEN_SEQPACKET;

/// How to listen. Set it up with FSOCK_LISTEN_OPTIONS_INIT, then change what matters: zero means the default throughout.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_listen_options {
    /// sizeof(fsock_listen_options): tells the library which version of the struct this is.
    pub size: u32,
    /// A sum of FSOCK_LISTEN_ flags.
    pub flags: u32,
    /// How many connections may wait to be accepted; 0, and whatever is beyond net.core.somaxconn: that many (listen(2)).
    pub backlog: u32,
    /// How many connections are accepted for each time that the listener is reported ready; 0: one, which spares the
    /// accept(2) that finds none. More for connections that come in bursts.
    pub budget: u32,
}

// SAFETY: four integers of one size.
unsafe impl Versioned for fsock_listen_options {
    const DEFAULT: fsock_listen_options = fsock_listen_options { size: 0, flags: 0, backlog: 0, budget: 0 };
    const SHORTEST: usize = 4;
}

/// Counters of a listener. Set it up with FSOCK_ACCEPT_STATS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_accept_stats {
    /// sizeof(fsock_accept_stats): tells the library which version of the struct this is.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Connections accepted.
    pub accepted: u64,
    /// Times that accepting paused for want of descriptors or memory.
    pub pauses: u64,
    /// Connections closed unserved, after their clients had waited for a second of such pauses.
    pub refused: u64,
    /// Connections that were gone before they could be accepted.
    pub aborted: u64,
}

// SAFETY: two u32, then u64 throughout: no padding.
unsafe impl Versioned for fsock_accept_stats {
    const DEFAULT: fsock_accept_stats =
        fsock_accept_stats { size: 0, reserved: 0, accepted: 0, pauses: 0, refused: 0, aborted: 0 };
    const SHORTEST: usize = 8;
}

/// A connection was accepted: fd is its socket, non-blocking and close-on-exec, and yours from now on: close it in the
/// end. peer is the client's address, of length bytes (a socklen_t), valid until this returns; length 0: it has none.
///
/// Or fd is negative: accepting has failed for good, with this error (-EBADF, -EINVAL and the like: the socket was
/// broken from outside), and the listener is removed: this is its last call, and peer is NULL.
///
/// It may call any function of the loop except those that wait, and may remove the listener, or pause it.
pub type fsock_accept_callback = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut fsock_loop,
        token: u64,
        fd: c_int,
        peer: *const libc::sockaddr,
        length: u32,
        user: *mut c_void,
    ),
>;

/// What hears of connections.
struct Ear {
    callback: unsafe extern "C-unwind" fn(*mut fsock_loop, u64, c_int, *const libc::sockaddr, u32, *mut c_void),
    user: User,
    /// The listener's, which it gets after this is made.
    token: Rc<Cell<u64>>,
}

impl Ear {
    fn hear(&self, reactor: &mut Reactor<'static, Turn>, turn: &Turn, connection: io::Result<Accepted>) {
        let token = self.token.get();
        let peer = connection.as_ref().ok().map(|connection| *connection.peer());
        let address = peer.as_ref().map_or(&[][..], PeerAddress::as_bytes);
        let fd = match connection {
            Ok(connection) => connection.into_fd().into_raw_fd(),
            Err(error) => Code::from(error).0,
        };
        let start = if peer.is_some() { address.as_ptr().cast() } else { ptr::null() };
        turn.listening(token, || {
            // SAFETY: the function and its argument came together from C, and drop was not called yet; the address lives
            // on this frame.
            turn.call(reactor, |r#loop| unsafe {
                (self.callback)(r#loop, token, fd, start, address.len() as u32, self.user.data());
            });
            // Of a burst, the next comes without a return to the dispatch.
            turn.after(reactor);
        });
    }
}

/// What is asked for, checked.
struct Asked {
    how: ListenOptions,
    budget: u32,
}

impl Asked {
    /// # Safety
    /// Null, or a struct as large as it says.
    unsafe fn read(options: *const fsock_listen_options) -> Result<Asked> {
        // SAFETY: as promised.
        let options = unsafe { versioned::read(options) }?;
        let has = |flag| options.flags & flag != 0;
        if options.flags & !FLAGS != 0 || (has(FSOCK_LISTEN_ONLY_V6) && has(FSOCK_LISTEN_DUAL_STACK)) {
            return Err(Code::INVALID);
        }
        let mut how = ListenOptions::new()
            .reuse_port(has(FSOCK_LISTEN_REUSE_PORT))
            .reuse_address(!has(FSOCK_LISTEN_NO_REUSE_ADDRESS));
        if has(FSOCK_LISTEN_ONLY_V6) || has(FSOCK_LISTEN_DUAL_STACK) {
            how = how.only_v6(has(FSOCK_LISTEN_ONLY_V6));
        }
        if has(FSOCK_LISTEN_SEQPACKET) {
            how = how.kind(Carries::SeqPacket);
        }
        if options.backlog > 0 {
            how = how.backlog(options.backlog);
        }
        Ok(Asked { how, budget: options.budget })
    }
}

/// # Safety
/// The loop is null or alive; `token` is null or valid for a write.
unsafe fn start(
    r#loop: *mut fsock_loop,
    budget: u32,
    (callback, user, drop): (fsock_accept_callback, *mut c_void, fsock_drop),
    token: *mut u64,
    listen: impl FnOnce() -> io::Result<Listener>,
) -> Result<c_int> {
    let callback = callback.ok_or(Code::INVALID)?;
    let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
        let mut listener = listen()?;
        listener.set_budget(budget);
        let place = Rc::new(Cell::new(0));
        let ear = Ear { callback, user, token: place.clone() };
        let token =
            reactor.listen(listener, move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, connection| {
                ear.hear(reactor, turn, connection);
                Ok(())
            })?;
        place.set(token.to_bits());
        Ok(token)
    };
    // SAFETY: as promised.
    unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
}

/// Listens on an address, accepts what comes and hands each connection to the callback.
///
/// address is a struct sockaddr_in, sockaddr_in6 or sockaddr_un, of length bytes; fsock_address_parse makes one of text. With
/// port 0 the kernel chooses: getsockname(2) on fsock_listener_fd tells. A Unix path must not exist, and is not
/// removed afterwards. options may be NULL; nothing of it is kept.
///
/// When the process runs out of descriptors or memory, accepting pauses (10 ms at first, 500 ms at most) and goes on by
/// itself: no spinning; after a second of that, the clients that wait are taken and closed, by a descriptor held in
/// reserve, so that they learn of it. Connections that died in the queue are passed over. The token is that of a source:
/// fsock_modify with interest 0 pauses the listener (a limit of connections, say), with FSOCK_READABLE it goes on;
/// fsock_remove closes it. user, drop and token are as for fsock_add_callback.
///
/// Returns: 0. Errors: -EINVAL (a null pointer, an unknown flag, no address, or a flag about IPv6 at another), -E2BIG
/// (options has a part that this library does not know), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES (a port below 1024),
/// -ENOENT (the folder of a path), -EAFNOSUPPORT, -EOPNOTSUPP (FSOCK_LISTEN_REUSE_PORT at a Unix address),
/// -ESOCKTNOSUPPORT (FSOCK_LISTEN_SEQPACKET over IP), -EMFILE, -ENFILE, -ENOMEM, -ECHILD (see fsock_loop_reinit),
/// FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: the listening socket is the loop's; on success user is as well, until drop; on
/// any error it stays the caller's, and drop is not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_listen(
    r#loop: *mut fsock_loop,
    address: *const libc::sockaddr,
    length: u32,
    options: *const fsock_listen_options,
    callback: fsock_accept_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: C gave an address of that length, and a struct as large as it says, by the header's contract.
        let (address, asked) = unsafe { (address::read(address, length)?, Asked::read(options)?) };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { start(r#loop, asked.budget, (callback, user, drop), token, || asked.how.listen(address)) }
    })
}

/// As fsock_listen, on a socket that is bound already: by a supervisor, a parent process, or with options of your own.
///
/// The loop keeps a duplicate, and makes the socket non-blocking and listen, with the longest queue. Close yours when you
/// like. Of the options only the budget counts; flags and backlog must be 0.
///
/// Returns: 0. Errors: -EBADF, -ENOTSOCK, -EINVAL (a null pointer, an option that does not count, or the socket is
/// connected), -EOPNOTSUPP (datagrams do not listen), and those of fsock_add_callback. Ownership: fd stays the
/// caller's; on success user is the loop's, until drop; on any error it stays the caller's, and drop is not called.
/// Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_listen_fd(
    r#loop: *mut fsock_loop,
    fd: c_int,
    options: *const fsock_listen_options,
    callback: fsock_accept_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        let options = unsafe { versioned::read(options) }?;
        if options.flags != 0 || options.backlog != 0 {
            return Err(Code::INVALID);
        }
        let given = handle::descriptor(fd)?;
        let listen = || Listener::from_fd(given.try_clone_to_owned()?);
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { start(r#loop, options.budget, (callback, user, drop), token, listen) }
    })
}

/// Looks at a listener.
///
/// # Safety
/// The loop is null or alive.
unsafe fn look<T>(r#loop: *mut fsock_loop, token: u64, body: impl FnOnce(&Listener) -> T) -> Result<T> {
    // SAFETY: as promised.
    let home = unsafe { fsock_loop::enter(r#loop) }?;
    home.with(|reactor| {
        let found = Kind::Source.find(reactor, token)?;
        // Its own callback has it.
        let missing = if home.listening.get() == token { Code::BUSY } else { Code::STALE };
        Ok(body(reactor.source::<Listener>(found).ok_or(missing)?))
    })?
}

/// The descriptor of a listener: for getsockname(2) and setsockopt(2).
///
/// Returns: the descriptor. Errors: FSOCK_E_STALE (also for a source that is no listener), -EBUSY (inside its own
/// callback), -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: it stays the loop's; do not close it.
/// Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_listener_fd(r#loop: *mut fsock_loop, token: u64) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { look(r#loop, token, |listener| listener.as_fd().as_raw_fd()) }
    })
}

/// Reads the counters of a listener. stats->size must be set (FSOCK_ACCEPT_STATS_INIT does that), as for fsock_loop_stats.
///
/// Returns: 0. Errors: FSOCK_E_STALE (also for a source that is no listener), -EBUSY (inside its own callback), -EINVAL (a
/// null pointer, or a size below 8 or beyond 4096), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing is kept.
/// Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_listener_stats(
    r#loop: *mut fsock_loop,
    token: u64,
    stats: *mut fsock_accept_stats,
) -> c_int {
    guard(|| {
        // SAFETY: one of ours and not freed yet, by the header's contract.
        let from = unsafe { look(r#loop, token, Listener::stats) }?;
        let known = fsock_accept_stats {
            accepted: from.accepted,
            pauses: from.pauses,
            refused: from.refused,
            aborted: from.aborted,
            ..fsock_accept_stats::DEFAULT
        };
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        unsafe { versioned::write(known, stats) }?;
        Ok(0)
    })
}
