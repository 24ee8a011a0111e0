//! The `model` block: stacks and patterns, the options of x-transformers, adapters and the bridge.

use std::fmt::Write as _;

use mmc_syntax::Span;

use super::adapters::{self, Attached};
use super::keys;
use super::reader::Reader;
use crate::yaml::{Id, Value};

/// The words that MAMMOTH's patterns are made of, and those of finished configurations.
const PATTERNS: &[&str] = &[
    "FULL",
    "GROUP",
    "LANGUAGE",
    "PAIR",
    "SRC_GROUP",
    "SRC_LANGUAGE",
    "TASK",
    "TGT_GROUP",
    "TGT_LANGUAGE",
];

/// The presets that the experiment starts from.
pub(super) fn imports(reader: &mut Reader<'_>) {
    let span = reader.place("model_dim");
    reader.out.put("import std.models.mammoth\n", span);
    let root = reader.tree.root();
    let is_given =
        |key: &str| reader.tree.get(root, key).is_some_and(|id| reader.tree.value(id).is_truthy());
    let has_gpus = is_given("config_config") || is_given("world_size") || is_given("gpu_ranks");
    let cluster = if has_gpus { "lumi_g" } else { "laptop" };
    reader.out.put(&format!("import std.clusters.{cluster}\n"), reader.place("world_size"));
}

/// Writes the block.
pub(super) fn write(
    encoder: &(Vec<String>, Span),
    decoder: &(Vec<String>, Span),
    attached: &Attached,
    reader: &mut Reader<'_>,
) {
    let span = reader.place("model_dim");
    reader.out.put("model {\n", span);
    let dim = reader.top_number("model_dim").unwrap_or(512.0);
    reader.out.field("dim", &dim.to_string(), span);
    let ties = network(dim, reader);
    for (field, key, (patterns, place)) in
        [("encoder", "enc_layers", encoder), ("decoder", "dec_layers", decoder)]
    {
        stacks(field, key, patterns, *place, reader);
    }
    let embeddings =
        format!("  embeddings {{ source = LANGUAGE  target = LANGUAGE  tie_output = {ties} }}\n");
    let from = reader.place("x_transformers_opts");
    reader.out.put(&embeddings, from);
    bridge(reader);
    adapters::write(attached, reader);
    reader.out.put("}\n", span);
}

fn stacks(
    field: &str,
    key: &'static str,
    patterns: &[String],
    place: Span,
    reader: &mut Reader<'_>,
) {
    let layers = reader.top(key).map(|id| reader.items(id)).unwrap_or_default();
    if layers.is_empty() || layers.len() != patterns.len() {
        let help =
            format!("one number for each of the {} entries of sharing groups", patterns.len());
        reader.missing(key, place, &help);
        return;
    }
    let mut written = Vec::new();
    for (layer, pattern) in layers.iter().zip(patterns) {
        let word = pattern.split('(').next().unwrap_or_default();
        if !PATTERNS.contains(&word) {
            let help =
                mmc_core::suggest::help(word, PATTERNS.iter().copied(), "`FULL` is shared by all");
            reader.no_equal(format!("the pattern `{word}`"), place, &help);
        } else if let Some(depth) = reader.number(key, *layer) {
            written.push(format!("{depth} x {pattern}"));
        }
    }
    reader.out.field(field, &format!("[{}]", written.join(", ")), place);
}

/// `x_transformers_opts`, or what later versions have of them at the top; gives whether the output is tied.
fn network(dim: f64, reader: &mut Reader<'_>) -> bool {
    let root = reader.tree.root();
    let Some(opts) = reader.top("x_transformers_opts") else {
        numbers(root, &[("heads", "heads")], reader);
        positions(root, reader);
        return false;
    };
    reader.open(opts, &keys::NETWORK);
    let fields = [
        ("heads", "heads"),
        ("attn_dim_head", "head_dim"),
        ("attn_dropout", "attention_dropout"),
        ("ff_dropout", "ffn_dropout"),
    ];
    numbers(opts, &fields, reader);
    if let Some(times) = reader.number_of(opts, "ff_mult") {
        let from = reader.key_place(opts, "ff_mult");
        reader.out.field("ffn", &(dim * times).to_string(), from);
    }
    positions(opts, reader);
    let from = reader.key_place(opts, "use_rmsnorm");
    let is_off = |reader: &Reader<'_>, key: &str| {
        reader.get(opts, key).is_some_and(|id| *reader.tree.value(id) == Value::Bool(false))
    };
    if reader.is_on(opts, "use_rmsnorm") {
        reader.out.field("normalisation", "rms", from);
    } else if is_off(reader, "use_simple_rmsnorm") {
        reader.out.field("normalisation", "layer_norm", from);
    }
    if reader.is_on(opts, "ff_no_bias") {
        let from = reader.key_place(opts, "ff_no_bias");
        reader.out.field("ffn_bias", "false", from);
    }
    let from = reader.key_place(opts, "ff_swish");
    match (is_off(reader, "ff_glu"), reader.is_on(opts, "ff_swish")) {
        (false, false) => {}
        (false, true) => reader.out.field("activation", "swiglu", from),
        (true, false) => reader.out.field("activation", "gelu", from),
        (true, true) => {
            reader.no_equal("`ff_swish` without gates".to_owned(), from, "leave `ff_glu` on");
        }
    }
    reader.is_on(opts, "tie_embedding")
}

