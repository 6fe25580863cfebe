//! What flows ask of the world outside, and what becomes of the answers.

use super::*;
use crate::flow::{
    Address, AiTalk, Direction, Email, FlowCommand, FlowCommandId, TranscribeOptions,
};
use crate::ids::RecordingId;
use crate::store::messages::MessageStatus;
use crate::switch::{
    ChatRole, Input, Mail, OutsideAnswer, OutsideFailure, OutsideRequest, Providers, Report, Sound,
    TranscribeNews,
};

fn talking_world(seed: u64) -> (World, PhoneId) {
    connected(Plan::new(seed))
}

/// A telephone whose call is answered and whose flow sleeps.
fn connected(plan: Plan) -> (World, PhoneId) {
    let mut world = plan.flow("patience", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "patience");
    world.pass_ms(200);
    (world, phone)
}

fn order(world: &mut World, make: impl FnOnce(FlowCommandId) -> FlowCommand) {
    world.with_switch(|switch, now| switch.order(now, make));
}

/// The caller says something for a second, and is silent for as long.
fn speak(world: &mut World, phone: PhoneId) {
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.say(now, None));
    world.pass_ms(1000);
}

fn webhook(command: FlowCommandId) -> FlowCommand {
    FlowCommand::Webhook {
        command,
        wait: true,
        uri: "https://example.com/hook".to_owned(),
        method: "PUT".to_owned(),
        content_type: "text/plain".to_owned(),
        body: "hello".to_owned(),
    }
}

fn transcribe(command: FlowCommandId) -> FlowCommand {
    let options = TranscribeOptions {
        language: "en-US".to_owned(),
        direction: Direction::Both,
        on_end_flow_id: None,
    };
    FlowCommand::StartTranscribe { command, options }
}

fn tel(number: &str) -> Address {
    Address {
        kind: "tel".to_owned(),
        target: number.to_owned(),
        ..Address::default()
    }
}

fn message(command: FlowCommandId) -> FlowCommand {
    FlowCommand::SendMessage {
        command,
        source: tel("+15550100"),
        destinations: vec![tel("+15550101")],
        text: "hello".to_owned(),
    }
}

fn texts(world: &World) -> Vec<(Direction, String)> {
    let transcript = |report: &Report| match report {
        Report::Transcript(one) => Some((one.direction, one.text.clone())),
        _ => None,
    };
    world.reports.iter().filter_map(transcript).collect()
}

#[test]
fn webhook_leaves_as_it_was_given_and_outlives_its_call() {
    let (mut world, phone) = talking_world(90);
    world.asking = Duration::from_secs(60);
    order(&mut world, webhook);
    let expected = OutsideRequest::Webhook {
        uri: "https://example.com/hook".to_owned(),
        method: "PUT".to_owned(),
        content_type: "text/plain".to_owned(),
        body: "hello".to_owned(),
    };
    assert_eq!(world.asked, [expected]);
    world.hang_up(phone);
    world.pass_ms(40_000);
    assert_eq!(
        world.switch.leftovers(),
        [("orders outside", 1), ("exchanges", 1)]
    );
    world.settle();
}

#[test]
fn fetch_that_is_answered_after_the_call_moves_nothing() {
    let (mut world, phone) = talking_world(91);
    world.asking = Duration::from_secs(10);
    order(&mut world, |command| FlowCommand::Fetch {
        command,
        url: "https://example.com/flow".to_owned(),
        method: "GET".to_owned(),
        body: "{}".to_owned(),
    });
    assert!(
        matches!(&world.asked[..], [OutsideRequest::Fetch { url, .. }] if url == "https://example.com/flow")
    );
    world.hang_up(phone);
    world.settle();
}

