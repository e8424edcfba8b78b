//! Buffered connections.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::slice;
use std::time::Duration;

use fastsock::net::options::SocketOptions;
use fastsock::net::{Kind as Carries, Socket};
use fastsock::stream::{Stream, StreamEvent, StreamOptions, Timeout};
use fastsock::{Reactor, Token};

use crate::address;
use crate::error::{Code, Result};
use crate::guard::guard;
use crate::handle;
use crate::home::fsock_loop;
use crate::registry::Kind;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};
use crate::versioned::{self, Versioned};

/// Stream event: the connection that fsock_stream_connect began is there. (Or failed: then FSOCK_STREAM_CLOSED comes, and
/// this does not.)
pub const FSOCK_STREAM_CONNECTED: u32 = 1;
/// Stream event: bytes from the peer, in data and length: at least one, at most 65536.
pub const FSOCK_STREAM_DATA: u32 = 2;
/// Stream event: the peer has sent all that it will. Unless the callback calls fsock_stream_keep, the stream is closed when
/// what is queued has been sent.
pub const FSOCK_STREAM_END: u32 = 3;
/// Stream event: the queue was full, and has fallen to the low-water mark.
pub const FSOCK_STREAM_WRITABLE: u32 = 4;
/// Stream event: a time-out is over; detail is one of FSOCK_TIMEOUT_. Unless the callback calls fsock_stream_keep (which
/// starts it anew) or fsock_stream_close (which sends what is queued first), the stream is closed with -ETIMEDOUT.
pub const FSOCK_STREAM_TIMED_OUT: u32 = 5;
/// Stream event: the server that accepted this connection is being drained. Unless the callback calls fsock_stream_keep, to
/// finish what it is at and close then, the stream is closed when what is queued has been sent.
pub const FSOCK_STREAM_STOPPING: u32 = 6;
/// Stream event: the last one, always; the token is stale, the socket is closed. error is 0 when both sides were done,
/// else what ended the connection: -ECONNRESET, -EPIPE, -ETIMEDOUT, -ECONNREFUSED and the like, or what the callback has
/// returned.
pub const FSOCK_STREAM_CLOSED: u32 = 7;

/// Time-out: nothing was received nor sent.
pub const FSOCK_TIMEOUT_IDLE: u32 = 1;
/// Time-out: nothing was received while the stream was read.
pub const FSOCK_TIMEOUT_READ: u32 = 2;
/// Time-out: the peer has taken nothing of what is queued.
pub const FSOCK_TIMEOUT_WRITE: u32 = 3;

/// What the callback of a stream is told.
#[repr(C)]
pub struct fsock_stream_event {
    /// One of FSOCK_STREAM_; let unknown ones pass.
    pub kind: u32,
    /// Of FSOCK_STREAM_CLOSED: 0, or a negative errno.
    pub error: i32,
    /// Of FSOCK_STREAM_TIMED_OUT: one of FSOCK_TIMEOUT_.
    pub detail: u32,
    /// 0.
    pub reserved: u32,
    /// Of FSOCK_STREAM_DATA: the bytes, which are the library's and gone when the callback returns; else NULL.
    pub data: *const c_void,
    /// How many bytes.
    pub length: usize,
}

/// Something has happened to a stream. event is gone when this returns.
///
/// It may call any function of the loop except those that wait, on this stream and on others. What it writes is gathered,
/// and sent when it returns.
///
/// Returns: 0; or a negative errno, with which the connection is closed at once.
pub type fsock_stream_callback = Option<
    unsafe extern "C-unwind" fn(
        r#loop: *mut fsock_loop,
        token: u64,
        event: *const fsock_stream_event,
        user: *mut c_void,
    ) -> c_int,
>;

pub(crate) type StreamCallback =
    unsafe extern "C-unwind" fn(*mut fsock_loop, u64, *const fsock_stream_event, *mut c_void) -> c_int;

/// Marks and time-outs of a stream. Set it up with FSOCK_STREAM_OPTIONS_INIT, then change what matters: zero means the
/// default throughout. Times are in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct fsock_stream_options {
    /// sizeof(fsock_stream_options): tells the library which version of the struct this is.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// With so many bytes queued, or more, the stream is full, and not read; 0: 65536.
    pub high_water: u64,
    /// So few have to be left for it to be full no more; 0: a quarter of high_water.
    pub low_water: u64,
    /// The longest time in which nothing is received nor sent; 0: for ever.
    pub idle_timeout_ns: u64,
    /// The longest time in which nothing is received, while the stream is read (not paused, not full); 0: for ever.
    pub read_timeout_ns: u64,
    /// The longest time in which the peer takes nothing of what is queued; 0: for ever.
    pub write_timeout_ns: u64,
    /// The longest time that connecting may take; 0: as long as the kernel tries, about two minutes (tcp(7)).
    pub connect_timeout_ns: u64,
    /// After fsock_stream_close: the longest time in which the peer takes nothing of what is queued, and then the longest
    /// time for it to close as well; 0: 5 seconds. 1, for want of a smaller one, does not wait for anybody.
    pub close_timeout_ns: u64,
}

