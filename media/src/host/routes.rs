//! Which thread a session is on.
//!
//! A session begins on the thread its lane falls to, and moves to the thread of its bridge when it joins one on
//! another lane; there it stays. A bridge never moves.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::command::{BridgeId, Command, SessionId};

/// Where an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the thread with this number.
    To(usize),
    /// The session has to move first.
    Move {
        session: SessionId,
        bridge: BridgeId,
        from: usize,
        to: usize,
    },
}

/// The places of all sessions; kept by the one who gives the orders.
#[derive(Debug)]
pub(super) struct Routes {
    threads: usize,
    /// Sessions that are elsewhere than where their lane falls.
    moved: HashMap<SessionId, usize>,
    /// Told by threads: sessions that are gone.
    gone: Receiver<SessionId>,
}

impl Routes {
    /// Routes among so many threads, and what is to be told of every session that is gone.
    pub(super) fn new(threads: usize) -> (Self, Sender<SessionId>) {
        let (tell, gone) = channel();
        let routes = Self {
            threads,
            moved: HashMap::new(),
            gone,
        };
        (routes, tell)
    }

    /// Where an order goes, and where its session will be afterwards.
    pub(super) fn route(&mut self, command: &Command) -> Route {
        while let Ok(session) = self.gone.try_recv() {
            self.moved.remove(&session);
        }
        let Some(session) = session_of(command) else {
            return Route::To(self.home_of(bridge_of(command).map_or(0, BridgeId::lane)));
        };
        let from = self.place_of(session);
        let Command::Join { bridge, .. } = command else {
            return Route::To(from);
        };
        let to = self.home_of(bridge.lane());
        if from == to {
            return Route::To(to);
        }
        self.moved.insert(session, to);
        Route::Move {
            session,
            bridge: *bridge,
            from,
            to,
        }
    }

    /// The thread that a session is on.
    pub(super) fn place_of(&self, session: SessionId) -> usize {
        let moved = self.moved.get(&session).copied();
        moved.unwrap_or_else(|| self.home_of(session.lane()))
    }

    const fn home_of(&self, lane: u8) -> usize {
        lane as usize % self.threads
    }
}

/// Whose an order is; `None` for those of a bridge.
pub(super) const fn session_of(command: &Command) -> Option<SessionId> {
    match command {
        Command::Open { session, .. }
        | Command::Configure { session, .. }
        | Command::Close { session }
        | Command::Play { session, .. }
        | Command::SendDigits { session, .. }
        | Command::Echo { session, .. }
        | Command::Record { session, .. }
        | Command::DetectMachine { session, .. }
        | Command::Listen { session, .. }
        | Command::OpenExternal { session, .. }
        | Command::CloseExternal { session, .. }
        | Command::Mute { session, .. }
        | Command::Cancel { session, .. }
        | Command::Join { session, .. }
        | Command::Leave { session } => Some(*session),
        Command::ConfigureBridge { .. }
        | Command::RecordBridge { .. }
        | Command::StopBridgeRecording { .. } => None,
    }
}

/// Which bridge an order is for.
pub(super) const fn bridge_of(command: &Command) -> Option<BridgeId> {
    match command {
        Command::Join { bridge, .. }
        | Command::ConfigureBridge { bridge, .. }
        | Command::RecordBridge { bridge, .. }
        | Command::StopBridgeRecording { bridge, .. } => Some(*bridge),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Part;

    fn join(session: u64, bridge: u64) -> Command {
        Command::Join {
            session: SessionId(session),
            bridge: BridgeId(bridge),
            part: Part::FULL,
        }
    }

    fn leave(session: u64) -> Command {
        let session = SessionId(session);
        Command::Leave { session }
    }

    #[test]
    fn a_session_is_where_it_was_born_until_it_joins_and_then_where_its_bridge_is() {
        let (mut routes, tell) = Routes::new(4);
        assert_eq!(routes.route(&leave(6)), Route::To(2));
        let moves = Route::Move {
            session: SessionId(6),
            bridge: BridgeId(9),
            from: 2,
            to: 1,
        };
        assert_eq!(routes.route(&join(6, 9)), moves);
        assert_eq!(routes.route(&join(6, 9)), Route::To(1));
        assert_eq!(routes.route(&leave(6)), Route::To(1));
        assert_eq!(routes.route(&join(5, 9)), Route::To(1));
        tell.send(SessionId(6)).unwrap();
        assert_eq!(routes.route(&leave(6)), Route::To(2));
    }

    #[test]
    fn sessions_of_one_lane_join_a_bridge_of_it_where_they_are() {
        let (mut routes, _tell) = Routes::new(4);
        for lane in [0, 6, 255] {
            let at = Route::To(usize::from(lane) % 4);
            for number in 1..9 {
                let session = SessionId::on(lane, number);
                assert_eq!(session.lane(), lane);
                assert_eq!(routes.route(&leave(session.0)), at);
                let bridge = BridgeId::on(lane, 10 * number);
                assert_eq!(routes.route(&join(session.0, bridge.0)), at);
            }
        }
    }
}
