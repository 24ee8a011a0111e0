//! The `experiment` and `training` blocks: seed, batches, optimiser, schedule, clipping, validation, checkpoints.

use super::kept;
use super::reader::{Reader, named};
use super::warning::ImportWarning;
use super::writer::quoted;

/// Name, seed and output, from `save_model` and `seed`.
pub(super) fn experiment(reader: &mut Reader<'_>) {
    let span = reader.place("save_model");
    let path = reader.top_word("save_model").unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() { "imported".to_owned() } else { named(last) };
    let given = reader.top_number("seed");
    let from = reader.place("seed");
    let seed = given.filter(|seed| *seed >= 0.0).unwrap_or(1.0);
    if given.is_some_and(|given| given < 0.0) {
        reader.notes.push(Box::new(ImportWarning::Nearly {
            what: "a seed of the clock's".to_owned(),
            instead: format!("{seed}"),
            span: from,
            help: "every run of an experiment is the same run: name its seed".to_owned(),
        }));
    }
    reader.out.put(&format!("experiment {name} {{\n"), span);
    reader.out.field("seed", &seed.to_string(), from);
    if !path.is_empty() {
        reader.out.field("output", &quoted(&path.replace('{', "{'{'}")), span);
    }
    reader.out.put("}\n", span);
}

/// The `training` block.
pub(super) fn write(reader: &mut Reader<'_>) {
    let span = reader.place("train_steps");
    let root = reader.tree.root();
    reader.out.put("training {\n", span);
    let steps = reader.top_number("train_steps").unwrap_or(100_000.0);
    reader.out.field("steps", &steps.to_string(), span);
    batches(reader);
    optimizer(reader);
    schedule(reader);
    if let Some(value) = reader.top_number("label_smoothing") {
        let from = reader.place("label_smoothing");
        reader.out.field("label_smoothing", &value.to_string(), from);
    }
    let clip = reader.top_number("max_grad_norm").unwrap_or(1.0);
    if clip > 0.0 {
        let from = reader.place("max_grad_norm");
        reader.out.field("clip", &format!("module({clip})"), from);
        let peer = "MAMMOTH's bound is this times the number of parameters";
        reader.mended(root, "max_grad_norm", peer);
    }
    let precisions = [("fp32", "fp32"), ("fp16", "fp16")];
    if let Some(precision) = reader.choice(root, "model_dtype", "`fp32` or `fp16`", &precisions) {
        let from = reader.place("model_dtype");
        reader.out.field("precision", precision, from);
    }
    rhythm(reader);
    reader.out.put("}\n", span);
}

