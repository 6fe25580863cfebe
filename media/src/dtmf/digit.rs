//! The sixteen keys.

use std::fmt;
use std::str::FromStr;

/// One DTMF key: `0`–`9`, `*`, `#`, `A`–`D`; its number is the event code of RFC 4733 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);

/// Text that is not one DTMF key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DTMF digit")]
pub struct ParseDigitError;

impl Digit {
    /// Every key by its event code.
    pub const ALL: [Self; 16] = {
        let mut all = [Self(0); 16];
        let mut code = 0;
        while code < all.len() {
            all[code] = Self(code as u8);
            code += 1;
        }
        all
    };

    /// The key of a character; letters in either case.
    #[must_use]
    pub const fn from_char(character: char) -> Option<Self> {
        match character {
            '0'..='9' => Some(Self(character as u8 - b'0')),
            '*' => Some(Self(10)),
            '#' => Some(Self(11)),
            'A'..='D' => Some(Self(character as u8 - b'A' + 12)),
            'a'..='d' => Some(Self(character as u8 - b'a' + 12)),
            _ => None,
        }
    }

    /// The key of an event code; `None` for events that are no keys (flash, tones of a modem).
    #[must_use]
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// Its character, letters upper case.
    #[must_use]
    pub const fn to_char(self) -> char {
        CHARACTERS[self.0 as usize] as char
    }

    /// Its event code (RFC 4733 §3.2).
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }

    /// Its two frequencies in hertz, the lower one first (ITU-T Q.23).
    #[must_use]
    pub const fn frequencies(self) -> (f32, f32) {
        let mut row = 0;
        while row < 4 {
            let mut column = 0;
            while column < 4 {
                if KEYPAD[row][column] == CHARACTERS[self.0 as usize] {
                    return (ROWS[row], COLUMNS[column]);
                }
                column += 1;
            }
            row += 1;
        }
        (0.0, 0.0)
    }

    /// The key at a row and a column of the keypad, both 0 to 3.
    pub(super) const fn at(row: usize, column: usize) -> Option<Self> {
        Self::from_char(KEYPAD[row][column] as char)
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.to_char())
    }
}

impl FromStr for Digit {
    type Err = ParseDigitError;

    fn from_str(text: &str) -> Result<Self, ParseDigitError> {
        let mut characters = text.chars();
        match (
            characters.next().and_then(Self::from_char),
            characters.next(),
        ) {
            (Some(digit), None) => Ok(digit),
            _ => Err(ParseDigitError),
        }
    }
}

/// Low group, one frequency per row of the keypad, in hertz (ITU-T Q.23).
pub(super) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// High group, one frequency per column, in hertz.
pub(super) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

const KEYPAD: [[u8; 4]; 4] = [*b"123A", *b"456B", *b"789C", *b"*0#D"];
const CHARACTERS: [u8; 16] = *b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_its_character_and_its_event_code() {
        for (code, digit) in Digit::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(digit.event()), code);
            assert_eq!(Digit::from_event(digit.event()), Some(digit));
            assert_eq!(Digit::from_char(digit.to_char()), Some(digit));
            assert_eq!(digit.to_string().parse(), Ok(digit));
        }
        assert_eq!(Digit::from_event(16), None);
        assert_eq!(Digit::from_char('c'), Digit::from_char('C'));
        for wrong in ["", "E", "12", "-", "é"] {
            assert_eq!(wrong.parse::<Digit>(), Err(ParseDigitError));
        }
    }

    #[test]
    fn frequencies_are_those_of_the_keypad() {
        let of = |character| Digit::from_char(character).unwrap().frequencies();
        assert_eq!(of('1'), (697.0, 1_209.0));
        assert_eq!(of('0'), (941.0, 1_336.0));
        assert_eq!(of('#'), (941.0, 1_477.0));
        assert_eq!(of('D'), (941.0, 1_633.0));
        assert_eq!(of('B'), (770.0, 1_633.0));
    }
}
