//! The timeline of a call as text for a terminal: who sends what to whom, and what the flow does meanwhile.
//!
//! ```text
//!        s  10.0.0.21:5060                          switch
//!    0.000  |---- INVITE sip:menu@10.0.0.1:5060 ---->|    CSeq 1, 512 octets
//!    0.001  |                                        |    ringing
//!    0.001  |                                        |    flow: answer
//!    0.001  |<--------- 200 OK (INVITE) -------------|    CSeq 1, 634 octets
//! ```

use std::fmt::Write as _;

use super::timeline::{CallTimeline, MomentBody, ReasonBody, WhatBody};

/// Columns of the whole.
const WIDTH: usize = 100;
/// Columns of the time.
const TIME: usize = 9;
/// From the first peer to the switch.
const SPAN: usize = 42;
/// Peers that have a column of their own; all others share the last.
const PEERS: usize = 3;
/// Where what stands beside the arrows begins.
const BESIDE: usize = TIME + 2 + SPAN + 4;

/// The timeline as lines of at most 100 columns, without colours.
#[must_use]
pub fn ladder(timeline: &CallTimeline) -> String {
    let mut text = String::new();
    head(&mut text, timeline);
    let peers = Peers::of(timeline);
    peers.write_head(&mut text);
    for (index, moment) in timeline.moments.iter().enumerate() {
        if timeline.dropped > 0 && index == FIRST {
            let dropped = format!("... {} moments are not kept ...", timeline.dropped);
            peers.row(&mut text, "", None, &dropped);
        }
        write_moment(&mut text, &peers, moment);
    }
    foot(&mut text, timeline);
    text
}

/// As many moments stand before those that are not kept.
const FIRST: usize = crate::store::timeline::Timeline::FIRST;

fn head(text: &mut String, timeline: &CallTimeline) {
    let CallTimeline {
        id,
        direction,
        source,
        destination,
        tm_create,
        ..
    } = timeline;
    wrap(text, 0, &format!("call {id}, {direction}, {tm_create}"));
    wrap(
        text,
        0,
        &format!("from {} to {}", or_nobody(source), or_nobody(destination)),
    );
    text.push('\n');
}

fn or_nobody(party: &str) -> &str {
    if party.is_empty() {
        "(not named)"
    } else {
        party
    }
}

/// The peers in the order in which they come up.
struct Peers<'a>(Vec<&'a str>);

impl<'a> Peers<'a> {
    fn of(timeline: &'a CallTimeline) -> Self {
        let mut peers: Vec<&str> = Vec::new();
        for moment in &timeline.moments {
            if let WhatBody::Sip { peer, .. } = &moment.what
                && !peers.contains(&peer.as_str())
            {
                peers.push(peer);
            }
        }
        Self(peers)
    }

    /// How many columns they have.
    fn lanes(&self) -> usize {
        self.0.len().clamp(1, PEERS)
    }

    /// Where the line of a peer stands.
    fn place(&self, peer: &str) -> usize {
        let index = self.0.iter().position(|known| *known == peer);
        let lane = index.unwrap_or(0).min(self.lanes() - 1);
        // The arrow of the last one still has room for what it carries.
        lane * (SPAN / 2) / self.lanes()
    }

    fn write_head(&self, text: &mut String) {
        for (index, peer) in self.0.iter().enumerate() {
            let lane = self.place(peer);
            let bars: Vec<usize> = self.bars().into_iter().filter(|bar| *bar < lane).collect();
            let mut line = vec![' '; lane];
            for bar in bars {
                line[bar] = '|';
            }
            let line: String = line.into_iter().collect();
            let switch = match index + 1 == self.0.len() {
                true => "switch",
                false => "",
            };
            let left = format!("{line}{}", shortened(peer, SPAN - lane - 2));
            let _ = writeln!(
                text,
                "{:>TIME$}  {left:<width$}{switch}",
                if index == 0 { "s" } else { "" },
                width = SPAN - 2
            );
            trim_end(text);
        }
        if self.0.is_empty() {
            let _ = writeln!(
                text,
                "{:>TIME$}  {:<width$}switch",
                "s",
                "",
                width = SPAN - 2
            );
        }
    }

    /// All lines.
    fn bars(&self) -> Vec<usize> {
        let mut bars: Vec<usize> = self.0.iter().map(|peer| self.place(peer)).collect();
        bars.push(SPAN);
        bars.dedup();
        bars
    }

    /// One row: an arrow, and what stands beside it, over as many lines as it takes.
    fn row(&self, text: &mut String, time: &str, arrow: Option<&Arrow<'_>>, beside: &str) {
        let mut lines = wrapped(beside, WIDTH - BESIDE - 2).into_iter();
        let first = lines.next().unwrap_or_default();
        let drawn = self.draw(arrow);
        let _ = writeln!(text, "{time:>TIME$}  {drawn}   {first}");
        trim_end(text);
        for line in lines {
            let drawn = self.draw(None);
            let _ = writeln!(text, "{:>TIME$}  {drawn}     {line}", "");
            trim_end(text);
        }
    }

    fn draw(&self, arrow: Option<&Arrow<'_>>) -> String {
        let mut cells = vec![' '; SPAN + 1];
        for bar in self.bars() {
            cells[bar] = '|';
        }
        let Some(arrow) = arrow else {
            return cells.into_iter().collect();
        };
        let from = self.place(arrow.peer);
        cells[from + 1..SPAN].fill('-');
        match arrow.is_sent {
            true => cells[from + 1] = '<',
            false => cells[SPAN - 1] = '>',
        }
        let room = SPAN - from - 1;
        let label = format!(" {} ", shortened(arrow.label, room - 6));
        let length = label.chars().count();
        let begin = from + 1 + (room - length) / 2;
        for (cell, letter) in cells[begin..begin + length].iter_mut().zip(label.chars()) {
            *cell = letter;
        }
        cells.into_iter().collect()
    }
}

