//! The verbs of a call that listen: who has answered, and what is said.

use flowswitch_media::amd::AmdConfig;
use flowswitch_media::command::{Command, CommandId, ListenConfig, Utterance};

use super::call::Call;
use super::event::CallEvent;
use super::leg::Down;

impl Call {
    /// Finds out whether a person or a machine has answered; finished with
    /// [`Outcome::Detected`](flowswitch_media::command::Outcome::Detected). A newer detection ends the one
    /// before.
    pub fn detect_machine(&mut self, down: &mut Down<'_>, command: CommandId, config: AmdConfig) {
        let session = self.leg().session();
        self.order(
            down,
            command,
            Command::DetectMachine {
                command,
                session,
                config: Box::new(config),
            },
        );
    }

    /// Reports what is said by [`CallEvent::Utterance`] until it is canceled or the call ends; what is being
    /// said then is reported before the end.
    pub fn listen(&mut self, down: &mut Down<'_>, command: CommandId, config: ListenConfig) {
        let session = self.leg().session();
        self.order(
            down,
            command,
            Command::Listen {
                command,
                session,
                config,
            },
        );
    }

    /// The engine heard an utterance. It is reported also when the party has hung up meanwhile.
    pub fn handle_utterance(&mut self, utterance: Utterance) {
        self.report(CallEvent::Utterance(utterance));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use flowswitch_media::amd::{AmdCause, Answerer};
    use flowswitch_media::command::{Outcome, Side};

    use super::*;
    use crate::call::cause::{Cause, Why};
    use crate::call::tests::kit::{SESSION, act, call, events};

    #[test]
    fn what_the_engine_hears_is_reported_also_after_the_end_of_the_call() {
        let mut call = call();
        let command = CommandId(7);
        let orders = act(&mut call, |call, down| {
            call.detect_machine(down, command, AmdConfig::default());
            call.listen(down, CommandId(8), ListenConfig::default());
        });
        let listening: Vec<_> = orders
            .iter()
            .filter_map(|order| match order {
                Command::DetectMachine {
                    command, session, ..
                }
                | Command::Listen {
                    command, session, ..
                } => Some((*command, *session)),
                _ => None,
            })
            .collect();
        assert_eq!(listening, [(command, SESSION), (CommandId(8), SESSION)]);
        let outcome = Outcome::Detected {
            result: Answerer::Person,
            cause: AmdCause::ShortGreeting,
        };
        act(&mut call, |call, down| {
            call.handle_finished(down, command, outcome.clone());
        });
        assert_eq!(
            events(&mut call),
            [CallEvent::Finished { command, outcome }]
        );
        act(&mut call, |call, down| {
            call.handle_gone(down, Cause::remote(Why::PeerHungUp));
        });
        events(&mut call);
        let utterance = Utterance {
            session: SESSION,
            command: CommandId(8),
            side: Side::Peer,
            start: Duration::ZERO,
            samples: Arc::new([1, 2, 3]),
        };
        call.handle_utterance(utterance.clone());
        assert_eq!(events(&mut call), [CallEvent::Utterance(utterance)]);
    }

    #[test]
    fn nothing_listens_on_a_call_that_is_over() {
        let mut call = call();
        act(&mut call, |call, down| {
            call.handle_gone(down, Cause::remote(Why::PeerHungUp));
        });
        events(&mut call);
        let orders = act(&mut call, |call, down| {
            call.detect_machine(down, CommandId(1), AmdConfig::default());
            call.listen(down, CommandId(2), ListenConfig::default());
        });
        assert!(orders.is_empty());
        let canceled = [1, 2].map(|command| CallEvent::Finished {
            command: CommandId(command),
            outcome: Outcome::Canceled,
        });
        assert_eq!(events(&mut call), canceled);
    }
}
