//! `GET /v1.0/calls/{id}/timeline`: what happened in a call, on one axis of time, and why it ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::reason::Reason;
use crate::store::calls::{CallRecord, RefusedCall};
use crate::store::timeline::{MediaMoment, Moment, PathStep, Timeline, What};

/// What happened in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallTimeline {
    /// The call.
    pub id: Uuid,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// Who called; empty when nobody was named.
    pub source: String,
    /// Who was called.
    pub destination: String,
    /// The moment that all offsets count from.
    pub tm_create: String,
    /// When it was hung up; not there while it lasts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tm_hangup: Option<String>,
    /// Who ended it: `remote` or `local`; not there while it lasts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hangup_by: Option<String>,
    /// Final SIP status of its INVITE.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sip_status: Option<u16>,
    /// Cause value (ITU-T Q.850).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub q850: Option<u8>,
    /// Why it ended; not there while it lasts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<ReasonBody>,
    /// What was not as it should be beside that.
    pub findings: Vec<ReasonBody>,
    /// The steps of its flow.
    pub path: Vec<StepBody>,
    /// How its sound was; not there while it lasts, and where there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sound: Option<SoundBody>,
    /// Moments that are not kept, between the first and the newest.
    pub dropped: u64,
    /// The moments, the oldest first.
    pub moments: Vec<MomentBody>,
}

/// Why something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonBody {
    /// A word that stays: `no_ack`, `refused_486`.
    pub code: String,
    /// What happened, with the facts.
    pub sentence: String,
    /// What can be done; empty where there is nothing to be done.
    pub remedy: String,
}

/// One step of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepBody {
    /// Id of the action.
    pub action_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the cursor came to it.
    pub tm: String,
}

/// How the sound of a call was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SoundBody {
    /// What was sent.
    pub codec: String,
    /// RTP packets.
    pub sent_packets: u64,
    /// RTP packets.
    pub received_packets: u64,
    /// Packets that never came.
    pub lost_packets: u64,
    /// Packets that came too late to be played.
    pub late_packets: u64,
    /// Datagrams that were not taken.
    pub dropped_datagrams: u64,
    /// Mean interarrival jitter, in microseconds.
    pub jitter_us: u64,
    /// Mean round trip, in microseconds, where the peer reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round_trip_us: Option<u64>,
    /// MOS in hundredths: how well the peer is heard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heard_mos_x100: Option<u16>,
    /// MOS in hundredths: how well the peer hears us.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub said_mos_x100: Option<u16>,
    /// How long sound was under way inside of this machine: each path with its median, its 99th percentile and
    /// the longest, as text.
    pub delays: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MomentBody {
    /// When.
    pub tm: String,
    /// Microseconds since `tm_create`.
    pub offset_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: WhatBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WhatBody {
    /// A SIP message.
    Sip {
        /// `sent` or `received`.
        way: String,
        /// The other end.
        peer: String,
        /// Its first line.
        line: String,
        /// Number of its CSeq.
        cseq: u32,
        /// Method of its CSeq.
        method: String,
        /// Octets.
        octets: u32,
        /// How often it was sent again.
        again: u16,
        /// Microseconds from the first time to the last.
        lasted_us: u64,
    },
    /// The call has another status.
    Status {
        /// The status.
        status: String,
    },
    /// The flow came to an action.
    Flow {
        /// Id of the action.
        action_id: String,
        /// Its type.
        action: String,
    },
    /// News of the sound.
    Media {
        /// In a word: `opened`, `agreed`, `heard`, `began`, `ended`, `joined`, `left`, `muted`, `hold`, `closed`.
        event: String,
        /// The facts, for a reader.
        detail: String,
    },
    /// A request to a server.
    Http {
        /// For what.
        purpose: String,
        /// Its method.
        method: String,
        /// Whom.
        host: String,
        /// Status of the answer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        status: Option<u16>,
        /// `done`, or why not.
        outcome: String,
        /// Microseconds.
        took_us: u64,
    },
    /// The party pressed a key; which one is not kept.
    Digit,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

impl CallTimeline {
    /// Of a call that lasts; `began` is when it came to be, since 1970.
    #[must_use]
    pub fn live(
        (id, direction): (Uuid, &str),
        (source, destination): (&str, &str),
        began: Duration,
        timeline: &Timeline,
    ) -> Self {
        // What opened the call came before there was one.
        let first = timeline.iter().next().map_or(began, |moment| moment.at);
        let began = began.min(first);
        Self {
            id,
            direction: direction.to_owned(),
            source: source.to_owned(),
            destination: destination.to_owned(),
            tm_create: stamp(began),
            tm_hangup: None,
            hangup_by: None,
            sip_status: timeline.status(),
            q850: None,
            reason: None,
            findings: Vec::new(),
            path: Vec::new(),
            sound: None,
            dropped: timeline.dropped(),
            moments: timeline
                .iter()
                .map(|moment| MomentBody::new(moment, began))
                .collect(),
        }
    }

    /// Of a call that is over.
    #[must_use]
    pub fn ended(record: &CallRecord) -> Self {
        let parties = (
            record.source.target.as_str(),
            record.destination.target.as_str(),
        );
        let who = (record.id.0, record.direction.as_str());
        Self {
            tm_hangup: Some(stamp(record.ended)),
            hangup_by: Some(Reason::who(&record.cause).to_owned()),
            sip_status: record.status,
            q850: Some(record.cause.value.0),
            reason: Some((&record.reason).into()),
            findings: record.findings.iter().map(ReasonBody::from).collect(),
            path: record.path.iter().map(StepBody::from).collect(),
            sound: SoundBody::of(record),
            ..Self::live(who, parties, record.began, &record.timeline)
        }
    }

    /// Of an INVITE that never became a call.
    #[must_use]
    pub fn refused(refused: &RefusedCall) -> Self {
        let source = refused.source.as_ref();
        let source = source.map_or("", |source| source.target.as_str());
        let parties = (source, refused.destination.target.as_str());
        Self {
            tm_hangup: Some(stamp(refused.at)),
            hangup_by: Some("local".to_owned()),
            sip_status: refused.status,
            reason: Some((&refused.reason).into()),
            ..Self::live(
                (refused.id.0, "incoming"),
                parties,
                refused.at,
                &refused.timeline,
            )
        }
    }
}

impl From<&Reason> for ReasonBody {
    fn from(reason: &Reason) -> Self {
        Self {
            code: reason.code.to_string(),
            sentence: reason.sentence.clone().into_owned(),
            remedy: reason.remedy.clone().into_owned(),
        }
    }
}

impl From<&PathStep> for StepBody {
    fn from(step: &PathStep) -> Self {
        Self {
            action_id: step.action.as_str().to_owned(),
            kind: step.name.to_owned(),
            tm: stamp(step.at),
        }
    }
}

impl SoundBody {
    fn of(record: &CallRecord) -> Option<Self> {
        let stats = &record.stats;
        let codec = stats.codec?.name().to_owned();
        let hundredths = |mos: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a MOS is between 1 and 4.5"
            )]
            let hundredths = (mos * 100.0).round() as u16;
            hundredths
        };
        Some(Self {
            codec,
            sent_packets: stats.sent_packets,
            received_packets: stats.received_packets,
            lost_packets: stats.lost_packets,
            late_packets: stats.jitter.late,
            dropped_datagrams: stats.dropped_datagrams,
            jitter_us: micros(stats.mean_jitter),
            round_trip_us: stats.round_trip.map(micros),
            heard_mos_x100: stats.heard_mos.map(|mos| hundredths(mos.as_f64())),
            said_mos_x100: stats.said_mos.map(|mos| hundredths(mos.as_f64())),
            delays: stats.delays.to_string(),
        })
    }
}

