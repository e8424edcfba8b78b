use std::time::Duration;

/// Marks and time-outs of a stream; every one has a default.
///
/// ```
/// use fastsock::stream::StreamOptions;
/// use std::time::Duration;
/// let options = StreamOptions::new()
///     .idle_timeout(Duration::from_secs(300))
///     .write_timeout(Duration::from_secs(30))
///     .water_marks(16 * 1024, 256 * 1024);
/// ```
#[derive(Clone, Debug)]
#[must_use = "they are for `add_stream`, `connect` or `serve`"]
pub struct StreamOptions {
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) idle: Option<Duration>,
    pub(crate) read: Option<Duration>,
    pub(crate) write: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) close: Duration,
}

impl StreamOptions {
    /// Water marks at 16 and 64 KiB, no time-outs, and 5 s for a peer to close as well.
    pub fn new() -> StreamOptions {
        StreamOptions {
            low: 16 * 1024,
            high: 64 * 1024,
            idle: None,
            read: None,
            write: None,
            connect: None,
            close: Duration::from_secs(5),
        }
    }

    /// With so many bytes queued, or more, the stream is full and is not read; it is so no more when the queue has fallen to
    /// `low`. `high` is at least 1, and `low` less than `high`: other numbers are moved there.
    pub fn water_marks(mut self, low: usize, high: usize) -> StreamOptions {
        self.high = high.max(1);
        self.low = low.min(self.high - 1);
        self
    }

    /// The longest time in which nothing is received nor sent.
    pub fn idle_timeout(mut self, longest: Duration) -> StreamOptions {
        self.idle = Some(longest);
        self
    }

    /// The longest time in which nothing is received, counted while the stream is read: not while it is paused or
    /// full.
    pub fn read_timeout(mut self, longest: Duration) -> StreamOptions {
        self.read = Some(longest);
        self
    }

    /// The longest time in which the peer takes nothing of what is queued.
    pub fn write_timeout(mut self, longest: Duration) -> StreamOptions {
        self.write = Some(longest);
        self
    }

    /// The longest time that connecting may take; then it fails with `ETIMEDOUT`. Without it the kernel gives up after
    /// about two minutes (`tcp_syn_retries`, tcp(7)).
    pub fn connect_timeout(mut self, longest: Duration) -> StreamOptions {
        self.connect = Some(longest);
        self
    }

    /// After [`Stream::close`](crate::stream::Stream::close): the longest time in which the peer takes nothing of what is
    /// queued, and then the longest time for it to close as well. With zero the socket is closed as soon as the queue
    /// is empty, and the queue dropped if it is not.
    pub fn close_timeout(mut self, longest: Duration) -> StreamOptions {
        self.close = longest;
        self
    }

    /// Whether the time of each read and write matters.
    pub(crate) fn keeps_time(&self) -> bool {
        self.idle.is_some() || self.read.is_some() || self.write.is_some()
    }
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions::new()
    }
}
