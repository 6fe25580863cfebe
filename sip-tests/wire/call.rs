//! A call of a phone, step by step: the INVITE under way, the dialog, the answered call.

use std::time::Duration;

use crate::message::{self, Message, Request, bare_uri};
use crate::phone::{PATIENCE, Phone};
use crate::rtp::Media;
use crate::sound::Law;

/// An INVITE under way.
pub struct Setup {
    pub phone: Phone,
    pub media: Media,
    pub invite: Request,
}

impl Setup {
    pub fn send(mut phone: Phone, media: Media, invite: Request) -> Self {
        phone.send(&invite);
        Setup {
            phone,
            media,
            invite,
        }
    }

    /// Waits for a provisional response with `status`; sound starts when it has a session description.
    #[track_caller]
    pub fn rings_with(&mut self, status: u16) -> Message {
        loop {
            let message = self.phone.response(&self.invite);
            assert!(
                message.status() < 200,
                "final {} before {status}",
                message.start_line
            );
            self.note(&message);
            if message.status() == status {
                return message;
            }
        }
    }

    /// Cancels, and returns the final response to the INVITE (acknowledged).
    #[track_caller]
    pub fn cancel(mut self) -> Message {
        let mut cancel = self
            .invite
            .clone()
            .set("CSeq", format!("{} CANCEL", self.invite.cseq()));
        cancel = cancel.without("Content-Type").without("Contact");
        cancel.method = "CANCEL".into();
        cancel.body.clear();
        // The 200 to the CANCEL and the 487 to the INVITE may come in either order.
        self.phone.send(&cancel);
        let (mut is_canceled, mut refusal) = (false, None);
        while !is_canceled || refusal.is_none() {
            let message = self.phone.receive(PATIENCE).expect("no answer to CANCEL");
            match message.cseq().1 {
                "CANCEL" => {
                    assert_eq!(message.status(), 200, "{}", message.start_line);
                    is_canceled = true;
                }
                "INVITE" if message.status() >= 200 => refusal = Some(message),
                _ => {}
            }
        }
        let refusal = refusal.unwrap();
        self.phone.acknowledge_refusal(&self.invite, &refusal);
        refusal
    }

    /// Waits for the final response, whatever it is.
    #[track_caller]
    pub fn final_response(&mut self) -> Message {
        loop {
            let message = self.phone.response(&self.invite);
            if message.status() >= 200 {
                return message;
            }
            self.note(&message);
        }
    }

    /// Waits for 200, sends the ACK and starts the sound.
    #[track_caller]
    pub fn answered(mut self) -> Call {
        let answer = self.final_response();
        assert_eq!(
            answer.status(),
            200,
            "{} to {}",
            answer.start_line,
            self.invite.uri
        );
        let mut call = self.accept(answer);
        let ack = call.dialog.ack(&call.phone, call.invite.cseq());
        call.phone.send(&ack);
        call
    }

    /// Takes the 200 as it is, without an ACK.
    pub fn accept(self, answer: Message) -> Call {
        self.note(&answer);
        let dialog = Dialog::of(&self.invite, &answer);
        let Setup {
            phone,
            media,
            invite,
        } = self;
        Call {
            phone,
            media,
            dialog,
            invite,
            answer,
        }
    }

    fn note(&self, message: &Message) {
        if let Some(sdp) = message.sdp() {
            let law = if sdp.payload_types.first() == Some(&8) {
                Law::A
            } else {
                Law::Mu
            };
            self.media.start(sdp.media(), law);
        }
    }
}

/// The phone's half of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    pub from: String,
    pub to: String,
    pub target: String,
    pub routes: Vec<String>,
    pub cseq: u32,
}

impl Dialog {
    fn of(invite: &Request, answer: &Message) -> Self {
        let mut routes: Vec<String> = answer.all("Record-Route").map(str::to_owned).collect();
        routes.reverse();
        Dialog {
            call_id: invite.header("Call-ID").unwrap_or_default().to_owned(),
            from: invite.header("From").unwrap_or_default().to_owned(),
            to: answer.header("To").unwrap_or_default().to_owned(),
            target: answer
                .contact()
                .unwrap_or_else(|| bare_uri(answer.header("To").unwrap_or_default())),
            routes,
            cseq: invite.cseq(),
        }
    }

    /// The dialog as the called side sees it (RFC 3261 §12.1.1).
    pub fn of_called(answer: &Message, invite: &Message) -> Self {
        Dialog {
            call_id: invite.header("Call-ID").unwrap_or_default().to_owned(),
            from: answer.header("To").unwrap_or_default().to_owned(),
            to: invite.header("From").unwrap_or_default().to_owned(),
            target: invite.contact().unwrap_or_default(),
            routes: invite.all("Record-Route").map(str::to_owned).collect(),
            cseq: 0,
        }
    }

    /// The next request of the dialog.
    pub fn request(&mut self, phone: &Phone, method: &str) -> Request {
        self.cseq += 1;
        self.numbered(phone, method, self.cseq)
    }

    pub fn ack(&self, phone: &Phone, cseq: u32) -> Request {
        self.numbered(phone, "ACK", cseq)
    }

    fn numbered(&self, phone: &Phone, method: &str, cseq: u32) -> Request {
        let contact = format!(
            "<sip:{}@{}{}>",
            phone.user,
            phone.local,
            phone.contact_parameter()
        );
        let mut request = Request::new(method, &self.target).with("Via", phone.via());
        for route in &self.routes {
            request = request.with("Route", route);
        }
        request
            .with("Max-Forwards", "70")
            .with("From", &self.from)
            .with("To", &self.to)
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{cseq} {method}"))
            .with("Contact", contact)
    }
}

/// A call that was answered.
pub struct Call {
    pub phone: Phone,
    pub media: Media,
    pub dialog: Dialog,
    pub invite: Request,
    pub answer: Message,
}

impl Call {
    /// Sends a request of the dialog and returns its final response.
    #[track_caller]
    pub fn exchange(&mut self, method: &str, shape: impl FnOnce(Request) -> Request) -> Message {
        let request = shape(self.dialog.request(&self.phone, method));
        self.phone.exchange(&request)
    }

    /// Offers again; a 200 is acknowledged. The media address is the caller's business.
    #[track_caller]
    pub fn reinvite(&mut self, offer: Vec<u8>) -> Message {
        let answer = self.exchange("INVITE", |request| request.body("application/sdp", offer));
        if answer.status() == 200 {
            let ack = self.dialog.ack(&self.phone, self.dialog.cseq);
            self.phone.send(&ack);
        }
        answer
    }

    #[track_caller]
    pub fn hang_up(mut self) {
        let answer = self.exchange("BYE", |request| request);
        assert_eq!(answer.status(), 200, "{} to BYE", answer.start_line);
    }

    /// Waits for the switch to hang up, and says goodbye.
    #[track_caller]
    pub fn is_hung_up_within(&mut self, patience: Duration) -> Message {
        let bye = self
            .phone
            .request_within("BYE", patience)
            .expect("the switch did not hang up");
        self.phone.send_raw(&message::response(&bye, "200 OK", &[]));
        bye
    }
}
