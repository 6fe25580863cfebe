//! Requests of a telephone, and what it makes of the responses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::line::{Asked, Draft, Line, Resend, longest_gap};
use super::{AckBody, Offer, Phone, PhoneState, T1};
use crate::sip::message::{Contacts, HeaderName, Method, Response, Status};

/// An early dialog may last; the caller decides.
const RINGING: Duration = Duration::from_secs(3600);

impl Line {
    /// A request within the dialog.
    pub(super) fn draft(
        &self,
        method: Method,
        cseq: u32,
        branch: String,
        headers: &str,
        body: &str,
    ) -> Draft {
        Draft {
            method,
            uri: self.target.clone(),
            to: self.remote_with_tag(),
            cseq,
            branch,
            headers: headers.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Phone {
    /// Sends a request within the dialog.
    pub(super) fn ask_on(
        &mut self,
        now: Instant,
        line: &mut Line,
        method: Method,
        headers: &str,
        body: &str,
    ) {
        line.cseq += 1;
        let branch = self.new_branch();
        let draft = line.draft(method, line.cseq, branch, headers, body);
        self.begin(now, line, draft, 0);
    }

    /// Asks outside of any call, at a URI and with a To.
    pub(super) fn ask_at(
        &mut self,
        now: Instant,
        method: Method,
        (uri, to): (&str, &str),
        headers: &str,
        body: &str,
    ) {
        let names = [
            self.rng.token(20),
            self.rng.token(8),
            self.own_address(),
            to.to_owned(),
        ];
        let mut line = self.new_line(now, names, self.proxy);
        uri.clone_into(&mut line.target);
        let id = self.put(line);
        self.with(id, |phone, line| {
            phone.ask_on(now, line, method, headers, body);
        });
    }

    /// Sends the first INVITE of a call.
    pub(super) fn invite(&mut self, now: Instant, line: &mut Line, headers: &str) {
        let reliable = match self.habits.takes_reliable {
            true => "Supported: 100rel\r\n",
            false => "",
        };
        let updates = match self.habits.takes_updates {
            true => "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n",
            false => "",
        };
        let headers = format!("{headers}{reliable}{updates}");
        self.send_offer(now, line, &headers);
    }

    /// Sends a re-INVITE.
    pub(super) fn offer_again(&mut self, now: Instant, line: &mut Line, headers: &str) {
        line.retry_at = None;
        self.send_offer(now, line, headers);
    }

    fn send_offer(&mut self, now: Instant, line: &mut Line, headers: &str) {
        let body = match self.habits.offer {
            Offer::None => String::new(),
            _ => self.offer_of(line),
        };
        self.ask_on(now, line, Method::Invite, headers, &body);
        line.invite = line.cseq;
    }

    /// Sends a request and waits for its answer.
    pub(super) fn begin(&mut self, now: Instant, line: &mut Line, draft: Draft, proofs: u32) {
        let bytes = bytes::Bytes::from(self.write(line, &draft));
        self.out.push_back((line.to, bytes.clone()));
        let longest = longest_gap(&draft.method);
        line.asked.push(Asked {
            resend: Resend::new(now, bytes, !self.is_stream(), longest),
            draft,
            is_done: false,
            proofs,
        });
    }

    /// BYE; before the answer CANCEL, or 486 where it was called.
    pub(super) fn end(&mut self, now: Instant, line: &mut Line) {
        match line.state {
            PhoneState::Calling { .. } => {
                line.state = PhoneState::Calling { gave_up: true };
                self.cancel(now, line);
            }
            PhoneState::Called => self.refuse(now, line, 486, ""),
            PhoneState::Answered => self.say_bye(now, line),
            PhoneState::Idle | PhoneState::Over { .. } => {}
        }
    }

    fn cancel(&mut self, now: Instant, line: &mut Line) {
        let invite = line.asked.iter().rev();
        let mut invites = invite.filter(|asked| asked.draft.method == Method::Invite);
        let Some(invite) = invites.next() else { return };
        let mut draft = invite.draft.clone();
        draft.method = Method::Cancel;
        draft.headers.clear();
        draft.body.clear();
        self.begin(now, line, draft, 0);
    }

    // What comes back.

    pub(super) fn handle_response(&mut self, now: Instant, response: &Response) {
        let (Ok(call_id), Ok(from)) = (response.headers.call_id(), response.headers.from()) else {
            return;
        };
        let call_id = String::from_utf8_lossy(call_id).into_owned();
        let tag = from.tag().unwrap_or_default().to_owned();
        if let Some(id) = self.dialogs.get(&(call_id, tag)).copied() {
            self.with(id, |phone, line| phone.handle_answer(now, line, response));
        }
    }

    fn handle_answer(&mut self, now: Instant, line: &mut Line, response: &Response) {
        let cseq = response.headers.cseq().expect("every response has one");
        let via = response.headers.top_via().expect("every response has one");
        let is_it = |asked: &Asked| {
            Some(asked.draft.branch.as_str()) == via.branch() && asked.draft.method == cseq.method
        };
        let is_final = response.status.is_final();
        let Some(index) = line.asked.iter().position(is_it) else {
            if cseq.method == Method::Invite && response.status.is_success() {
                self.acknowledge(line, cseq.number);
            }
            return;
        };
        let was_done = line.asked[index].is_done;
        if cseq.method == Method::Invite {
            let asked = &mut line.asked[index];
            let until = if is_final { 64 * T1 } else { RINGING };
            if !was_done {
                asked.resend.rest(now + until);
            }
            asked.is_done |= is_final;
            return self.handle_invite_response(now, line, index, was_done, response);
        }
        if !is_final {
            return;
        }
        let asked = line.asked.swap_remove(index);
        self.prove(now, line, &asked.draft, asked.proofs, response);
    }

    fn handle_invite_response(
        &mut self,
        now: Instant,
        line: &mut Line,
        index: usize,
        was_done: bool,
        response: &Response,
    ) {
        let cseq = line.asked[index].draft.cseq;
        let is_first = matches!(line.state, PhoneState::Calling { .. }) && cseq == line.invite;
        if response.status.is_final() && !response.status.is_success() {
            return self.handle_refused(now, line, index, was_done, response);
        }
        let tag = response.headers.to().ok();
        let tag = tag.and_then(|to| to.tag().map(str::to_owned));
        if is_first {
            if let Some(tag) = tag {
                line.remote_tag = tag;
            }
            if let Ok(Contacts::List(contacts)) = response.headers.contacts()
                && let Some(contact) = contacts.first()
            {
                line.target = contact.uri.to_string();
            }
        } else if response.status.is_success() && tag.is_some_and(|tag| tag != line.remote_tag) {
            return self.decline_branch(now, line, index, response);
        }
        if !response.status.is_final() {
            if !was_done {
                self.listen_to(now, line, &response.body);
                self.acknowledge_provisional(now, line, cseq, response);
            }
            return;
        }
        if !was_done {
            self.listen_to(now, line, &response.body);
        }
        let was = line.state;
        if is_first {
            line.state = PhoneState::Answered;
            self.speak(now, line);
        }
        self.acknowledge(line, cseq);
        if was == (PhoneState::Calling { gave_up: true }) {
            self.end(now, line);
        }
    }

    /// Another branch has answered too: it is acknowledged and hung up (RFC 3261 §13.2.2.4).
    fn decline_branch(&mut self, now: Instant, line: &Line, index: usize, response: &Response) {
        let names = [
            line.call_id.clone(),
            line.local_tag.clone(),
            line.local.clone(),
            line.remote.clone(),
        ];
        let mut branch = self.new_line(now, names, line.to);
        let to = response.headers.to().expect("it has a tag");
        to.tag()
            .unwrap_or_default()
            .clone_into(&mut branch.remote_tag);
        branch.target.clone_from(&line.target);
        branch.rtp = line.rtp;
        branch.cseq = line.cseq;
        let cseq = line.asked[index].draft.cseq;
        self.acknowledge(&mut branch, cseq);
        let draft = branch.draft(Method::Bye, branch.cseq + 1, self.new_branch(), "", "");
        let bytes = self.write(&branch, &draft);
        // Its answer is not waited for: a branch that is declined has no line.
        self.out.push_back((branch.to, bytes.into()));
    }

    fn acknowledge_provisional(
        &mut self,
        now: Instant,
        line: &mut Line,
        invite: u32,
        response: &Response,
    ) {
        let Ok(Some(rseq)) = response.headers.rseq() else {
            return;
        };
        if line.rseq < rseq && self.habits.takes_reliable {
            line.rseq = rseq;
            let rack = format!("RAck: {rseq} {invite} INVITE\r\n");
            self.ask_on(now, line, Method::Prack, &rack, "");
        }
    }

    fn handle_refused(
        &mut self,
        now: Instant,
        line: &mut Line,
        index: usize,
        was_done: bool,
        response: &Response,
    ) {
        let asked = &line.asked[index];
        let (draft, proofs) = (asked.draft.clone(), asked.proofs);
        let to = response.headers.get(&HeaderName::To).cloned();
        let ack = Draft {
            method: Method::Ack,
            to: String::from_utf8_lossy(&to.unwrap_or_default()).into_owned(),
            headers: String::new(),
            body: String::new(),
            ..draft.clone()
        };
        let ack = self.write(line, &ack);
        self.out.push_back((line.to, ack.into()));
        if was_done || draft.cseq != line.invite {
            return;
        }
        let is_first = matches!(line.state, PhoneState::Calling { .. });
        if self.prove(now, line, &draft, proofs, response) {
            line.invite = line.cseq;
        } else if is_first {
            line.state = PhoneState::Over { by_switch: true };
        } else if response.status == Status::REQUEST_PENDING {
            // The caller waits longer than the called (RFC 3261 §14.1).
            let (least, spread) = match line.is_called() {
                true => (0, 200),
                false => (210, 190),
            };
            let chance = 10 * u64::from(least + self.rng.below(spread));
            line.retry_at = Some(now + Duration::from_millis(chance));
        }
    }

    /// Acknowledges a 2xx, the same each time.
    pub(super) fn acknowledge(&mut self, line: &mut Line, cseq: u32) {
        if !self.habits.acks {
            return;
        }
        let known = line.acks.iter().find(|(number, _)| *number == cseq);
        if let Some((_, ack)) = known {
            self.out.push_back((line.to, ack.clone()));
            return;
        }
        let body = match (self.habits.offer, self.habits.ack_body) {
            (Offer::None, AckBody::Answer) => self.offer_of(line),
            (Offer::None, AckBody::Foreign) => {
                self.describe(line, "18", "a=rtpmap:18 G729/8000\r\n", line.direction)
            }
            (Offer::None, AckBody::Garbage) => "v=1\r\nnonsense".to_owned(),
            _ => String::new(),
        };
        let draft = line.draft(Method::Ack, cseq, self.new_branch(), "", &body);
        let ack = bytes::Bytes::from(self.write(line, &draft));
        line.acks.push((cseq, ack.clone()));
        self.out.push_back((line.to, ack));
    }

    // Time.

    pub(super) fn handle_line_timeout(&mut self, now: Instant, line: &mut Line) {
        for asked in &mut line.asked {
            if let Some(bytes) = asked.resend.poll(now) {
                self.out.push_back((line.to, bytes));
            }
        }
        let mut is_hopeless = false;
        line.asked.retain(|asked| {
            let is_over = asked.resend.give_up_at <= now;
            is_hopeless |= is_over && !asked.is_done && asked.draft.method == Method::Invite;
            !is_over
        });
        if is_hopeless && matches!(line.state, PhoneState::Calling { .. }) {
            line.state = PhoneState::Over { by_switch: true };
        }
        line.served.retain(|served| served.until > now);
        if line.retry_at.take_if(|at| *at <= now).is_some() && line.is_living() {
            self.offer_again(now, line, "");
        }
        self.handle_arrival_timeout(now, line);
        self.keep_session(now, line);
        while let Some((to, bytes)) = line.voice.poll_packet(now) {
            let from: SocketAddr = line.rtp;
            self.sounds.push_back(super::Sound { from, to, bytes });
        }
    }
}
