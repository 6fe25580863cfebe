//! The thread that writes the recordings of one media thread, which so never waits for a disk.
//!
//! Ticks travel in batches that come back. How many exist is bounded: when the disk falls so far behind that
//! all are under way, ticks are left out, and the writer fills the hole with silence, so that both files
//! keep their time.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvError, Sender, SyncSender, TryRecvError, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Mailbox;
use super::batch::Batch;
use super::figures::QueueAges;
use super::thread::Message;
use super::tracks::Tracks;
use crate::command::{CommandId, MediaError, RecordingTarget};
use crate::frame::{Band, Sound};

/// Batches of one media thread, of 6 kB each: 26 MB at most, or three times that in the wide band. As many may be
/// recorded at once, or 80 seconds of ten.
const BATCHES: usize = 4_096;

/// How often batches are fetched while something is recorded.
const PAUSE: Duration = Duration::from_millis(20);

/// A media thread's way to its writer; dropping it completes every file and joins.
#[derive(Debug)]
pub(super) struct Writer {
    /// Until it is dropped.
    desk: Option<WriterLink>,
    /// Batches that are being filled.
    filling: HashMap<CommandId, Box<Delivery>>,
    give_back: SyncSender<Box<Delivery>>,
    back: Receiver<Box<Delivery>>,
    batches: usize,
    dropped: u64,
    backlog: Arc<QueueAges>,
    handle: Option<JoinHandle<()>>,
}

/// The way to a writer; another media thread takes it along with a recording that moved there.
#[derive(Clone, Debug)]
pub(super) struct WriterLink {
    orders: Sender<Order>,
    batches: SyncSender<Box<Delivery>>,
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

/// A batch on its way.
#[derive(Debug)]
struct Delivery {
    batch: Batch,
    /// When it was handed over.
    sent: Instant,
    /// Where it goes back to, whoever's writer it was sent to.
    home: SyncSender<Box<Delivery>>,
}

impl Writer {
    /// Starts the thread; it reports to `mailbox`.
    pub(super) fn start(name: String, mailbox: Mailbox) -> io::Result<Self> {
        let (orders, order_inbox) = mpsc::channel();
        let (batches, batch_inbox) = mpsc::sync_channel(BATCHES);
        let (give_back, back) = mpsc::sync_channel(BATCHES);
        let backlog = Arc::new(QueueAges::default());
        let desk = Desk {
            orders: order_inbox,
            batches: batch_inbox,
            mailbox,
            backlog: Arc::clone(&backlog),
            open: HashMap::new(),
        };
        let handle = std::thread::Builder::new()
            .name(name)
            .spawn(move || desk.run())?;
        Ok(Self {
            desk: Some(WriterLink { orders, batches }),
            filling: HashMap::new(),
            give_back,
            back,
            batches: 0,
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
        if !self.filling.contains_key(&recording) {
            let Some(empty) = self.empty(recording) else {
                self.dropped += 1;
                return;
            };
            self.filling.insert(recording, empty);
        }
        let filling = self.filling.get_mut(&recording);
        if filling.is_some_and(|filling| filling.batch.push(position, heard, said)) {
            self.hand_over(elsewhere, recording);
        }
    }

    /// Hands over what was recorded so far.
    pub(super) fn hand_over(&mut self, elsewhere: Option<&WriterLink>, recording: CommandId) {
        let Some(mut delivery) = self.filling.remove(&recording) else {
            return;
        };
        delivery.sent = Instant::now();
        let ticks = delivery.batch.len() as u64;
        let desk = elsewhere.or(self.desk.as_ref());
        match desk.map(|desk| desk.batches.try_send(delivery)) {
            Some(Ok(())) => {}
            // Its writer is gone, or has all it can hold of its own; the batch stays here.
            Some(Err(TrySendError::Full(unsent) | TrySendError::Disconnected(unsent))) => {
                self.dropped += ticks;
                let _ = self.give_back.try_send(unsent);
            }
            None => self.dropped += ticks,
        }
    }

    /// Forgets what has not been handed over of a recording that has failed.
    pub(super) fn forget(&mut self, recording: CommandId) {
        if let Some(delivery) = self.filling.remove(&recording) {
            let _ = self.give_back.try_send(delivery);
        }
    }

    /// A batch to be filled; none when all are under way.
    fn empty(&mut self, recording: CommandId) -> Option<Box<Delivery>> {
        match self.back.try_recv() {
            Ok(mut delivery) => {
                delivery.batch.clear(recording);
                Some(delivery)
            }
            Err(_) if self.batches < BATCHES => {
                self.batches += 1;
                Some(Box::new(Delivery {
                    batch: Batch::new(recording),
                    sent: Instant::now(),
                    home: self.give_back.clone(),
                }))
            }
            Err(_) => None,
        }
    }

    /// Completes the files of a recording; `false` when the writer is gone.
    pub(super) fn end(&mut self, elsewhere: Option<&WriterLink>, recording: CommandId) -> bool {
        self.hand_over(elsewhere, recording);
        let desk = elsewhere.or(self.desk.as_ref());
        desk.is_some_and(|desk| desk.order(Order::End { recording }))
    }

    /// The way to it, for a recording that moves.
    pub(super) fn link(&self) -> Option<WriterLink> {
        self.desk.clone()
    }

    /// How long batches wait to be written.
    pub(super) fn backlog(&self) -> &QueueAges {
        &self.backlog
    }

    /// Ticks left out so far.
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
        let recordings: Vec<CommandId> = self.filling.keys().copied().collect();
        for recording in recordings {
            self.hand_over(None, recording);
        }
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
    batches: Receiver<Box<Delivery>>,
    mailbox: Mailbox,
    backlog: Arc<QueueAges>,
    open: HashMap<CommandId, Tracks>,
}

impl Desk {
    fn run(mut self) {
        loop {
            let mut ended = Vec::new();
            let is_over = !self.read_orders(&mut ended);
            self.read_batches(&mut ended);
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
    /// Ends wait in `ended` until all that was sent before them has been read.
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

    fn read_batches(&mut self, ended: &mut Vec<CommandId>) {
        while let Ok(delivery) = self.batches.try_recv() {
            let recording = delivery.batch.recording;
            if !self.open.contains_key(&recording) {
                // Its order may have come after we looked.
                let _ = self.read_orders_now(ended);
            }
            if let Some(tracks) = self.open.get_mut(&recording) {
                let batch = &delivery.batch;
                let result =
                    batch.read(|position, heard, said| tracks.write(position, heard, said));
                if let Err(why) = result {
                    self.open.remove(&recording);
                    self.report(recording, Err(why));
                }
            }
            self.backlog.record(delivery.sent.elapsed());
            // There is room for every batch of its home, unless that is gone.
            let home = delivery.home.clone();
            let _ = home.try_send(delivery);
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
