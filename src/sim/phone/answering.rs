//! What a telephone makes of the messages that come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::codec::Codec;

use super::{AckBody, Offer, Phone, PhoneState};
use crate::sdp::{Connection, SessionDescription};
use crate::sip::message::{Contacts, HeaderName, Method, Request, Response, Status};

impl Phone {
    pub(super) fn handle_response(&mut self, now: Instant, response: &Response) {
        let cseq = response.headers.cseq().expect("every response has one");
        for pending in &mut self.pending {
            let is_it = pending.cseq == cseq.number && pending.method == cseq.method;
            if is_it && pending.method == Method::Invite && !response.status.is_final() {
                // An early dialog may last; the caller decides.
                pending.resend_at = None;
                pending.give_up_at = now + Duration::from_secs(3600);
            }
        }
        if response.status.is_final() {
            self.pending
                .retain(|pending| pending.cseq != cseq.number || pending.method != cseq.method);
        }
        let is_ours = response
            .headers
            .call_id()
            .is_ok_and(|id| id.as_ref() == self.call_id.as_bytes());
        if !is_ours {
            return;
        }
        match cseq.method {
            Method::Invite => self.handle_invite_response(now, cseq.number, response),
            Method::Register if response.status == Status::UNAUTHORIZED => {
                if let Some(credentials) = self.prove(Method::Register, response) {
                    let headers = format!("{}{credentials}", self.asked);
                    self.request(now, Method::Register, &headers, "");
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_invite_response(&mut self, now: Instant, cseq: u32, response: &Response) {
        if let Some(tag) = response
            .headers
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned))
            && (response.status.is_success() || !response.status.is_final())
        {
            self.to_tag = tag;
        }
        if !response.status.is_final() {
            self.listen_to(response);
            return;
        }
        if !response.status.is_success() {
            return self.handle_refused(now, cseq, response);
        }
        if let Ok(Contacts::List(contacts)) = response.headers.contacts()
            && let Some(contact) = contacts.first()
        {
            self.target = contact.uri.to_string();
        }
        self.listen_to(response);
        let was = self.state;
        if cseq == self.invite && matches!(was, PhoneState::Calling { .. }) {
            self.state = PhoneState::Answered;
        }
        if self.habits.acks {
            let ack = self.ack(cseq);
            self.out.push_back(ack);
        }
        if was == (PhoneState::Calling { gave_up: true }) {
            self.hang_up(now);
        }
    }

    pub(super) fn handle_refused(&mut self, now: Instant, cseq: u32, response: &Response) {
        let branch = self.branches[&cseq].clone();
        let to = response
            .headers
            .get(&HeaderName::To)
            .cloned()
            .unwrap_or_default();
        let ack = self.write_to(
            "ACK",
            &self.dialled,
            cseq,
            &branch,
            &String::from_utf8_lossy(&to),
            "",
            "",
        );
        self.out.push_back(ack.into());
        if cseq != self.invite || !matches!(self.state, PhoneState::Calling { .. }) {
            return;
        }
        if response.status == Status::UNAUTHORIZED
            && self.nonce_count == 0
            && let Some(credentials) = self.prove(Method::Invite, response)
        {
            return self.send_invite(now, &credentials);
        }
        self.state = PhoneState::Over { by_switch: true };
        self.voice.fall_silent();
    }

    /// The ACK of a 200, the same each time.
    pub(super) fn ack(&mut self, cseq: u32) -> Bytes {
        if let Some(ack) = self.acks.get(&cseq) {
            return ack.clone();
        }
        let body = match (self.habits.offer, self.habits.ack_body) {
            (Offer::None, AckBody::Answer) => self.description(),
            (Offer::None, AckBody::Foreign) => self.describe("18", "a=rtpmap:18 G729/8000\r\n"),
            (Offer::None, AckBody::Garbage) => "v=1\r\nnonsense".to_owned(),
            _ => String::new(),
        };
        let branch = format!("z9hG4bK{}", self.rng.token(12));
        let ack = Bytes::from(self.write("ACK", cseq, &branch, "", &body));
        self.acks.insert(cseq, ack.clone());
        ack
    }

    /// Takes address, codec and event type from a description of the switch.
    pub(super) fn listen_to(&mut self, response: &Response) {
        if response.body.is_empty() {
            return;
        }
        let sdp = SessionDescription::parse(&response.body).expect("the switch writes SDP");
        let media = sdp.media.first().expect("with one stream");
        if let Some(Connection::Address(address)) = sdp.connection {
            self.voice.remote = Some(SocketAddr::new(address, media.port));
        }
        self.voice.codec = media
            .formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .find_map(Codec::from_static_payload_type)
            .expect("a codec of ours");
        self.voice.event_type = media
            .formats
            .iter()
            .any(|format| format == "101")
            .then_some(101);
    }

    pub(super) fn handle_request(&mut self, request: &Request) {
        if !self.habits.answers {
            return;
        }
        let is_known = request
            .headers
            .call_id()
            .is_ok_and(|id| id.as_ref() == self.call_id.as_bytes());
        let status = if is_known {
            Status::OK
        } else {
            Status::CALL_DOES_NOT_EXIST
        };
        let mut response = Response::to(request, status);
        match request.method {
            Method::Ack => return,
            Method::Bye if is_known => {
                if self.state == PhoneState::Answered {
                    self.state = PhoneState::Over { by_switch: true };
                }
                self.voice.fall_silent();
            }
            Method::Invite if is_known => {
                response
                    .headers
                    .push(HeaderName::ContentType, "application/sdp");
                response.headers.push(HeaderName::Contact, self.contact());
                response.body = self.description().into();
            }
            _ => {}
        }
        self.out.push_back(response.to_bytes());
    }
}
