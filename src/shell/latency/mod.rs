//! `flowswitch bench latency`: calls somebody who sends back what it hears, and tells how long that takes.
//!
//! ```text
//!   phone --- INVITE, ACK, BYE ------------------> any SIP server
//!   stream -- noise, a packet each 20 ms --------> its media path --.
//!          <------------ as it was, or cut and coded anew ----------'
//!   found: which is which --> figures --> report
//! ```
//!
//! The peer is ours or anybody's: all it needs is a user whose call is echoed. A packet counts from just before
//! it is handed to the kernel until the kernel has received what came back (`SO_TIMESTAMPNS`), so that how soon
//! this program is woken counts for nothing.

mod figures;
mod found;
mod noise;
mod phone;
mod report;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowswitch_media::codec::G711;

use self::figures::Figures;
use self::phone::{Answered, News, Party, Phone, Setup};
use self::stream::{PTIME, Stream, wall};
use crate::ids::Rng;
use crate::sip::NoAnswer;
use crate::sip::message::{Host, Status, Uri};

/// Options of `flowswitch bench latency`.
#[derive(Clone, Debug, clap::Args)]
pub struct LatencyOptions {
    /// The SIP server, over UDP; without a port 5060
    #[arg(long, value_name = "HOST:PORT")]
    pub target: String,
    /// Who is called: it has to send back what it hears
    #[arg(long, value_name = "USER")]
    pub user: String,
    /// For how many seconds packets are sent
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub secs: u64,
    /// Who calls; also the name that goes with the password
    #[arg(long, value_name = "USER", default_value = "flowswitch")]
    pub from: String,
    /// For a server that asks for proof (digest)
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "FLOWSWITCH_BENCH_PASSWORD",
        hide_env_values = true
    )]
    pub password: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// Why there are no figures; one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LatencyError {
    /// The target is no place.
    #[error("--target {target}: expected HOST or HOST:PORT, such as 127.0.0.1:5060")]
    Target {
        /// As it was given.
        target: String,
    },
    /// The user cannot stand in a SIP address.
    #[error("there is no SIP address of user {user:?}")]
    User {
        /// As it was given.
        user: String,
    },
    /// The host has no address.
    #[error("cannot find {target}: {error}")]
    Unknown {
        /// As it was given.
        target: String,
        /// What the system says.
        error: io::Error,
    },
    /// UDP does not work here, or the figures cannot be printed.
    #[error("cannot go on: {0}")]
    Io(#[from] io::Error),
    /// The port is closed.
    #[error(
        "nobody listens at UDP {target}: does the server run, and is this the port of its SIP?"
    )]
    Closed {
        /// Where the call went.
        target: SocketAddr,
    },
    /// The server says nothing, or nothing final.
    #[error("{why} from {target}: is it a SIP server, and may this host call it?")]
    NoAnswer {
        /// Where the call went.
        target: SocketAddr,
        /// What is missing.
        why: NoAnswer,
    },
    /// It rang for too long; the call was canceled.
    #[error("{user} did not pick up within {} s", patience.as_secs())]
    NotPickedUp {
        /// Who was called.
        user: String,
        /// How long it rang.
        patience: Duration,
    },
    /// The call was refused.
    #[error("{target} refused the call to {user}: {} {reason}{}", status.code(), hint(*status))]
    Refused {
        /// Where the call went.
        target: SocketAddr,
        /// Who was called.
        user: String,
        /// The final response.
        status: Status,
        /// Its words.
        reason: String,
    },
    /// The call was answered without a stream that we can use.
    #[error("{target} answered without G.711 audio over plain RTP, which was offered")]
    NoAudio {
        /// Where the call went.
        target: SocketAddr,
    },
    /// Nothing came.
    #[error(
        "{sent} packets went to {remote} and none came to {local}: {user} has to send back what it hears, \
         and UDP between the two has to be open"
    )]
    NoMedia {
        /// Who was called.
        user: String,
        /// Packets that went out.
        sent: usize,
        /// Where to.
        remote: SocketAddr,
        /// Where they were expected back.
        local: SocketAddr,
    },
    /// What came is not what was sent.
    #[error(
        "{heard} packets came, but the sound in none is what was sent: {user} has to send back what it hears"
    )]
    NoEcho {
        /// Who was called.
        user: String,
        /// Packets that came.
        heard: usize,
    },
    /// Ctrl-C before the answer; the call was canceled.
    #[error("interrupted before the call was answered")]
    Interrupted,
}

/// What came of one call.
#[derive(Debug)]
struct Measured {
    target: SocketAddr,
    user: String,
    law: G711,
    setup: Setup,
    /// For how long packets were sent.
    lasted: Duration,
    ending: Ending,
    figures: Figures,
}

/// Why no more packets were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The time was over.
    Whole,
    /// The peer hung up before.
    HungUp,
    /// Ctrl-C.
    Interrupted,
}

/// Calls, measures, hangs up and prints. Ctrl-C ends the measuring; what was measured until then is printed.
///
/// # Errors
/// There is nothing to print; the error says why.
pub fn run(options: &LatencyOptions, out: &mut impl Write) -> Result<(), LatencyError> {
    let is_stopped = stop_on_interrupt()?;
    let measured = measure(options, &is_stopped)?;
    if options.json {
        report::print_json(&measured, out)?;
    } else {
        report::print_table(&measured, out)?;
    }
    Ok(())
}

