//! Results as JUnit XML, which every CI reads.

use std::fmt::Write as _;

use super::Suite;

pub(super) fn to_xml(suites: &[Suite]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        write_suite(&mut xml, suite);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn write_suite(xml: &mut String, suite: &Suite) {
    let file = escaped(&suite.file.to_string_lossy());
    let failed = suite
        .cases
        .iter()
        .filter(|case| !case.report.failures.is_empty());
    let took: f64 = suite.cases.iter().map(|case| case.took.as_secs_f64()).sum();
    let errors = usize::from(suite.error.is_some());
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" time=\"{took:.6}\">",
        suite.cases.len() + errors,
        failed.count(),
    );
    if let Some(error) = &suite.error {
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{file}\" name=\"the file is read\"><error message=\"not run\">{}</error></testcase>",
            escaped(error)
        );
    }
    for case in &suite.cases {
        let _ = write!(
            xml,
            "    <testcase classname=\"{file}\" name=\"{}\" time=\"{:.6}\"",
            escaped(&case.report.name),
            case.took.as_secs_f64()
        );
        let failures = &case.report.failures;
        let Some(first) = failures.first().and_then(|failure| failure.lines().next()) else {
            xml.push_str("/>\n");
            continue;
        };
        let _ = writeln!(
            xml,
            "><failure message=\"{}\">{}</failure></testcase>",
            escaped(first),
            escaped(&failures.join("\n"))
        );
    }
    xml.push_str("  </testsuite>\n");
}

/// Text for an element or attribute (XML 1.0 §2.2, §2.4): what no XML may hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
