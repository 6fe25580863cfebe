//! A flow under way, its owner a script.

use super::*;

/// A flow under way, and the last command it waits for.
pub(super) struct Run {
    pub(super) flow: Activeflow,
    pub(super) now: Instant,
    pub(super) last: FlowCommandId,
    pub(super) end: Option<(FlowEnd, Option<OnComplete>)>,
    pub(super) calls: Option<NewCalls>,
}

pub(super) fn flow(actions: &str) -> Flow {
    parse_flow(
        actions.as_bytes(),
        "test",
        &mut Rng::from_number(1),
        Support::All,
    )
    .unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn reference(kind: ReferenceType) -> Reference {
    Reference {
        kind,
        id: Uuid::from_u128(7),
    }
}

impl Run {
    pub(super) fn new(flow: &Flow, kind: ReferenceType, limits: Limits) -> Self {
        let call = CallVariables {
            id: CallId(Uuid::from_u128(7)),
            source: crate::flow::Address {
                target: "+1555".to_owned(),
                ..Default::default()
            },
            destination: crate::flow::Address {
                target: "menu".to_owned(),
                ..Default::default()
            },
            is_incoming: true,
            master: None,
            status: CallStatus::Ringing,
        };
        let variables = if kind == ReferenceType::Call {
            call.to_pairs()
        } else {
            Vec::new()
        };
        let id = ActiveflowId(Uuid::from_u128(9));
        let epoch = Epoch::new(sim::start(), SystemTime::UNIX_EPOCH);
        Self {
            flow: Activeflow::new(
                id,
                flow,
                reference(kind),
                variables,
                epoch,
                limits,
                Rng::from_number(3),
            ),
            now: sim::start(),
            last: FlowCommandId(0),
            end: None,
            calls: None,
        }
    }

    /// A started run on an answered call.
    pub(super) fn on_call(actions: &str) -> Self {
        let mut run = Self::new(&flow(actions), ReferenceType::Call, Limits::default());
        run.tell(FlowEvent::CallStatus {
            status: CallStatus::Progressing,
        });
        run.flow.start(run.now);
        run
    }

    pub(super) fn tell(&mut self, event: FlowEvent) {
        self.flow.handle_event(self.now, event);
    }

    pub(super) fn press(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.tell(FlowEvent::Digit { digit });
        }
    }

    pub(super) fn finish(&mut self) {
        self.tell(FlowEvent::Finished {
            command: self.last,
            outcome: FlowOutcome::Done,
        });
    }

    /// Lets time pass, waking the flow when it asked to be woken.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let until = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.flow.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.flow.handle_timeout(at);
        }
        self.now = until;
    }

    /// What the flow has ordered since, in short words.
    pub(super) fn orders(&mut self) -> Vec<String> {
        let mut orders = Vec::new();
        while let Some(command) = self.flow.poll_command() {
            assert!(self.end.is_none(), "{command:?} after the end");
            orders.push(match command {
                FlowCommand::Answer { command } => self.waits_for(command, "answer"),
                FlowCommand::Talk { command, text, .. } => {
                    self.waits_for(command, &format!("talk {text}"))
                }
                FlowCommand::Play { command, urls } => {
                    self.waits_for(command, &format!("play {}", urls.join(" ")))
                }
                FlowCommand::Beep { command } => self.waits_for(command, "beep"),
                FlowCommand::SendDigits {
                    command,
                    digits,
                    tone,
                    gap,
                } => self.waits_for(
                    command,
                    &format!("send {digits} {} {}", tone.as_millis(), gap.as_millis()),
                ),
                FlowCommand::Echo {
                    command,
                    duration,
                    with_digits,
                } => self.waits_for(
                    command,
                    &format!("echo {} {with_digits}", duration.as_millis()),
                ),
                FlowCommand::StartRecording { command, .. } => self.waits_for(command, "record"),
                FlowCommand::StopRecording { command } => self.waits_for(command, "stop recording"),
                FlowCommand::Cancel { command } => format!("cancel {}", command.0),
                FlowCommand::FetchFlow { command, flow_id } => {
                    self.waits_for(command, &format!("fetch {flow_id}"))
                }
                FlowCommand::HangupRelay { reference } => format!("hangup as {reference}"),
                FlowCommand::Hangup { reason } => format!("hangup {}", reason.as_str()),
                FlowCommand::Ended { why, on_complete } => {
                    let order = match &why {
                        FlowEnd::Finished => "finished".to_owned(),
                        FlowEnd::Stopped => "stopped".to_owned(),
                        FlowEnd::CallEnded => "call ended".to_owned(),
                        FlowEnd::Failed { why } => format!("failed: {why}"),
                    };
                    self.end = Some((why, on_complete));
                    order
                }
                other => self.outward_order(other),
            });
        }
        orders
    }

    /// As `orders`, for what goes beyond the call.
    pub(super) fn outward_order(&mut self, order: FlowCommand) -> String {
        let (command, told) = match order {
            FlowCommand::Mute { command, direction } => {
                (command, format!("mute {}", direction.as_str()))
            }
            FlowCommand::DetectMachine { command, wait } => (command, format!("detect {wait}")),
            FlowCommand::Fetch {
                command,
                url,
                method,
                body,
            } => (command, format!("{method} {url} {body}")),
            FlowCommand::Webhook {
                command,
                wait,
                uri,
                method,
                content_type,
                body,
            } => (
                command,
                format!("webhook {wait} {method} {uri} {content_type} {body}"),
            ),
            FlowCommand::Email { command, email } => (
                command,
                format!(
                    "email {} {} {} {}",
                    targets(&email.destinations),
                    email.subject,
                    email.content,
                    email.attachments.len()
                ),
            ),
            FlowCommand::SendMessage {
                command,
                source,
                destinations,
                text,
            } => (
                command,
                format!(
                    "message {} {} {text}",
                    source.target,
                    targets(&destinations)
                ),
            ),
            FlowCommand::SendConversation {
                command,
                conversation_id,
                text,
                wait,
            } => (command, format!("say {wait} {conversation_id} {text}")),
            FlowCommand::StartTranscribe { command, options } => (
                command,
                format!(
                    "transcribe {} {}",
                    options.language,
                    options.direction.as_str()
                ),
            ),
            FlowCommand::StopTranscribe { command } => (command, "stop transcribing".to_owned()),
            FlowCommand::TranscribeRecordings { command, options } => (
                command,
                format!("transcribe recordings {}", options.language),
            ),
            FlowCommand::AiTalk { command, talk } => (
                command,
                format!("ai talk {} {:?}", talk.assistant, talk.duration),
            ),
            FlowCommand::AiTask { command, talk } => {
                (command, format!("ai task {}", talk.assistant))
            }
            FlowCommand::Summarize { command, summary } => (
                command,
                format!(
                    "summarize {} {}",
                    summary.reference_type, summary.reference_id
                ),
            ),
            FlowCommand::Connect { command, dial } => {
                (command, format!("connect {}", targets(&dial.destinations)))
            }
            FlowCommand::Call { command, calls } => {
                let order = format!("call {}", targets(&calls.destinations));
                self.calls = Some(calls);
                (command, order)
            }
            FlowCommand::JoinConference {
                command,
                conference_id,
            } => (command, format!("conference {conference_id}")),
            FlowCommand::JoinConfbridge {
                command,
                confbridge_id,
            } => (command, format!("bridge {confbridge_id}")),
            FlowCommand::JoinQueue { command, queue_id } => (command, format!("queue {queue_id}")),
            FlowCommand::StartExternalMedia { command, media } => (
                command,
                format!(
                    "external media {} {} {:?} {:?}",
                    media.external_host, media.format, media.listen, media.speak
                ),
            ),
            FlowCommand::StopExternalMedia { command } => {
                (command, "stop external media".to_owned())
            }
            other => return format!("{other:?}"),
        };
        self.waits_for(command, &told)
    }

    pub(super) fn fail(&mut self) {
        self.tell(FlowEvent::Finished {
            command: self.last,
            outcome: FlowOutcome::Failed { why: "no" },
        });
    }

    pub(super) fn waits_for(&mut self, command: FlowCommandId, order: &str) -> String {
        assert!(command > self.last, "an id is used once");
        self.last = command;
        order.to_owned()
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        self.flow.variables().value(name).unwrap_or("(none)")
    }

    pub(super) fn digits(&self) -> &str {
        self.variable(DIGITS)
    }
}

pub(super) fn targets(addresses: &[crate::flow::Address]) -> String {
    let targets: Vec<&str> = addresses
        .iter()
        .map(|address| address.target.as_str())
        .collect();
    targets.join(",")
}
