//! What a telephone makes of the requests that come, beside the INVITE of a call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::line::{Line, Resend, Served};
use super::{Offer, Phone, PhoneState, T1, T2};
use crate::sdp::SessionDescription;
use crate::sip::message::{Contacts, Method, Request};

/// What is said to a request: status, headers, body.
type Verdict = (u16, String, String);

impl Phone {
    pub(super) fn handle_request(&mut self, now: Instant, from: SocketAddr, request: Request) {
        if !self.habits.answers {
            return;
        }
        let branch = request.headers.top_via();
        let branch = branch.ok().and_then(|via| via.branch().map(str::to_owned));
        let branch = branch.expect("every request has one");
        let to = request.headers.to().expect("every request has one");
        if let Some(tag) = to.tag() {
            let call_id = request.headers.call_id().expect("every request has one");
            let call_id = String::from_utf8_lossy(call_id).into_owned();
            if let Some(id) = self.dialogs.get(&(call_id, tag.to_owned())).copied() {
                self.with(id, |phone, line| {
                    phone.handle_within(now, line, from, &branch, &request);
                });
                return;
            }
        }
        let has_tag = to.tag().is_some();
        match request.method {
            Method::Ack => {}
            Method::Invite if !has_tag => self.handle_called(now, from, branch, Arc::new(request)),
            Method::Cancel => self.handle_cancel(now, from, &branch, &request),
            _ => {
                let status = match request.method {
                    _ if has_tag => 481,
                    Method::Options => self.habits.asked,
                    Method::Message => self.habits.messaged,
                    Method::Register => self.habits.registered.0,
                    Method::Notify | Method::Info | Method::Update | Method::Bye => 481,
                    _ => 405,
                };
                let asked = match request.method {
                    Method::Options => None,
                    _ => self.challenge(&request, false),
                };
                let (status, headers) = match asked.filter(|_| status < 300) {
                    Some((status, headers)) => (status, headers),
                    None if request.method == Method::Register => {
                        (status, self.habits.registered.1.clone())
                    }
                    None => (status, String::new()),
                };
                let reply = self.reply(&request, status, &self.tag, &headers, "");
                self.out.push_back((from, reply));
            }
        }
    }

    fn handle_within(
        &mut self,
        now: Instant,
        line: &mut Line,
        from: SocketAddr,
        branch: &str,
        request: &Request,
    ) {
        if request.method == Method::Ack {
            return self.handle_ack(now, line, branch, request);
        }
        let known = line
            .served
            .iter()
            .find(|served| served.branch == branch && served.method == request.method);
        if let Some(served) = known {
            self.out.push_back((from, served.response.clone()));
            return;
        }
        let (status, headers, body) = self.judge(now, line, request);
        let response = self.reply(request, status, "", &headers, &body);
        self.out.push_back((from, response.clone()));
        if request.method == Method::Invite {
            let cseq = request.headers.cseq().expect("every request has one");
            let longest = T2;
            let is_needed = status < 300 || !self.is_stream();
            let resend = Resend::new(now, response.clone(), is_needed, longest);
            line.unacked = Some((cseq.number, resend));
        }
        line.served.push(Served {
            branch: branch.to_owned(),
            method: request.method.clone(),
            response,
            until: now + 64 * T1,
        });
    }

    /// Does what a request within the call asks, and says what is answered.
    fn judge(&mut self, now: Instant, line: &mut Line, request: &Request) -> Verdict {
        let plain = |status: u16| (status, String::new(), String::new());
        let is_guarded = matches!(
            request.method,
            Method::Bye | Method::Invite | Method::Update | Method::Refer
        );
        if is_guarded && let Some((status, headers)) = self.challenge(request, true) {
            return (status, headers, String::new());
        }
        match request.method {
            Method::Bye => {
                if line.state == PhoneState::Called {
                    self.refuse(now, line, 487, "");
                }
                if line.is_living() || line.state == (PhoneState::Over { by_switch: false }) {
                    line.state = match line.state {
                        PhoneState::Over { .. } => line.state,
                        _ => PhoneState::Over { by_switch: true },
                    };
                }
                line.session = None;
                line.retry_at = None;
                plain(200)
            }
            Method::Invite | Method::Update if !line.is_living() => plain(481),
            Method::Invite | Method::Update if line.is_offering() => plain(491),
            Method::Invite if line.unacked.is_some() => plain(491),
            Method::Invite | Method::Update if self.habits.offered != 200 => {
                plain(self.habits.offered)
            }
            Method::Invite | Method::Update => self.answer_offer(now, line, request),
            Method::Prack => plain(Self::handle_prack(line, request)),
            Method::Message => plain(self.habits.messaged),
            Method::Info | Method::Options | Method::Notify | Method::Cancel => plain(200),
            _ => plain(501),
        }
    }

    fn answer_offer(&mut self, now: Instant, line: &mut Line, request: &Request) -> Verdict {
        if let Ok(Contacts::List(contacts)) = request.headers.contacts()
            && let Some(contact) = contacts.first()
        {
            line.target = contact.uri.to_string();
        }
        let body = if !request.body.is_empty() {
            let offer = SessionDescription::parse(&request.body).expect("the switch writes SDP");
            let body = self.answer_of(line, &offer);
            if !matches!(self.habits.offer, Offer::Foreign | Offer::Broken) {
                self.listen_to(now, line, &request.body);
            }
            body
        } else if request.method == Method::Invite {
            self.offer_of(line)
        } else {
            String::new()
        };
        let timer = self.refreshed(now, line, request);
        let headers = format!("Contact: {}\r\n{timer}", self.contact());
        (200, headers, body)
    }

    fn handle_ack(&mut self, now: Instant, line: &mut Line, branch: &str, request: &Request) {
        let cseq = request.headers.cseq().expect("every request has one");
        if line
            .unacked
            .as_ref()
            .is_some_and(|(number, _)| *number == cseq.number)
        {
            line.unacked = None;
            if line.is_living() {
                self.listen_to(now, line, &request.body);
            }
        }
        self.handle_arrival_ack(now, line, branch, cseq.number, request);
    }
}
