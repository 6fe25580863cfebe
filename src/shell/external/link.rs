//! The two ends of what runs between the media engine and the task of one external.

use flowswitch_media::dtmf::Digit;
use flowswitch_media::frame::Frame;
use flowswitch_media::host::Inlet;
use tokio::sync::mpsc;

/// Ticks that wait for the task: 1.3 s.
const TICKS: usize = 64;

/// Orders that wait for it: keys, one after another, and its way into the engine.
const ORDERS: usize = 64;

/// 20 ms of the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// What it hears; `None` when it does not listen.
    pub(super) heard: Option<Frame>,
    /// How many of its samples wait no longer in the engine.
    pub(super) gone: u64,
    /// Ticks before this one that found no room.
    pub(super) missed: u32,
}

#[derive(Debug)]
enum Order {
    Begin(Inlet),
    Press(Digit),
}

/// The end of whoever gives orders; the external ends when it is dropped.
#[derive(Debug)]
pub(super) struct Desk {
    orders: mpsc::Sender<Order>,
    ticks: Option<mpsc::Sender<Tick>>,
}

/// The end of the media thread; it never waits.
#[derive(Debug)]
pub(super) struct Outlet {
    ticks: mpsc::Sender<Tick>,
    missed: u32,
}

/// The end of the task.
#[derive(Debug)]
pub(super) struct Link {
    orders: mpsc::Receiver<Order>,
    ticks: mpsc::Receiver<Tick>,
    inlet: Option<Inlet>,
    /// The engine has let it out: its desk will be gone soon, and keys may come until then.
    is_out: bool,
    dropped: u64,
    unheard: u64,
}

/// What happens to a task beside what its host says.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are ticks")]
#[derive(Debug)]
pub(super) enum Happening {
    Tick(Tick),
    Pressed(Digit),
    /// It shall end.
    Over,
}

/// Two ends.
pub(super) fn new() -> (Desk, Link) {
    let (orders, orders_end) = mpsc::channel(ORDERS);
    let (ticks, ticks_end) = mpsc::channel(TICKS);
    let desk = Desk {
        orders,
        ticks: Some(ticks),
    };
    let link = Link {
        orders: orders_end,
        ticks: ticks_end,
        inlet: None,
        is_out: false,
        dropped: 0,
        unheard: 0,
    };
    (desk, link)
}

impl Desk {
    /// The end for the media thread, once.
    pub(super) fn outlet(&mut self) -> Option<Outlet> {
        let ticks = self.ticks.take()?;
        Some(Outlet { ticks, missed: 0 })
    }

    /// It is let in.
    pub(super) fn begin(&self, inlet: Inlet) {
        // Without a task there is nobody to say anything.
        let _ = self.orders.try_send(Order::Begin(inlet));
    }

    /// Tells it a key, if it is not too far behind.
    pub(super) fn press(&self, digit: Digit) {
        if self.orders.capacity() > 1 {
            let _ = self.orders.try_send(Order::Press(digit));
        }
    }
}

impl Outlet {
    /// Hands over 20 ms.
    pub(super) fn tick(&mut self, heard: Option<&Frame>, gone: u64) {
        let missed = self.missed;
        let tick = Tick {
            heard: heard.copied(),
            gone,
            missed,
        };
        self.missed = match self.ticks.try_send(tick) {
            Ok(()) => 0,
            Err(_) => missed.saturating_add(1),
        };
    }
}

impl Link {
    /// Waits for what happens next; nothing is lost when the waiting is given up.
    pub(super) async fn next(&mut self) -> Happening {
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Begin(inlet)) => self.inlet = Some(inlet),
                    Some(Order::Press(digit)) => return Happening::Pressed(digit),
                    None => return Happening::Over,
                },
                tick = self.ticks.recv(), if !self.is_out => match tick {
                    Some(tick) => {
                        self.unheard += u64::from(tick.missed);
                        return Happening::Tick(tick);
                    }
                    None => self.is_out = true,
                },
            }
        }
    }

    /// Waits for the end; what else happens is left out.
    pub(super) async fn until_over(&mut self) {
        while !matches!(self.next().await, Happening::Over) {}
    }

    /// The way into the engine, once it is let in.
    pub(super) const fn inlet(&self) -> Option<&Inlet> {
        self.inlet.as_ref()
    }

    /// Counts something that was dropped on its way to the host or from it.
    pub(super) const fn drop_one(&mut self) {
        self.dropped += 1;
    }

    /// What was dropped.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Ticks that found no room.
    pub(super) const fn unheard(&self) -> u64 {
        self.unheard
    }
}
