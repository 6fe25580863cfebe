//! `say-as`: a text rewritten so that an engine reads it as what it is.
//!
//! Numbers, amounts and fractions are left to the engine, which knows its language. What no engine can
//! know, a code to be spelled, a telephone number, the order of a date, is written out here.

/// What is heard instead of the contents of a `say-as`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// These words.
    Words(String),
    /// A tone.
    Bleep,
}

/// Rewrites `text`; an interpretation that is unknown, or that does not fit, leaves it as it is.
pub(super) fn say_as(interpretation: &str, format: &str, text: &str, language: &str) -> Said {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_english = language == "en";
    let words = match interpretation.to_ascii_lowercase().as_str() {
        "expletive" | "bleep" => return Said::Bleep,
        "characters" | "spell-out" | "spell" | "verbatim" => Some(spelled(&text, is_english)),
        "digits" => Some(digits(&text)),
        "telephone" => Some(telephone(&text, is_english)),
        "ordinal" if is_english => ordinal(&text),
        "date" => date(&text, format, language),
        "time" => time(&text, is_english),
        _ => None,
    };
    Said::Words(words.unwrap_or(text))
}

/// `A1-b` as `A, 1, dash, B`: the commas keep an engine from joining the letters to words.
fn spelled(text: &str, is_english: bool) -> String {
    let name = |character: char| -> String {
        let symbol = match character {
            '.' => "dot",
            '-' => "dash",
            '_' => "underscore",
            '@' => "at",
            '/' => "slash",
            '#' => "pound",
            '*' => "star",
            '+' => "plus",
            ':' => "colon",
            ',' => "comma",
            '\'' => "apostrophe",
            _ => return character.to_uppercase().collect(),
        };
        if is_english {
            symbol.to_owned()
        } else {
            character.to_string()
        }
    };
    let characters = text.chars().filter(|character| !character.is_whitespace());
    characters.map(name).collect::<Vec<_>>().join(", ")
}

/// `12-34` as `1 2, 3 4`: groups stay groups.
fn digits(text: &str) -> String {
    let groups = text.split(|character: char| !character.is_alphanumeric());
    let spoken = groups.filter(|group| !group.is_empty()).map(spaced);
    spoken.collect::<Vec<_>>().join(", ")
}

fn telephone(text: &str, is_english: bool) -> String {
    let (text, plus) = match text.strip_prefix('+') {
        Some(rest) if is_english => (rest, "plus "),
        Some(rest) => (rest, "+ "),
        None => (text, ""),
    };
    let is_one_run = text.bytes().all(|byte| byte.is_ascii_digit());
    let groups: &[usize] = match (is_one_run, text.len()) {
        (true, 7) => &[3, 4],
        (true, 8) => &[4, 4],
        (true, 10) => &[3, 3, 4],
        (true, 11) => &[1, 3, 3, 4],
        (true, 12) => &[2, 3, 3, 4],
        _ => return format!("{plus}{}", digits(&text.replace("ext", " extension "))),
    };
    let mut rest = text;
    let mut spoken = Vec::with_capacity(groups.len());
    for length in groups {
        let (group, after) = rest.split_at(*length);
        spoken.push(spaced(group));
        rest = after;
    }
    format!("{plus}{}", spoken.join(", "))
}

/// Digits apart, words whole.
fn spaced(group: &str) -> String {
    let mut spaced = String::with_capacity(2 * group.len());
    let mut last_was_letter = false;
    for character in group.chars() {
        let is_letter = character.is_alphabetic();
        let is_inside_word = is_letter && last_was_letter;
        if !spaced.is_empty() && !is_inside_word {
            spaced.push(' ');
        }
        spaced.push(character);
        last_was_letter = is_letter;
    }
    spaced
}

/// `21` as `21st`.
fn ordinal(text: &str) -> Option<String> {
    let number: u64 = text.parse().ok()?;
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    Some(format!("{number}{suffix}"))
}

/// A date whose parts stand in the order of `format` (`mdy`, `dmy`, `ymd`, `md`, …), or in the order its
/// language writes them.
fn date(text: &str, format: &str, language: &str) -> Option<String> {
    let mut parts: Vec<&str> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    let format = match (format, parts.as_slice()) {
        ("", [run]) if run.len() == 8 => "yyyymmdd",
        ("", [first, _, _]) if first.len() == 4 => "ymd",
        ("", [_, _, _]) if language == "en" => "mdy",
        ("", [_, _, _]) => "dmy",
        ("", _) => return None,
        (format, _) => format,
    };
    let order = order_of(format)?;
    if let ([run], true) = (parts.as_slice(), order.len() > 1) {
        parts = cut(run, &order)?;
    }
    if parts.len() != order.len() {
        return None;
    }
    let (mut day, mut month, mut year) = (None, None, None);
    for (field, part) in order.iter().zip(parts) {
        let number: u32 = part.parse().ok()?;
        match field {
            'd' if (1..=31).contains(&number) => day = Some(number),
            'm' if (1..=12).contains(&number) => month = Some(number),
            'y' => year = Some(number),
            _ => return None,
        }
    }
    Some(spoken_date(day, month, year, language))
}