#[test]
fn mail_takes_the_complete_recordings_along_and_leaves_out_others() {
    let flow = json!([
        {"type": "answer"},
        {"type": "recording_start", "option": {"duration": 1}},
        {"type": "sleep", "option": {"duration": 60_000}},
    ]);
    let mut world = Plan::new(92).flow("record", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.pass_ms(500);
    let id = world
        .switch
        .variable("voipbin.recording.id")
        .unwrap_or_default();
    let id = RecordingId(id.parse().unwrap());
    let email = Email {
        destinations: vec![Address::default()],
        subject: "voicemail".to_owned(),
        content: "hello".to_owned(),
        attachments: vec![id, RecordingId(uuid::Uuid::nil())],
    };
    for _ in 0..2 {
        let email = email.clone();
        order(&mut world, |command| FlowCommand::Email { command, email });
        world.pass_ms(2000);
    }
    let attached: Vec<usize> = world
        .asked
        .iter()
        .map(|request| match request {
            OutsideRequest::Email(Mail { attachments, .. }) => attachments.len(),
            other => panic!("not a mail: {other:?}"),
        })
        .collect();
    assert_eq!(attached, [0, 2], "running, then complete");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn message_is_queued_then_sent_or_failed_and_begins_a_conversation() {
    let (mut world, phone) = talking_world(93);
    let statuses = |world: &World| -> Vec<MessageStatus> {
        let status = |report: &Report| match report {
            Report::Message { message, .. } => Some(message.status()),
            _ => None,
        };
        world.reports.iter().filter_map(status).collect()
    };
    order(&mut world, message);
    world.pass_ms(200);
    assert_eq!(
        statuses(&world),
        [MessageStatus::Queued, MessageStatus::Sent]
    );
    let sent = world.reports.iter().find_map(|report| match report {
        Report::Message { message, .. } => Some(message),
        _ => None,
    });
    let sent = sent.expect("a message was sent");
    let conversation_id = sent.conversation.unwrap().to_string();
    world.answering = |_| Some(OutsideAnswer::Failed(OutsideFailure::Unavailable));
    order(&mut world, |command| FlowCommand::SendConversation {
        command,
        conversation_id,
        text: "again".to_owned(),
        wait: true,
    });
    world.pass_ms(200);
    assert_eq!(
        statuses(&world)[2..],
        [MessageStatus::Queued, MessageStatus::Failed]
    );
    let OutsideRequest::Message(again) = &world.asked[1] else {
        panic!("not a message");
    };
    assert_eq!(
        (&again.source, &again.destinations[0]),
        (&tel("+15550100"), &tel("+15550101"))
    );
    for unknown in ["", "nobody", "00000000-0000-0000-0000-000000000001"] {
        order(&mut world, |command| FlowCommand::SendConversation {
            command,
            conversation_id: unknown.to_owned(),
            text: "hello?".to_owned(),
            wait: true,
        });
    }
    assert_eq!(world.asked.len(), 2);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn message_that_comes_in_is_kept_and_starts_its_flow() {
    let flow = json!([{"type": "answer"}, {"type": "talk", "option": {"text": "tone 400 500"}}]);
    let mut world = Plan::new(94).flow("sms", flow).build();
    for flow in [Some("sms"), Some("nothing"), None] {
        world.input(Input::Message {
            source: tel("+15550101"),
            destination: tel("+15550100"),
            text: "hello".to_owned(),
            flow: flow.map(str::to_owned),
        });
    }
    let conversations: Vec<_> = world
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Message { message, .. } => message.conversation,
            _ => None,
        })
        .collect();
    assert_eq!(conversations.len(), 3);
    assert!(conversations.iter().all(|one| *one == conversations[0]));
    assert_eq!(world.media.orders(), 0, "nobody to talk to");
    world.settle();
}

#[test]
fn what_the_caller_says_is_put_into_words_until_the_transcription_is_stopped() {
    let (mut world, phone) = talking_world(95);
    order(&mut world, transcribe);
    speak(&mut world, phone);
    speak(&mut world, phone);
    let heard = (Direction::In, "hello".to_owned());
    assert_eq!(texts(&world), [heard.clone(), heard.clone()]);
    let OutsideRequest::Transcribe {
        sound: Sound::Samples(samples),
        language,
    } = &world.asked[0]
    else {
        panic!("not speech: {:?}", world.asked[0]);
    };
    assert_eq!(language, "en-US");
    assert!(
        (8_000..20_000).contains(&samples.len()),
        "{}",
        samples.len()
    );
    order(&mut world, transcribe);
    order(&mut world, |command| FlowCommand::StopTranscribe {
        command,
    });
    world.pass_ms(500);
    assert!(matches!(
        world.reports.last(),
        Some(Report::Transcribe {
            news: TranscribeNews::Done,
            ..
        })
    ));
    speak(&mut world, phone);
    assert_eq!(texts(&world).len(), 2);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn last_words_of_a_call_are_put_into_words_after_it() {
    let (mut world, phone) = talking_world(96);
    world.asking = Duration::from_secs(3);
    order(&mut world, transcribe);
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(1000);
    world.hang_up(phone);
    world.pass_ms(1000);
    assert_eq!(world.switch.calls(), 0);
    assert_eq!(texts(&world), []);
    world.pass_ms(3000);
    assert_eq!(texts(&world).len(), 1);
    assert!(matches!(
        world.reports.last(),
        Some(Report::Transcribe {
            news: TranscribeNews::Done,
            ..
        })
    ));
    world.settle();
}

#[test]
fn slow_transcription_is_asked_two_at_a_time_and_loses_words_rather_than_memory() {
    let (mut world, phone) = talking_world(97);
    world.asking = Duration::from_secs(600);
    order(&mut world, transcribe);
    for _ in 0..30 {
        speak(&mut world, phone);
    }
    assert_eq!(world.asked.len(), 2);
    world.asking = Duration::from_millis(100);
    world.hang_up(phone);
    world.pass(Duration::from_secs(700));
    assert_eq!(
        world.asked.len(),
        18,
        "two under way and sixteen that waited"
    );
    world.settle();
}

/// Records a call so, transcribes that so, and gives the ends of the files that were sent with the sides that the
/// words were of.
fn transcribed(recording: Value, direction: Direction) -> (Vec<String>, Vec<Direction>) {
    let flow = json!([
        {"type": "answer"},
        {"type": "recording_start", "option": recording},
        {"type": "sleep", "option": {"duration": 60_000}},
    ]);
    let mut world = Plan::new(98).flow("record", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.pass_ms(2000);
    order(&mut world, |command| FlowCommand::TranscribeRecordings {
        command,
        options: TranscribeOptions {
            direction,
            ..TranscribeOptions::default()
        },
    });
    world.pass_ms(500);
    let end = |request: &OutsideRequest| match request {
        OutsideRequest::Transcribe {
            sound: Sound::File(file),
            ..
        } => {
            let name = file.file_name().unwrap().to_string_lossy();
            name[name.find('Z').unwrap() + 5..].to_owned()
        }
        other => panic!("not a file: {other:?}"),
    };
    let files = world.asked.iter().map(end).collect();
    let sides = texts(&world).into_iter().map(|(side, _)| side).collect();
    world.hang_up(phone);
    world.settle();
    (files, sides)
}

#[test]
fn recordings_of_a_call_are_transcribed_side_by_side_in_every_format() {
    use Direction::{Both, In, Out};
    for format in ["wav", "ogg", "mp3"] {
        if format == "mp3" && !cfg!(feature = "mp3") {
            continue;
        }
        let split = || json!({"duration": 1, "format": format});
        for (direction, sides) in [(Both, &[In, Out][..]), (In, &[In]), (Out, &[Out])] {
            let files: Vec<String> = sides
                .iter()
                .map(|side| format!("_{}.{format}", side.as_str()))
                .collect();
            assert_eq!(transcribed(split(), direction), (files, sides.to_vec()));
        }
        // One file holds both sides.
        let mono = json!({"duration": 1, "format": format, "layout": "mono"});
        let whole = (vec![format!(".{format}")], vec![In]);
        assert_eq!(transcribed(mono, Out), whole);
    }
}

#[test]
fn without_servers_nothing_is_asked_and_the_call_goes_on() {
    let mut plan = Plan::new(99);
    plan.providers = Providers::default();
    let (mut world, phone) = connected(plan);
    order(&mut world, transcribe);
    order(&mut world, message);
    order(&mut world, |command| FlowCommand::AiTalk {
        command,
        talk: AiTalk::default(),
    });
    order(&mut world, |command| FlowCommand::Email {
        command,
        email: Email::default(),
    });
    speak(&mut world, phone);
    assert_eq!(world.asked, []);
    assert_eq!(world.state(phone), PhoneState::Answered);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn assistant_greets_answers_what_the_caller_says_and_stops_at_its_time() {
    let (mut world, phone) = talking_world(100);
    world.answering = |request| {
        Some(OutsideAnswer::Text(match request {
            OutsideRequest::Chat { messages } if messages.len() == 2 => "tone 500 300".to_owned(),
            OutsideRequest::Chat { .. } => "tone 700 300".to_owned(),
            _ => "hello".to_owned(),
        }))
    };
    order(&mut world, |command| FlowCommand::AiTalk {
        command,
        talk: AiTalk {
            duration: Some(Duration::from_secs(10)),
            ..AiTalk::default()
        },
    });
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [500], "the greeting");
    speak(&mut world, phone);
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [500, 700], "the answer");
    let Some(OutsideRequest::Chat { messages }) = world.asked.last() else {
        panic!("not a talk: {:?}", world.asked.last());
    };
    let roles: Vec<ChatRole> = messages.iter().map(|one| one.role).collect();
    assert_eq!(
        roles,
        [
            ChatRole::System,
            ChatRole::User,
            ChatRole::Assistant,
            ChatRole::User
        ]
    );
    assert_eq!(messages[3].content, "hello");
    world.pass_ms(8000);
    let asked = world.asked.len();
    speak(&mut world, phone);
    assert_eq!(world.asked.len(), asked, "nobody listens any more");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn caller_who_speaks_stops_the_assistant() {
    let (mut world, phone) = talking_world(101);
    world.answering = |request| {
        Some(OutsideAnswer::Text(match request {
            OutsideRequest::Chat { messages } if messages.len() == 2 => "tone 500 9000".to_owned(),
            OutsideRequest::Chat { .. } => "tone 700 500".to_owned(),
            _ => "stop".to_owned(),
        }))
    };
    order(&mut world, |command| FlowCommand::AiTalk {
        command,
        talk: AiTalk::default(),
    });
    world.pass_ms(1000);
    assert_eq!(world.hears(phone), Some(500));
    speak(&mut world, phone);
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [500, 700]);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn talk_that_the_caller_leaves_ends_with_the_call_wherever_it_stands() {
    for (seed, wait) in [(102, 50), (103, 150), (104, 300), (105, 2500)] {
        let (mut world, phone) = talking_world(seed);
        order(&mut world, |command| FlowCommand::AiTalk {
            command,
            talk: AiTalk::default(),
        });
        world.with(phone, |phone, now| phone.say(now, Some(900)));
        world.pass_ms(wait);
        world.hang_up(phone);
        world.settle();
    }
}