fn numbers(map: Id, fields: &[(&str, &str)], reader: &mut Reader<'_>) {
    for (key, field) in fields {
        if let Some(id) = reader.given(map, key)
            && let Some(value) = reader.number(key, id)
        {
            let from = reader.tree.span(id);
            reader.out.field(field, &value.to_string(), from);
        }
    }
}

/// Rotary positions, or none: MAMMOTH's absolute ones depend on the length to which it pads.
fn positions(opts: Id, reader: &mut Reader<'_>) {
    if reader.is_on(opts, "rotary_pos_emb") {
        let dims = reader.number_of(opts, "rotary_emb_dim").unwrap_or(32.0);
        let from = reader.key_place(opts, "rotary_pos_emb");
        reader.out.field("positions", &format!("rotary(dims = {dims})"), from);
        if let Some(id) = reader.top("max_length") {
            let span = reader.tree.span(id);
            reader.idle("max_length", span, "of absolute positions; here they are rotary");
        }
        return;
    }
    let absolute = reader.get(opts, "use_abs_pos_emb");
    let is_off = absolute.is_some_and(|id| *reader.tree.value(id) == Value::Bool(false));
    let Some(id) = reader.top("max_length") else { return };
    let span = reader.tree.span(id);
    if is_off {
        reader.idle("max_length", span, "of absolute positions, which are off");
    } else if reader.tree.value(id).is_truthy() {
        let help = "`rotary_pos_emb: true`, or `use_abs_pos_emb: false` for none";
        reader.no_equal("a table of positions that `max_length` asks for".to_owned(), span, help);
    }
}

fn bridge(reader: &mut Reader<'_>) {
    let Some(id) = reader.top("ab_layers") else { return };
    let mut layers = Vec::new();
    for item in reader.items(id) {
        match reader.word(item).as_str() {
            "feedforward" => layers.push("feed_forward"),
            "transformer" => layers.push("transformer"),
            "simple" => layers.push("simple"),
            "lin" => layers.push("lin"),
            "perceiver" => layers.push("perceiver"),
            _ => {
                let expected = "`feedforward`, `transformer`, `simple`, `lin` or `perceiver`";
                reader.wrong("ab_layers", expected, item);
            }
        }
    }
    if layers.is_empty() {
        return;
    }
    let span = reader.tree.span(id);
    let mut sizes = String::new();
    for (key, argument, default, without) in [
        ("ab_fixed_length", "fixed", 50.0, ["transformer", "feed_forward"]),
        ("hidden_ab_size", "hidden", 2048.0, ["transformer", "perceiver"]),
    ] {
        let size = reader.top_number(key).unwrap_or(default);
        if layers.iter().any(|layer| !without.contains(layer)) {
            let _ = write!(sizes, ", {argument} = {size}");
        } else if reader.top(key).is_some() {
            reader.idle(key, reader.place(key), "no layer of this bridge makes use of it");
        }
    }
    let norms = [("layernorm", "layer_norm"), ("rmsnorm", "rms"), ("none", "none")];
    let expected = "`layernorm`, `rmsnorm` or `none`";
    let root = reader.tree.root();
    let norm = reader.choice(root, "ab_layer_norm", expected, &norms).unwrap_or("layer_norm");
    if layers.iter().any(|layer| matches!(*layer, "transformer" | "perceiver")) {
        let opts = reader.top("x_transformers_opts").unwrap_or(root);
        let heads = reader.number_of(opts, "heads").unwrap_or(8.0);
        let own = reader.top_number("ab_heads").unwrap_or(8.0);
        if own.total_cmp(&heads).is_ne() {
            let from = reader.place("ab_heads");
            let help = format!("`ab_heads: {heads}`: here a bridge has the heads of the model");
            reader.no_equal("a bridge with other heads".to_owned(), from, &help);
        }
    }
    let list = layers.join(", ");
    let text = format!("attention_bridge([{list}]{sizes}, norm = {norm})");
    reader.out.field("bridge", &text, span);
    if layers.iter().any(|layer| *layer != "feed_forward") {
        reader.mended(root, "ab_layers", "MAMMOTH's fail, or mix sentences, but for `feedforward`");
    }
}