/// The fields of a date format, each once: `ymd` of `yyyymmdd`.
fn order_of(format: &str) -> Option<Vec<char>> {
    let mut order: Vec<char> = format.to_ascii_lowercase().chars().collect();
    order.dedup();
    let is_known = order.iter().all(|field| matches!(field, 'd' | 'm' | 'y'));
    let mut distinct = order.clone();
    distinct.sort_unstable();
    distinct.dedup();
    (is_known && !order.is_empty() && distinct.len() == order.len()).then_some(order)
}

/// Cuts digits without separators: four for a year, two for the rest.
fn cut<'a>(run: &'a str, order: &[char]) -> Option<Vec<&'a str>> {
    let mut rest = run;
    let mut parts = Vec::with_capacity(order.len());
    for field in order {
        let (part, after) = rest.split_at_checked(if *field == 'y' { 4 } else { 2 })?;
        parts.push(part);
        rest = after;
    }
    rest.is_empty().then_some(parts)
}

fn spoken_date(day: Option<u32>, month: Option<u32>, year: Option<u32>, language: &str) -> String {
    let name = month.map(
        |month| match MONTHS.iter().find(|(of, _)| *of == language) {
            Some((_, names)) => names[month as usize - 1].to_owned(),
            None => month.to_string(),
        },
    );
    let mut parts = Vec::new();
    match language {
        "en" => {
            parts.extend(name);
            parts.extend(day.and_then(|day| ordinal(&day.to_string())));
            let dated = parts.join(" ");
            return match year.map(spoken_year) {
                Some(year) if dated.is_empty() => year,
                Some(year) => format!("{dated}, {year}"),
                None => dated,
            };
        }
        "ko" => {
            parts.extend(year.map(|year| format!("{year}년")));
            parts.extend(month.map(|month| format!("{month}월")));
            parts.extend(day.map(|day| format!("{day}일")));
        }
        _ => {
            let link = if matches!(language, "es" | "pt") {
                " de"
            } else {
                ""
            };
            parts.extend(day.map(|day| match (language, &name) {
                ("de", Some(_)) => format!("{day}."),
                (_, Some(_)) => format!("{day}{link}"),
                _ => day.to_string(),
            }));
            parts.extend(name.map(|name| if year.is_some() { name + link } else { name }));
            parts.extend(year.map(|year| year.to_string()));
        }
    }
    parts.join(" ")
}

/// A year as English says it: `1999` as `19 99`, `1905` as `19 oh 5`.
fn spoken_year(year: u32) -> String {
    match (year / 100, year % 100) {
        (11..=19, 0) => format!("{} hundred", year / 100),
        (century @ 11..=19, rest @ 1..=9) => format!("{century} oh {rest}"),
        (century @ 11..=19, rest) => format!("{century} {rest}"),
        _ => year.to_string(),
    }
}

/// `2:00pm` as `2 pm`, `14:05` as it is, `1'21"` as `1 minutes 21 seconds`.
fn time(text: &str, is_english: bool) -> Option<String> {
    if let Some((minutes, seconds)) = text
        .strip_suffix('"')
        .and_then(|text| text.split_once('\''))
    {
        let (minutes, seconds): (u32, u32) =
            (minutes.trim().parse().ok()?, seconds.trim().parse().ok()?);
        let unit = |number: u32, unit: &str| {
            format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
        };
        let (minute, second) = if is_english {
            ("minute", "second")
        } else {
            return None;
        };
        return Some(format!(
            "{} {}",
            unit(minutes, minute),
            unit(seconds, second)
        ));
    }
    let lower = text.to_ascii_lowercase().replace('.', "");
    let clock =
        lower.trim_end_matches(|character: char| character.is_alphabetic() || character == ' ');
    let half = lower[clock.len()..].trim();
    let mut parts = clock.split(':');
    let hours: u32 = parts.next()?.trim().parse().ok()?;
    let minutes: u32 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    if hours > 24 || minutes > 59 || !matches!(half, "" | "am" | "pm" | "a" | "p") {
        return None;
    }
    let half = match half {
        "a" => "am",
        "p" => "pm",
        other => other,
    };
    let spoken = match (minutes, half) {
        (0, "") if is_english => format!("{hours} o'clock"),
        (0, _) => format!("{hours} {half}"),
        (minutes, _) => format!("{hours}:{minutes:02} {half}"),
    };
    Some(spoken.trim_end().to_owned())
}