fn batches(reader: &mut Reader<'_>) {
    let span = reader.place("batch_size");
    let root = reader.tree.root();
    let kinds = [("tokens", true), ("sents", false)];
    let by_tokens = reader.choice(root, "batch_type", "`tokens` or `sents`", &kinds);
    let size = reader.top_number("batch_size").unwrap_or(64.0);
    if by_tokens == Some(true) {
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
    let norms = [("sents", "lanes"), ("tokens", "tokens")];
    let norm = reader.choice(root, "normalization", "`sents` or `tokens`", &norms);
    let from = reader.place("normalization");
    reader.out.field("normalise", norm.unwrap_or("lanes"), from);
    if norm == Some("tokens") {
        reader.mended(root, "normalization", "MAMMOTH divides sums by the number of GPUs alone");
    }
}

fn optimizer(reader: &mut Reader<'_>) {
    let span = reader.place("optim");
    let name = reader.top_word("optim").unwrap_or_else(|| "sgd".to_owned());
    let mut number = |key: &str, default: f64| reader.top_number(key).unwrap_or(default);
    let text = match name.as_str() {
        "adam" | "adamw" => format!(
            "{name}(lr = {}, betas = ({}, {}), eps = 1e-9, weight_decay = {})",
            number("learning_rate", 1.0),
            number("adam_beta1", 0.9),
            number("adam_beta2", 0.999),
            number("weight_decay", 0.0)
        ),
        // It takes no notice of the learning rate: the relative step is bounded by 1e-2 (Shazeer and Stern 2018).
        "adafactor" => {
            let decay = number("weight_decay", 0.0);
            for key in ["learning_rate", "decay_method", "warmup_steps"] {
                if let Some(id) = reader.top(key)
                    && !kept::keep("", key, id, reader)
                {
                    let place = reader.tree.span(id);
                    reader.idle(key, place, "`adafactor` takes steps of its own size");
                }
            }
            format!("adafactor(lr = 1e-2, weight_decay = {decay})")
        }
        "sgd" => format!("sgd(lr = {})", number("learning_rate", 1.0)),
        "adagrad" => {
            let initial = number("adagrad_accumulator_init", 0.0);
            format!("adagrad(lr = {}, initial = {initial})", number("learning_rate", 1.0))
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
    let is_adafactor = reader.top_word("optim").as_deref() == Some("adafactor");
    if is_adafactor {
        let span = reader.place("optim");
        reader.out.field("schedule", "constant", span);
        return;
    }
    let span = reader.place("decay_method");
    let name = reader.top_word("decay_method").unwrap_or_else(|| "none".to_owned());
    let mut number = |key: &str, default: f64| reader.top_number(key).unwrap_or(default);
    let text = match name.as_str() {
        "linear_warmup" => format!("linear(warmup = {})", number("warmup_steps", 4_000.0)),
        "noam" => format!("noam(warmup = {})", number("warmup_steps", 4_000.0)),
        "rsqrt" => format!("rsqrt(warmup = {})", number("warmup_steps", 4_000.0)),
        "none" => format!(
            "decay(from = {}, every = {}, factor = {})",
            number("start_decay_steps", 50_000.0),
            number("decay_steps", 10_000.0),
            number("learning_rate_decay", 0.5)
        ),
        _ => {
            let help = "take `linear_warmup`, `noam`, `rsqrt` or `none`";
            reader.no_equal(format!("the schedule `{name}`"), span, help);
            return;
        }
    };
    reader.out.field("schedule", &text, span);
    // Every component counts its own updates.
    reader.out.field("clock", "updates", span);
}

fn rhythm(reader: &mut Reader<'_>) {
    if let Some(every) = reader.top_number("valid_steps") {
        let from = reader.place("valid_steps");
        reader.out.field("validate", &format!("every {every} steps"), from);
    } else if reader.top_number("early_stopping").is_some_and(|patience| patience > 0.0) {
        // MAMMOTH's default, without which early stopping would not act.
        let from = reader.place("early_stopping");
        reader.out.field("validate", "every 10000 steps", from);
    }
    let every = reader.top_number("save_checkpoint_steps").unwrap_or(5_000.0);
    let keep = reader.top_number("keep_checkpoint");
    if keep.is_some_and(|keep| keep <= 0.0) {
        let from = reader.place("keep_checkpoint");
        reader.idle(
            "keep_checkpoint",
            from,
            "the newest are kept: `keep` in `checkpoint` says how many",
        );
    }
    let keep = keep.filter(|keep| *keep > 0.0);
    let keep = keep.map_or_else(String::new, |keep| format!("  keep = {keep}"));
    let from = reader.place("save_checkpoint_steps");
    reader.out.put(&format!("  checkpoint {{ every = {every} steps{keep} }}\n"), from);
    stop_early(reader);
}

/// MAMMOTH looks at perplexity and accuracy unless one of them is named.
fn stop_early(reader: &mut Reader<'_>) {
    let Some(patience) = reader.top_number("early_stopping").filter(|patience| *patience > 0.0)
    else {
        return;
    };
    let from = reader.place("early_stopping");
    let root = reader.tree.root();
    let on = match reader.words(root, "early_stopping_criteria").join(" ").as_str() {
        "ppl" => "loss",
        "accuracy" => "accuracy",
        "" | "ppl accuracy" | "accuracy ppl" => {
            reader.notes.push(Box::new(ImportWarning::Nearly {
                what: "early stopping by perplexity and accuracy".to_owned(),
                instead: "early stopping by loss".to_owned(),
                span: from,
                help: "`early_stopping_criteria: [ppl]` says the same".to_owned(),
            }));
            "loss"
        }
        other => {
            let what = format!("early stopping by `{other}`");
            let span = reader.place("early_stopping_criteria");
            reader.no_equal(what, span, "`ppl` or `accuracy`");
            return;
        }
    };
    let text = format!("  stop_early {{ patience = {patience}  on = {on} }}\n");
    reader.out.put(&text, from);
}
