//! Mail over SMTP (RFC 5321), plain text with recordings attached.
//!
//! Every header is written by the mail library from typed values, and control characters are taken out
//! before: no text of a flow can begin a header of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::address::AddressError;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;
use tokio::sync::Semaphore;

use crate::flow;
use crate::switch::{Mail, OutsideAnswer, OutsideFailure};

/// Which mail server, and in whose name.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    /// `smtp://user:password@host:587` (STARTTLS) or `smtps://…` (TLS from the start).
    ///
    /// `smtp:` insists on TLS where there is a password and the host is not this machine, and takes it
    /// where it is offered otherwise; `?tls=required`, `?tls=opportunistic` and `?tls=none` decide it.
    pub url: String,
    /// `switch@example.com`, or `Switch <switch@example.com>`.
    pub from: String,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpConfig {{ from: {:?} }}", self.from)
    }
}

/// Why the settings of the mail server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// Not a URL of a mail server.
    #[error("smtp.url: expected smtp://user:password@host:587 or smtps://…")]
    Url,
    /// Not a mail address.
    #[error("smtp.from: {0}")]
    From(AddressError),
}

/// The client of one mail server.
#[derive(Debug)]
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    places: Semaphore,
}

/// From taking a mail to its acceptance.
const PATIENCE: Duration = Duration::from_secs(60);
/// One command of SMTP.
const COMMAND: Duration = Duration::from_secs(20);
/// Mails under way: with their attachments in memory, each about three times.
const CONCURRENT: usize = 4;
/// Octets of all attachments of a mail; few servers take more than 25 megabytes of what base64 makes of it.
const ATTACHMENTS: u64 = 16 << 20;
/// To whom one mail may go.
const DESTINATIONS: usize = 100;

impl Mailer {
    pub(super) fn new(config: &SmtpConfig) -> Result<Self, SmtpError> {
        let url = with_tls(&config.url).ok_or(SmtpError::Url)?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|_| SmtpError::Url)?
            .timeout(Some(COMMAND))
            .pool_config(PoolConfig::new().max_size(CONCURRENT as u32))
            .build();
        Ok(Self {
            transport,
            from: config.from.parse().map_err(SmtpError::From)?,
            places: Semaphore::new(CONCURRENT),
        })
    }

    /// Sends one mail; done when the server has taken it.
    pub(super) async fn send(&self, mail: Mail) -> Result<OutsideAnswer, OutsideFailure> {
        let sending = async {
            let _place = self.places.acquire().await;
            let message = self.write(mail).await?;
            self.transport.send(message).await.map_err(|error| {
                tracing::warn!(%error, "mail not sent");
                if error.is_permanent() {
                    OutsideFailure::Refused
                } else {
                    OutsideFailure::Unavailable
                }
            })
        };
        match tokio::time::timeout(PATIENCE, sending).await {
            Ok(sent) => sent.map(|_| OutsideAnswer::Done),
            Err(_) => {
                tracing::warn!("mail not sent: the server took too long");
                Err(OutsideFailure::Unavailable)
            }
        }
    }

    async fn write(&self, mail: Mail) -> Result<Message, OutsideFailure> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(one_line(&mail.subject));
        if mail.destinations.len() > DESTINATIONS {
            tracing::warn!(limit = DESTINATIONS, "mail has too many destinations");
            return Err(OutsideFailure::Refused);
        }
        for destination in &mail.destinations {
            message = message.to(mailbox(destination)?);
        }
        let text = SinglePart::plain(mail.content);
        let attachments = attachments(&mail.attachments).await;
        let written = if attachments.is_empty() {
            message.singlepart(text)
        } else {
            let whole = MultiPart::mixed().singlepart(text);
            message.multipart(attachments.into_iter().fold(whole, MultiPart::singlepart))
        };
        written.map_err(|error| {
            tracing::warn!(%error, "mail cannot be written");
            OutsideFailure::Refused
        })
    }
}

fn mailbox(destination: &flow::Address) -> Result<Mailbox, OutsideFailure> {
    let address: Address = destination.target.parse().map_err(|error| {
        tracing::warn!(%error, "mail has a destination that is no address");
        OutsideFailure::Refused
    })?;
    let name = one_line(&destination.target_name);
    Ok(Mailbox::new(
        Some(name).filter(|name| !name.is_empty()),
        address,
    ))
}

/// Those that can be read and fit; a mail without its recording tells more than none.
async fn attachments(files: &[PathBuf]) -> Vec<SinglePart> {
    let mut parts = Vec::new();
    let mut room = ATTACHMENTS;
    for file in files {
        match read(file, room).await {
            Ok(content) => {
                room -= content.len() as u64;
                let kind = ContentType::parse("audio/wav").expect("it is a content type");
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                parts.push(Attachment::new(name.into_owned()).body(content, kind));
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "left out of the mail");
            }
        }
    }
    parts
}

async fn read(file: &Path, room: u64) -> std::io::Result<Vec<u8>> {
    if tokio::fs::metadata(file).await?.len() > room {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    tokio::fs::read(file).await
}

fn one_line(text: &str) -> String {
    let space = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(space).collect()
}

/// Writes into `url` whether TLS is insisted on, where it does not say so itself.
fn with_tls(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    match url.scheme() {
        "smtps" => {}
        "smtp" if url.query().is_some() => {}
        "smtp" => {
            let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
            let is_secret = url.password().is_some() && !is_here;
            let tls = if is_secret {
                "required"
            } else {
                "opportunistic"
            };
            url.query_pairs_mut().append_pair("tls", tls);
        }
        _ => return None,
    }
    Some(url)
}

#[cfg(test)]
mod tests;
