use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use crate::harvest::Count;
use crate::{Case, Driver, Meter};

/// Woken again, when a wake-up that nobody has seen yet is on its way: what a busy queue does most of the time.
pub(crate) struct WakePending<D: Driver<Count>> {
    driver: D,
    waker: D::Waker,
    work: Count,
}

impl<D: Driver<Count>> WakePending<D> {
    pub(crate) fn new() -> io::Result<WakePending<D>> {
        let mut driver = D::new()?;
        let waker = driver.waker()?;
        Ok(WakePending { driver, waker, work: Count::default() })
    }
}

impl<D: Driver<Count>> Case for WakePending<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        D::wake(&self.waker)?;
        meter.time(0, || (0..turns).try_for_each(|_| D::wake(&self.waker)))?;
        // All of them are one wake-up, which the next run must not find.
        self.driver.turn(&mut self.work)
    }
}

/// A wake-up, and the turn that it ends at once; all on one thread, so that no scheduler is in it.
pub(crate) struct WakeAndTurn<D: Driver<Count>>(WakePending<D>);

impl<D: Driver<Count>> WakeAndTurn<D> {
    pub(crate) fn new() -> io::Result<WakeAndTurn<D>> {
        WakePending::new().map(WakeAndTurn)
    }
}

impl<D: Driver<Count>> Case for WakeAndTurn<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        let WakePending { driver, waker, work } = &mut self.0;
        meter.time(0, || {
            for _ in 0..turns {
                D::wake(waker)?;
                driver.turn(work)?;
            }
            Ok(())
        })
    }
}

/// What the two threads of a round trip share.
#[derive(Default)]
struct Ball {
    there: AtomicBool,
    back: AtomicBool,
    over: AtomicBool,
}

/// Two threads that wait, each in a loop of its own, and wake one another in turn.
pub(crate) struct RoundTrip<D: Driver<Count>> {
    driver: D,
    work: Count,
    ball: Arc<Ball>,
    other: D::Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl<D: Driver<Count>> RoundTrip<D> {
    pub(crate) fn new() -> io::Result<RoundTrip<D>> {
        let mut driver = D::new()?;
        let (ball, here) = (Arc::new(Ball::default()), driver.waker()?);
        let (send, receive) = sync_channel(1);
        let thread = std::thread::spawn({
            let ball = ball.clone();
            move || {
                // Made here: not every loop may change its thread.
                let mut driver = D::new()?;
                // Nobody receives it any more: then there is nothing to do either.
                if send.send(driver.waker()?).is_err() {
                    return Ok(());
                }
                let mut work = Count::default();
                while !ball.over.load(Ordering::Acquire) {
                    driver.turn(&mut work)?;
                    if ball.there.swap(false, Ordering::AcqRel) {
                        ball.back.store(true, Ordering::Release);
                        D::wake(&here)?;
                    }
                }
                Ok(())
            }
        });
        let other = receive.recv().map_err(|_| io::Error::other("the other thread could not make its loop"))?;
        Ok(RoundTrip { driver, work: Count::default(), ball, other, thread: Some(thread) })
    }
}

impl<D: Driver<Count>> Case for RoundTrip<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        meter.time(0, || {
            for _ in 0..turns {
                self.ball.there.store(true, Ordering::Release);
                D::wake(&self.other)?;
                while !self.ball.back.swap(false, Ordering::AcqRel) {
                    self.driver.turn(&mut self.work)?;
                }
            }
            Ok(())
        })
    }
}

impl<D: Driver<Count>> Drop for RoundTrip<D> {
    fn drop(&mut self) {
        self.ball.over.store(true, Ordering::Release);
        if D::wake(&self.other).is_ok() {
            if let Some(thread) = self.thread.take() {
                // A failure over there has shown as one here.
                let _ = thread.join();
            }
        }
    }
}
