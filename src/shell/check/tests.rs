//! The command over real files.

use serde_json::Value;

use super::*;

fn check_files(files: &[(&str, &str)], format: Format, deny: Option<Deny>) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let options = CheckOptions {
        paths: vec![directory.path().to_owned()],
        format,
        deny,
        config: None,
    };
    let mut out = Vec::new();
    let is_well = run(&options, Vec::new(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let place = format!("{}/", directory.path().display());
    (is_well, out.replace(&place, ""))
}

const GOOD: &str = r#"[{"type": "talk", "option": {"text": "Hi"}}]"#;
const ODD: &str = r#"[{"type": "stop"}, {"type": "beep"}]"#;
const WRONG: &str = r#"[{"type": "tlak"}]"#;

#[test]
fn errors_fail_a_check_and_warnings_only_when_they_are_denied() {
    let text = Format::Text;
    assert!(check_files(&[("a.json", GOOD)], text, Some(Deny::Warnings)).0);
    assert!(check_files(&[("a.json", ODD)], text, None).0);
    assert!(!check_files(&[("a.json", ODD)], text, Some(Deny::Warnings)).0);
    assert!(!check_files(&[("a.json", GOOD), ("b.json", WRONG)], text, None).0);
}

#[test]
fn text_tells_place_code_sentence_and_help() {
    let (_, out) = check_files(&[("a.json", WRONG)], Format::Text, None);
    assert_eq!(
        out,
        "a.json:1:11: error[F010]: there is no action \"tlak\"\n  at [0].type\n  help: did you mean \"talk\"?\n\
         1 error, 0 warnings and 0 notes in 1 flow\n"
    );
}

#[test]
fn json_and_sarif_hold_the_same_findings() {
    let files = [("a b.json", WRONG), ("c.json", ODD)];
    let parse =
        |format| -> Value { serde_json::from_str(&check_files(&files, format, None).1).unwrap() };
    let json = parse(Format::Json);
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[0]["code"], "F010");
    assert_eq!(json[0]["severity"], "error");
    let sarif = parse(Format::Sarif);
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, finding) in results.iter().zip(json.as_array().unwrap()) {
        assert_eq!(result["ruleId"], finding["code"]);
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(
            run["tool"]["driver"]["rules"][index]["id"],
            result["ruleId"]
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["region"]["startLine"], finding["line"]);
        assert!(
            !place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .contains(' ')
        );
    }
}

#[test]
fn flows_of_a_directory_know_each_other() {
    let outer = r#"[{"type": "fetch_flow", "option": {"flow_id": "inner"}}, {"type": "stop"}, {"id": "back", "type": "beep"}]"#;
    let inner = r#"[{"type": "goto", "option": {"target_id": "back", "loop_count": 1}}]"#;
    let (is_well, out) = check_files(
        &[("outer.json", outer), ("inner.json", inner)],
        Format::Text,
        None,
    );
    assert!(is_well, "{out}");
    assert!(out.contains("[F031]") && !out.contains("[F034]"), "{out}");
    let (is_well, out) = check_files(&[("outer.json", outer)], Format::Text, None);
    assert!(!is_well && out.contains("[F054]"), "{out}");
    assert!(!check_files(&[("inner.json", inner)], Format::Text, None).0);
}

#[test]
fn tests_are_no_flows_and_nothing_to_check_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.test.json"), "{").unwrap();
    let options = CheckOptions {
        paths: vec![directory.path().to_owned()],
        format: Format::Text,
        deny: None,
        config: None,
    };
    assert!(matches!(
        run(&options, Vec::new(), &mut Vec::new()),
        Err(CheckError::NoFlow)
    ));
}
