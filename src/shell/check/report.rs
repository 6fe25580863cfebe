//! Findings as text, as JSON, and as SARIF 2.1.0 (OASIS).

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{Checked, Format};
use crate::flow::lint::{Finding, Rule, Severity};

pub(super) fn print(checked: &[Checked], format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Text => print_text(checked, out),
        Format::Json => print_json(&to_json(checked), out),
        Format::Sarif => print_json(&to_sarif(checked), out),
    }
}

fn print_text(checked: &[Checked], out: &mut impl Write) -> io::Result<()> {
    for (file, finding) in each(checked) {
        let Finding {
            rule,
            path,
            line,
            column,
            sentence,
            remedy,
        } = finding;
        writeln!(
            out,
            "{}:{line}:{column}: {}[{}]: {sentence}\n  at {path}\n  help: {remedy}",
            file.display(),
            rule.severity().as_str(),
            rule.code(),
        )?;
    }
    let count = |severity| {
        let all = each(checked).filter(|(_, finding)| finding.rule.severity() == severity);
        all.count()
    };
    writeln!(
        out,
        "{}, {} and {} in {}",
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
        counted(count(Severity::Note), "note"),
        counted(checked.len(), "flow"),
    )
}

fn print_json(value: &Value, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn to_json(checked: &[Checked]) -> Value {
    each(checked)
        .map(|(file, finding)| {
            json!({
                "file": file.to_string_lossy(),
                "line": finding.line,
                "column": finding.column,
                "path": finding.path,
                "code": finding.rule.code(),
                "rule": finding.rule.name(),
                "severity": finding.rule.severity().as_str(),
                "message": finding.sentence,
                "help": finding.remedy,
            })
        })
        .collect()
}

fn to_sarif(checked: &[Checked]) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code(),
                "name": rule.name(),
                "shortDescription": {"text": rule.description()},
                "defaultConfiguration": {"level": rule.severity().as_str()},
            })
        })
        .collect();
    let results: Vec<Value> = each(checked)
        .map(|(file, finding)| {
            let index = Rule::ALL.iter().position(|rule| *rule == finding.rule);
            json!({
                "ruleId": finding.rule.code(),
                "ruleIndex": index,
                "level": finding.rule.severity().as_str(),
                "message": {"text": format!("{}; {}", finding.sentence, finding.remedy)},
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri_of(file)},
                        "region": {"startLine": finding.line, "startColumn": finding.column},
                    },
                    "logicalLocations": [{"fullyQualifiedName": finding.path}],
                }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn each(checked: &[Checked]) -> impl Iterator<Item = (&Path, &Finding)> {
    let files = checked.iter();
    files.flat_map(|file| {
        let findings = file.findings.iter();
        findings.map(|finding| (file.file.as_path(), finding))
    })
}

/// A path as the reference of a URI (RFC 3986 §4.1): relative ones stay so.
fn uri_of(path: &Path) -> String {
    let mut uri = String::new();
    if path.is_absolute() {
        uri.push_str("file://");
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(*byte));
            }
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}

fn counted(number: usize, word: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {word}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_whatever_stands_in_it() {
        assert_eq!(uri_of(Path::new("a b/c%.json")), "a%20b/c%25.json");
        assert_eq!(uri_of(Path::new("/tmp/ä")), "file:///tmp/%C3%A4");
    }
}
