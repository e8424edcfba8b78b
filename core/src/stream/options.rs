use std::time::Duration;

/// Marks and time-outs of a stream; every one has a default.
///
/// No time-out comes early.
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
    ///
    /// ```
    /// use fastsock::stream::StreamOptions;
    /// use std::time::Duration;
    /// let same = StreamOptions::new().water_marks(16 * 1024, 64 * 1024).close_timeout(Duration::from_secs(5));
    /// assert_eq!(format!("{:?}", StreamOptions::new()), format!("{same:?}"));
    /// ```
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
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let options = StreamOptions::new().water_marks(1000, 1 << 20);
    /// let token = reactor.add_stream(here, &options, |reactor, writable, _, event| {
    ///     if let StreamEvent::Writable = event {
    ///         *writable += 1;
    ///         reactor.stop();
    ///     }
    ///     Ok(())
    /// })?;
    /// reactor.stream(token)?.write(&[0; 2 << 20])?;
    /// assert!(reactor.stream(token)?.is_full());
    /// let reader = std::thread::spawn(move || {
    ///     let mut there = std::os::unix::net::UnixStream::from(there);
    ///     there.set_nonblocking(false)?;
    ///     std::io::copy(&mut there, &mut std::io::sink())
    /// });
    /// let mut writable = 0;
    /// reactor.run(&mut writable)?; // Until the reader has taken all but 1000 bytes.
    /// assert!(writable == 1 && reactor.stream(token)?.queued() <= 1000);
    /// reactor.remove(token);
    /// assert!(reader.join().unwrap()? >= (2 << 20) - 1000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn water_marks(mut self, low: usize, high: usize) -> StreamOptions {
        self.high = high.max(1);
        self.low = low.min(self.high - 1);
        self
    }

    /// The longest time in which nothing is received nor sent.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<Vec<Timeout>>::new()?;
    /// let options = StreamOptions::new().idle_timeout(Duration::from_millis(2));
    /// reactor.add_stream(here, &options, |_, log, _, event| {
    ///     if let StreamEvent::TimedOut(timeout) = event {
    ///         log.push(timeout); // After this it is closed.
    ///     }
    ///     Ok(())
    /// })?;
    /// let mut log = Vec::new();
    /// reactor.run(&mut log)?;
    /// assert_eq!((log, there.recv(&mut [0; 9])?), (vec![Timeout::Idle], 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle_timeout(mut self, longest: Duration) -> StreamOptions {
        self.idle = Some(longest);
        self
    }

    /// The longest time in which nothing is received, counted while the stream is read: not while it is paused or
    /// full.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamEvent, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<Option<i32>>::new()?;
    /// let options = StreamOptions::new().read_timeout(Duration::from_millis(2));
    /// let token = reactor.add_stream(here, &options, |_, errno, _, event| {
    ///     if let StreamEvent::Closed(Err(error)) = event {
    ///         *errno = Some(fastsock::errno(&error));
    ///     }
    ///     Ok(())
    /// })?;
    /// reactor.stream(token)?.write(b"does not count")?;
    /// let mut errno = None;
    /// reactor.run(&mut errno)?;
    /// assert_eq!(errno, Some(libc::ETIMEDOUT));
    /// # Ok(())
    /// # }
    /// ```
    pub fn read_timeout(mut self, longest: Duration) -> StreamOptions {
        self.read = Some(longest);
        self
    }

    /// The longest time in which the peer takes nothing of what is queued.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<Option<Timeout>>::new()?;
    /// let options = StreamOptions::new().write_timeout(Duration::from_millis(2));
    /// let token = reactor.add_stream(here, &options, |_, which, _, event| {
    ///     if let StreamEvent::TimedOut(timeout) = event {
    ///         *which = Some(timeout);
    ///     }
    ///     Ok(())
    /// })?;
    /// reactor.stream(token)?.write(&[0; 8 << 20])?; // The peer reads nothing.
    /// let mut which = None;
    /// reactor.run(&mut which)?;
    /// assert_eq!(which, Some(Timeout::Write));
    /// # Ok(())
    /// # }
    /// ```
    pub fn write_timeout(mut self, longest: Duration) -> StreamOptions {
        self.write = Some(longest);
        self
    }

    /// The longest time that connecting may take; then it fails with `ETIMEDOUT`. Without it the kernel gives up after
    /// about two minutes (`tcp_syn_retries`, tcp(7)).
    ///
    /// ```
    /// use fastsock::{Reactor, net::Listener, stream::StreamEvent, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let address = listener.local_addr()?;
    /// let mut reactor = Reactor::<bool>::new()?;
    /// let options = StreamOptions::new().connect_timeout(Duration::from_secs(10));
    /// reactor.connect(address, &options, |reactor, connected, token, event| {
    ///     match event {
    ///         StreamEvent::Connected => *connected = true,
    ///         StreamEvent::Closed(Err(error)) => eprintln!("{error}"), // `ETIMEDOUT`, were nobody there.
    ///         _ => {}
    ///     }
    ///     reactor.remove(token);
    ///     Ok(())
    /// })?;
    /// let mut connected = false;
    /// reactor.run(&mut connected)?;
    /// assert!(connected);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_timeout(mut self, longest: Duration) -> StreamOptions {
        self.connect = Some(longest);
        self
    }

    /// After [`Stream::close`](crate::stream::Stream::close): the longest time in which the peer takes nothing of what is
    /// queued, and then the longest time for it to close as well. With zero the socket is closed as soon as the queue
    /// is empty, and the queue dropped if it is not.
    ///
    /// ```
    /// use fastsock::net::{Kind, Socket};
    /// use fastsock::{Reactor, stream::StreamOptions};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, there) = Socket::pair(Kind::Stream)?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let options = StreamOptions::new().close_timeout(Duration::from_millis(2));
    /// let token = reactor.add_stream(here, &options, |_, _, _, _| Ok(()))?;
    /// let mut stream = reactor.stream(token)?;
    /// stream.write(b"bye")?;
    /// stream.close(); // This peer never closes...
    /// reactor.run(&mut ())?; // ...and is not waited for.
    /// assert_eq!((there.recv(&mut [0; 9])?, there.recv(&mut [0; 9])?), (3, 0));
    /// # Ok(())
    /// # }
    /// ```
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
