//! Option values that may only be known when their action runs.

use std::borrow::Cow;
use std::time::Duration;

use super::insert::{self, Grammar};
use super::variable::{VariableError, Variables, has_placeholder};

/// A text that may hold `${name}`; filled in each time its action runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Box<str>);

impl Template {
    /// Keeps `text` as it is written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds a placeholder.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        has_placeholder(&self.0)
    }

    pub(super) fn fill(&self, variables: &Variables) -> Result<Cow<'_, str>, VariableError> {
        variables.substitute(&self.0)
    }

    /// The same, where the text has a grammar that no value may break.
    pub(super) fn fill_as(
        &self,
        grammar: Grammar,
        variables: &Variables,
    ) -> Result<Cow<'_, str>, ResolveError> {
        insert::fill(grammar, &self.0, variables)
    }
}

/// A value, or the template that becomes one when its action runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Late<T> {
    /// Written out in the flow.
    Known(T),
    /// Holds a placeholder.
    Template(Template),
}

impl<T: Default> Default for Late<T> {
    fn default() -> Self {
        Self::Known(T::default())
    }
}

impl<T: Clone> Late<T> {
    pub(super) fn resolve(&self, variables: &Variables) -> Result<T, ResolveError>
    where
        T: Scalar,
    {
        match self {
            Self::Known(value) => Ok(value.clone()),
            Self::Template(template) => {
                T::from_text(&template.fill(variables)?).ok_or(ResolveError::NotReadable {
                    expected: T::EXPECTED,
                })
            }
        }
    }
}

/// Why an option has no value now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// What the variables gave is not what the option needs.
    #[error("an option did not become {expected}")]
    NotReadable {
        /// What it needs.
        expected: &'static str,
    },
    /// The text grew too long.
    #[error(transparent)]
    Variable(#[from] VariableError),
}

/// What an option can hold besides free text.
pub(super) trait Scalar: Sized {
    /// In words, for an error.
    const EXPECTED: &'static str;
    /// Reads it from a string; `None` when that is not one.
    fn from_text(text: &str) -> Option<Self>;
    /// Takes a JSON whole number.
    fn from_whole(_: i64) -> Option<Self> {
        None
    }
    /// Takes a JSON number with fraction or exponent.
    fn from_real(_: f64) -> Option<Self> {
        None
    }
    /// Takes a JSON boolean.
    fn from_bool(_: bool) -> Option<Self> {
        None
    }
}

impl Scalar for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        text.parse()
            .ok()
            .or_else(|| text.parse().ok().and_then(Self::from_real))
    }

    fn from_whole(number: i64) -> Option<Self> {
        Some(number)
    }

    fn from_real(number: f64) -> Option<Self> {
        const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and below 2^53, so exact"
        )]
        (number.fract() == 0.0 && number.abs() <= LARGEST_EXACT).then_some(number as Self)
    }
}

impl Scalar for f64 {
    const EXPECTED: &'static str = "a number";

    /// Decimal only: neither `inf` nor `nan` is a number here.
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &Self| number.is_finite())
    }

    fn from_whole(number: i64) -> Option<Self> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "compared with another number, as JSON has them"
        )]
        Some(number as Self)
    }

    fn from_real(number: f64) -> Option<Self> {
        Some(number)
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn from_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

/// A time that a flow states in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub i64);

/// A time that a flow states in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub i64);

/// Longest time any option can state: a day, far beyond the longest call.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

impl Milliseconds {
    /// Zero for a negative number, at most [`MAX_DURATION`].
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or(0)).min(MAX_DURATION)
    }
}

impl Seconds {
    /// `None` for zero and below (no limit), at most [`MAX_DURATION`].
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        let seconds = u64::try_from(self.0).ok().filter(|seconds| *seconds > 0)?;
        Some(Duration::from_secs(seconds).min(MAX_DURATION))
    }
}

macro_rules! scalar_of_whole {
    ($name:ident, $expected:literal) => {
        impl Scalar for $name {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                i64::from_text(text).map(Self)
            }

            fn from_whole(number: i64) -> Option<Self> {
                Some(Self(number))
            }

            fn from_real(number: f64) -> Option<Self> {
                i64::from_real(number).map(Self)
            }
        }
    };
}

scalar_of_whole!(Milliseconds, "a whole number of milliseconds");
scalar_of_whole!(Seconds, "a whole number of seconds");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_strings_and_whole_numbers_may_have_a_zero_fraction() {
        assert_eq!(i64::from_text(" 5000 "), Some(5000));
        assert_eq!(i64::from_text("5e3"), Some(5000));
        assert_eq!(i64::from_real(2.0), Some(2));
        assert_eq!(i64::from_real(2.5), None);
        assert_eq!(i64::from_real(1e300), None);
        assert_eq!(i64::from_text("five"), None);
        assert_eq!(f64::from_text("1.5"), Some(1.5));
        assert_eq!(
            (
                f64::from_text("nan"),
                f64::from_text("inf"),
                f64::from_text("")
            ),
            (None, None, None)
        );
    }

    #[test]
    fn times_are_never_negative_and_never_beyond_a_day() {
        assert_eq!(Milliseconds(-5).duration(), Duration::ZERO);
        assert_eq!(Milliseconds(i64::MAX).duration(), MAX_DURATION);
        assert_eq!(Seconds(0).limit(), None);
        assert_eq!(Seconds(i64::MAX).limit(), Some(MAX_DURATION));
        assert_eq!(Seconds(60).limit(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_late_value_is_read_when_its_action_runs() {
        let mut variables = Variables::default();
        let late = Late::<i64>::Template(Template::new("${n}0"));
        variables.set("n", "4").unwrap();
        assert_eq!(late.resolve(&variables), Ok(40));
        variables.set("n", "x").unwrap();
        assert_eq!(
            late.resolve(&variables),
            Err(ResolveError::NotReadable {
                expected: "a whole number"
            })
        );
    }
}