// SAFETY: two u32, then u64 throughout: no padding.
unsafe impl Versioned for fsock_stream_options {
    const DEFAULT: fsock_stream_options = fsock_stream_options {
        size: 0,
        reserved: 0,
        high_water: 0,
        low_water: 0,
        idle_timeout_ns: 0,
        read_timeout_ns: 0,
        write_timeout_ns: 0,
        connect_timeout_ns: 0,
        close_timeout_ns: 0,
    };
    const SHORTEST: usize = 8;
}

impl fsock_stream_options {
    pub(crate) fn checked(&self) -> Result<StreamOptions> {
        if self.reserved != 0 || (self.low_water != 0 && self.high_water != 0 && self.low_water >= self.high_water) {
            return Err(Code::INVALID);
        }
        let mut options = StreamOptions::new();
        if self.high_water != 0 || self.low_water != 0 {
            let high =
                if self.high_water == 0 { 65_536.max(self.low_water.saturating_add(1)) } else { self.high_water };
            let low = if self.low_water == 0 { high / 4 } else { self.low_water };
            options = options.water_marks(size(low), size(high));
        }
        let time = |nanos: u64| (nanos != 0).then(|| Duration::from_nanos(nanos));
        if let Some(longest) = time(self.idle_timeout_ns) {
            options = options.idle_timeout(longest);
        }
        if let Some(longest) = time(self.read_timeout_ns) {
            options = options.read_timeout(longest);
        }
        if let Some(longest) = time(self.write_timeout_ns) {
            options = options.write_timeout(longest);
        }
        if let Some(longest) = time(self.connect_timeout_ns) {
            options = options.connect_timeout(longest);
        }
        match self.close_timeout_ns {
            0 => {}
            1 => options = options.close_timeout(Duration::ZERO),
            longest => options = options.close_timeout(Duration::from_nanos(longest)),
        }
        Ok(options)
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Tells C what the core tells us.
pub(crate) fn tell(
    callback: StreamCallback,
    user: &User,
    reactor: &mut Reactor<'static, Turn>,
    turn: &Turn,
    token: Token,
    event: StreamEvent<'_>,
) -> io::Result<()> {
    let mut told = fsock_stream_event { kind: 0, error: 0, detail: 0, reserved: 0, data: ptr::null(), length: 0 };
    told.kind = match event {
        StreamEvent::Connected => FSOCK_STREAM_CONNECTED,
        StreamEvent::Data(bytes) => {
            (told.data, told.length) = (bytes.as_ptr().cast(), bytes.len());
            FSOCK_STREAM_DATA
        }
        StreamEvent::End => FSOCK_STREAM_END,
        StreamEvent::Writable => FSOCK_STREAM_WRITABLE,
        StreamEvent::TimedOut(timeout) => {
            told.detail = match timeout {
                Timeout::Idle => FSOCK_TIMEOUT_IDLE,
                Timeout::Read => FSOCK_TIMEOUT_READ,
                Timeout::Write => FSOCK_TIMEOUT_WRITE,
                // One that was added to the core and not here.
                _ => 0,
            };
            FSOCK_STREAM_TIMED_OUT
        }
        StreamEvent::Stopping => FSOCK_STREAM_STOPPING,
        StreamEvent::Closed(result) => {
            told.error = result.err().map_or(0, |error| Code::from(error).0);
            FSOCK_STREAM_CLOSED
        }
        // As above.
        _ => return Ok(()),
    };
    let mut answer = 0;
    // SAFETY: the function and its argument came together from C, and drop was not called yet; the event lives on this
    // frame, and the bytes behind it for as long as this call.
    turn.call(reactor, |r#loop| answer = unsafe { callback(r#loop, token.to_bits(), &told, user.data()) });
    if answer < 0 { Err(io::Error::from_raw_os_error(answer.saturating_neg())) } else { Ok(()) }
}

/// Does something to a stream.
///
/// # Safety
/// The loop is null or alive.
unsafe fn on<T>(
    r#loop: *mut fsock_loop,
    token: u64,
    body: impl FnOnce(&mut Stream<'_, 'static, Turn>) -> Result<T>,
) -> Result<T> {
    // SAFETY: as promised.
    unsafe {
        fsock_loop::on(r#loop, Kind::Source, token, |reactor, token| match reactor.stream(token) {
            Ok(mut stream) => body(&mut stream),
            Err(_) => Err(Code::STALE),
        })
    }
}

/// As [`on`], for what can only be there or not.
///
/// # Safety
/// The loop is null or alive.
unsafe fn tell_it(
    r#loop: *mut fsock_loop,
    token: u64,
    body: impl FnOnce(&mut Stream<'_, 'static, Turn>),
) -> Result<c_int> {
    let body = |stream: &mut Stream<'_, 'static, Turn>| {
        body(stream);
        Ok(0)
    };
    // SAFETY: as promised.
    unsafe { on(r#loop, token, body) }
}

/// Takes a connected socket, for a buffered connection with a callback: bytes come as FSOCK_STREAM_DATA, what is written is
/// queued and goes out as the peer takes it, and the last event is FSOCK_STREAM_CLOSED.
///
/// The socket is made non-blocking, and closed by the loop in the end. The token is that of a source: fsock_remove closes
/// the stream at once, with no further event. options may be NULL; nothing of it is kept. user, drop and token are as for
/// fsock_add_callback.
///
/// Returns: 0. Errors: -EINVAL (a null pointer, or an option out of range), -E2BIG (options has a part that this library
/// does not know), -EBADF, -ENOTSOCK, -EPROTOTYPE (it carries messages, not a stream of bytes), -ENOTCONN, -EEXIST (watched
/// already), -ENOSPC, -ENOMEM, -ECHILD (see fsock_loop_reinit), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: on success
/// fd is the loop's, and user is until drop; on any error both stay the caller's (fd may be non-blocking then), and drop is
/// not called. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_add(
    r#loop: *mut fsock_loop,
    fd: c_int,
    options: *const fsock_stream_options,
    callback: fsock_stream_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        let options = unsafe { versioned::read(options) }?.checked()?;
        // What it is is found out before it is ours: an error then would close it.
        let kind = SocketOptions::kind(&handle::descriptor(fd)?)?;
        if kind != Some(Carries::Stream) {
            return Err(Code(-libc::EPROTOTYPE));
        }
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            // SAFETY: open, and C's own to give, by the header's contract.
            let socket = Socket::from_fd(unsafe { OwnedFd::from_raw_fd(fd) })?;
            let told = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, token, event: StreamEvent<'_>| {
                tell(callback, &user, reactor, turn, token, event)
            };
            reactor.add_stream(socket, &options, told).map_err(|error| {
                // Back to C.
                let _ = OwnedFd::from(error.source).into_raw_fd();
                error.error
            })
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}

/// Connects to an address, for a buffered connection: see fsock_stream_add. The callback is told FSOCK_STREAM_CONNECTED, or
/// FSOCK_STREAM_CLOSED with what went wrong; what is written before goes out then. TCP is set to send at once (TCP_NODELAY).
///
/// address is a struct sockaddr_in, sockaddr_in6 or sockaddr_un, of length bytes; fsock_address_parse makes one of text.
///
/// Returns: 0: the connection has begun. Errors: as fsock_stream_add, and what connect(2) says at once: -ENETUNREACH, or
/// -ENOENT, -ECONNREFUSED and -EAGAIN (its queue is full) for a Unix path; -EAFNOSUPPORT, -EMFILE, -ENFILE. Ownership:
/// on success user is the loop's, until drop; on any error it stays the caller's, and drop is not called. Thread: the
/// loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_connect(
    r#loop: *mut fsock_loop,
    address: *const libc::sockaddr,
    length: u32,
    options: *const fsock_stream_options,
    callback: fsock_stream_callback,
    user: *mut c_void,
    drop: fsock_drop,
    token: *mut u64,
) -> c_int {
    guard(|| {
        let callback = callback.ok_or(Code::INVALID)?;
        // SAFETY: C gave an address of that length, and a struct as large as it says, by the header's contract.
        let (address, options) = unsafe { (address::read(address, length)?, versioned::read(options)?.checked()?) };
        let start = |reactor: &mut Reactor<'static, Turn>, user: User| {
            let told = move |reactor: &mut Reactor<'static, Turn>, turn: &mut Turn, token, event: StreamEvent<'_>| {
                tell(callback, &user, reactor, turn, token, event)
            };
            reactor.connect(address, &options, told)
        };
        // SAFETY: one of ours and not freed yet, and a place for a token or none, by the header's contract.
        unsafe { fsock_loop::start(r#loop, user, drop, token, start) }
    })
}

/// Sends bytes, behind what was written before: when the callback that is running returns, or another stream is written to,
/// or the next wait begins. What the kernel does not take is copied and queued; fsock_stream_is_full tells when to stop.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EPIPE (this side was shut down or closed), or the error that the connection has failed
/// with; -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own.
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_write(
    r#loop: *mut fsock_loop,
    token: u64,
    data: *const c_void,
    length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: C gave that many bytes, by the header's contract.
        let bytes = unsafe { bytes(data, length) }?;
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { on(r#loop, token, |stream| Ok(stream.write(bytes).map(|()| 0)?)) }
    })
}

/// # Safety
/// Null, or valid for reads of `length` bytes.
unsafe fn bytes<'a>(data: *const c_void, length: usize) -> Result<&'a [u8]> {
    match (data.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Code::INVALID),
        // No object is longer.
        (false, _) if length > isize::MAX as usize => Err(Code::INVALID),
        // SAFETY: as promised.
        (false, _) => Ok(unsafe { slice::from_raw_parts(data.cast(), length) }),
    }
}

/// Sends a part of a file, behind what was written before, without a copy through this process (sendfile(2)). The file must
/// keep that much until it is sent: one that is cut shorter meanwhile ends the connection with -EIO. Reading it may block,
/// for as long as the disk takes.
///
/// Returns: 0. Errors: as fsock_stream_write; -EBADF, -EMFILE. Ownership: fd stays the caller's; the loop keeps a duplicate
/// until the part is sent. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_write_file(
    r#loop: *mut fsock_loop,
    token: u64,
    fd: c_int,
    offset: u64,
    count: u64,
) -> c_int {
    guard(|| {
        let given = handle::descriptor(fd)?;
        let write = |stream: &mut Stream<'_, 'static, Turn>| {
            let file = given.try_clone_to_owned()?;
            Ok(stream.write_file(file, offset, count).map(|()| 0)?)
        };
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { on(r#loop, token, write) }
    })
}

/// Sends now what was written, as much as the kernel takes.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_flush(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.flush()) })
}

/// Whether so much was written that the writer should wait for FSOCK_STREAM_WRITABLE. Until then the stream is not read.
///
/// Returns: 1 or 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing
/// changes hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_is_full(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { on(r#loop, token, |stream| Ok(c_int::from(stream.is_full()))) })
}

