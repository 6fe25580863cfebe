//! The side that is called: what a telephone says to an INVITE, and when.
//!
//! ```text
//!            INVITE in         says 1xx: reliably until PRACK
//!               |                .---.
//!               v     .----------'   '---> Called
//!             Called --- says 200 -------> Answered: the 200 again until ACK, then BYE
//!               |
//!               '- refuses, CANCEL, BYE -> Over: the refusal again until ACK
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::called::{Called, Say};
use super::line::{Arrival, Line, LineId, Resend};
use super::{Offer, Phone, PhoneState, T1, T2};
use crate::sdp::SessionDescription;
use crate::sip::message::{Contacts, HeaderName, Method, Request};

impl Phone {
    /// An INVITE came that begins a call, perhaps again.
    pub(super) fn handle_called(
        &mut self,
        now: Instant,
        from: SocketAddr,
        branch: String,
        request: Arc<Request>,
    ) {
        if let Some(lines) = self.arrivals.get(&branch).cloned() {
            for id in lines {
                self.with(id, |phone, line| phone.hear_again(now, line));
            }
            return;
        }
        let mood = u32::try_from(self.habits.moods.len()).unwrap_or(0);
        let mood = self.rng.below(mood) as usize;
        let called = self.habits.moods.get(mood).unwrap_or(&self.habits.called);
        let called = called.clone();
        let mut lines = Vec::new();
        for says in &called.branches {
            let mut line = self.arrived(now, from, &branch, &request, &called);
            let arrival = line.arrival.as_mut().expect("it was called");
            arrival.to_say = says.iter().cloned().collect();
            lines.push(self.put(line));
        }
        if let Some((status, headers)) = self.first_refusal(&request, &called) {
            // One answer is enough, and nobody was called yet.
            for id in lines.split_off(1) {
                self.with(id, |_, line| {
                    (line.state, line.arrival) = (PhoneState::Idle, None);
                });
            }
            self.with(lines[0], |phone, line| {
                phone.refuse(now, line, status, &headers);
                line.state = PhoneState::Idle;
            });
            self.arrivals.insert(branch, lines);
            return;
        }
        self.arrivals.insert(branch, lines.clone());
        for id in lines {
            self.with(id, |phone, line| {
                phone.give_port(line);
                if called.ignores == 0 {
                    phone.begin_to_say(now, line);
                }
            });
            self.current = Some(id);
        }
    }

    fn arrived(
        &mut self,
        now: Instant,
        from: SocketAddr,
        branch: &str,
        request: &Arc<Request>,
        called: &Called,
    ) -> Box<Line> {
        let text = |name: &HeaderName| {
            let value = request.headers.get(name).cloned().unwrap_or_default();
            let text = String::from_utf8_lossy(&value).into_owned();
            text.split(";tag=").next().unwrap_or_default().to_owned()
        };
        let names = [
            text(&HeaderName::CallId),
            self.rng.token(8),
            text(&HeaderName::To),
            text(&HeaderName::From),
        ];
        let mut line = self.new_line(now, names, from);
        let from_header = request.headers.from().expect("every request has one");
        let tag = from_header.tag().expect("the tag of who calls");
        tag.clone_into(&mut line.remote_tag);
        if let Ok(Contacts::List(contacts)) = request.headers.contacts()
            && let Some(contact) = contacts.first()
        {
            line.target = contact.uri.to_string();
        }
        let cseq = request.headers.cseq().expect("every request has one");
        line.state = PhoneState::Called;
        line.arrival = Some(Arrival {
            request: Arc::clone(request),
            from,
            branch: branch.to_owned(),
            cseq: cseq.number,
            called: called.clone(),
            to_say: std::collections::VecDeque::new(),
            say_at: None,
            ignores: called.ignores,
            last: None,
            body: None,
            reliable: (0, None),
            answer: None,
            is_final: false,
            until: None,
        });
        line
    }

