//! The way of a request to the switch and back.
//!
//! ```text
//!   handler -- Line::ask --> driver --> switch --> driver -- News::Answered --> desk --> handler
//! ```
//!
//! The answer comes by the desk, behind all that the switch has told before it: who has an answer finds its
//! effect in what a GET shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::switch::{Control, ControlError, Controlled, Report};

/// A request on its way to the switch.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub control: Control,
    /// Whom the answer is for.
    pub reply: Reply,
}

/// Where the answer of the switch goes; nobody waits there any more when it came too late.
pub type Reply = oneshot::Sender<Result<Controlled, ControlError>>;

/// What the driver tells the desk, in the order in which the switch told it.
#[derive(Debug)]
pub enum News {
    /// Something happened.
    Report(Report),
    /// A request is answered.
    Answered {
        /// Whom it is for.
        reply: Reply,
        /// Whether it was taken on.
        result: Result<Controlled, ControlError>,
    },
}

/// Requests to the driver and the shell.
#[derive(Clone, Debug)]
pub struct Line {
    requests: mpsc::Sender<Asked>,
    changes: mpsc::Sender<oneshot::Sender<()>>,
}

/// The other ends of a [`Line`].
#[derive(Debug)]
pub struct LineEnds {
    /// For the driver.
    pub requests: mpsc::Receiver<Asked>,
    /// For whoever gives the switch what is configured: read it again, then answer.
    pub changes: mpsc::Receiver<oneshot::Sender<()>>,
}

/// Why the switch did not do as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It says no.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// More requests wait for it than may.
    #[error("the switch is busy; ask again")]
    Busy,
    /// It did not answer in time, and may do it yet.
    #[error("the switch has not answered in time")]
    Late,
    /// It has stopped.
    #[error("the switch has stopped")]
    Gone,
}

/// Requests that wait for the driver: some milliseconds of work.
const WAITING: usize = 256;
/// The switch answers within a millisecond, or something is very wrong.
const PATIENCE: Duration = Duration::from_secs(5);

impl Line {
    /// A line and its ends.
    #[must_use]
    pub fn new() -> (Self, LineEnds) {
        let (requests, asked) = mpsc::channel(WAITING);
        let (changes, changed) = mpsc::channel(WAITING);
        let ends = LineEnds {
            requests: asked,
            changes: changed,
        };
        (Self { requests, changes }, ends)
    }

    /// Asks the switch and waits for its answer.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub async fn ask(&self, control: Control) -> Result<Controlled, LineError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .try_send(Asked { control, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => LineError::Busy,
                mpsc::error::TrySendError::Closed(_) => LineError::Gone,
            })?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(_)) => Err(LineError::Gone),
            Err(_) => Err(LineError::Late),
        }
    }

    /// Says that what is configured has changed, and waits until the next request to the switch meets it.
    ///
    /// # Errors
    /// Nobody answers; the change is kept, and will be seen.
    pub async fn configure(&self) -> Result<(), LineError> {
        let (reply, done) = oneshot::channel();
        let sent = tokio::time::timeout(PATIENCE, self.changes.send(reply)).await;
        sent.map_err(|_| LineError::Busy)?
            .map_err(|_| LineError::Gone)?;
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(LineError::Gone),
            Err(_) => Err(LineError::Late),
        }
    }

    /// Claims that somebody is at the other end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

/// Where the driver hands in its news; never full, so that nothing is lost, and counted, so that the switch
/// takes no more calls when nobody keeps up.
#[derive(Clone, Debug)]
pub struct NewsSender {
    news: mpsc::UnboundedSender<News>,
    waiting: Arc<AtomicUsize>,
}

/// Where the desk takes the news from.
#[derive(Debug)]
pub struct NewsReceiver {
    news: mpsc::UnboundedReceiver<News>,
    waiting: Arc<AtomicUsize>,
}

/// The queue from the driver to the desk.
#[must_use]
pub fn news() -> (NewsSender, NewsReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = NewsSender {
        news: sender,
        waiting: Arc::clone(&waiting),
    };
    let receiver = NewsReceiver {
        news: receiver,
        waiting,
    };
    (sender, receiver)
}

impl NewsSender {
    /// Hands one in; lost only when the desk has stopped.
    pub fn tell(&self, news: News) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.news.send(news).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl NewsReceiver {
    /// The next; `None` when the driver is gone.
    pub async fn next(&mut self) -> Option<News> {
        let news = self.news.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(news)
    }
}
