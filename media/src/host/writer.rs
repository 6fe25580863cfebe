//! The thread that writes the recordings of one media thread, which so never waits for a disk.
//!
//! Frames travel in boxes that come back. How many exist is bounded: when the disk falls so far behind that
//! all are under way, frames are left out, and the writer fills the hole with silence, so that both files
//! keep their time.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvError, Sender, SyncSender, TryRecvError, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Mailbox;
use super::figures::Backlog;
use super::thread::Message;
use super::tracks::Tracks;
use crate::command::{CommandId, MediaError, RecordingTarget};
use crate::frame::{Band, Sound};

/// Boxes of one media thread, of 2 kB each: 32 MB at most, 32 seconds of ten recordings.
const BOXES: usize = 16_384;

/// How often frames are fetched while something is recorded.
const PAUSE: Duration = Duration::from_millis(20);

/// A media thread's way to its writer; dropping it completes every file and joins.
#[derive(Debug)]
pub(super) struct Writer {
    /// Until it is dropped.
    desk: Option<WriterLink>,
    give_back: SyncSender<Box<TwoSides>>,
    back: Receiver<Box<TwoSides>>,
    boxes: usize,
    dropped: u64,
    backlog: Arc<Backlog>,
    handle: Option<JoinHandle<()>>,
}

/// The way to a writer; another media thread takes it along with a recording that moved there.
#[derive(Clone, Debug)]
pub(super) struct WriterLink {
    orders: Sender<Order>,
    frames: SyncSender<Box<TwoSides>>,
}

#[derive(Debug)]
enum Order {
    Begin {
        recording: CommandId,
        target: RecordingTarget,
        band: Band,
    },
    End {
        recording: CommandId,
    },
}

/// One frame of both sides.
#[derive(Debug)]
struct TwoSides {
    recording: CommandId,
    position: u64,
    heard: Sound,
    said: Option<Sound>,
    sent: Instant,
    /// Where the box goes back to, whoever's writer it was sent to.
    home: SyncSender<Box<TwoSides>>,
}

impl Writer {
    /// Starts the thread; it reports to `mailbox`.
    pub(super) fn start(name: String, mailbox: Mailbox) -> io::Result<Self> {
        let (orders, order_inbox) = mpsc::channel();
        let (frames, frame_inbox) = mpsc::sync_channel(BOXES);
        let (give_back, back) = mpsc::sync_channel(BOXES);
        let backlog = Arc::new(Backlog::default());
        let desk = Desk {
            orders: order_inbox,
            frames: frame_inbox,
            mailbox,
            backlog: Arc::clone(&backlog),
            open: HashMap::new(),
        };
        let handle = std::thread::Builder::new()
            .name(name)
            .spawn(move || desk.run())?;
        Ok(Self {
            desk: Some(WriterLink { orders, frames }),
            give_back,
            back,
            boxes: 0,
            dropped: 0,
            backlog,
            handle: Some(handle),
        })
    }

    /// Begins the files of a recording; `false` when the writer is gone.
    pub(super) fn begin(&self, recording: CommandId, target: RecordingTarget, band: Band) -> bool {
        let order = Order::Begin {
            recording,
            target,
            band,
        };
        self.desk.as_ref().is_some_and(|desk| desk.order(order))
    }

    /// Adds 20 ms, or leaves them out when the disk is too far behind; to `elsewhere` if the recording began
    /// on another media thread.
    pub(super) fn frame(
        &mut self,
        elsewhere: Option<&WriterLink>,
        (recording, position): (CommandId, u64),
        heard: &Sound,
        said: Option<&Sound>,
    ) {
        let filled = match self.back.try_recv() {
            Ok(empty) => Some(empty),
            Err(_) if self.boxes < BOXES => {
                self.boxes += 1;
                Some(Box::new(TwoSides {
                    recording,
                    position,
                    heard: Sound::SILENCE,
                    said: None,
                    sent: Instant::now(),
                    home: self.give_back.clone(),
                }))
            }
            Err(_) => None,
        };
        let Some(mut filled) = filled else {
            self.dropped += 1;
            return;
        };
        (filled.recording, filled.position) = (recording, position);
        filled.heard = *heard;
        filled.said = said.copied();
        filled.sent = Instant::now();
        let desk = elsewhere.or(self.desk.as_ref());
        match desk.map(|desk| desk.frames.try_send(filled)) {
            Some(Ok(())) => {}
            // Its writer is gone, or has all it can hold of its own; the box stays here.
            Some(Err(TrySendError::Full(unsent) | TrySendError::Disconnected(unsent))) => {
                self.dropped += 1;
                let _ = self.give_back.try_send(unsent);
            }
            None => self.dropped += 1,
        }
    }