fn measure(options: &LatencyOptions, is_stopped: &AtomicBool) -> Result<Measured, LatencyError> {
    let party = party(options)?;
    let (target, user) = (party.target, party.user.clone());
    let mut rng = Rng::new(rand::random());
    let ssrc = rng.next_u32();
    let mut phone = Phone::new(party, rng)?;
    let mut stream = Stream::bind(phone.address(), ssrc)?;
    let answered = phone.call(stream.local().port(), is_stopped)?;
    let length = Duration::from_secs(options.secs);
    let began = Instant::now();
    let ending = talk(&mut phone, &mut stream, answered, length, is_stopped);
    let lasted = began.elapsed();
    if stream.heard() > 0 {
        await_rest(&mut stream);
    }
    phone.hang_up();
    if stream.heard() == 0 {
        return Err(LatencyError::NoMedia {
            user,
            sent: stream.sent(),
            remote: answered.remote,
            local: stream.local(),
        });
    }
    let figures = stream.figures(answered.law);
    if figures.round_trip.is_empty() {
        let heard = stream.heard();
        return Err(LatencyError::NoEcho { user, heard });
    }
    Ok(Measured {
        target,
        user,
        law: answered.law,
        setup: answered.setup,
        lasted,
        ending,
        figures,
    })
}

/// Sends a packet each 20 ms and takes what comes, until the time is over or something ends it.
fn talk(
    phone: &mut Phone,
    stream: &mut Stream,
    answered: Answered,
    length: Duration,
    is_stopped: &AtomicBool,
) -> Ending {
    let mut remote = answered.remote;
    let began = Instant::now();
    for packet in 0.. {
        let due = PTIME * packet;
        thread::sleep((began + due).saturating_duration_since(Instant::now()));
        if is_stopped.load(Ordering::Relaxed) {
            return Ending::Interrupted;
        }
        // A way that is closed stays so.
        if due >= length || (due > OPENING && stream.heard() == 0) {
            break;
        }
        stream.send(remote, answered.law);
        stream.receive();
        match phone.listen() {
            Some(News::Moved(to)) => remote = to,
            Some(News::Ended) => return Ending::HungUp,
            None => {}
        }
    }
    Ending::Whole
}

/// Takes what is still on its way: until nothing has come for a moment.
fn await_rest(stream: &mut Stream) {
    let began = Instant::now();
    while began.elapsed() < LONGEST_REST {
        thread::sleep(PTIME);
        stream.receive();
        let last = stream.last_heard().unwrap_or_default();
        if began.elapsed() > REST && wall().saturating_sub(last) > REST {
            return;
        }
    }
}

fn party(options: &LatencyOptions) -> Result<Party, LatencyError> {
    let text = &options.target;
    let wrong = || LatencyError::Target {
        target: text.clone(),
    };
    let Ok(Uri::Sip(uri)) = Uri::parse(format!("sip:{text}").as_bytes()) else {
        return Err(wrong());
    };
    if uri.user.is_some() || !uri.params.is_empty() || !uri.headers.is_empty() {
        return Err(wrong());
    }
    for user in [&options.user, &options.from] {
        if user.is_empty() {
            let user = user.clone();
            return Err(LatencyError::User { user });
        }
    }
    let port = uri.port.unwrap_or(SIP_PORT);
    let target = match &uri.host {
        Host::Ip(ip) => SocketAddr::new(*ip, port),
        Host::Name(name) => (name.as_str(), port)
            .to_socket_addrs()
            .and_then(|mut found| found.next().ok_or(io::ErrorKind::NotFound.into()))
            .map_err(|error| LatencyError::Unknown {
                target: text.clone(),
                error,
            })?,
    };
    Ok(Party {
        host: uri.host,
        target,
        user: options.user.clone(),
        from: options.from.clone(),
        password: options.password.clone(),
    })
}

/// Becomes true at Ctrl-C.
fn stop_on_interrupt() -> io::Result<Arc<AtomicBool>> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_stopped);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let interrupted = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
    };
    thread::spawn(move || {
        let mut interrupted = interrupted;
        runtime.block_on(interrupted.recv());
        seen.store(true, Ordering::Relaxed);
    });
    Ok(is_stopped)
}

/// What an operator can do about a refusal; empty where the status says it all.
const fn hint(status: Status) -> &'static str {
    match status.code() {
        401 | 403 | 407 => {
            "; it wants --from and --password of an account, or does not let this host call"
        }
        404 | 480 => "; is there such a user?",
        488 | 606 => "; G.711 over plain RTP was offered",
        _ => "",
    }
}

const SIP_PORT: u16 = 5060;
/// How long a media path may take to open.
const OPENING: Duration = Duration::from_secs(3);
/// For how long nothing comes when all has come.
const REST: Duration = Duration::from_millis(300);
/// A peer that sends of itself does not stop when we do.
const LONGEST_REST: Duration = Duration::from_secs(3);
