//! Any text is a plan or is refused; a plan that was read is written and read again as itself, and checked without panic.
//!
//! An input is a text, or, behind a zero byte, a list of changes to the lines of a valid plan: so most inputs are almost plans.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mmc_plan::{Plan, sample};

static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let plan = sample::plan(&["cs", "de", "en"], 4, &[&[0, 2], &[1, 3]]);
    plan.to_yaml().lines().map(str::to_owned).collect()
});

/// The valid plan with each change's line given another value, another line's place, or left out.
fn changed(changes: &str) -> String {
    let mut lines = LINES.clone();
    for change in changes.split('\n') {
        let mut bytes = change.bytes();
        let (Some(high), Some(low), Some(kind)) = (bytes.next(), bytes.next(), bytes.next()) else {
            continue;
        };
        let at = (usize::from(high) * 128 + usize::from(low)) % lines.len().max(1);
        let rest = change.get(3..).unwrap_or_default();
        match (kind % 4, lines.get_mut(at)) {
            (0, Some(line)) => {
                let key = line.find(": ").or(line.rfind("- ")).map_or(0, |at| at + 2);
                line.truncate(key);
                line.push_str(rest);
            }
            (1, Some(_)) => drop(lines.remove(at)),
            (2, Some(line)) => {
                let copy = line.clone();
                lines.insert(at, copy);
            }
            (_, Some(line)) => line.push_str(rest),
            (_, None) => {}
        }
    }
    lines.join("\n") + "\n"
}

fuzz_target!(|text: &str| {
    let text = text.strip_prefix('\0').map_or_else(|| text.to_owned(), changed);
    let Ok(plan) = Plan::from_yaml(&text) else { return };
    let written = plan.to_yaml();
    let again = Plan::from_yaml(&written).expect("a written plan is read");
    assert_eq!(written, again.to_yaml(), "there is one text of a plan");
    drop(mmc_plan::verify(&plan));
});
