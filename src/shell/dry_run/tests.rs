//! The command over real files.

use super::*;

const FLOW: &str = r#"[{"type": "talk", "option": {"text": "Hi <you> & \"me\""}}]"#;

fn test_files(files: &[(&str, &str)]) -> (Result<bool, DryRunError>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let junit = directory.path().join("results.xml");
    let options = TestOptions {
        paths: vec![directory.path().to_owned()],
        junit: Some(junit.clone()),
        coverage: true,
    };
    let mut out = Vec::new();
    let result = run(&options, &mut out);
    let place = format!("{}/", directory.path().display());
    let out = String::from_utf8(out).unwrap().replace(&place, "");
    let xml = std::fs::read_to_string(junit).unwrap_or_default();
    (result, out, xml.replace(&place, ""))
}

#[test]
fn passed_tests_are_told_with_their_coverage() {
    let test = r#"{"tests": [{"name": "it speaks", "expect": {"prompts": ["Hi"]}}]}"#;
    let (result, out, xml) = test_files(&[("a.json", FLOW), ("a.test.json", test)]);
    assert!(result.unwrap(), "{out}");
    assert!(out.starts_with("ok      a.test.json:1: it speaks (1.0 s)\nreached a.test.json: 1 of 1 actions, 0 of 0 ways\n1 passed, 0 failed in "), "{out}");
    assert!(
        xml.contains("tests=\"1\" failures=\"0\" errors=\"0\""),
        "{xml}"
    );
}

#[test]
fn a_failed_test_fails_the_command_and_its_xml_is_well_formed() {
    let test =
        "{\"tests\": [{\"name\": \"<&>\\\"\\u0001\", \"expect\": {\"prompts\": [\"Bye\"]}}]}";
    let (result, out, xml) = test_files(&[("a.json", FLOW), ("a.test.json", test)]);
    assert!(!result.unwrap());
    assert!(
        out.contains("FAILED") && out.contains("-           Bye"),
        "{out}"
    );
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut failures = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(start) if start.name().as_ref() == "failure" => {
                failures += 1
            }
            _ => {}
        }
    }
    assert_eq!(failures, 1, "{xml}");
}

#[test]
fn a_wrong_file_is_told_and_no_test_at_all_is_an_error() {
    let (result, out, _) = test_files(&[("a.json", FLOW), ("a.test.json", "{\"tets\": []}")]);
    assert!(!result.unwrap());
    assert!(out.contains("did you mean \"tests\"?"), "{out}");
    let good = r#"{"tests": [{"name": "x"}]}"#;
    let (result, out, _) = test_files(&[("a.json", "[{]"), ("a.test.json", good)]);
    assert!(
        !result.unwrap() && out.contains("NOT RUN a.test.json"),
        "{out}"
    );
    assert!(matches!(
        test_files(&[("a.json", FLOW)]).0,
        Err(DryRunError::NoTest)
    ));
    let none = r#"{"tests": []}"#;
    let (result, _, _) = test_files(&[("a.json", FLOW), ("a.test.json", none)]);
    assert!(matches!(result, Err(DryRunError::NoTest)));
}

#[test]
fn a_flow_is_fetched_from_the_same_directory() {
    let outer = r#"[{"type": "fetch_flow", "option": {"flow_id": "inner"}}]"#;
    let test = r#"{"tests": [{"name": "x", "expect": {"prompts": ["Hi"], "end": "finished"}}]}"#;
    let files = [
        ("outer.json", outer),
        ("inner.json", FLOW),
        ("outer.test.json", test),
    ];
    let (result, out, _) = test_files(&files);
    assert!(result.unwrap(), "{out}");
}
