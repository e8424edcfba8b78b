//! Signals: a handler that counts, and wakes whoever watches.
//!
//! The handler may interrupt any thread anywhere, so it takes no lock and allocates nothing: it walks a list that only
//! ever grows, of atomics. Installing and restoring are under a lock, which the handler knows nothing of.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::syscall;
use super::wake::WakeFd;
use crate::error;
use crate::sync::Arc;
use crate::sync::fixed::{Mutex, MutexGuard};

/// Signals are numbered from 1 to 64 at most (signal(7)).
const LAST: usize = 64;

/// One subscriber. Never freed, but used again: a handler in another thread may stand here at any time.
struct Node {
    /// Set before the node enters the list, then never again.
    next: *const Node,
    /// Under the lock alone.
    taken: AtomicBool,
    /// Bit n - 1: signal n is watched.
    wanted: AtomicU64,
    /// Where a wake-up is written; -1: nowhere.
    fd: AtomicI32,
    /// In which process. A forked child inherits handler and list, and must not wake its parent.
    pid: AtomicI32,
    /// How many handlers look at `fd` this moment.
    busy: AtomicUsize,
    /// How often each signal came and was not yet asked for.
    counts: [AtomicU32; LAST],
}

// SAFETY: `next` points to another `Node` that is never freed; everything else is atomic.
unsafe impl Sync for Node {}

static LIST: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// Of the whole process: what each signal did before us, and how many watch it.
struct Installed {
    watchers: usize,
    before: libc::sigaction,
}

static INSTALLED: Mutex<[Option<Installed>; LAST]> = Mutex::new([const { None }; LAST]);

fn installed() -> MutexGuard<'static, [Option<Installed>; LAST]> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    let mut node: *const Node = LIST.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        // SAFETY: null or a node, and nodes are never freed.
        let here: &'static Node = unsafe { node.as_ref() }?;
        node = here.next;
        Some(here)
    })
}

/// Async-signal-safe (signal-safety(7)): atomics, getpid(2), write(2), and errno left as it was.
extern "C" fn on_signal(signum: libc::c_int) {
    let errno = io::Error::last_os_error();
    // SAFETY: cannot fail, touches nothing.
    let pid = unsafe { libc::getpid() };
    for node in nodes() {
        node.deliver(signum, pid);
    }
    set_errno(errno.raw_os_error().unwrap_or(0));
}

fn set_errno(errno: i32) {
    // SAFETY: the place is this thread's own and valid for as long as the thread is.
    unsafe {
        #[cfg(target_os = "linux")]
        let place = libc::__errno_location();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        let place = libc::__errno();
        #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
        let place = libc::__error();
        *place = errno;
    }
}

