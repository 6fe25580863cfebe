//! Waiting for many sockets, a deadline and a wake-up at once.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// How many sockets are served before deadlines are looked at again.
const BATCH: usize = 256;

/// No time at all.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

const WAKER: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// Wakes a [`Poller`] from any thread.
#[derive(Debug)]
pub(super) struct Waker {
    eventfd: OwnedFd,
    /// A wake-up is on its way; another would tell nothing new.
    is_pending: AtomicBool,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            eventfd,
            is_pending: AtomicBool::new(false),
        })
    }

    pub(super) fn wake(&self) {
        if !self.is_pending.swap(true, Ordering::AcqRel) {
            // Fails only when the counter is full, and then the wake-up is on its way.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// Makes room for the next wake-up; look at what there is only after this.
    fn clear(&self) {
        let mut counter = [0; 8];
        let _ = rustix::io::read(&self.eventfd, &mut counter);
        // A swap, so that what was left before a skipped wake-up is seen from here on.
        self.is_pending.swap(false, Ordering::AcqRel);
    }
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Somebody called [`Waker::wake`].
    Woken,
    /// The deadline has come.
    Deadline,
    /// A socket has something to read; its token.
    Socket(u64),
}

/// An epoll with a timer, which is exact to microseconds where a timeout of epoll is not; and another one that
/// nobody waits for, of sockets that are read now and then.
///
/// Sockets are watched level-triggered: one read per readiness is enough, so no read is spent on learning
/// that there is nothing more, and nobody who floods one socket keeps the others waiting.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    deferred: OwnedFd,
    timer: OwnedFd,
    /// What the timer is set to.
    armed: Option<Instant>,
}

impl Poller {
    pub(super) fn new(waker: &Waker) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        epoll::add(
            &epoll,
            &timer,
            epoll::EventData::new_u64(TIMER),
            epoll::EventFlags::IN,
        )?;
        epoll::add(
            &epoll,
            &waker.eventfd,
            epoll::EventData::new_u64(WAKER),
            epoll::EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            deferred: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer,
            armed: None,
        })
    }

    /// Watches a socket; closing it ends that.
    pub(super) fn watch(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(
            &self.epoll,
            socket,
            data,
            epoll::EventFlags::IN,
        )?)
    }

    /// Watches a socket no longer, which is not closed.
    pub(super) fn forget(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits no more for a socket that is watched; [`Self::take_deferred`] gives it from now on.
    pub(super) fn defer(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&self.deferred, &socket, data, epoll::EventFlags::IN)?;
        self.forget(socket)
    }

    /// Waits again for a socket that was deferred.
    pub(super) fn hurry(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        self.watch(&socket, token)?;
        self.forget_deferred(socket)
    }

    /// Forgets a socket that was deferred, which is not closed.
    pub(super) fn forget_deferred(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.deferred, socket)?)
    }

    /// Appends those deferred sockets that have something to read, or some of them, to `ready`.
    pub(super) fn take_deferred(&self, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let events = match epoll::wait(&self.deferred, &mut events, Some(&AT_ONCE)) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => &mut [],
            Err(error) => return Err(error.into()),
        };
        // Not by reference: the structure is packed.
        ready.extend(events.iter().map(|event| {
            let data = event.data;
            Ready::Socket(data.u64())
        }));
        Ok(())
    }

    /// Waits until something is ready or `deadline` has come, and appends what to `ready`.
    pub(super) fn wait(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        waker: &Waker,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        let is_past = deadline.is_some_and(|deadline| deadline <= now);
        if !is_past && deadline != self.armed {
            self.arm(deadline.map(|deadline| deadline - now))?;
            self.armed = deadline;
        }
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let events = match epoll::wait(&self.epoll, &mut events, is_past.then_some(&AT_ONCE)) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => &mut [],
            Err(error) => return Err(error.into()),
        };
        if is_past {
            ready.push(Ready::Deadline);
        }
        for event in events {
            let (data, mut expirations) = (event.data, [0; 8]);
            ready.push(match data.u64() {
                WAKER => {
                    waker.clear();
                    Ready::Woken
                }
                TIMER => {
                    self.armed = None;
                    // Nothing to read means that it was set anew meanwhile.
                    let _ = rustix::io::read(&self.timer, &mut expirations);
                    Ready::Deadline
                }
                token => Ready::Socket(token),
            });
        }
        Ok(())
    }

    /// Sets the timer to fire once after `delay`, or never.
    fn arm(&self, delay: Option<Duration>) -> io::Result<()> {
        // Zero would mean never.
        let delay = delay.map_or(Duration::ZERO, |delay| delay.max(Duration::from_nanos(1)));
        let value = Timespec {
            tv_sec: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(delay.subsec_nanos()),
        };
        let times = Itimerspec {
            it_interval: AT_ONCE,
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &times)?;
        Ok(())
    }
}
