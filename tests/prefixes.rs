//! Prefix tokens: from a `tasks` block to a plan and its vocabularies, and to MAMMOTH's configurations and back.

use mmc_mammoth::import::import;
use mmc_mammoth::yaml::Tree;
use mmc_plan::Transform;
use mmc_syntax::SourceMap;

use crate::support::world::TestWorld;
use crate::support::{emitted, planned, rendered, root};

const TASKS: &str = "tasks translation {
  pairs = cs -> de + de -> fr
  corpus = text
  transforms = [pieces, prefix(source, task), prefix(target, \"<news>\", in = decoder)]
}
";

/// An experiment of the fixtures with these tasks in place of its own.
fn world(experiment: &str) -> TestWorld {
    let folder = root().join("tests/ui");
    let text = std::fs::read_to_string(folder.join(experiment)).unwrap_or_default();
    let others = text.lines().filter(|line| !line.starts_with("tasks "));
    let others: Vec<&str> = others.collect();
    TestWorld::with_main(&folder, &format!("{}\n{TASKS}", others.join("\n")))
}

#[test]
fn tokens_stand_before_the_side_that_they_are_for_and_in_all_vocabularies() {
    let plan = planned(&world("whole.mmc"), "main.mmc", &[]).plan.unwrap();
    let owned = |tokens: &[&str]| tokens.iter().map(|&token| token.to_owned()).collect();
    for (source, target) in [("cs", "de"), ("de", "fr")] {
        let (from, to) = (format!("<from_{source}>"), format!("<to_{target}>"));
        let (before_source, before_target) =
            ([from.as_str(), "<task_translation>"], [to.as_str(), "<news>"]);
        let expected = [
            Transform::Tokenize,
            Transform::Prefix { source: owned(&before_source), target: Vec::new() },
            Transform::Prefix { source: Vec::new(), target: owned(&before_target) },
        ];
        assert_eq!(*plan.tasks[&format!("translation.{source}-{target}")].transforms, expected);
        for vocabulary in plan.vocabularies.values() {
            for token in before_source.iter().chain(&before_target) {
                assert!(vocabulary.added_id(token).is_some(), "{token}");
            }
        }
    }
}

#[test]
fn mammoth_has_them_as_words_and_they_come_back() {
    let (outcome, text) = emitted(&world("mammoth.mmc"), "main.mmc", &[]);
    let text = text.unwrap_or_else(|| unreachable!("{}", rendered(outcome)));
    for line in [
        "    src_prefix: <from_cs> <task_translation>",
        "    tgt_prefix: <to_de> <news>",
        "    tgt_prefix: <to_fr> <news>",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
    }
    assert_eq!(text.lines().filter(|line| *line == "    - prefix").count(), 2, "{text}");
    let mut sources = SourceMap::new();
    let source = sources.add("a.yaml", &text);
    let imported = import(&Tree::read(source, &text).unwrap().tree, source, &text);
    assert_eq!(imported.faults, []);
    let written =
        "prefix(source, \"<task_translation>\"), prefix(target, \"<news>\", in = decoder)]";
    assert!(imported.text.contains(written), "{}", imported.text);
}