#[rustfmt::skip]
const MONTHS: [(&str, [&str; 12]); 8] = [
    ("en", ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]),
    ("de", ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"]),
    ("es", ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"]),
    ("fr", ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"]),
    ("it", ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"]),
    ("nl", ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"]),
    ("pl", ["stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października", "listopada", "grudnia"]),
    ("pt", ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(interpretation: &str, format: &str, text: &str, language: &str) -> String {
        match say_as(interpretation, format, text, language) {
            Said::Words(words) => words,
            Said::Bleep => "(bleep)".into(),
        }
    }

    #[test]
    fn codes_are_spelled_and_numbers_read_digit_by_digit() {
        assert_eq!(said("characters", "", "Ab1-2", "en"), "A, B, 1, dash, 2");
        assert_eq!(said("spell-out", "", " a b ", "de"), "A, B");
        assert_eq!(said("digits", "", "123", "en"), "1 2 3");
        assert_eq!(said("digits", "", "12-34", "en"), "1 2, 3 4");
        assert_eq!(said("cardinal", "", "1,234", "en"), "1,234");
        assert_eq!(said("bleep", "", "darn", "en"), "(bleep)");
        assert_eq!(said("mystery", "", "as it is", "en"), "as it is");
    }

    #[test]
    fn telephone_numbers_are_read_in_groups() {
        for (number, spoken) in [
            ("+1 (555) 123-4567", "plus 1, 5 5 5, 1 2 3, 4 5 6 7"),
            ("5551234567", "5 5 5, 1 2 3, 4 5 6 7"),
            ("+15551234567", "plus 1, 5 5 5, 1 2 3, 4 5 6 7"),
            ("5551234", "5 5 5, 1 2 3 4"),
            ("112", "1 1 2"),
            ("555-1234 ext 42", "5 5 5, 1 2 3 4, extension, 4 2"),
        ] {
            assert_eq!(said("telephone", "", number, "en"), spoken, "{number}");
        }
    }

    #[test]
    fn ordinals_get_their_ending() {
        for (number, spoken) in [
            ("1", "1st"),
            ("2", "2nd"),
            ("3", "3rd"),
            ("4", "4th"),
            ("11", "11th"),
            ("112", "112th"),
            ("121", "121st"),
            ("x", "x"),
        ] {
            assert_eq!(said("ordinal", "", number, "en"), spoken);
        }
    }

    #[test]
    fn dates_are_read_in_the_order_of_their_format() {
        for (format, text, language, spoken) in [
            ("mdy", "3/4/2026", "en", "March 4th, 2026"),
            ("dmy", "3/4/2026", "en", "April 3rd, 2026"),
            ("ymd", "1999-12-31", "en", "December 31st, 19 99"),
            ("yyyymmdd", "20260304", "en", "March 4th, 2026"),
            ("", "20260304", "en", "March 4th, 2026"),
            ("md", "7/4", "en", "July 4th"),
            ("my", "7-1905", "en", "July, 19 oh 5"),
            ("y", "1900", "en", "19 hundred"),
            ("", "3/4/2026", "en", "March 4th, 2026"),
            ("", "3.4.2026", "de", "3. April 2026"),
            ("", "2026-04-03", "es", "3 de abril de 2026"),
            ("", "2026-04-03", "fr", "3 avril 2026"),
            ("", "2026-04-03", "ko", "2026년 4월 3일"),
            ("", "2026-04-03", "sv", "3 4 2026"),
            ("mdy", "13/4/2026", "en", "13/4/2026"),
            ("mdy", "3/4", "en", "3/4"),
            ("ddd", "soon", "en", "soon"),
            ("myd m", "1 2 3", "en", "1 2 3"),
            ("ymd", "2026ü34", "en", "2026ü34"),
        ] {
            assert_eq!(
                said("date", format, text, language),
                spoken,
                "{format} {text}"
            );
        }
    }

    #[test]
    fn times_are_clock_times_or_durations() {
        for (text, spoken) in [
            ("2:30pm", "2:30 pm"),
            ("2:00 P.M.", "2 pm"),
            ("14:05", "14:05"),
            ("9:00", "9 o'clock"),
            ("9am", "9 am"),
            ("1'21\"", "1 minute 21 seconds"),
            ("25:00", "25:00"),
            ("noon", "noon"),
            ("", ""),
        ] {
            assert_eq!(said("time", "hms12", text, "en"), spoken, "{text:?}");
        }
    }
}