impl Node {
    fn deliver(&self, signum: libc::c_int, pid: libc::pid_t) {
        let (bit, place) = (1u64 << (signum - 1), (signum - 1) as usize);
        if self.wanted.load(Ordering::Acquire) & bit == 0 {
            return;
        }
        // Sequentially consistent, as `leave` is: either it sees us busy and waits, or we see that there is no descriptor.
        self.busy.fetch_add(1, Ordering::SeqCst);
        let fd = self.fd.load(Ordering::SeqCst);
        if fd != -1 && self.pid.load(Ordering::SeqCst) == pid && self.wanted.load(Ordering::SeqCst) & bit != 0 {
            // Whoever takes the count has been woken by the first, and looks at it after it has gone to rest.
            if self.counts[place].fetch_add(1, Ordering::SeqCst) == 0 {
                let _ = WakeFd::write_to(fd);
            }
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// A node of one's own, from the list or new. Under the lock.
    fn enter(_lock: &MutexGuard<'_, [Option<Installed>; LAST]>, fd: RawFd) -> &'static Node {
        // Not one of the parent's: a handler may have been busy there at the fork, and is for ever in the child.
        let free = |node: &&Node| !node.taken.load(Ordering::Relaxed) && node.pid.load(Ordering::SeqCst) == pid();
        let node = nodes().find(free).unwrap_or_else(|| {
            let node = Box::leak(Box::new(Node {
                next: LIST.load(Ordering::Relaxed),
                taken: AtomicBool::new(true),
                wanted: AtomicU64::new(0),
                fd: AtomicI32::new(-1),
                pid: AtomicI32::new(0),
                busy: AtomicUsize::new(0),
                counts: [const { AtomicU32::new(0) }; LAST],
            }));
            LIST.store(node, Ordering::Release);
            node
        });
        node.taken.store(true, Ordering::Relaxed);
        node.pid.store(pid(), Ordering::SeqCst);
        node.fd.store(fd, Ordering::SeqCst);
        node
    }

    /// Gives the node back; after this no handler writes to its descriptor. Under the lock.
    fn leave(&self, _lock: &MutexGuard<'_, [Option<Installed>; LAST]>) {
        self.wanted.store(0, Ordering::SeqCst);
        self.fd.store(-1, Ordering::SeqCst);
        if self.pid.load(Ordering::SeqCst) != pid() {
            // The parent's, and never used again in this process.
            return;
        }
        // A handler has a few instructions to go. It may have interrupted any thread but this one, which is here.
        while self.busy.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        for count in &self.counts {
            count.store(0, Ordering::SeqCst);
        }
        self.taken.store(false, Ordering::Relaxed);
    }
}

fn pid() -> libc::pid_t {
    // SAFETY: cannot fail, touches nothing.
    unsafe { libc::getpid() }
}

/// What one loop watches; its descriptor is made readable when a signal comes.
pub(crate) struct Signals {
    node: &'static Node,
    /// How often each is watched.
    watchers: [u32; LAST],
    /// Open for as long as a handler may write to it.
    fd: Arc<WakeFd>,
}

impl Signals {
    pub(crate) fn new(fd: Arc<WakeFd>) -> Signals {
        Signals { node: Node::enter(&installed(), fd.write_fd()), watchers: [0; LAST], fd }
    }

    /// Counts this signal from now on, instead of what it did before.
    pub(crate) fn watch(&mut self, signum: i32) -> io::Result<()> {
        let place = place(signum)?;
        if self.watchers[place] == 0 {
            let mut all = installed();
            // Wanted before it can come.
            self.node.counts[place].store(0, Ordering::SeqCst);
            self.node.wanted.fetch_or(1 << place, Ordering::SeqCst);
            if let Err(error) = install(&mut all, signum, place) {
                self.node.wanted.fetch_and(!(1 << place), Ordering::SeqCst);
                return Err(error);
            }
        }
        self.watchers[place] += 1;
        Ok(())
    }

    /// Ends one [`watch`](Self::watch). With the last one in the process, the signal does again what it did before.
    pub(crate) fn unwatch(&mut self, signum: i32) {
        let Ok(place) = place(signum) else { return };
        if self.watchers[place] == 0 {
            return;
        }
        self.watchers[place] -= 1;
        if self.watchers[place] == 0 {
            // This first: in between, a signal is ours still, and is forgotten with the rest.
            uninstall(&mut installed(), signum, place);
            self.node.wanted.fetch_and(!(1 << place), Ordering::SeqCst);
        }
    }

    /// How often this signal came since the last look.
    pub(crate) fn take(&self, signum: i32) -> u32 {
        place(signum).map_or(0, |place| self.node.counts[place].swap(0, Ordering::SeqCst))
    }

    /// After a fork, in the child: the handlers are here already, and now they wake this process.
    pub(crate) fn renew(&mut self) {
        if self.node.pid.load(Ordering::SeqCst) == pid() {
            return;
        }
        let all = installed();
        let wanted = self.node.wanted.load(Ordering::SeqCst);
        self.node.leave(&all);
        self.node = Node::enter(&all, self.fd.write_fd());
        self.node.wanted.store(wanted, Ordering::SeqCst);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut all = installed();
        for (place, _) in self.watchers.iter().enumerate().filter(|(_, watchers)| **watchers > 0) {
            uninstall(&mut all, place as i32 + 1, place);
        }
        self.node.leave(&all);
    }
}

/// The index of a signal that can be watched.
fn place(signum: i32) -> io::Result<usize> {
    match signum {
        libc::SIGKILL | libc::SIGSTOP => {
            Err(error::with(libc::EINVAL, "SIGKILL and SIGSTOP cannot be caught, by nobody (signal(7))"))
        }
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => Err(error::with(
            libc::EINVAL,
            "SIGSEGV, SIGBUS, SIGFPE and SIGILL tell of a fault at the very instruction: a loop cannot handle them later",
        )),
        1..=64 => Ok(signum as usize - 1),
        _ => Err(error::with(libc::EINVAL, "no signal has this number: they go from 1 to SIGRTMAX (signal(7))")),
    }
}

fn ours() -> libc::sighandler_t {
    on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t
}

fn install(all: &mut [Option<Installed>; LAST], signum: i32, place: usize) -> io::Result<()> {
    if let Some(installed) = &mut all[place] {
        installed.watchers += 1;
        return Ok(());
    }
    // SAFETY: all-zero bytes are a valid `sigaction`.
    let (mut action, mut before): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ours();
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: both live on this frame; the handler is async-signal-safe and is never unloaded while it is installed.
    let result = syscall!({
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signum, &action, &mut before)
    });
    if let Err(error) = result {
        return Err(match error.raw_os_error() {
            Some(libc::EINVAL) => {
                error::with(libc::EINVAL, "the system or the C library keeps this signal for itself (signal(7))")
            }
            _ => error,
        });
    }
    all[place] = Some(Installed { watchers: 1, before });
    Ok(())
}

fn uninstall(all: &mut [Option<Installed>; LAST], signum: i32, place: usize) {
    let Some(installed) = &mut all[place] else { return };
    installed.watchers -= 1;
    if installed.watchers > 0 {
        return;
    }
    // SAFETY: all-zero bytes are a valid `sigaction`.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks only, into a place on this frame.
    let asked = syscall!(libc::sigaction(signum, ptr::null(), &mut now));
    // Whoever has put a handler of theirs over ours meanwhile keeps it.
    if asked.is_ok() && now.sa_sigaction == ours() {
        // SAFETY: what sigaction(2) itself gave.
        let _ = syscall!(libc::sigaction(signum, &installed.before, ptr::null_mut()));
    }
    all[place] = None;
}
