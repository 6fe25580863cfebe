//! Holds all that the switch tells against the rules by which whoever watches keeps its records.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::ids::{ActiveflowId, CallId, RecordingId};
use crate::status::CallStatus;
use crate::store::activeflows::ActiveflowStatus;
use crate::store::call_state::CallState;
use crate::store::confbridges::ConfbridgeState;
use crate::switch::{
    CallNews, Change, ConfbridgeNews, GroupcallNews, RecordingNews, Report, TranscribeNews,
};

/// What is known from reports alone.
#[derive(Debug, Default)]
pub(super) struct Watch {
    calls: HashMap<CallId, CallStatus>,
    /// Hung up, and their records are still to come.
    over: HashSet<CallId>,
    flows: HashMap<ActiveflowId, usize>,
    groupcalls: HashSet<Uuid>,
    recordings: HashSet<RecordingId>,
    confbridges: HashMap<Uuid, Vec<CallId>>,
    transcribes: HashSet<Uuid>,
}

impl Watch {
    pub(super) fn take(&mut self, report: &Report) {
        match report {
            Report::Call { news, call } => self.take_call(*news, call),
            Report::CallEnded(record) => {
                assert!(self.over.remove(&record.id), "not hung up: {record:?}");
            }
            Report::Activeflow { news, activeflow } => {
                let id = activeflow.id;
                let known = self.flows.contains_key(&id);
                assert_eq!(known, *news == Change::Updated, "{activeflow:?}");
                *self.flows.entry(id).or_default() += activeflow.executed.len();
                if activeflow.status == ActiveflowStatus::Ended {
                    assert_eq!(activeflow.current, None);
                    self.flows.remove(&id);
                }
            }
            Report::Groupcall { news, groupcall } => {
                let is_new = *news == GroupcallNews::Created;
                assert_eq!(self.groupcalls.insert(groupcall.id), is_new);
                assert!(groupcall.living <= groupcall.calls.len(), "{groupcall:?}");
                if *news == GroupcallNews::Hangup {
                    assert_eq!(groupcall.living, 0);
                    self.groupcalls.remove(&groupcall.id);
                }
            }
            Report::Recording { news, recording } => match news {
                RecordingNews::Started => assert!(self.recordings.insert(recording.id)),
                RecordingNews::Finished => {
                    assert!(recording.ended.is_some(), "{recording:?}");
                    assert!(self.recordings.remove(&recording.id), "{recording:?}");
                }
            },
            Report::Confbridge { news, confbridge } => self.take_confbridge(*news, confbridge),
            Report::Transcribe { news, transcribe } => {
                let is_new = *news == TranscribeNews::Created;
                assert_eq!(self.transcribes.insert(transcribe.id), is_new);
                if *news == TranscribeNews::Done {
                    self.transcribes.remove(&transcribe.id);
                }
            }
            _ => {}
        }
    }

    /// What has not come to its end.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        left.extend(self.calls.keys().map(|id| format!("call {id}")));
        left.extend(self.over.iter().map(|id| format!("record of {id}")));
        left.extend(self.flows.keys().map(|id| format!("activeflow {id}")));
        left.extend(self.groupcalls.iter().map(|id| format!("groupcall {id}")));
        left.extend(self.recordings.iter().map(|id| format!("recording {id}")));
        let confbridges = self.confbridges.keys();
        left.extend(confbridges.map(|id| format!("confbridge {id}")));
        left.extend(self.transcribes.iter().map(|id| format!("transcribe {id}")));
        left
    }

    fn take_call(&mut self, news: CallNews, call: &CallState) {
        let before = match news {
            CallNews::Created => {
                assert!(!self.over.contains(&call.id), "{call:?}");
                self.calls.insert(call.id, call.status)
            }
            CallNews::Hangup => {
                assert!(self.over.insert(call.id), "hung up twice: {call:?}");
                self.calls.remove(&call.id)
            }
            _ => self.calls.insert(call.id, call.status),
        };
        match (news, before) {
            (CallNews::Created, before) => assert_eq!(before, None, "{call:?}"),
            (CallNews::Updated, before) => assert_eq!(before, Some(call.status), "{call:?}"),
            (CallNews::Dialing, before) => {
                assert_eq!(before, Some(CallStatus::Dialing), "{call:?}")
            }
            (_, Some(before)) => {
                assert!(before.may_become(call.status), "{before:?}: {call:?}");
                assert_eq!(news, CallNews::of(call.status));
            }
            (_, None) => panic!("{news:?} of a call that was not there: {call:?}"),
        }
        let is_over = call.status == CallStatus::Hangup;
        assert_eq!(call.cause.is_some(), is_over, "{call:?}");
        assert_eq!(call.hungup.is_some(), is_over, "{call:?}");
        let moments = [Some(call.created), call.rang, call.answered, call.hungup];
        let moments: Vec<_> = moments.into_iter().flatten().collect();
        assert!(moments.is_sorted(), "{call:?}");
        assert!(moments.iter().all(|at| *at <= call.updated), "{call:?}");
        if let Some(recording) = call.recording {
            assert!(call.recordings.contains(&recording), "{call:?}");
        }
    }

    fn take_confbridge(&mut self, news: ConfbridgeNews, confbridge: &ConfbridgeState) {
        let id = confbridge.id;
        if news == ConfbridgeNews::Created {
            assert!(self.confbridges.insert(id, Vec::new()).is_none());
        }
        let calls = self.confbridges.get_mut(&id).expect("it was created");
        match news {
            ConfbridgeNews::Joined(call) => {
                assert!(!calls.contains(&call), "{confbridge:?}");
                calls.push(call);
            }
            ConfbridgeNews::Leaved(call) => {
                assert!(calls.contains(&call), "{confbridge:?}");
                calls.retain(|known| *known != call);
            }
            _ => {}
        }
        assert_eq!(calls.len(), confbridge.calls, "{news:?}");
        if news == ConfbridgeNews::Terminated {
            assert_eq!(confbridge.calls, 0);
            self.confbridges.remove(&id);
        }
    }
}