/// How many bytes were written and not yet taken by the kernel, in *count.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_queued(r#loop: *mut fsock_loop, token: u64, count: *mut u64) -> c_int {
    guard(|| {
        // SAFETY: C gave a place for a number, by the header's contract.
        let place = unsafe { handle::out(count) }?;
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { tell_it(r#loop, token, |stream| *place = stream.queued()) }
    })
}

/// Reads no more, until fsock_stream_resume: what the peer sends waits in the kernel, and then at the peer. Its end is not
/// noticed either.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_pause(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.pause()) })
}

/// Reads again, after fsock_stream_pause.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_resume(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.resume()) })
}

/// Tells the peer that nothing more comes, when what is queued has been sent; what it sends is still read.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_shutdown(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.shutdown()) })
}

/// Closes the stream when what is queued has been sent, and waits a while for the peer to close as well, dropping what it
/// still sends: closed with bytes unread, TCP would reset the connection and destroy what is on its way. Then
/// FSOCK_STREAM_CLOSED comes. Done twice, it does nothing. To close at once and without a word, use fsock_remove.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands yet. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_close(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.close()) })
}

/// In the callback of FSOCK_STREAM_END, FSOCK_STREAM_TIMED_OUT or FSOCK_STREAM_STOPPING: the stream stays open, until it is
/// closed.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: nothing changes
/// hands. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_keep(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { tell_it(r#loop, token, |stream| stream.keep()) })
}

