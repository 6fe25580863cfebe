//! A phone that is called: it rings, sounds, answers or refuses, and takes what comes within the call.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::call::{Call, Dialog};
use crate::message::{self, Message, Request};
use crate::phone::{COMMON, PATIENCE, Phone, unique};
use crate::rtp::Media;
use crate::sound::Law;
use crate::switch::Switch;

/// The password of every extension and account in these stories.
pub const PASSWORD: &str = "kestrel";

/// A call that came to a phone and is neither answered nor refused.
pub struct Incoming {
    pub phone: Phone,
    pub media: Media,
    pub invite: Message,
    tag: String,
    payload_types: Vec<u8>,
}

impl Phone {
    /// A trunk: it stands before there is a switch, whose configuration names its address.
    pub fn trunk() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Phone::waiting(socket).named("trunk")
    }

    /// An extension, registered until further notice.
    #[track_caller]
    pub fn extension(switch: &Switch, user: &str) -> Self {
        let mut phone = Phone::udp(switch).named(user);
        let aor = format!("<sip:{user}@{}>", phone.server);
        let register = phone
            .request("REGISTER", &format!("sip:{}", phone.server))
            .set("To", &aor)
            .set("From", format!("{aor};tag={}", unique("reg")))
            .with("Expires", "300");
        let answer = phone.exchange_as(&register, user, PASSWORD);
        assert_eq!(answer.status(), 200, "{user} is not registered");
        phone
    }

    /// Sends and, when challenged, sends again with credentials; the final response.
    #[track_caller]
    pub fn exchange_as(&mut self, request: &Request, user: &str, password: &str) -> Message {
        let refused = self.exchange(request);
        match self.proven(request, &refused, user, password) {
            Some(again) => self.exchange(&again),
            None => refused,
        }
    }

    /// The same request as a new transaction, with what `refused` asks for.
    pub fn proven(
        &self,
        request: &Request,
        refused: &Message,
        user: &str,
        password: &str,
    ) -> Option<Request> {
        let challenge = refused.header("WWW-Authenticate")?;
        let proof =
            message::authorization(challenge, user, password, &request.method, &request.uri);
        let cseq = format!("{} {}", request.cseq() + 1, request.method);
        Some(
            request
                .clone()
                .set("Via", self.via())
                .set("CSeq", cseq)
                .set("Authorization", proof),
        )
    }

    /// The call that comes.
    #[track_caller]
    pub fn called(self) -> Incoming {
        self.called_within(PATIENCE)
    }

    #[track_caller]
    pub fn called_within(mut self, patience: Duration) -> Incoming {
        let invite = self.request_within("INVITE", patience);
        let invite =
            invite.unwrap_or_else(|| panic!("nobody calls {} at {}", self.user, self.local));
        Incoming {
            media: Media::new(self.local.ip()),
            phone: self,
            invite,
            tag: unique("to"),
            payload_types: COMMON.to_vec(),
        }
    }

    /// Whether a call comes within `patience`; it is kept for [`Self::called`].
    pub fn is_rung_within(&mut self, patience: Duration) -> bool {
        let invite = self.request_within("INVITE", patience);
        let is_rung = invite.is_some();
        self.keep(invite);
        is_rung
    }

    /// Sends a response, with a body when there is one.
    pub fn respond(
        &mut self,
        request: &Message,
        status: &str,
        extra: &[(&str, &str)],
        sdp: Option<Vec<u8>>,
    ) {
        let bytes = match sdp {
            None => message::response(request, status, extra),
            Some(sdp) => message::response_with(request, status, extra, "application/sdp", &sdp),
        };
        self.send_raw(&bytes);
    }

    /// What a phone says of itself in Contact.
    pub fn contact(&self) -> String {
        format!(
            "<sip:{}@{}{}>",
            self.user,
            self.local,
            self.contact_parameter()
        )
    }

    /// Waits for a request and answers it 200; resends of it that came meanwhile are forgotten.
    #[track_caller]
    pub fn takes(&mut self, method: &str) -> Message {
        let request = self
            .request_within(method, PATIENCE)
            .unwrap_or_else(|| panic!("no {method} came to {}", self.user));
        self.respond(&request, "200 OK", &[], None);
        self.forget_resends(&request);
        request
    }
}

impl Incoming {
    /// Answers with these payload types only; all are common ones otherwise.
    pub fn speaking(mut self, payload_types: &[u8]) -> Self {
        self.payload_types = payload_types.to_vec();
        self
    }

    /// Answers under another tag, as the next phone behind a forking proxy would.
    pub fn as_another(&mut self) -> &mut Self {
        self.tag = unique("to");
        self
    }

    /// 180 without sound.
    pub fn rings(&mut self) -> &mut Self {
        self.say("180 Ringing", &[], None);
        self
    }

    /// 183 with a session description: what this phone plays is heard from now on.
    pub fn sounds_early(&mut self) -> &mut Self {
        let answer = self.describe();
        self.say("183 Session Progress", &[], Some(answer));
        self.start();
        self
    }

