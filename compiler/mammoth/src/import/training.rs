//! The `experiment` and `training` blocks: seed, batches, optimiser, schedule, clipping, validation, checkpoints.

use super::reader::{Reader, named};
use super::writer::quoted;

/// Name, seed and output, from `save_model` and `seed`.
pub(super) fn experiment(reader: &mut Reader<'_>) {
    let span = reader.place("save_model");
    let path = reader.top("save_model").map(|id| reader.word(id)).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() { "imported".to_owned() } else { named(last) };
    let seed = reader.top_number("seed").filter(|seed| *seed >= 0.0).unwrap_or(1.0);
    reader.out.put(&format!("experiment {name} {{\n"), span);
    reader.out.field("seed", &seed.to_string(), reader.place("seed"));
    if !path.is_empty() {
        reader.out.field("output", &quoted(&path.replace('{', "{'{'}")), span);
    }
    reader.out.put("}\n", span);
}

/// The `training` block.
pub(super) fn write(reader: &mut Reader<'_>) {
    let span = reader.place("train_steps");
    reader.out.put("training {\n", span);
    let steps = reader.top_number("train_steps").unwrap_or(100_000.0);
    reader.out.field("steps", &steps.to_string(), span);
    batches(reader);
    optimizer(reader);
    schedule(reader);
    for (key, field) in [("label_smoothing", "label_smoothing")] {
        if let Some(value) = reader.top_number(key) {
            let from = reader.place(key);
            reader.out.field(field, &value.to_string(), from);
        }
    }
    let clip = reader.top_number("max_grad_norm").unwrap_or(1.0);
    if clip > 0.0 {
        let from = reader.place("max_grad_norm");
        reader.out.field("clip", &format!("module({clip})"), from);
    }
    if reader.top("model_dtype").map(|id| reader.word(id)).as_deref() == Some("fp16") {
        let from = reader.place("model_dtype");
        reader.out.field("precision", "fp16", from);
    }
    rhythm(reader);
    reader.out.put("}\n", span);
}

fn batches(reader: &mut Reader<'_>) {
    let span = reader.place("batch_size");
    let kind = reader.top("batch_type").map(|id| reader.word(id));
    let size = reader.top_number("batch_size").unwrap_or(64.0);
    if kind.as_deref() == Some("tokens") {
        reader.out.field("batch", &format!("{size} tokens"), span);
    } else {
        let help = "count batches in tokens: `batch_type: tokens`, `batch_size: 4096`";
        reader.no_equal("a batch of so many sentences".to_owned(), span, help);
    }
    if let Some(id) = reader.top("accum_count") {
        let from = reader.tree.span(id);
        let counts = reader.items(id);
        if let [count] = counts.as_slice() {
            if let Some(count) = reader.number("accum_count", *count) {
                reader.out.field("accumulate", &count.to_string(), from);
            }
        } else {
            let help =
                "MAMMOTH's loader takes the first and its trainer the others: give one number";
            reader.no_equal("`accum_count` that changes".to_owned(), from, help);
        }
    }
    if reader.top("normalization").map(|id| reader.word(id)).as_deref() == Some("sents") {
        let from = reader.place("normalization");
        reader.out.field("normalise", "lanes", from);
    }
}

fn optimizer(reader: &mut Reader<'_>) {
    let span = reader.place("optim");
    let name = reader.top("optim").map_or_else(|| "sgd".to_owned(), |id| reader.word(id));
    let lr = reader.top_number("learning_rate").unwrap_or(1.0);
    let decay = reader.top_number("weight_decay").unwrap_or(0.0);
    let beta1 = reader.top_number("adam_beta1").unwrap_or(0.9);
    let beta2 = reader.top_number("adam_beta2").unwrap_or(0.999);
    let text = match name.as_str() {
        "adam" | "adamw" => format!(
            "{name}(lr = {lr}, betas = ({beta1}, {beta2}), eps = 1e-9, weight_decay = {decay})"
        ),
        // It takes no notice of the learning rate: the relative step is bounded by 1e-2 (Shazeer and Stern 2018).
        "adafactor" => format!("adafactor(lr = 1e-2, weight_decay = {decay})"),
        "sgd" => format!("sgd(lr = {lr})"),
        "adagrad" => {
            let initial = reader.top_number("adagrad_accumulator_init").unwrap_or(0.0);
            format!("adagrad(lr = {lr}, initial = {initial})")
        }
        _ => {
            let help = "take `adamw`, `adam`, `adafactor`, `sgd` or `adagrad`";
            reader.no_equal(format!("the optimiser `{name}`"), span, help);
            return;
        }
    };
    reader.out.field("optimizer", &text, span);
}

fn schedule(reader: &mut Reader<'_>) {
    let span = reader.place("decay_method");
    let name = reader.top("decay_method").map_or_else(|| "none".to_owned(), |id| reader.word(id));
    let warmup = reader.top_number("warmup_steps").unwrap_or(4_000.0);
    let is_adafactor =
        reader.top("optim").map(|id| reader.word(id)).as_deref() == Some("adafactor");
    let text = match name.as_str() {
        _ if is_adafactor => "constant".to_owned(),
        "linear_warmup" => format!("linear(warmup = {warmup})"),
        "noam" => format!("noam(warmup = {warmup})"),
        "rsqrt" => format!("rsqrt(warmup = {warmup})"),
        "none" => {
            let from = reader.top_number("start_decay_steps").unwrap_or(50_000.0);
            let every = reader.top_number("decay_steps").unwrap_or(10_000.0);
            let factor = reader.top_number("learning_rate_decay").unwrap_or(0.5);
            format!("decay(from = {from}, every = {every}, factor = {factor})")
        }
        _ => {
            let help = "take `linear_warmup`, `noam`, `rsqrt` or `none`";
            reader.no_equal(format!("the schedule `{name}`"), span, help);
            return;
        }
    };
    reader.out.field("schedule", &text, span);
    // Every component counts its own updates.
    if text != "constant" {
        reader.out.field("clock", "updates", span);
    }
}

fn rhythm(reader: &mut Reader<'_>) {
    if let Some(every) = reader.top_number("valid_steps") {
        let from = reader.place("valid_steps");
        reader.out.field("validate", &format!("every {every} steps"), from);
    }
    let every = reader.top_number("save_checkpoint_steps").unwrap_or(5_000.0);
    let keep = reader.top_number("keep_checkpoint").filter(|keep| *keep > 0.0);
    let keep = keep.map_or_else(String::new, |keep| format!("  keep = {keep}"));
    let from = reader.place("save_checkpoint_steps");
    reader.out.put(&format!("  checkpoint {{ every = {every} steps{keep} }}\n"), from);
    if let Some(patience) = reader.top_number("early_stopping").filter(|patience| *patience > 0.0) {
        let from = reader.place("early_stopping");
        reader.out.put(&format!("  stop_early {{ patience = {patience} }}\n"), from);
    }
}