    /// What keeps an INVITE from being heard at all.
    fn first_refusal(&mut self, request: &Request, called: &Called) -> Option<(u16, String)> {
        if let Some(refusal) = self.challenge(request, false) {
            return Some(refusal);
        }
        if called.is_reliable && !names(request, &["Supported", "Require"], "100rel") {
            return Some((421, "Require: 100rel\r\n".to_owned()));
        }
        let min = called.session?.min;
        let asked = request.headers.session_expires().ok().flatten()?;
        let is_short = u64::from(asked.seconds) < min.as_secs();
        is_short.then(|| (422, format!("Min-SE: {}\r\n", min.as_secs())))
    }

    fn begin_to_say(&mut self, now: Instant, line: &mut Line) {
        if let Some(arrival) = &mut line.arrival {
            arrival.say_at = arrival.to_say.front().map(|(after, _)| now + *after);
        }
        self.say_what_is_due(now, line);
    }

    /// A copy of the INVITE came.
    fn hear_again(&mut self, now: Instant, line: &mut Line) {
        let Some(arrival) = &mut line.arrival else {
            return;
        };
        if arrival.ignores > 0 {
            arrival.ignores -= 1;
            if arrival.ignores == 0 {
                self.begin_to_say(now, line);
            }
        } else if let Some(last) = &arrival.last {
            self.out.push_back((arrival.from, last.clone()));
        }
    }

    fn say_what_is_due(&mut self, now: Instant, line: &mut Line) {
        while let Some(arrival) = &mut line.arrival
            && arrival.reliable.1.is_none()
            && arrival.say_at.is_some_and(|at| at <= now)
        {
            // A call is hung up once its answer is acknowledged (RFC 3261 §15).
            let is_unacked = arrival.answer.is_some();
            let next = arrival.to_say.front();
            if is_unacked && next.is_some_and(|(_, say)| *say == Say::HangUp) {
                arrival.say_at = None;
                return;
            }
            let Some((_, say)) = arrival.to_say.pop_front() else {
                arrival.say_at = None;
                return;
            };
            arrival.say_at = arrival.to_say.front().map(|(after, _)| now + *after);
            self.perform(now, line, say);
        }
    }

    fn perform(&mut self, now: Instant, line: &mut Line, say: Say) {
        if say == Say::HangUp {
            return self.end(now, line);
        }
        if line.state != PhoneState::Called {
            return;
        }
        match say {
            Say::Trying => self.say_provisional(now, line, 100, false),
            Say::Ringing => self.say_provisional(now, line, 180, false),
            Say::Progress => self.say_provisional(now, line, 183, false),
            Say::Early => self.say_provisional(now, line, 183, true),
            Say::Answer => self.answer(now, line),
            Say::Refuse(status, headers) => self.refuse(now, line, status, &headers),
            Say::HangUp => {}
        }
    }

    fn say_provisional(&mut self, now: Instant, line: &mut Line, status: u16, has_body: bool) {
        let body = match has_body {
            true => self.answer_body(now, line),
            false => String::new(),
        };
        let contact = self.contact();
        let tag = line.local_tag.clone();
        let is_stream = self.is_stream();
        let Some(arrival) = &mut line.arrival else {
            return;
        };
        let is_reliable = arrival.called.is_reliable && status > 100;
        let mut headers = arrival.called.headers.clone();
        if is_reliable {
            arrival.reliable.0 += 1;
            headers += &format!("Require: 100rel\r\nRSeq: {}\r\n", arrival.reliable.0);
        }
        headers += &format!("Contact: {contact}\r\n");
        let (request, from) = (Arc::clone(&arrival.request), arrival.from);
        let tag = if status == 100 { "" } else { tag.as_str() };
        let headers = if status == 100 { "" } else { headers.as_str() };
        let response = self.reply(&request, status, tag, headers, &body);
        arrival.last = Some(response.clone());
        if is_reliable {
            arrival.reliable.1 = Some(Resend::new(now, response.clone(), !is_stream, 64 * T1));
        }
        self.out.push_back((from, response));
    }