    /// 200, and the ACK to it.
    #[track_caller]
    pub fn answers(mut self) -> Call {
        let bytes = self.accepts();
        self.phone.send_raw(&bytes);
        self.acknowledged(&bytes)
    }

    /// The 200 as it will be sent.
    pub fn accepts(&self) -> Vec<u8> {
        let contact = self.phone.contact();
        message::response_with(
            &self.tagged(),
            "200 OK",
            &[
                ("Contact", &contact),
                ("Allow", "INVITE, ACK, BYE, CANCEL, REFER, NOTIFY"),
            ],
            "application/sdp",
            &self.describe(),
        )
    }

    /// Waits for the ACK to a 200 that was sent; sound starts.
    #[track_caller]
    pub fn acknowledged(mut self, sent: &[u8]) -> Call {
        self.start();
        let ack = self
            .phone
            .request_within("ACK", PATIENCE)
            .expect("no ACK to the 200");
        assert_eq!(ack.cseq().0, self.invite.cseq().0);
        self.phone.forget_resends(&self.invite);
        let answer = Message::parse(sent).expect("our own 200");
        Call {
            dialog: Dialog::of_called(&answer, &self.invite),
            invite: Request::from_message(&self.invite),
            answer,
            phone: self.phone,
            media: self.media,
        }
    }

    /// Refuses with `status`, waits for the ACK, and is free for the next call.
    #[track_caller]
    pub fn refuses(self, status: &str) -> Phone {
        self.refuses_with(status, &[])
    }

    #[track_caller]
    pub fn refuses_with(mut self, status: &str, extra: &[(&str, &str)]) -> Phone {
        self.say(status, extra, None);
        let ack = self.phone.request_within("ACK", PATIENCE);
        assert!(ack.is_some(), "no ACK to {status}");
        self.phone.forget_resends(&self.invite);
        self.phone
    }

    /// Waits for the CANCEL: 200 to it, 487 to the INVITE, and the ACK to that.
    #[track_caller]
    pub fn canceled_within(mut self, patience: Duration) -> Phone {
        let cancel = self
            .phone
            .request_within("CANCEL", patience)
            .expect("no CANCEL came");
        assert_eq!(cancel.header("Via"), self.invite.header("Via"));
        self.phone.respond(&cancel, "200 OK", &[], None);
        self.refuses("487 Request Terminated")
    }

    fn say(&mut self, status: &str, extra: &[(&str, &str)], sdp: Option<Vec<u8>>) {
        let contact = self.phone.contact();
        let mut all = vec![("Contact", contact.as_str())];
        all.extend_from_slice(extra);
        let request = self.tagged();
        self.phone.respond(&request, status, &all, sdp);
    }

    /// The INVITE as if its To had our tag, which responses copy.
    fn tagged(&self) -> Message {
        let mut request = self.invite.clone();
        for (name, value) in &mut request.headers {
            if name.eq_ignore_ascii_case("To") {
                value.push_str(&format!(";tag={}", self.tag));
            }
        }
        request
    }

    fn describe(&self) -> Vec<u8> {
        message::sdp(self.media.local(), &self.payload_types, "sendrecv", 1)
    }

    fn start(&self) {
        if let Some(offer) = self.invite.sdp() {
            let law = match self.payload_types.first() {
                Some(8) => Law::A,
                _ => Law::Mu,
            };
            self.media.start(offer.media(), law);
        }
    }
}

impl Call {
    /// Asks the switch to connect the other party with `target` (RFC 3515); what it says at first.
    #[track_caller]
    pub fn refers(&mut self, target: &str) -> Message {
        let own = self.phone.contact();
        self.exchange("REFER", |refer| {
            refer.with("Refer-To", target).with("Referred-By", own)
        })
    }

    /// The status that NOTIFYs end with, once they do.
    #[track_caller]
    pub fn is_told(&mut self, patience: Duration) -> u16 {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let notify = self
                .phone
                .request_within("NOTIFY", left)
                .expect("no NOTIFY with an end");
            self.phone.respond(&notify, "200 OK", &[], None);
            self.phone.forget_resends(&notify);
            assert_eq!(
                notify
                    .header("Content-Type")
                    .map(|t| t.starts_with("message/sipfrag")),
                Some(true)
            );
            let status = message::status_of(&String::from_utf8_lossy(&notify.body));
            if status >= 200 {
                return status;
            }
        }
    }

    /// How another dialog names this call in Replaces (RFC 3891 §6.1), as it stands in a URI.
    pub fn as_replaces(&self) -> String {
        let tag = |value: &str| value.split("tag=").nth(1).unwrap_or("").to_owned();
        format!(
            "{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
            self.dialog.call_id.replace('@', "%40"),
            tag(&self.dialog.to),
            tag(&self.dialog.from)
        )
    }

    pub fn plays(&self, hz: f64) {
        self.media.play(&crate::sound::tone(&[hz], 1500, 9000.0));
    }
}
