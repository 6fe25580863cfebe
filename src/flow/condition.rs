//! Conditions: true goes on, false jumps.

use std::cmp::Ordering;
use std::time::Duration;

use super::action::Target;
use super::template::{Late, ResolveError, Scalar, Template};
use super::variable::Variables;
use crate::status::CallStatus;

/// How two values are compared; as symbol (`==`) or word (`equal`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// `==`, `equal`
    Equal,
    /// `!=`, `not_equal`
    NotEqual,
    /// `>`, `greater`
    Greater,
    /// `>=`, `greater_equal`
    GreaterOrEqual,
    /// `<`, `less`
    Less,
    /// `<=`, `less_equal`
    LessOrEqual,
    /// Anything else, also nothing: never true.
    #[default]
    Unknown,
}

impl Scalar for Operator {
    const EXPECTED: &'static str = "an operator";

    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "==" | "equal" => Self::Equal,
            "!=" | "not_equal" => Self::NotEqual,
            ">" | "greater" => Self::Greater,
            ">=" | "greater_equal" => Self::GreaterOrEqual,
            "<" | "less" => Self::Less,
            "<=" | "less_equal" => Self::LessOrEqual,
            _ => Self::Unknown,
        })
    }
}

impl Operator {
    /// Whether `left OP right`, given how left stands to right.
    const fn holds(self, left: Ordering) -> bool {
        match self {
            Self::Equal => left.is_eq(),
            Self::NotEqual => left.is_ne(),
            Self::Greater => left.is_gt(),
            Self::GreaterOrEqual => left.is_ge(),
            Self::Less => left.is_lt(),
            Self::LessOrEqual => left.is_le(),
            Self::Unknown => false,
        }
    }
}

/// Options of `condition_variable`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VariableCondition {
    /// How to compare.
    pub operator: Late<Operator>,
    /// The left side: a text with placeholders is filled in; else the variable of that name has its
    /// value, a name of the engine (`voipbin.…`) without one is empty, and any other text is itself.
    pub variable: Template,
    /// As what to compare.
    pub value_type: Late<ValueType>,
    /// Compared byte by byte.
    pub value_string: Template,
    /// Compared as a number.
    pub value_number: Late<f64>,
    /// Compared with the length in bytes.
    pub value_length: Late<i64>,
    /// Where to go when it is false.
    pub false_target: Target,
}

/// As what a variable is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    String,
    /// Number; a text that is none makes every operator false.
    Number,
    /// Length of the text in bytes.
    Length,
    /// Anything else: never true.
    #[default]
    Unknown,
}

impl Scalar for ValueType {
    const EXPECTED: &'static str = "a value type";

    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "string" => Self::String,
            "number" => Self::Number,
            "length" => Self::Length,
            _ => Self::Unknown,
        })
    }
}

impl VariableCondition {
    /// Options are filled in from `scope`; a bare name is one of `variables`.
    pub(super) fn is_true(
        &self,
        scope: &Variables,
        variables: &Variables,
    ) -> Result<bool, ResolveError> {
        let operator = self.operator.resolve(scope)?;
        let text = self.variable.fill(scope)?;
        let left = if self.variable.as_str().contains("${") {
            &*text
        } else {
            match variables.value(&text) {
                Some(value) => value,
                None if text.starts_with("voipbin.") => "",
                None => &text,
            }
        };
        Ok(match self.value_type.resolve(scope)? {
            ValueType::String => {
                let right = self.value_string.fill(scope)?;
                operator.holds(left.as_bytes().cmp(right.as_bytes()))
            }
            ValueType::Number => {
                let right = self.value_number.resolve(scope)?;
                f64::from_text(left)
                    .and_then(|left| left.partial_cmp(&right))
                    .is_some_and(|order| operator.holds(order))
            }
            ValueType::Length => {
                let left = i64::try_from(left.len()).unwrap_or(i64::MAX);
                operator.holds(left.cmp(&self.value_length.resolve(scope)?))
            }
            ValueType::Unknown => false,
        })
    }
}

