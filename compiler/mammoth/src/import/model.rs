//! The `model` block: stacks and patterns, the options of x-transformers, adapters and the bridge.

use std::collections::BTreeMap;

use mmc_syntax::Span;

use super::keys;
use super::reader::{Reader, named};
use crate::yaml::{Id, Value};

/// The sharing ids of a task.
pub(super) struct Sides<'t> {
    pub(super) source: &'t str,
    pub(super) target: &'t str,
    pub(super) encoder: &'t [String],
    pub(super) decoder: &'t [String],
    pub(super) span: Span,
}

/// The presets that the experiment starts from.
pub(super) fn imports(reader: &mut Reader<'_>) {
    let span = reader.place("model_dim");
    reader.out.put("import std.models.mammoth\n", span);
    let has_gpus = reader.top("config_config").is_some()
        || reader.top("world_size").is_some_and(|id| reader.tree.value(id).is_truthy());
    let cluster = if has_gpus { "puhti" } else { "laptop" };
    reader.out.put(&format!("import std.clusters.{cluster}\n"), reader.place("world_size"));
}

/// The groups that make one id a function of one side's language: names to languages.
pub(super) fn groups(rows: &[Sides<'_>]) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (is_encoder, at) in places(rows) {
        if plain(rows, is_encoder, at).is_some() {
            continue;
        }
        for side in [0, 1] {
            let Some(found) = grouped(rows, is_encoder, at, side) else { continue };
            for (language, group) in found {
                let members = groups.entry(named(group)).or_default();
                if !members.contains(&language.to_owned()) {
                    members.push(language.to_owned());
                }
            }
            break;
        }
    }
    for members in groups.values_mut() {
        members.sort();
    }
    groups
}

