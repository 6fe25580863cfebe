//! What the SIP core and the media engine tell, brought to the call it is about.

use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, Event as MediaEvent};
use flowswitch_media::dtmf::Digit;

use super::Switch;
use crate::call::cause::{Cause, Why};
use crate::call::digits::DigitPath;
use crate::call::reason::{Fact, NotTaken};
use crate::call::{Call, Down};
use crate::ids::CallId;
use crate::sip::message::Status;
use crate::sip::{DialogId, EndCause, Event as SipEvent};
use crate::status::HangupReason;
use crate::store::timeline::MediaMoment;

impl Switch {
    pub(super) fn handle_sip(&mut self, now: Instant, event: SipEvent) {
        match event {
            SipEvent::Invited {
                dialog,
                request,
                hop,
            } => self.handle_invited(now, dialog, &request, hop),
            SipEvent::Request {
                request,
                message,
                hop,
            } => self.handle_request(now, request, &message, hop),
            SipEvent::Acked { dialog, sdp } => {
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_acked(down, sdp.as_ref())
                });
            }
            SipEvent::Offered { dialog, sdp, .. } => {
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_offered(down, sdp.as_ref())
                });
            }
            SipEvent::Answered { dialog, sdp } => {
                self.with_dialog(now, dialog, |call, down| call.handle_answered(down, &sdp));
            }
            SipEvent::Digit {
                dialog,
                digit,
                duration,
            } => {
                if let (Some(digit), Some(id)) = (Digit::from_char(digit), self.call_by(dialog)) {
                    self.handle_info_digit(now, id, digit, duration);
                }
            }
            SipEvent::Canceled { dialog } => {
                self.handle_gone(now, dialog, Cause::remote(Why::Canceled));
            }
            SipEvent::Progress {
                dialog,
                status,
                sdp,
            } => {
                self.call_heard(now, dialog, Some(status));
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_progress(down, sdp.as_ref())
                });
            }
            SipEvent::Accepted { dialog, sdp } => {
                self.call_heard(now, dialog, Some(Status::OK));
                self.with_dialog(now, dialog, |call, down| {
                    call.handle_accepted(down, sdp.as_ref())
                });
            }
            SipEvent::Rejected { dialog, response } => {
                self.call_heard(now, dialog, Some(response.status));
                self.handle_rejected(now, dialog, &response);
            }
            SipEvent::Unanswered { dialog, why } => {
                self.call_heard(now, dialog, None);
                self.handle_unanswered(now, dialog, why);
            }
            SipEvent::Responded { ask, result } => self.handle_responded(now, ask, &result),
            SipEvent::OfferRefused { dialog, status } => {
                tracing::info!(
                    ?dialog,
                    status = status.code(),
                    "the session stays as it was"
                );
                self.with_dialog(now, dialog, |call, _| call.handle_offer_refused());
            }
            SipEvent::Referred {
                dialog,
                target,
                replaces,
                ..
            } => self.handle_referred(now, dialog, &target.uri, replaces.as_ref()),
            SipEvent::Ended { dialog, cause } => {
                let cause = match cause {
                    EndCause::Bye { reason } => Cause::bye(reason.as_deref()),
                    EndCause::NoAck { contact } => {
                        if let Some(call) = self.call_by(dialog) {
                            self.know(call, Fact::Contact(contact.into()));
                        }
                        Cause::local(HangupReason::Failed, Why::NoAck)
                    }
                    EndCause::SessionExpired => {
                        Cause::local(HangupReason::Timeout, Why::SessionExpired)
                    }
                    _ => Cause::remote(Why::PeerGone),
                };
                self.handle_gone(now, dialog, cause);
            }
        }
    }

    fn handle_gone(&mut self, now: Instant, dialog: DialogId, cause: Cause) {
        let Some(session) = self.part_dialog(dialog) else {
            return;
        };
        if let Some(arrival) = self.arrivals.remove(&session) {
            self.media.push_back(Command::Close { session });
            let status = Some(Status::REQUEST_TERMINATED);
            self.gone_before(arrival, status, &NotTaken::GaveUp);
        } else if let Some(id) = self.sessions.get(&session).copied() {
            self.with_call(now, id, |call, down| call.handle_gone(down, cause));
        }
    }

    pub(super) fn handle_media(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Opened { session, port } => self.handle_opened(now, session, port),
            MediaEvent::OpenFailed { session, why } => self.handle_open_failed(now, session, &why),
            MediaEvent::Digit {
                session,
                digit,
                source,
            } => {
                if let Some(id) = self.sessions.get(&session).copied() {
                    let path = DigitPath::from(source);
                    self.with_call(now, id, |call, down| {
                        call.handle_digit(down, digit, path);
                    });
                }
            }
            MediaEvent::Finished { command, outcome } => {
                if self.bridge_recording_ended(now, command, &outcome) {
                    return;
                }
                if let Some(id) = self.orders.get(&command).map(|order| order.call) {
                    self.note_end(id, command, &outcome);
                    self.with_call(now, id, |call, down| {
                        call.handle_finished(down, command, outcome);
                    });
                }
            }
            MediaEvent::Utterance(said) => {
                if let Some(id) = self.sessions.get(&said.session).copied() {
                    self.with_call(now, id, |call, _| call.handle_utterance(said));
                }
            }
            MediaEvent::Latched { session, source } => {
                self.note_media(session, MediaMoment::Heard { source });
            }
            // Nobody has asked for it.
            MediaEvent::ActiveSpeaker { .. } => {}
            MediaEvent::ExternalClosed { external, result } => {
                self.external_closed(now, external, &result);
            }
            MediaEvent::Closed { session, stats } => {
                self.note_media(session, MediaMoment::Closed);
                if let Some(id) = self.sessions.get(&session).copied() {
                    // A call that we make may have had another session before.
                    let call = self.calls.get(&id);
                    if call.is_some_and(|entry| entry.call.leg().session() == session) {
                        self.with_call(now, id, |call, down| call.handle_closed(down, stats));
                    } else {
                        self.sessions.remove(&session);
                    }
                }
            }
        }
    }

    fn with_dialog(
        &mut self,
        now: Instant,
        dialog: DialogId,
        act: impl FnOnce(&mut Call, &mut Down<'_>),
    ) {
        if let Some(id) = self.call_by(dialog) {
            self.with_call(now, id, act);
        }
    }

    pub(super) fn call_by(&self, dialog: DialogId) -> Option<CallId> {
        let session = self.dialogs.get(&dialog)?;
        self.sessions.get(session).copied()
    }

    /// A digit that came beside the sound goes on beside it.
    fn handle_info_digit(&mut self, now: Instant, id: CallId, digit: Digit, duration: Duration) {
        let mut is_new = false;
        self.with_call(now, id, |call, down| {
            is_new = call.handle_digit(down, digit, DigitPath::Info);
        });
        if is_new {
            self.pass_digit(now, id, digit, duration);
        }
    }
}
