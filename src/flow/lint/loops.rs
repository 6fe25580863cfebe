//! Loops that the engine would end by a limit.

use std::collections::VecDeque;

use super::graph::{Graph, Way};
use super::rule::Rule;
use crate::flow::end::Limits;

/// Most steps looked at for counted loops: a flow beyond is not written by hand.
const MAX_WORK: usize = 20_000_000;

pub(super) fn check(graph: &Graph<'_, '_>) {
    let limits = Limits::default();
    check_endless(graph, limits);
    let jumps = graph.steps.iter().filter(|step| step.name() == "goto");
    if jumps.count().saturating_mul(graph.steps.len()) <= MAX_WORK {
        for at in 0..graph.steps.len() {
            check_counted(graph, at, limits);
        }
    }
}

/// A depth-first walk over actions that take no time: a way back to the path itself is such a loop.
///
/// A branch empties its variable, so the way of a key is not taken twice; a counted `goto` comes to an
/// end by itself.
fn check_endless(graph: &Graph<'_, '_>, limits: Limits) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let mut marks = vec![Mark::New; graph.steps.len()];
    let may_walk = |at: usize| graph.is_reached[at] && graph.steps[at].is_immediate();
    for root in 0..graph.steps.len() {
        if marks[root] != Mark::New || !may_walk(root) {
            continue;
        }
        marks[root] = Mark::OnPath;
        let mut path = vec![(root, 0)];
        while let Some((at, edge)) = path.last_mut() {
            let at = *at;
            let Some(next) = graph.edges[at].get(*edge) else {
                marks[at] = Mark::Done;
                path.pop();
                continue;
            };
            *edge += 1;
            let is_bounded = matches!(next.way, Way::Counted(_))
                || matches!(next.way, Way::Key(key) if !key.is_empty());
            if is_bounded || !may_walk(next.to) {
                continue;
            }
            match marks[next.to] {
                Mark::New => {
                    marks[next.to] = Mark::OnPath;
                    path.push((next.to, 0));
                }
                Mark::OnPath => note_endless(graph, next.to, at, limits),
                Mark::Done => {}
            }
        }
    }
}

fn note_endless(graph: &Graph<'_, '_>, first: usize, last: usize, limits: Limits) {
    let from = &graph.steps[last];
    graph.steps[first].place.note(
        Rule::LoopWithoutWait,
        format!(
            "the loop from here over {} and back takes no time: it ends the flow after {} steps",
            from.name(),
            limits.steps
        ),
        "put an action that waits into it (talk, sleep, digits_receive), or a goto with loop_count",
    );
}

fn check_counted(graph: &Graph<'_, '_>, at: usize, limits: Limits) {
    if !graph.is_reached[at] {
        return;
    }
    for edge in &graph.edges[at] {
        let Way::Counted(Some(count)) = edge.way else {
            continue;
        };
        let Some(round) = shortest_round(graph, edge.to, at) else {
            continue;
        };
        let rounds = u64::try_from(count).unwrap_or(0);
        let waits = rounds.saturating_mul(round.waits);
        let steps = rounds.saturating_mul(round.steps);
        let passed = if waits > u64::from(limits.executions) {
            format!("{} waits of one flow", limits.executions)
        } else if round.waits == 0 && steps > u64::from(limits.steps) {
            format!("{} steps without a wait", limits.steps)
        } else {
            continue;
        };
        graph.steps[at].place.note(
            Rule::LoopOverLimit,
            format!(
                "{count} rounds of this loop pass the limit of {passed}: the flow ends as failed"
            ),
            "count fewer rounds",
        );
    }
}

struct Round {
    waits: u64,
    steps: u64,
}

/// The way from `from` to `to` with the fewest waits, and how many steps it has, both ends included.
fn shortest_round(graph: &Graph<'_, '_>, from: usize, to: usize) -> Option<Round> {
    let wait_of = |at: usize| u64::from(!graph.steps[at].is_immediate());
    let mut best = vec![(u64::MAX, u64::MAX); graph.steps.len()];
    best[from] = (wait_of(from), 1);
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        let (waits, steps) = best[at];
        if at == to {
            return Some(Round { waits, steps });
        }
        for edge in &graph.edges[at] {
            let wait = wait_of(edge.to);
            let reached = (waits + wait, steps + 1);
            if reached < best[edge.to] {
                best[edge.to] = reached;
                if wait == 0 {
                    open.push_front(edge.to);
                } else {
                    open.push_back(edge.to);
                }
            }
        }
    }
    None
}