struct Arrow<'a> {
    peer: &'a str,
    is_sent: bool,
    label: &'a str,
}

fn write_moment(text: &mut String, peers: &Peers<'_>, moment: &MomentBody) {
    let time = seconds(moment.offset_us);
    match &moment.what {
        WhatBody::Sip {
            way,
            peer,
            line,
            cseq,
            method,
            octets,
            again,
            lasted_us,
        } => {
            let is_answer = line.starts_with(|letter: char| letter.is_ascii_digit());
            let label = match is_answer {
                true => format!("{line} ({method})"),
                false => line.clone(),
            };
            let mut beside = format!("CSeq {cseq}, {octets} octets");
            if *again > 0 {
                let times = if *again == 1 { "time" } else { "times" };
                let _ = write!(
                    beside,
                    ", {again} {times} more within {} s",
                    seconds(*lasted_us)
                );
            }
            let is_sent = way == "sent";
            let label = label.as_str();
            let arrow = Arrow {
                peer,
                is_sent,
                label,
            };
            peers.row(text, &time, Some(&arrow), &beside);
        }
        WhatBody::Status { status } => peers.row(text, &time, None, &format!("* {status}")),
        WhatBody::Flow { action_id, action } => {
            // An id that was made up says nothing to a reader.
            let name = match uuid::Uuid::parse_str(action_id) {
                Ok(_) => String::new(),
                Err(_) => format!(" ({action_id})"),
            };
            peers.row(text, &time, None, &format!("flow: {action}{name}"));
        }
        WhatBody::Media { detail, .. } => peers.row(text, &time, None, &format!("media: {detail}")),
        WhatBody::Http {
            purpose,
            method,
            host,
            status,
            outcome,
            took_us,
        } => {
            let status = status.map_or_else(|| outcome.clone(), |status| status.to_string());
            let whom = [purpose.as_str(), method, host];
            let whom: Vec<&str> = whom.into_iter().filter(|word| !word.is_empty()).collect();
            let took = seconds(*took_us);
            let beside = format!("http: {}: {status} after {took} s", whom.join(" "));
            peers.row(text, &time, None, &beside);
        }
        WhatBody::Digit => peers.row(text, &time, None, "a key is pressed"),
        WhatBody::Other => {}
    }
}

fn foot(text: &mut String, timeline: &CallTimeline) {
    text.push('\n');
    match &timeline.reason {
        None => text.push_str("the call lasts\n"),
        Some(reason) => {
            let by = timeline.hangup_by.as_deref().unwrap_or_default();
            let mut numbers = Vec::new();
            numbers.extend(timeline.sip_status.map(|status| format!("SIP {status}")));
            numbers.extend(timeline.q850.map(|value| format!("Q.850 {value}")));
            let numbers = match numbers.is_empty() {
                true => String::new(),
                false => format!(" ({})", numbers.join(", ")),
            };
            wrap(text, 0, &format!("ended by {by}: {}{numbers}", reason.code));
            explain(text, reason);
        }
    }
    for finding in &timeline.findings {
        wrap(text, 0, &format!("found: {}", finding.code));
        explain(text, finding);
    }
    if let Some(sound) = &timeline.sound {
        let mos = |mos: Option<u16>| {
            mos.map_or("-".to_owned(), |mos| {
                format!("{}.{:02}", mos / 100, mos % 100)
            })
        };
        wrap(
            text,
            0,
            &format!(
                "sound: {}, {} packets sent, {} received, {} lost, {} late, jitter {} ms, MOS heard {} said {}, \
                 media delay {}",
                sound.codec,
                sound.sent_packets,
                sound.received_packets,
                sound.lost_packets,
                sound.late_packets,
                sound.jitter_us / 1000,
                mos(sound.heard_mos_x100),
                mos(sound.said_mos_x100),
                sound.delays
            ),
        );
    }
}

fn explain(text: &mut String, reason: &ReasonBody) {
    wrap(text, 2, &reason.sentence);
    if !reason.remedy.is_empty() {
        wrap(text, 2, &format!("-> {}", reason.remedy));
    }
}

/// Seconds with milliseconds.
fn seconds(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000_000, micros / 1000 % 1000)
}

/// Writes lines that stand so far in.
fn wrap(text: &mut String, indent: usize, what: &str) {
    for (index, line) in wrapped(what, WIDTH - indent - 2).iter().enumerate() {
        let more = if index > 0 { 2 } else { 0 };
        let _ = writeln!(text, "{:width$}{line}", "", width = indent + more);
    }
}

/// Lines of at most so many columns, broken between words; a longer word is broken anywhere. What would do
/// something to a terminal is left out.
fn wrapped(what: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in what.split_whitespace() {
        let word: Vec<char> = word.chars().filter(|letter| !letter.is_control()).collect();
        for part in word.chunks(width) {
            let length = line.chars().count();
            if length > 0 && length + 1 + part.len() > width {
                lines.push(std::mem::take(&mut line));
            } else if length > 0 {
                line.push(' ');
            }
            line.extend(part);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// At most so many letters, those that do something to a terminal left out.
fn shortened(what: &str, most: usize) -> String {
    let letters: Vec<char> = what.chars().filter(|letter| !letter.is_control()).collect();
    match letters.len() <= most {
        true => letters.into_iter().collect(),
        false => letters[..most.saturating_sub(2)]
            .iter()
            .chain(&['.', '.'])
            .collect(),
    }
}

fn trim_end(text: &mut String) {
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
}
