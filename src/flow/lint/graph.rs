//! Where the cursor can go.

use std::collections::{HashMap, VecDeque};

use super::catalogue::{self, ActionSpec, Pace};
use super::place::{Place, did_you_mean};
use super::rule::Rule;
use super::{Surroundings, digits, loops, shape};
use crate::flow::action::ActionId;
use crate::flow::json::{Value, clip};
use crate::flow::template::Scalar;
use crate::flow::variable::{CALL_STATUS, has_placeholder};

/// An action, as far as the cursor's way depends on it.
pub(super) struct Step<'a> {
    pub(super) place: Place<'a>,
    pub(super) spec: Option<&'static ActionSpec>,
    pub(super) id: Option<String>,
    pub(super) jumps: Vec<Jump<'a>>,
    /// The flow it fetches, when that is written out.
    pub(super) fetches: Option<String>,
}

/// A way that is written down.
pub(super) struct Jump<'a> {
    pub(super) place: Place<'a>,
    /// `None` when it is known at the call only.
    pub(super) target: Option<String>,
    pub(super) way: Way<'a>,
}

/// When a way is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// The action is done.
    Next,
    /// The variable of a branch has this value.
    Key(&'a str),
    /// It has any other.
    Default,
    /// A condition is false.
    False,
    /// A `goto` jumps; how often, when that is written out.
    Counted(Option<i64>),
}

/// A way, and where it leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<'a> {
    pub(super) to: usize,
    pub(super) way: Way<'a>,
}

/// The actions of one array, without a word about them.
pub(super) fn read_steps<'a>(actions: &Place<'a>) -> impl Iterator<Item = Step<'a>> + use<'a> {
    let steps: Vec<Step<'a>> = actions.items().map(read_step).collect();
    steps.into_iter()
}

fn read_step<'a>(place: Place<'a>) -> Step<'a> {
    let name = place.find("type").and_then(|kind| kind.text());
    let spec = name.and_then(catalogue::find);
    let option = place.find("option");
    let find = |key: &str| option.as_ref().and_then(|option| option.find(key));
    let mut jumps = Vec::new();
    let mut add = |place: Option<Place<'a>>, way: Way<'a>| {
        jumps.extend(place.and_then(|place| jump(place, way)));
    };
    add(place.find("next_id"), Way::Next);
    match spec.map_or("", |spec| spec.name) {
        "branch" => {
            add(find("default_target_id"), Way::Default);
            for (key, target) in find("target_ids").iter().flat_map(Place::members) {
                add(Some(target), Way::Key(key));
            }
        }
        "goto" => add(
            find("target_id"),
            Way::Counted(loop_count(find("loop_count"))),
        ),
        "condition_call_digits"
        | "condition_call_status"
        | "condition_datetime"
        | "condition_variable" => add(find("false_target_id"), Way::False),
        _ => {}
    }
    let fetches = match spec.map_or("", |spec| spec.name) {
        "fetch_flow" => find("flow_id").and_then(|id| id.text()),
        _ => None,
    };
    Step {
        spec,
        id: place.find("id").and_then(|id| action_id(id.text()?)),
        jumps,
        fetches: fetches.map(shape::flow_name),
        place,
    }
}

fn jump<'a>(place: Place<'a>, way: Way<'a>) -> Option<Jump<'a>> {
    let text = place.text()?;
    let is_late = has_placeholder(text);
    let target = if is_late {
        None
    } else {
        Some(action_id(text)?)
    };
    Some(Jump { place, target, way })
}

/// The id as the engine compares it; none when it is empty, nil or too long.
fn action_id(text: &str) -> Option<String> {
    let id = Option::<ActionId>::from_text(text).flatten()?;
    Some(id.as_str().to_owned())
}

/// How often a `goto` jumps; `None` when only a call tells.
fn loop_count(place: Option<Place<'_>>) -> Option<i64> {
    match place.as_ref().map(Place::value) {
        None => Some(0),
        Some(Value::Whole(count)) => Some(*count),
        Some(Value::Real(count)) => i64::from_real(*count),
        Some(Value::Text(text)) => i64::from_text(text),
        Some(_) => None,
    }
}

impl<'a> Step<'a> {
    pub(super) fn name(&self) -> &'static str {
        self.spec.map_or("", |spec| spec.name)
    }

    pub(super) fn option(&self, key: &str) -> Option<Place<'a>> {
        self.place.find("option")?.find(key)
    }

    /// Whether the cursor surely goes on at once.
    pub(super) fn is_immediate(&self) -> bool {
        let is_set = |key| match self.option(key).as_ref().map(Place::value) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Text(text)) => text.trim() == "true",
            _ => false,
        };
        let is_nothing = |key| matches!(self.option(key).as_ref().map(Place::value), Some(Value::Whole(time)) if *time <= 0);
        match self.spec {
            None => false,
            Some(spec) if spec.pace == Pace::Immediate => true,
            Some(spec) => match spec.name {
                "talk" | "amd" => is_set("async"),
                "digits_receive" => is_nothing("duration"),
                "sleep" => is_nothing("duration") || self.option("duration").is_none(),
                _ => false,
            },
        }
    }
}