/// Gives a stream other marks and time-outs. NULL: the defaults.
///
/// Returns: 0. Errors: FSOCK_E_STALE, -EINVAL (a null pointer, or an option out of range), -E2BIG, FSOCK_E_THREAD,
/// FSOCK_E_CLOSED. Ownership: nothing is kept. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_configure(
    r#loop: *mut fsock_loop,
    token: u64,
    options: *const fsock_stream_options,
) -> c_int {
    guard(|| {
        // SAFETY: C gave a struct as large as it says, by the header's contract.
        let options = unsafe { versioned::read(options) }?.checked()?;
        // SAFETY: one of ours and not freed yet, by the header's contract.
        unsafe { tell_it(r#loop, token, |stream| stream.set_options(&options)) }
    })
}

/// The descriptor of a stream: for getpeername(2), getsockname(2) and setsockopt(2). Reading and writing it is the stream's
/// affair.
///
/// Returns: the descriptor. Errors: FSOCK_E_STALE, -EINVAL (a null pointer), FSOCK_E_THREAD, FSOCK_E_CLOSED. Ownership: it
/// stays the loop's; do not close it. Thread: the loop's own. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsock_stream_fd(r#loop: *mut fsock_loop, token: u64) -> c_int {
    // SAFETY: one of ours and not freed yet, by the header's contract.
    guard(|| unsafe { on(r#loop, token, |stream| Ok(stream.socket().as_fd().as_raw_fd())) })
}
