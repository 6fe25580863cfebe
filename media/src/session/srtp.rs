//! The packets of one session, protected: keys for both ways, and what happens when they change.
//!
//! After another offer and answer the peer may still send under its old key, and packets under both may
//! overtake each other. The old one is given up once the new one has opened [`SETTLED`] packets.

use crate::command::SrtpConfig;
use crate::rtp::{Protector, SrtpError, Ssrc, Unprotector};

/// A second and a half of a peer's packets.
const SETTLED: u32 = 75;

/// Both ways of a protected session.
#[derive(Debug)]
pub(super) struct Srtp {
    config: SrtpConfig,
    send: Protector,
    receive: Unprotector,
    /// What the peer sent under before, and packets that were opened by its new key since.
    earlier: Option<(Unprotector, u32)>,
}

/// On which of two ways a packet comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

impl Kind {
    pub(super) const fn of(is_rtcp: bool) -> Self {
        if is_rtcp { Self::Rtcp } else { Self::Rtp }
    }
}

impl Srtp {
    /// Begins under these keys; `ssrc` is ours.
    pub(super) fn new(config: &SrtpConfig, ssrc: Ssrc) -> Self {
        Self {
            config: config.clone(),
            send: Protector::new(&config.send, ssrc),
            receive: Unprotector::new(&config.receive),
            earlier: None,
        }
    }

    /// Goes on under these keys; one that stays the same keeps its numbers.
    pub(super) fn rekey(&mut self, config: &SrtpConfig, ssrc: Ssrc) {
        if self.config.send != config.send {
            self.send = Protector::new(&config.send, ssrc);
        }
        if self.config.receive != config.receive {
            let receive = Unprotector::new(&config.receive);
            let old = std::mem::replace(&mut self.receive, receive);
            self.earlier = Some((old, 0));
        }
        self.config = config.clone();
    }

    /// Opens a datagram into `plain`; `None` when it is not the peer's, or was here before.
    pub(super) fn open<'a>(
        &mut self,
        kind: Kind,
        datagram: &[u8],
        plain: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        plain.clear();
        plain.extend_from_slice(datagram);
        let len = match (open(&mut self.receive, kind, plain), &mut self.earlier) {
            (Err(SrtpError::Unauthentic), Some((earlier, _))) => open(earlier, kind, plain),
            (Ok(len), Some((_, SETTLED..))) => {
                self.earlier = None;
                Ok(len)
            }
            (Ok(len), Some((_, opened))) => {
                *opened += 1;
                Ok(len)
            }
            (opened, _) => opened,
        };
        let len = len.ok()?;
        plain.get(..len)
    }

    /// Seals the packet that begins at `begin` and ends the buffer; `false`: it must not be sent.
    pub(super) fn seal(&mut self, kind: Kind, bytes: &mut Vec<u8>, begin: usize) -> bool {
        let sealed = match kind {
            Kind::Rtp => self.send.protect_rtp(bytes, begin),
            Kind::Rtcp => self.send.protect_rtcp(bytes, begin),
        };
        sealed.is_ok()
    }
}

fn open(receive: &mut Unprotector, kind: Kind, packet: &mut [u8]) -> Result<usize, SrtpError> {
    match kind {
        Kind::Rtp => receive.unprotect_rtp(packet),
        Kind::Rtcp => receive.unprotect_rtcp(packet),
    }
}