fn places(rows: &[Sides<'_>]) -> Vec<(bool, usize)> {
    let first = rows.first();
    let encoder = first.map_or(0, |row| row.encoder.len());
    let decoder = first.map_or(0, |row| row.decoder.len());
    (0..encoder).map(|at| (true, at)).chain((0..decoder).map(|at| (false, at))).collect()
}

fn id<'r>(row: &'r Sides<'_>, is_encoder: bool, at: usize) -> Option<&'r str> {
    let side = if is_encoder { row.encoder } else { row.decoder };
    side.get(at).map(String::as_str)
}

/// A pattern without groups that gives every task its id.
fn plain(rows: &[Sides<'_>], is_encoder: bool, at: usize) -> Option<&'static str> {
    type Rule = fn(&Sides<'_>) -> String;
    let rules: [(&str, Rule); 3] = [
        ("FULL", |_| "full".to_owned()),
        ("SRC_LANGUAGE", |row| row.source.to_owned()),
        ("TGT_LANGUAGE", |row| row.target.to_owned()),
    ];
    let fits =
        |rule: Rule| rows.iter().all(|row| id(row, is_encoder, at) == Some(rule(row).as_str()));
    rules.into_iter().find(|(_, rule)| fits(*rule)).map(|(word, _)| word)
}

/// Language -> group, when the id is a function of the language of one side (0: source).
fn grouped<'r>(
    rows: &'r [Sides<'_>],
    is_encoder: bool,
    at: usize,
    side: usize,
) -> Option<BTreeMap<&'r str, &'r str>> {
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for row in rows {
        let language = if side == 0 { row.source } else { row.target };
        let group = id(row, is_encoder, at)?;
        if *found.entry(language).or_insert(group) != group {
            return None;
        }
    }
    Some(found)
}

/// The patterns of both sides; reports ids that no pattern makes.
pub(super) fn patterns(
    rows: &[Sides<'_>],
    span: Span,
    reader: &mut Reader<'_>,
) -> (Vec<String>, Vec<String>) {
    let (mut encoder, mut decoder) = (Vec::new(), Vec::new());
    for (is_encoder, at) in places(rows) {
        let pattern = plain(rows, is_encoder, at).map(str::to_owned).or_else(|| {
            let side =
                [0, 1].into_iter().find(|side| grouped(rows, is_encoder, at, *side).is_some());
            side.map(|side| if side == 0 { "SRC_GROUP" } else { "TGT_GROUP" }.to_owned())
        });
        let Some(pattern) = pattern else {
            let place = rows.first().map_or(span, |row| row.span);
            let what = format!("the sharing of stack {at} of the {}", side_word(is_encoder));
            let help = "its ids follow neither from the languages nor from groups of them";
            reader.no_equal(what, place, help);
            continue;
        };
        if is_encoder { &mut encoder } else { &mut decoder }.push(pattern);
    }
    (encoder, decoder)
}

fn side_word(is_encoder: bool) -> &'static str {
    if is_encoder { "encoder" } else { "decoder" }
}

/// Writes the block.
pub(super) fn write(
    encoder: &(Vec<String>, Span),
    decoder: &(Vec<String>, Span),
    reader: &mut Reader<'_>,
) {
    let span = reader.place("model_dim");
    reader.out.put("model {\n", span);
    match reader.top_number("model_dim") {
        Some(dim) => reader.out.field("dim", &dim.to_string(), span),
        None => reader.out.field("dim", "512", span),
    }
    network(reader);
    for (field, key, (patterns, place)) in
        [("encoder", "enc_layers", encoder), ("decoder", "dec_layers", decoder)]
    {
        stacks(field, key, patterns, *place, reader);
    }
    let opts = reader.top("x_transformers_opts");
    let ties = opts.is_some_and(|opts| reader.is_on(opts, "tie_embedding"));
    let embeddings =
        format!("  embeddings {{ source = LANGUAGE  target = LANGUAGE  tie_output = {ties} }}\n");
    let from = reader.place("x_transformers_opts");
    reader.out.put(&embeddings, from);
    bridge(reader);
    adapters(reader);
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
        if let Some(depth) = reader.number(key, *layer) {
            written.push(format!("{depth} x {pattern}"));
        }
    }
    reader.out.field(field, &format!("[{}]", written.join(", ")), place);
}

/// `x_transformers_opts`.
fn network(reader: &mut Reader<'_>) {
    let Some(opts) = reader.top("x_transformers_opts") else {
        // Later versions have these at the top.
        if let Some(heads) = reader.top_number("heads") {
            let from = reader.place("heads");
            reader.out.field("heads", &heads.to_string(), from);
        }
        let root = reader.tree.root();
        if reader.is_on(root, "rotary_pos_emb") {
            let from = reader.place("rotary_pos_emb");
            reader.out.field("positions", "rotary(dims = 32)", from);
        }
        return;
    };
    reader.check_keys(opts, &[keys::NETWORK], "x_transformers_opts: ");
    let fields = [
        ("heads", "heads"),
        ("attn_dim_head", "head_dim"),
        ("attn_dropout", "attention_dropout"),
        ("ff_dropout", "ffn_dropout"),
    ];
    for (key, field) in fields {
        if let Some(id) = reader.tree.get(opts, key)
            && let Some(value) = reader.number(key, id)
        {
            let from = reader.tree.span(id);
            reader.out.field(field, &value.to_string(), from);
        }
    }
    if let Some(id) = reader.tree.get(opts, "ff_mult")
        && let Some(times) = reader.number("ff_mult", id)
    {
        let dim = reader.top_number("model_dim").unwrap_or(512.0);
        let from = reader.tree.span(id);
        reader.out.field("ffn", &(dim * times).to_string(), from);
    }
    let from = reader.tree.span(opts);
    if reader.is_on(opts, "rotary_pos_emb") {
        let id = reader.tree.get(opts, "rotary_emb_dim");
        let dims = id.and_then(|id| reader.number("rotary_emb_dim", id)).unwrap_or(32.0);
        reader.out.field("positions", &format!("rotary(dims = {dims})"), from);
    }
    if reader.is_on(opts, "use_rmsnorm") {
        reader.out.field("normalisation", "rms", from);
    }
    let is_off = |reader: &Reader<'_>, key: &str| {
        reader.tree.get(opts, key).is_some_and(|id| *reader.tree.value(id) == Value::Bool(false))
    };
    match (is_off(reader, "ff_glu"), reader.is_on(opts, "ff_swish")) {
        (false, false) => {}
        (false, true) => reader.out.field("activation", "swiglu", from),
        (true, false) => reader.out.field("activation", "gelu", from),
        (true, true) => {
            reader.no_equal("`ff_swish` without gates".to_owned(), from, "leave `ff_glu` on");
        }
    }
}

