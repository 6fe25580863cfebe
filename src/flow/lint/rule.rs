//! The rules, each with its code.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Works, and could be better.
    Note,
    /// Works, and probably not as meant.
    Warning,
    /// Does not work, or ends the flow.
    Error,
}

impl Severity {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $code:literal $name:literal $severity:ident,)+) => {
        /// One thing that is looked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// All of them, by code.
            pub const ALL: &'static [Self] = &[$(Self::$rule),+];

            /// `F` and three digits; never given to another rule.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$rule => $code),+ }
            }

            /// Its name in words with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name),+ }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity),+ }
            }

            /// What is meant, in sentences.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$rule => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

rules! {
    /// The file is not JSON.
    Syntax = "F001" "syntax" Error,
    /// A key stands twice in one object.
    DuplicateKey = "F002" "duplicate-key" Error,
    /// JSON, but neither a flow object nor an array of actions, or too large.
    NotAFlow = "F003" "not-a-flow" Error,
    /// No action has this type.
    UnknownAction = "F010" "unknown-action" Error,
    /// The action has no such option; it would be passed over in silence.
    UnknownOption = "F011" "unknown-option" Error,
    /// A flow, an action or an address has no such field.
    UnknownField = "F012" "unknown-field" Warning,
    /// A value of another kind is needed.
    WrongType = "F013" "wrong-type" Error,
    /// An option without which the action does nothing or fails is missing or empty.
    MissingOption = "F014" "missing-option" Error,
    /// The right kind of value, but not one that means something here.
    WrongValue = "F015" "wrong-value" Error,
    /// A word that is not known here and is read as the default.
    UnknownWord = "F016" "unknown-word" Warning,
    /// A number outside the range; it is taken into it.
    OutOfRange = "F017" "out-of-range" Warning,
    /// An action or option that exists, but that the switch of this version refuses to load.
    NotSupported = "F018" "not-supported" Warning,
    /// Recordings are written as WAV, MP3 or Ogg Opus only.
    RecordingFormat = "F019" "recording-format" Error,
    /// A URL whose host the outbound policy refuses, as far as its text tells.
    RefusedUrl = "F020" "refused-url" Error,
    /// Works, but there is a newer way.
    Deprecated = "F022" "deprecated" Note,
    /// A jump or `next_id` to an action that is not there.
    DanglingTarget = "F030" "dangling-target" Error,
    /// A jump to an action of another flow: found only when that flow has fetched this one.
    OuterTarget = "F031" "outer-target" Warning,
    /// A branch without `default_target_id`: any other value ends the flow as failed.
    NoDefault = "F033" "branch-without-default" Warning,
    /// Nothing leads to this action.
    Unreachable = "F034" "unreachable-action" Warning,
    /// Two actions have one id; jumps go to the first.
    DuplicateId = "F035" "duplicate-id" Error,
    /// A loop in which nothing takes time: the flow ends as failed at the step limit.
    LoopWithoutWait = "F036" "loop-without-wait" Error,
    /// A counted loop that passes a limit before its count is over.
    LoopOverLimit = "F037" "loop-over-limit" Warning,
    /// A `goto` without a positive `loop_count` never jumps.
    NeverJumps = "F038" "goto-never-jumps" Warning,
    /// A branch key that the digits before it can never be.
    ImpossibleKey = "F040" "impossible-branch-key" Warning,
    /// A branch key without the end key, which stays in the digits: reached only by waiting.
    KeyWithoutEnd = "F041" "branch-key-without-end-key" Warning,
    /// A media action in a flow that says that no number leads to it: it is passed over without a call.
    MediaWithoutCall = "F050" "media-without-call" Warning,
    /// A recording on a call that is not answered on some way to it: nothing is recorded.
    RecordingUnanswered = "F051" "recording-before-answer" Warning,
    /// Digits are collected from a call that may not be answered: many networks carry none then.
    DigitsUnanswered = "F052" "digits-before-answer" Note,
    /// A flow that is not among the flows.
    UnknownFlow = "F054" "unknown-flow" Error,
    /// The name of a variable written as its value, or the other way round.
    VariableSpelling = "F055" "variable-spelling" Warning,
    /// A placeholder that is not closed stays in the text as it is.
    OpenPlaceholder = "F056" "open-placeholder" Warning,
    /// A variable of the engine that does not exist.
    UnknownVariable = "F057" "unknown-variable" Warning,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        let codes: Vec<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), codes.len());
        for rule in Rule::ALL {
            assert!(rule.description().ends_with('.'), "{}", rule.code());
        }
    }
}