/// The steps of one array of actions, and the ways between them.
pub(super) struct Graph<'g, 'a> {
    pub(super) steps: &'g [Step<'a>],
    around: &'g Surroundings<'g>,
    places: HashMap<&'g str, usize>,
    pub(super) edges: Vec<Vec<Edge<'a>>>,
    pub(super) is_reached: Vec<bool>,
}

/// Where a target is.
enum Found {
    Step(usize),
    /// The end of the flow, which has an id of its own.
    Finish,
    Nowhere,
}

impl<'g, 'a> Graph<'g, 'a> {
    pub(super) fn new(steps: &'g [Step<'a>], around: &'g Surroundings<'g>) -> Self {
        let mut places = HashMap::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            if let Some(id) = &step.id {
                places.entry(id.as_str()).or_insert(at);
            }
        }
        let mut graph = Self {
            steps,
            around,
            places,
            edges: Vec::new(),
            is_reached: Vec::new(),
        };
        graph.edges = (0..steps.len()).map(|at| graph.edges_of(at)).collect();
        graph.is_reached = graph.reached(graph.roots());
        graph
    }

    /// Notes everything that only the whole tells.
    pub(super) fn check(&self, is_for_the_api_only: bool) {
        self.check_ids();
        for step in self.steps {
            self.check_jumps(step);
        }
        self.check_reached();
        loops::check(self);
        digits::check(self);
        if is_for_the_api_only {
            self.check_media();
        } else if !self.around.is_fetched {
            self.check_answered();
        }
    }

    fn check_ids(&self) {
        for (at, step) in self.steps.iter().enumerate() {
            if let Some(id) = &step.id
                && self.places.get(id.as_str()) != Some(&at)
            {
                let place = step.place.find("id").unwrap_or_else(|| step.place.clone());
                place.note(
                    Rule::DuplicateId,
                    format!("the id {id:?} stands above already: every jump goes there"),
                    "give this action an id of its own",
                );
            }
        }
    }

    fn check_jumps(&self, step: &Step<'a>) {
        for jump in &step.jumps {
            let Some(target) = &jump.target else { continue };
            if !matches!(self.find(target), Found::Nowhere) {
                continue;
            }
            let effect = if jump.way == Way::Next {
                "the flow ends here"
            } else {
                "the flow ends as failed when it goes there"
            };
            if self.around.outer_ids.contains(target) {
                jump.place.note(
                    Rule::OuterTarget,
                    format!("{:?} is an action of another flow", clip(target)),
                    "make sure that this flow is only run by fetch_flow from there",
                );
                continue;
            }
            jump.place.note(
                Rule::DanglingTarget,
                format!("no action has the id {:?}: {effect}", clip(target)),
                did_you_mean(
                    target,
                    self.places.keys().copied(),
                    "give an action this id, or correct it",
                ),
            );
        }
        let has = |way: fn(&Way<'_>) -> bool| step.jumps.iter().any(|jump| way(&jump.way));
        match step.name() {
            "branch" if !has(|way| *way == Way::Default) => step.place.note(
                Rule::NoDefault,
                "the branch has no default: any other value ends the flow as failed",
                "add \"default_target_id\"",
            ),
            "goto" if has(|way| matches!(way, Way::Counted(Some(..=0)))) => step.place.note(
                Rule::NeverJumps,
                "the goto never jumps, because its loop_count is missing or not above zero",
                "add \"loop_count\", or use \"next_id\" for a jump without end",
            ),
            _ => {}
        }
    }

    /// Notes the first of each run of actions that nothing leads to.
    fn check_reached(&self) {
        let mut at = 0;
        while at < self.steps.len() {
            let length = self.is_reached[at..].iter().take_while(|is| !**is).count();
            if length > 0 {
                let more = match length {
                    1 => String::new(),
                    2 => ", nor to the one after it".to_owned(),
                    _ => format!(", nor to the {} after it", length - 1),
                };
                self.steps[at].place.note(
                    Rule::Unreachable,
                    format!("nothing leads to this action{more}"),
                    "remove it, or give it an id and jump to it",
                );
            }
            at += length + 1;
        }
    }

    fn check_media(&self) {
        let mut passed_over = self
            .steps
            .iter()
            .zip(&self.is_reached)
            .filter(|(step, reached)| {
                **reached
                    && step
                        .spec
                        .is_some_and(|spec| spec.needs_call && spec.pace != Pace::Ends)
            });
        if let Some((first, _)) = passed_over.next() {
            first.place.note(
                Rule::MediaWithoutCall,
                format!(
                    "{} needs a call, and no number leads to this flow: it is passed over (and {} more)",
                    first.name(),
                    passed_over.count()
                ),
                "give the flow a number, or remove \"numbers\": [] when it is dialed by its name",
            );
        }
    }

    fn check_answered(&self) {
        let is_open = self.reached_by(self.roots_without_fetch(), |step, way| {
            let has_text = |key: &str, text: &str| {
                step.option(key)
                    .and_then(|option| option.text())
                    .is_some_and(|found| found.contains(text))
            };
            match step.name() {
                "condition_call_status" => way == Way::False || !has_text("status", "progressing"),
                "condition_variable" => way == Way::False || !has_text("variable", CALL_STATUS),
                name => !ANSWERING.contains(&name),
            }
        });
        for (step, _) in self
            .steps
            .iter()
            .zip(is_open)
            .filter(|(_, is_open)| *is_open)
        {
            match step.name() {
                "recording_start" => step.place.note(
                    Rule::RecordingUnanswered,
                    "the call may not be answered here: then nothing is recorded",
                    "put an answer action before it",
                ),
                "digits_receive" => step.place.note(
                    Rule::DigitsUnanswered,
                    "the call may not be answered here: many networks carry no digits then",
                    "put an answer action before it",
                ),
                _ => {}
            }
        }
    }

    /// Which steps the cursor may come to.
    fn reached(&self, roots: Vec<usize>) -> Vec<bool> {
        self.reached_by(roots, |_, _| true)
    }

    /// Which steps are reached over ways that `may_pass` allows.
    fn reached_by(
        &self,
        roots: Vec<usize>,
        may_pass: impl Fn(&Step<'a>, Way<'a>) -> bool,
    ) -> Vec<bool> {
        let mut is_reached = vec![false; self.steps.len()];
        let mut open = VecDeque::from(roots);
        while let Some(at) = open.pop_front() {
            if std::mem::replace(&mut is_reached[at], true) {
                continue;
            }
            let edges = self.edges[at].iter();
            open.extend(
                edges
                    .filter(|edge| may_pass(&self.steps[at], edge.way))
                    .map(|edge| edge.to),
            );
        }
        is_reached
    }

    /// Where a cursor may come in: at the start, and wherever a fetched flow may jump back to.
    fn roots(&self) -> Vec<usize> {
        let fetches_anything = self.steps.iter().any(|step| step.name() == "fetch");
        let is_late = self
            .steps
            .iter()
            .flat_map(|step| &step.jumps)
            .any(|jump| jump.target.is_none());
        let mut roots = self.roots_without_fetch();
        roots.extend(self.places.iter().filter_map(|(id, at)| {
            (fetches_anything || is_late || self.around.outer_targets.contains(*id)).then_some(*at)
        }));
        roots
    }

    fn roots_without_fetch(&self) -> Vec<usize> {
        if self.steps.is_empty() {
            vec![]
        } else {
            vec![0]
        }
    }

    fn edges_of(&self, at: usize) -> Vec<Edge<'a>> {
        let step = &self.steps[at];
        if step.spec.is_some_and(|spec| spec.pace == Pace::Ends) {
            return Vec::new();
        }
        let mut edges = Vec::with_capacity(step.jumps.len() + 1);
        let mut goes_on = step.name() != "branch";
        for jump in &step.jumps {
            if jump.way == Way::Next {
                goes_on = false;
                if step.name() == "branch" {
                    continue;
                }
            }
            if matches!(jump.way, Way::Counted(Some(..=0))) {
                continue;
            }
            if let Some(target) = &jump.target
                && let Found::Step(to) = self.find(target)
            {
                edges.push(Edge { to, way: jump.way });
            }
        }
        if goes_on && at + 1 < self.steps.len() {
            edges.push(Edge {
                to: at + 1,
                way: Way::Next,
            });
        }
        edges
    }

    fn find(&self, target: &str) -> Found {
        if let Some(at) = self.places.get(target) {
            return Found::Step(*at);
        }
        match uuid::Uuid::try_parse(target) {
            Ok(id) if id == ActionId::START => Found::Step(0),
            Ok(id) if id == ActionId::FINISH => Found::Finish,
            _ => Found::Nowhere,
        }
    }
}

/// Actions after which the call may be taken for answered.
const ANSWERING: [&str; 11] = [
    "agent_call",
    "ai_talk",
    "answer",
    "chatbot_talk",
    "conference_join",
    "confbridge_join",
    "connect",
    "fetch",
    "fetch_flow",
    "queue_join",
    "talk",
];