fn bridge(reader: &mut Reader<'_>) {
    let Some(id) = reader.top("ab_layers") else { return };
    let mut layers = Vec::new();
    for item in reader.items(id) {
        match reader.word(item).as_str() {
            "feedforward" => layers.push("feed_forward".to_owned()),
            other => layers.push(other.to_owned()),
        }
    }
    if layers.is_empty() {
        return;
    }
    let span = reader.tree.span(id);
    let hidden = reader.top_number("hidden_ab_size").unwrap_or(2048.0);
    let fixed = reader.top_number("ab_fixed_length").unwrap_or(50.0);
    let norm = match reader.top("ab_layer_norm").map(|id| reader.word(id)).as_deref() {
        Some("rmsnorm") => "rms",
        Some("none") => "none",
        _ => "layer_norm",
    };
    let list = layers.join(", ");
    let text =
        format!("attention_bridge([{list}], fixed = {fixed}, hidden = {hidden}, norm = {norm})");
    reader.out.field("bridge", &text, span);
}

fn adapters(reader: &mut Reader<'_>) {
    let Some(all) = reader.top("adapters") else { return };
    for (side, adapters) in reader.map("adapters", all) {
        let side = reader.word(side);
        for (name, adapter) in reader.map("adapters", adapters) {
            one_adapter(&side, name, adapter, reader);
        }
    }
}

fn one_adapter(side: &str, name: Id, adapter: Id, reader: &mut Reader<'_>) {
    const KEYS: &[&str] = &["adapter_type", "hidden_dim", "ids", "layer_stack_index", "layers"];
    reader.check_keys(adapter, &[KEYS], "adapter: ");
    let span = reader.tree.span(name);
    let get = |reader: &Reader<'_>, key: &str| reader.tree.get(adapter, key);
    let number = |reader: &mut Reader<'_>, key: &str, default: f64| {
        get(reader, key).and_then(|id| reader.number(key, id)).unwrap_or(default)
    };
    let (stack, hidden) =
        (number(reader, "layer_stack_index", 0.0), number(reader, "hidden_dim", 8.0));
    let kind = match get(reader, "adapter_type").map(|id| reader.word(id)).as_deref() {
        Some("lora") => format!("lora(rank = {hidden})"),
        Some("ff") => format!("ff(hidden = {hidden})"),
        other => {
            let what = format!("an adapter of type `{}`", other.unwrap_or_default());
            reader.no_equal(what, span, "MAMMOTH has `lora` and `ff`");
            return;
        }
    };
    let layers: Vec<String> = get(reader, "layers")
        .map(|id| reader.items(id))
        .unwrap_or_default()
        .into_iter()
        .map(|id| reader.word(id))
        .collect();
    let sharing = match get(reader, "ids").map(|id| (id, reader.items(id))) {
        Some((id, _)) if matches!(reader.tree.text(id), Some("LANGUAGE" | "GROUP" | "FULL")) => {
            reader.word(id)
        }
        Some((_, items)) => shared_by(&items, reader),
        None => "LANGUAGE".to_owned(),
    };
    let name = named(&reader.word(name));
    let layers = if layers.is_empty() {
        String::new()
    } else {
        format!("  layers = [{}]", layers.join(", "))
    };
    let text = format!(
        "  adapter {name} {{ in = {side}[{stack}]{layers}  kind = {kind}  sharing = {sharing} }}\n"
    );
    reader.out.put(&text, span);
}

/// What a list of ids means.
fn shared_by(items: &[Id], reader: &mut Reader<'_>) -> String {
    let ids: Vec<String> = items.iter().map(|id| reader.word(*id)).collect();
    if ids == ["full"] {
        return "FULL".to_owned();
    }
    let keys = reader.top("src_vocab").map(|id| reader.map("src_vocab", id)).unwrap_or_default();
    let codes: Vec<String> = keys.into_iter().map(|(code, _)| reader.word(code)).collect();
    let languages = ids.iter().all(|id| codes.contains(id));
    if languages { "LANGUAGE" } else { "GROUP" }.to_owned()
}