    /// The description of its responses: an answer, or an offer where none came.
    fn answer_body(&mut self, now: Instant, line: &mut Line) -> String {
        let arrival = line.arrival.as_ref().expect("it was called");
        if let Some(body) = &arrival.body {
            return body.clone();
        }
        let offer = arrival.request.body.clone();
        let body = if offer.is_empty() {
            self.offer_of(line)
        } else {
            let parsed = SessionDescription::parse(&offer).expect("the switch writes SDP");
            let body = self.answer_of(line, &parsed);
            if !matches!(self.habits.offer, Offer::Foreign | Offer::Broken) {
                self.listen_to(now, line, &offer);
            }
            body
        };
        if let Some(arrival) = &mut line.arrival {
            arrival.body = Some(body.clone());
        }
        body
    }

    fn answer(&mut self, now: Instant, line: &mut Line) {
        let body = self.answer_body(now, line);
        let timer = self.first_session(now, line);
        let contact = self.contact();
        let arrival = line.arrival.as_ref().expect("it was called");
        let headers = format!("{}Contact: {contact}\r\n{timer}", arrival.called.headers);
        let siblings = self.arrivals.get(&arrival.branch).cloned();
        line.state = PhoneState::Answered;
        self.say_final(now, line, 200, &headers, &body);
        self.speak(now, line);
        for id in siblings.into_iter().flatten() {
            self.with(id, |_, line| line.yield_to_answer());
        }
    }

    /// Ends a call before it is answered.
    pub(super) fn refuse(&mut self, now: Instant, line: &mut Line, status: u16, headers: &str) {
        line.state = PhoneState::Over {
            by_switch: status == 487,
        };
        let more = line.arrival.as_ref();
        let more = more.map_or("", |arrival| arrival.called.headers.as_str());
        let headers = format!("{more}{headers}");
        self.say_final(now, line, status, &headers, "");
    }

    fn say_final(&mut self, now: Instant, line: &mut Line, status: u16, headers: &str, body: &str) {
        let Some(arrival) = &line.arrival else { return };
        let (request, from) = (Arc::clone(&arrival.request), arrival.from);
        let response = self.reply(&request, status, &line.local_tag, headers, body);
        // A 2xx is resent over a stream too (RFC 3261 §13.3.1.4).
        let is_needed = status < 300 || !self.is_stream();
        if let Some(arrival) = &mut line.arrival {
            arrival.last = Some(response.clone());
            arrival.answer = Some(Resend::new(now, response.clone(), is_needed, T2));
            arrival.reliable.1 = None;
            arrival.is_final = true;
            arrival.until = Some(now + 64 * T1);
            if status >= 300 {
                arrival.say_at = None;
            }
        }
        self.out.push_back((from, response));
    }

    pub(super) fn handle_cancel(
        &mut self,
        now: Instant,
        from: SocketAddr,
        branch: &str,
        request: &Request,
    ) {
        let lines: Vec<LineId> = self.arrivals.get(branch).cloned().unwrap_or_default();
        let status = if lines.is_empty() { 481 } else { 200 };
        let reply = self.reply(request, status, &self.tag, "", "");
        self.out.push_back((from, reply));
        let mut is_refused = false;
        for id in lines {
            self.with(id, |phone, line| {
                if line.state != PhoneState::Called {
                    return;
                }
                let arrival = line.arrival.as_ref();
                if arrival.is_some_and(|arrival| arrival.called.outruns_cancel) {
                    phone.answer(now, line);
                } else if is_refused {
                    // A proxy hands on one refusal of all its branches.
                    line.stop_ringing(true);
                } else {
                    is_refused = true;
                    phone.refuse(now, line, 487, "");
                }
            });
        }
    }

    pub(super) fn handle_arrival_ack(
        &mut self,
        now: Instant,
        line: &mut Line,
        branch: &str,
        cseq: u32,
        request: &Request,
    ) {
        let Some(arrival) = &mut line.arrival else {
            return;
        };
        let is_for_it = arrival.branch == branch || arrival.cseq == cseq;
        if !is_for_it || arrival.answer.take().is_none() {
            return;
        }
        let was_offer = arrival.request.body.is_empty();
        if line.state == PhoneState::Answered {
            if was_offer {
                self.listen_to(now, line, &request.body);
            }
            let arrival = line.arrival.as_mut().expect("it was called");
            if arrival.say_at.is_none() {
                // What had to wait for the ACK.
                arrival.say_at = arrival.to_say.front().map(|_| now);
            }
        }
    }