    /// Completes the files of a recording; `false` when the writer is gone.
    pub(super) fn end(&self, elsewhere: Option<&WriterLink>, recording: CommandId) -> bool {
        let desk = elsewhere.or(self.desk.as_ref());
        desk.is_some_and(|desk| desk.order(Order::End { recording }))
    }

    /// The way to it, for a recording that moves.
    pub(super) fn link(&self) -> Option<WriterLink> {
        self.desk.clone()
    }

    /// How long frames wait to be written.
    pub(super) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Frames left out so far.
    pub(super) const fn dropped_frames(&self) -> u64 {
        self.dropped
    }
}

impl WriterLink {
    fn order(&self, order: Order) -> bool {
        self.orders.send(order).is_ok()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk = None;
        if self
            .handle
            .take()
            .is_some_and(|handle| handle.join().is_err())
        {
            tracing::error!("a writer of recordings had failed");
        }
    }
}

/// The writer's side.
struct Desk {
    orders: Receiver<Order>,
    frames: Receiver<Box<TwoSides>>,
    mailbox: Mailbox,
    backlog: Arc<Backlog>,
    open: HashMap<CommandId, Tracks>,
}

impl Desk {
    fn run(mut self) {
        loop {
            let mut ended = Vec::new();
            let is_over = !self.read_orders(&mut ended);
            self.read_frames(&mut ended);
            for recording in ended {
                self.end(recording);
            }
            if is_over {
                break;
            }
            if !self.open.is_empty() {
                self.flush();
                std::thread::sleep(PAUSE);
            }
        }
        let open: Vec<CommandId> = self.open.keys().copied().collect();
        open.into_iter().for_each(|recording| self.end(recording));
    }

    /// Reads what is ordered, waiting for it when nothing is recorded; `false` when there will be no more.
    /// Ends wait in `ended` until all frames that were sent before them have been read.
    fn read_orders(&mut self, ended: &mut Vec<CommandId>) -> bool {
        if self.open.is_empty() {
            match self.orders.recv() {
                Ok(order) => self.handle_order(order, ended),
                Err(RecvError) => return false,
            }
        }
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.handle_order(order, ended),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn handle_order(&mut self, order: Order, ended: &mut Vec<CommandId>) {
        match order {
            Order::Begin {
                recording,
                target,
                band,
            } => match Tracks::create(&target, band) {
                Ok(tracks) => {
                    self.open.insert(recording, tracks);
                }
                Err(why) => self.report(recording, Err(why)),
            },
            Order::End { recording } => ended.push(recording),
        }
    }

    fn read_frames(&mut self, ended: &mut Vec<CommandId>) {
        while let Ok(frame) = self.frames.try_recv() {
            if !self.open.contains_key(&frame.recording) {
                // Its order may have come after we looked.
                let _ = self.read_orders_now(ended);
            }
            let result = self
                .open
                .get_mut(&frame.recording)
                .map(|tracks| tracks.write(frame.position, &frame.heard, frame.said.as_ref()));
            if let Some(Err(why)) = result {
                self.open.remove(&frame.recording);
                self.report(frame.recording, Err(why));
            }
            self.backlog.record(frame.sent.elapsed());
            // There is room for every box of its home, unless that is gone.
            let home = frame.home.clone();
            let _ = home.try_send(frame);
        }
    }

    fn read_orders_now(&mut self, ended: &mut Vec<CommandId>) -> Result<(), TryRecvError> {
        loop {
            let order = self.orders.try_recv()?;
            self.handle_order(order, ended);
        }
    }

    fn end(&mut self, recording: CommandId) {
        if let Some(files) = self.open.remove(&recording) {
            let result = files.complete();
            self.report(recording, result);
        }
    }

    fn flush(&mut self) {
        let now = Instant::now();
        let mut failed = Vec::new();
        for (recording, files) in &mut self.open {
            if let Err(why) = files.flush_if_due(now) {
                failed.push((*recording, why));
            }
        }
        for (recording, why) in failed {
            self.open.remove(&recording);
            self.report(recording, Err(why));
        }
    }

    fn report(&self, recording: CommandId, result: Result<(), MediaError>) {
        // A thread that is gone no longer waits for its files.
        let _ = self.mailbox.post(Message::Recorded { recording, result });
    }
}