impl MomentBody {
    fn new(moment: &Moment, began: Duration) -> Self {
        Self {
            tm: stamp(moment.at),
            offset_us: micros(moment.at.saturating_sub(began)),
            what: WhatBody::from(&moment.what),
        }
    }
}

impl From<&What> for WhatBody {
    fn from(what: &What) -> Self {
        match what {
            What::Sip(sip) => Self::Sip {
                way: if sip.is_sent { "sent" } else { "received" }.to_owned(),
                peer: sip.peer.to_string(),
                line: sip.line.clone().into_owned(),
                cseq: sip.cseq,
                method: sip.method.to_owned(),
                octets: sip.octets,
                again: sip.again,
                lasted_us: micros(sip.lasted),
            },
            What::Status(status) => Self::Status {
                status: status.as_str().to_owned(),
            },
            What::Step { action, name } => Self::Flow {
                action_id: action.as_str().to_owned(),
                action: (*name).to_owned(),
            },
            What::Media(media) => {
                let (event, detail) = told(media);
                Self::Media {
                    event: event.to_owned(),
                    detail,
                }
            }
            What::Http(http) => Self::Http {
                purpose: http.purpose.to_owned(),
                method: http.method.clone().into(),
                host: http.host.clone().into(),
                status: http.status,
                outcome: http.outcome.to_owned(),
                took_us: micros(http.took),
            },
            What::Digit => Self::Digit,
        }
    }
}

/// News of the sound in a word, and its facts.
fn told(media: &MediaMoment) -> (&'static str, String) {
    match media {
        MediaMoment::Opened { port } => ("opened", format!("our RTP port is {port}")),
        MediaMoment::Agreed { remote, codec } => {
            ("agreed", format!("{codec} with {remote}, by its SDP"))
        }
        MediaMoment::Heard { source } => ("heard", format!("RTP comes from {source}")),
        MediaMoment::Began { what, .. } => ("began", format!("{} begins", what.as_str())),
        MediaMoment::Ended { what, how } => ("ended", format!("{} ends: {how}", what.as_str())),
        MediaMoment::Joined { is_held: false } => ("joined", "in a bridge".to_owned()),
        MediaMoment::Joined { is_held: true } => ("joined", "on hold in its bridge".to_owned()),
        MediaMoment::Left => ("left", "out of its bridge".to_owned()),
        MediaMoment::Muted { way } => ("muted", format!("muted: {way}")),
        MediaMoment::Hold { is_held: true } => ("hold", "the party holds us".to_owned()),
        MediaMoment::Hold { is_held: false } => ("hold", "the party takes us back".to_owned()),
        MediaMoment::Closed => ("closed", "media closed".to_owned()),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `2023-11-14T22:13:20.000000Z`; empty for a moment that no calendar has.
fn stamp(at: Duration) -> String {
    let since = i64::try_from(at.as_micros()).ok();
    let at = since.and_then(|since| jiff::Timestamp::from_microsecond(since).ok());
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
        .unwrap_or_default()
}
