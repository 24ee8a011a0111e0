//! Findings as SARIF have what the schema of its version demands.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::process::Command;

/// What the schema of SARIF 2.1.0 demands of the properties that are written.
fn check_sarif(log: &serde_json::Value) {
    let text = |value: &serde_json::Value| value.as_str().is_some_and(|text| !text.is_empty());
    assert_eq!(log["version"], "2.1.0");
    assert!(text(&log["$schema"]));
    for run in log["runs"].as_array().unwrap() {
        let driver = &run["tool"]["driver"];
        assert!(text(&driver["name"]) && text(&driver["version"]));
        let rules = driver["rules"].as_array().unwrap();
        let ids: Vec<&serde_json::Value> = rules.iter().map(|rule| &rule["id"]).collect();
        for rule in rules {
            assert!(text(&rule["id"]) && text(&rule["shortDescription"]["text"]), "{rule}");
            assert!(
                text(&rule["fullDescription"]["text"]) && text(&rule["help"]["text"]),
                "{rule}"
            );
        }
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        for result in run["results"].as_array().unwrap() {
            assert!(text(&result["message"]["text"]), "{result}");
            assert!(ids.contains(&&result["ruleId"]), "{result}");
            let level = result["level"].as_str().unwrap();
            assert!(["none", "note", "warning", "error"].contains(&level), "{result}");
            let places = ["locations", "relatedLocations"];
            for place in places.iter().flat_map(|key| result[*key].as_array().unwrap()) {
                let physical = &place["physicalLocation"];
                let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
                assert!(!uri.is_empty() && !uri.contains([' ', '<', '>', '"']), "{uri}");
                let region = &physical["region"];
                let number = |key: &str| region[key].as_u64().unwrap();
                assert!(number("startLine") >= 1 && number("startColumn") >= 1, "{region}");
                assert!(
                    (number("endLine"), number("endColumn"))
                        >= (number("startLine"), number("startColumn")),
                    "{region}"
                );
            }
        }
    }
}

#[test]
fn sarif_has_what_its_schema_demands() {
    let folder = tempfile::tempdir().unwrap();
    let text = "experiment a { sed = 1 }\nlanguages de, de\nmodel { dim = 3 }\n";
    std::fs::write(folder.path().join("a b.mmc"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mmc"));
    command.args(["check", "a b.mmc", "--format", "sarif"]).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    let log: serde_json::Value = serde_json::from_str(&out).unwrap();
    check_sarif(&log);
    assert!(log["runs"][0]["results"].as_array().unwrap().len() > 2, "{out}");
    assert!(out.contains("a%20b.mmc"), "{out}");
}
