//! What the protocols over a stream have in common: somebody who reads, somebody who writes, and between them
//! what is heard and said.
//!
//! ```text
//!   engine == ticks ==> [ converse ] -- Outgoing, 64 --> writer --> host
//!   engine <-- sound -- [  speech  ] <-- Incoming, 16 -- reader <-- host
//! ```
//!
//! The reader waits when it is too far ahead, and so does the host then. For the writer nobody waits: a host
//! that takes nothing loses sound, and after a while its connection.

use std::pin::pin;
use std::time::Duration;

use flowswitch_media::frame::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::End;
use super::link::{Happening, Link};
use super::speech::{Mark, Speech};

/// How long a host may take nothing.
pub(super) const STALL: Duration = Duration::from_secs(5);

/// How long the end may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a host says.
#[derive(Debug)]
pub(super) enum Incoming {
    Sound(Vec<i16>),
    Mark(String),
    Clear,
}

/// What a host is told.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are sound")]
#[derive(Debug)]
pub(super) enum Outgoing {
    Sound(Frame),
    Digit(char),
    Mark(Mark),
}

/// Lets a host hear and speak until one side wants no more.
pub(super) async fn carry<R, W>(
    link: &mut Link,
    reader: impl FnOnce(Sender<Incoming>) -> R,
    writer: impl FnOnce(Receiver<Outgoing>) -> W,
) -> End
where
    R: Future<Output = End>,
    W: Future<Output = End>,
{
    let (said, incoming) = channel(16);
    let (outgoing, told) = channel(64);
    let mut reading = pin!(reader(said));
    let mut writing = pin!(writer(told));
    let mut conversing = pin!(converse(link, incoming, outgoing));
    let mut read_to = None;
    let mut is_writing = true;
    let end = loop {
        tokio::select! {
            end = &mut conversing => break end,
            end = &mut reading, if read_to.is_none() => read_to = Some(end),
            end = &mut writing, if is_writing => {
                is_writing = false;
                // What it has said before it went is heard.
                if read_to.is_none() {
                    break end;
                }
            }
        }
    };
    if end == End::Stopped && is_writing {
        // It need not take the goodbye.
        let _ = timeout(GOODBYE, writing).await;
    }
    match end {
        End::Closed => read_to.unwrap_or(end),
        _ => end,
    }
}

async fn converse(
    link: &mut Link,
    mut incoming: Receiver<Incoming>,
    outgoing: Sender<Outgoing>,
) -> End {
    let mut speech = Speech::default();
    let mut is_read = false;
    let mut dropped = 0;
    loop {
        tokio::select! {
            happening = link.next() => match happening {
                Happening::Tick(tick) => {
                    if let Some(frame) = tick.heard {
                        offer(link, &outgoing, Outgoing::Sound(frame));
                    }
                    speech.handle_gone(tick.gone);
                }
                Happening::Pressed(digit) => {
                    offer(link, &outgoing, Outgoing::Digit(digit.to_char()));
                }
                Happening::Over => return End::Stopped,
            },
            said = incoming.recv(), if !is_read => match said {
                Some(Incoming::Sound(samples)) => speech.push(&samples),
                Some(Incoming::Mark(name)) => speech.mark(name),
                Some(Incoming::Clear) => {
                    speech.clear();
                    if let Some(inlet) = link.inlet() {
                        inlet.clear();
                    }
                }
                None => is_read = true,
            },
        }
        if let Some(inlet) = link.inlet() {
            speech.pass_on(|samples| inlet.say(samples));
        }
        while let Some(mark) = speech.poll_mark() {
            offer(link, &outgoing, Outgoing::Mark(mark));
        }
        if speech.dropped() > dropped && dropped == 0 {
            tracing::warn!("external media: more sound comes than can wait");
        }
        dropped = speech.dropped();
        if is_read && speech.is_over() {
            return End::Closed;
        }
    }
}

/// Hands something to the writer, or drops it when that is too far behind.
fn offer(link: &mut Link, outgoing: &Sender<Outgoing>, what: Outgoing) {
    if outgoing.try_send(what).is_err() {
        link.drop_one();
    }
}