    /// The status that answers a PRACK; what had to wait for it is said after.
    pub(super) fn handle_prack(line: &mut Line, request: &Request) -> u16 {
        let rack = request.headers.rack().ok().flatten();
        let Some((arrival, rack)) = line.arrival.as_mut().zip(rack) else {
            return 481;
        };
        let is_it = rack.response == arrival.reliable.0 && rack.cseq.number == arrival.cseq;
        match arrival.reliable.1.take_if(|_| is_it) {
            Some(_) => 200,
            None => 481,
        }
    }

    pub(super) fn handle_arrival_timeout(&mut self, now: Instant, line: &mut Line) {
        if let Some((_, resend)) = &mut line.unacked {
            let due = resend.poll(now);
            self.out.extend(due.map(|bytes| (line.to, bytes)));
            if resend.give_up_at <= now {
                line.unacked = None;
            }
        }
        let Some(arrival) = &mut line.arrival else {
            return;
        };
        let from = arrival.from;
        let mut is_given_up = (false, false);
        for (resend, is_over) in [
            (&mut arrival.reliable.1, &mut is_given_up.0),
            (&mut arrival.answer, &mut is_given_up.1),
        ] {
            let due = resend.as_mut().and_then(|resend| resend.poll(now));
            self.out.extend(due.map(|bytes| (from, bytes)));
            *is_over = resend
                .as_ref()
                .is_some_and(|resend| resend.give_up_at <= now);
            if *is_over {
                *resend = None;
            }
        }
        if arrival.until.is_some_and(|at| at <= now) {
            arrival.until = None;
            self.arrivals.remove(&arrival.branch);
        }
        match is_given_up {
            // No PRACK came (RFC 3262 §3).
            (true, _) if line.state == PhoneState::Called => self.refuse(now, line, 504, ""),
            // No ACK came (RFC 3261 §13.3.1.4).
            (_, true) if line.state == PhoneState::Answered => self.end(now, line),
            _ => {}
        }
        self.say_what_is_due(now, line);
    }

    /// BYE, or once the answer is acknowledged.
    pub(super) fn say_bye(&mut self, now: Instant, line: &mut Line) {
        if let Some(arrival) = &mut line.arrival
            && arrival.answer.is_some()
        {
            arrival.to_say = [(std::time::Duration::ZERO, Say::HangUp)].into();
            arrival.say_at = None;
            return;
        }
        line.state = PhoneState::Over { by_switch: false };
        (line.session, line.retry_at) = (None, None);
        self.ask_on(now, line, Method::Bye, "", "");
    }
}

impl Line {
    /// Another branch of the proxy has answered: this one is canceled, unless its answer is under way too.
    fn yield_to_answer(&mut self) {
        let arrival = self.arrival.as_ref();
        let will_answer = arrival.is_some_and(|arrival| {
            let mut to_say = arrival.to_say.iter();
            to_say.any(|(_, say)| *say == Say::Answer)
        });
        if self.state == PhoneState::Called && !will_answer {
            self.stop_ringing(false);
        }
    }

    /// Is over without a word.
    fn stop_ringing(&mut self, by_switch: bool) {
        self.state = PhoneState::Over { by_switch };
        if let Some(arrival) = &mut self.arrival {
            (arrival.is_final, arrival.say_at) = (true, None);
            arrival.reliable.1 = None;
        }
    }
}

/// One of these header fields of a request names an option.
fn names(request: &Request, headers: &[&str], option: &str) -> bool {
    headers.iter().any(|name| {
        let name = HeaderName::parse((*name).to_owned()).expect("a name");
        let values = request.headers.tokens(&name);
        values
            .iter()
            .any(|value| value.eq_ignore_ascii_case(option))
    })
}
