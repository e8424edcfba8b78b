//! Helpers of the tests. Every socket is real and on this machine; every wait is bounded.
#![allow(dead_code, clippy::unwrap_used)]

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use fastsock::{Backend, Event, Poller, Token};

/// A wait this long is over only when something is broken.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Runs a test on each backend, and names it in the output of one that fails.
pub(crate) fn for_each_backend(test: impl Fn(Backend)) {
    for &backend in Backend::ALL {
        eprintln!("backend: {backend}");
        test(backend);
    }
}

/// Two connected, non-blocking Unix streams. What one end writes is at the other before the write returns.
pub(crate) fn streams() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// Two connected, non-blocking TCP streams.
pub(crate) fn tcp_streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (b, _) = listener.accept().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// A pipe: the end to read, the end to write.
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for both ends, and both are ours alone.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

/// Another descriptor of the same open file, numbered `lowest` or above.
pub(crate) fn duplicate(fd: &impl AsRawFd, lowest: RawFd) -> OwnedFd {
    // SAFETY: F_DUPFD makes a new descriptor, ours alone.
    unsafe {
        let new = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest);
        assert!(new >= lowest, "{}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(new)
    }
}

/// Puts another open file behind the number of `onto`, which closes what was there: what happens to a number that is
/// closed and taken again, in one step that no other thread can come between.
pub(crate) fn replace(onto: &impl AsRawFd, with: &impl AsRawFd) {
    // SAFETY: both are open, and the number stays owned by whoever owned it.
    unsafe {
        assert_eq!(libc::dup3(with.as_raw_fd(), onto.as_raw_fd(), libc::O_CLOEXEC), onto.as_raw_fd());
    }
}

/// Closes a number without its owner's knowledge. To be made good by `reopen` before the owner closes it.
pub(crate) fn close_behind_the_back(fd: &impl AsRawFd) {
    // SAFETY: only a test that reopens the number calls this.
    unsafe {
        assert_eq!(libc::close(fd.as_raw_fd()), 0);
    }
}

/// Every event there is, waiting for the first.
pub(crate) fn wait(poller: &mut Poller<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    poller.wait(&mut events, Some(LONG)).unwrap();
    assert!(!events.is_empty(), "nothing came in {LONG:?}");
    events
}

/// Every event there is now.
pub(crate) fn look(poller: &mut Poller<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
    events
}

/// The only event, which must be this token's.
pub(crate) fn wait_for(poller: &mut Poller<'_>, token: Token) -> Event {
    let events = wait(poller);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].token(), token);
    events[0]
}

/// The errno of an error, after a look at its text: it says more than a number.
pub(crate) fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("os error"), "{text}");
    fastsock::errno(&error)
}

/// Reads what there is; `None` when the read would block.
pub(crate) fn read_some(stream: &mut impl Read, most: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; most];
    match stream.read(&mut buffer) {
        Ok(n) => {
            buffer.truncate(n);
            Some(buffer)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the other end has been closed: read to its end, or reset because it left bytes unread.
pub(crate) fn is_closed(stream: &mut impl Read) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

/// Writes until the stream takes no more.
pub(crate) fn fill(stream: &mut impl Write) -> usize {
    let mut sum = 0;
    for _ in 0..100_000 {
        match stream.write(&[7; 4096]) {
            Ok(n) => sum += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return sum,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{sum} bytes, and still room");
}

/// How many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Makes room for this many descriptors, as far as the hard limit goes. Never lowers the limit.
pub(crate) fn allow_descriptors(count: u64) {
    // SAFETY: `limit` is a valid place to read from and write to.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        if limit.rlim_cur < count {
            limit.rlim_cur = count.min(limit.rlim_max);
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
        }
        assert!(limit.rlim_cur >= count, "this test needs {count} descriptors (ulimit -Hn)");
    }
}

/// Runs `body` for each backend in a process of its own: this test binary again, with the named test alone. For tests that
/// count this process' descriptors or lower its limits.
pub(crate) fn in_child(name: &str, body: impl Fn(Backend)) {
    if std::env::var_os("FASTSOCK_CHILD").is_some() {
        for_each_backend(body);
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env("FASTSOCK_CHILD", name)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// From now on, this system call fails in this thread with this errno.
#[cfg(target_os = "linux")]
pub(crate) fn forbid(call: libc::c_long, errno: i32) {
    let code = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let filter = [
        // The number of the system call is the first word of what a filter sees.
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program lives on this frame; the kernel copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// Lowers this process' limit for good and fills the table, so that nothing more can be opened. Dropping some makes room.
pub(crate) fn use_up_descriptors() -> Vec<File> {
    // SAFETY: `limit` is a valid place to read from.
    unsafe {
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 4096 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files
}

/// CPU time this process has used, user and system.
pub(crate) fn cpu_time() -> Duration {
    // SAFETY: all-zero bytes are a valid `rusage`, and the call writes one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Numbers that look random and come again for the same seed: `FASTSOCK_SEED`, or a new one, which is printed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        let seed = match std::env::var("FASTSOCK_SEED") {
            Ok(seed) => seed.parse().expect("FASTSOCK_SEED is a number"),
            Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        };
        eprintln!("FASTSOCK_SEED={seed}");
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Whether this machine has IPv6; when not, says aloud that what needs it is left out.
pub(crate) fn has_v6() -> bool {
    let has = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        eprintln!("SKIPPED: no IPv6 on this machine");
    }
    has
}
