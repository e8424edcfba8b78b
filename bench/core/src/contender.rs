use std::fmt;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// epoll by hand: libc, one buffer, the caller's key in `epoll_event.u64`.
    Raw,
    /// [`fastsock::Poller`].
    Poller,
    /// [`fastsock::Reactor`], which calls back.
    Reactor,
    /// The crate mio: edge-triggered only.
    Mio,
    /// The crate polling.
    Polling,
    /// The crate calloop, which calls back.
    Calloop,
    /// [`fastsock::TimerQueue`], alone.
    Queue,
    /// The C library libev.
    Libev,
}

impl Contender {
    const ALL: [Contender; 8] = [
        Contender::Raw,
        Contender::Poller,
        Contender::Reactor,
        Contender::Mio,
        Contender::Polling,
        Contender::Calloop,
        Contender::Queue,
        Contender::Libev,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Raw => "raw",
            Contender::Poller => "poller",
            Contender::Reactor => "reactor",
            Contender::Mio => "mio",
            Contender::Polling => "polling",
            Contender::Calloop => "calloop",
            Contender::Queue => "queue",
            Contender::Libev => "libev",
        }
    }

    /// By that name.
    pub fn by_name(name: &str) -> Option<Contender> {
        Contender::ALL.into_iter().find(|contender| contender.name() == name)
    }

    /// Whether it is a part of this project.
    pub fn is_ours(self) -> bool {
        matches!(self, Contender::Poller | Contender::Reactor | Contender::Queue)
    }
}

/// The name in a table, which is Markdown.
impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Contender::Raw => "raw epoll",
            Contender::Poller => "`Poller`",
            Contender::Reactor => "`Reactor`",
            Contender::Queue => "`TimerQueue`",
            other => other.name(),
        })
    }
}