/// Options of `condition_datetime`; the clock is UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatetimeCondition {
    /// How to compare now (left) with the fields (right).
    pub operator: Late<Operator>,
    /// 0 to 59; any when missing or negative.
    pub minute: Option<Late<i64>>,
    /// 0 to 23; any when missing or negative.
    pub hour: Option<Late<i64>>,
    /// 1 to 31; any when missing, zero or negative.
    pub day: Option<Late<i64>>,
    /// 1 to 12; any when missing, zero or negative.
    pub month: Option<Late<i64>>,
    /// Sunday is 0; any when empty. Today must be one of them, whatever the operator.
    pub weekdays: Vec<Late<i64>>,
    /// Where to go when it is false.
    pub false_target: Target,
}

impl DatetimeCondition {
    /// Whether the time `since_1970` (UTC) fits. The fields that are given are compared as one tuple
    /// (month, day, hour, minute), so that `<= 17:30` holds at 16:45; with none given, every operator
    /// that is known holds.
    pub(super) fn is_true(
        &self,
        since_1970: Duration,
        variables: &Variables,
    ) -> Result<bool, ResolveError> {
        let Some(now) = civil(since_1970) else {
            return Ok(false);
        };
        for (index, weekday) in self.weekdays.iter().enumerate() {
            if weekday.resolve(variables)? == now.weekday {
                break;
            }
            if index + 1 == self.weekdays.len() {
                return Ok(false);
            }
        }
        let mut order = Ordering::Equal;
        let mut is_any = true;
        for (field, lowest, now) in [
            (&self.month, 1, now.month),
            (&self.day, 1, now.day),
            (&self.hour, 0, now.hour),
            (&self.minute, 0, now.minute),
        ] {
            let Some(field) = field else { continue };
            let wanted = field.resolve(variables)?;
            if wanted >= lowest {
                is_any = false;
                order = order.then(now.cmp(&wanted));
            }
        }
        let operator = self.operator.resolve(variables)?;
        Ok(operator.holds(order) || (is_any && operator != Operator::Unknown))
    }
}

struct Civil {
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    weekday: i64,
}

fn civil(since_1970: Duration) -> Option<Civil> {
    let seconds = i64::try_from(since_1970.as_secs()).ok()?;
    let now = jiff::Timestamp::from_second(seconds)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC);
    Some(Civil {
        month: now.month().into(),
        day: now.day().into(),
        hour: now.hour().into(),
        minute: now.minute().into(),
        weekday: now.weekday().to_sunday_zero_offset().into(),
    })
}

/// Options of `condition_call_digits`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallDigitsCondition {
    /// True when there are so many; zero to not ask.
    pub length: Late<i64>,
    /// True when they hold this text; empty to not ask.
    pub key: Template,
    /// Where to go when it is false.
    pub false_target: Target,
}

impl CallDigitsCondition {
    pub(super) fn is_true(
        &self,
        digits: &str,
        variables: &Variables,
    ) -> Result<bool, ResolveError> {
        let length = self.length.resolve(variables)?;
        let key = self.key.fill(variables)?;
        let count = i64::try_from(digits.chars().count()).unwrap_or(i64::MAX);
        Ok((length != 0 && count >= length) || (!key.is_empty() && digits.contains(&*key)))
    }
}

/// Options of `condition_call_status`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStatusCondition {
    /// Status wanted.
    pub status: Template,
    /// Where to go when it is false.
    pub false_target: Target,
}

impl CallStatusCondition {
    pub(super) fn is_true(
        &self,
        status: CallStatus,
        variables: &Variables,
    ) -> Result<bool, ResolveError> {
        Ok(self.status.fill(variables)? == status.as_str())
    }
}

#[cfg(test)]
mod tests;
