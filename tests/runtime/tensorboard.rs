//! Curves for TensorBoard, read back from their files by another reader than the one that resumes them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use mmc_plan::{Event, Precision};

use super::workplace::{Workplace, train};

/// Tag -> step and value of every point, in the order of files and records.
type Points = BTreeMap<String, Vec<(u64, f32)>>;

fn number(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// The fields of a protobuf message: number and bytes, those of numbers widened to eight.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, number(&mut bytes).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            5 => 4,
            wire => {
                assert_eq!(wire, 2);
                usize::try_from(number(&mut bytes)).unwrap()
            }
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        found.push((key >> 3, value.to_vec()));
    }
    found
}

fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        for (part, sum) in [(0..8, 8), (12..12 + length, 12 + length)] {
            let crc = crc32c::crc32c(&bytes[part]);
            let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
            assert_eq!(bytes[sum..sum + 4], masked.to_le_bytes());
        }
        found.push(&bytes[12..12 + length]);
        bytes = &bytes[16 + length..];
    }
    found
}

fn points(folder: &Path) -> Points {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut found = Points::new();
    for path in paths {
        let bytes = fs::read(path).unwrap();
        for (at, record) in records(&bytes).into_iter().enumerate() {
            let event = fields(record);
            let of = |number| event.iter().filter(move |f| f.0 == number).map(|f| f.1.as_slice());
            assert_eq!(at == 0, of(3).any(|version| version == b"brain.Event:2"));
            let step = u64::from_le_bytes(of(2).next().unwrap().try_into().unwrap());
            for (_, point) in of(5).flat_map(fields) {
                let point = fields(&point);
                assert_eq!(point.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
                let value = f32::from_le_bytes(point[1].1.as_slice().try_into().unwrap());
                let tag = String::from_utf8(point[0].1.clone()).unwrap();
                found.entry(tag).or_default().push((step, value));
            }
        }
    }
    found
}

/// What events say of losses, norms and validations.
#[expect(clippy::cast_possible_truncation, reason = "as curves hold them")]
fn told(events: &[Event], points: &mut Points) {
    let mut add = |tag: String, step, value: f64| {
        points.entry(tag).or_default().push((step, value as f32));
    };
    for event in events {
        if let Event::Step { step, losses, lr, norm, .. } = event {
            for (task, loss) in losses {
                add(format!("training_loss/{task}"), *step, *loss);
            }
            add("training/learning_rate".to_owned(), *step, *lr);
            add("training/gradient_norm".to_owned(), *step, norm.expect("a norm"));
        }
        if let Event::Validated {
            step,
            losses,
            perplexities,
            accuracies,
            loss,
            macro_accuracy,
            ..
        } = event
        {
            for (task, loss) in losses {
                add(format!("validation_perplexity/{task}"), *step, perplexities[task]);
                add(format!("validation_loss/{task}"), *step, *loss);
                add(format!("validation_accuracy/{task}"), *step, accuracies[task]);
            }
            add("validation/loss".to_owned(), *step, loss.expect("a loss"));
            add("validation/macro_accuracy".to_owned(), *step, macro_accuracy.unwrap());
        }
    }
}

#[test]
fn curves_hold_every_point_once_also_when_resumed() {
    let place = Workplace::new();
    let sample = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    let plan = place.write_plan("plan.yaml", &sample);
    let before = train(&plan, 1, &[]);
    // As if the run had been killed behind step 10, while it wrote.
    fs::remove_dir_all(place.path("run/checkpoints/step_000020")).unwrap();
    let folder = place.path("run/tensorboard");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    OpenOptions::new().append(true).open(file).unwrap().write_all(&[7; 9]).unwrap();
    let after = train(&plan, 1, &["--resume"]);
    assert!(matches!(after[0], Event::Started { step: 10, .. }), "{:?}", after[0]);
    let until = |event: &&Event| {
        let (Event::Step { step, .. } | Event::Validated { step, .. }) = event else {
            return false;
        };
        *step <= 10
    };
    let before: Vec<Event> = before.iter().filter(until).cloned().collect();
    let mut expected = Points::new();
    told(&before, &mut expected);
    told(&after, &mut expected);
    let mut found = points(&folder);
    for tag in ["speed/source_tokens_per_second", "speed/target_tokens_per_second"] {
        let speed = &found[tag];
        assert!(speed.iter().map(|(step, _)| *step).eq(1..=20), "{tag}: {speed:?}");
        assert!(speed.iter().all(|(_, value)| *value > 0.0));
    }
    assert_eq!(found["validation_loss/t.cs-de"].len(), 2);
    found.retain(|tag, _| expected.contains_key(tag));
    assert_eq!(found, expected);
}
