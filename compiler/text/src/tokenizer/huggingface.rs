//! Hugging Face `tokenizer.json` files: their facts without building a model, and encoding by the `tokenizers` library.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use tokenizers::ModelWrapper;

use super::known_words::KnownWords;
use super::{TokenizerFacts, train};

/// Names of special pieces in the wild, the likeliest first.
pub(super) const UNKNOWN: [&str; 3] = ["<unk>", "[UNK]", "<|unk|>"];
pub(super) const START: [&str; 5] =
    ["<s>", "<bos>", "[CLS]", "<|startoftext|>", "<|begin_of_text|>"];
pub(super) const END: [&str; 5] = ["</s>", "<eos>", "[SEP]", "<|endoftext|>", "<|end_of_text|>"];
pub(super) const PADDING: [&str; 3] = ["<pad>", "[PAD]", "<|pad|>"];

/// A loaded `tokenizer.json`.
#[derive(Debug, Clone)]
pub(crate) struct HuggingFace {
    model: tokenizers::Tokenizer,
    /// Ids that text must never give: start, end and padding.
    control: Vec<u32>,
    unknown: Option<u32>,
    /// Where words can be encoded one by one.
    words: Option<KnownWords>,
}

/// Ids of special pieces, and the number of ids, as far as they were met.
#[derive(Debug, Default)]
struct Ids {
    pieces: u64,
    named: [Option<(usize, u32)>; 4],
}

impl Ids {
    fn meet(&mut self, piece: &str, id: u64) {
        self.pieces = self.pieces.max(id.saturating_add(1));
        // Every special name begins like this; most pieces don't.
        if !piece.starts_with(['<', '[']) {
            return;
        }
        let Ok(id) = u32::try_from(id) else { return };
        for (slot, names) in self.named.iter_mut().zip([&UNKNOWN[..], &START, &END, &PADDING]) {
            let Some(rank) = names.iter().position(|&name| name == piece) else { continue };
            if slot.is_none_or(|(known, _)| rank < known) {
                *slot = Some((rank, id));
            }
        }
    }
}

/// The `vocab` of a model: an object `piece: id` (BPE, word pieces, words) or a list of `[piece, score]` (Unigram).
struct Vocabulary<'i>(&'i mut Ids);

impl<'de> DeserializeSeed<'de> for Vocabulary<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Vocabulary<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vocabulary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(piece), id)) = map.next_entry::<Text<'de>, u64>()? {
            self.0.meet(&piece, id);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut id = 0;
        while let Some((Text(piece), _)) = list.next_element::<(Text<'de>, IgnoredAny)>()? {
            self.0.meet(&piece, id);
            id += 1;
        }
        Ok(())
    }
}

/// Text that is borrowed from the file where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// The `model` of a file.
struct Model<'i>(&'i mut Ids);

/// What a model says besides its pieces.
#[derive(Debug, Default)]
struct Said {
    unknown: Option<u64>,
    /// Whether its pieces are whole words.
    whole_words: bool,
}

impl<'de> DeserializeSeed<'de> for Model<'_> {
    type Value = Said;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Model<'_> {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut said = Said::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "vocab" => map.next_value_seed(Vocabulary(&mut *self.0))?,
                "unk_id" => said.unknown = map.next_value::<Option<u64>>()?,
                "type" => {
                    let kind = map.next_value::<Option<String>>()?;
                    said.whole_words = kind.as_deref() == Some("WordLevel");
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(said)
    }
}

#[derive(Deserialize)]
struct Added {
    id: u64,
    content: String,
}

/// A whole file.
struct Whole<'i>(&'i mut Ids);

impl<'de> Visitor<'de> for Whole<'_> {
    /// The id of the unknown piece, and whether pieces can't be joined to text.
    type Value = (Option<u64>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a `tokenizer.json`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut model = None;
        let mut joins = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" => {
                    model = Some(map.next_value_seed(Model(&mut *self.0))?);
                }
                "decoder" => joins = map.next_value::<Option<IgnoredAny>>()?.is_some(),
                "added_tokens" => {
                    for added in map.next_value::<Option<Vec<Added>>>()?.unwrap_or_default() {
                        self.0.meet(&added.content, added.id);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Said { unknown, whole_words } =
            model.ok_or_else(|| serde::de::Error::missing_field("model"))?;
        // Without a decoder pieces are joined by spaces, which is right for words.
        Ok((unknown, !joins && !whole_words))
    }
}

/// The facts of a `tokenizer.json`, by one pass over its bytes.
pub(crate) fn facts(bytes: &[u8], sha256: String) -> Result<TokenizerFacts, String> {
    let mut ids = Ids::default();
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let (unknown, one_way) =
        input.deserialize_map(Whole(&mut ids)).map_err(|fault| fault.to_string())?;
    input.end().map_err(|fault| fault.to_string())?;
    let pieces = u32::try_from(ids.pieces).map_err(|_| "ids beyond 32 bits".to_owned())?;
    if pieces == 0 {
        return Err("it holds no pieces".to_owned());
    }
    let [unk, bos, eos, pad] = ids.named.map(|named| named.map(|(_, id)| id));
    let unk = unknown.and_then(|id| u32::try_from(id).ok()).or(unk);
    Ok(TokenizerFacts { pieces, unk, bos, eos, pad, sha256, one_way })
}

/// The one character that is a space at the ends of a text, where it is stripped, and none elsewhere.
const NEXT_LINE: char = '\u{85}';

/// Whether the ids of a text are those of its words: text is normalised and cut as by our own training, neither of which looks beyond a
/// space, nothing is cut out before, and nothing is drawn.
fn has_words(model: &tokenizers::Tokenizer) -> bool {
    let draws = match model.get_model() {
        ModelWrapper::BPE(model) => model.dropout.is_some(),
        ModelWrapper::Unigram(model) => model.alpha.is_some() || model.nbest_size.is_some(),
        ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => false,
    };
    let added = model.get_added_tokens_decoder();
    !draws && added.values().all(|token| token.special) && train::cuts_like_ours(model)
}

impl HuggingFace {
    /// Builds the model.
    pub(crate) fn read(bytes: &[u8], facts: &TokenizerFacts) -> Result<Self, String> {
        let mut model =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|fault| fault.to_string())?;
        model.set_encode_special_tokens(true);
        model.with_padding(None);
        model.with_truncation(None).map_err(|fault| fault.to_string())?;
        let control = [facts.bos, facts.eos, facts.pad].into_iter().flatten().collect();
        let words = has_words(&model).then(KnownWords::default);
        Ok(Self { model, control, unknown: facts.unk, words })
    }

    /// Ids of a text. A text that the model can't encode at all becomes one unknown piece.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let ids = match self.words.as_ref().filter(|_| !text.contains(NEXT_LINE)) {
            Some(words) => words.encode(text, |word| self.encode_whole(word)),
            None => self.encode_whole(text),
        };
        ids.unwrap_or_else(|| self.unknown.into_iter().collect())
    }

    /// Ids of a text, all of it at once; none if the model can't encode it.
    fn encode_whole(&self, text: &str) -> Option<Vec<u32>> {
        let encoding = self.model.encode_fast(text, false).ok()?;
        let mut ids = encoding.get_ids().to_vec();
        if ids.iter().any(|id| self.control.contains(id)) {
            ids.retain_mut(|id| {
                let named = self.control.contains(id);
                *id = if named { self.unknown.unwrap_or(*id) } else { *id };
                !named || self.unknown.is_some()
            });
        }
        Some(ids)
    }

    /// The text of one piece.
    pub(crate) fn piece(&self, id: u32) -> Option<String> {
        self.model.id_to_token(id)
    }

    /// The text of ids, special pieces left out.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        self.model.decode(ids, true).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::train::{Method, Training, train};
    use super::{HuggingFace, facts};

    #[test]
    fn pieces_of_words_need_a_decoder_and_whole_words_none() {
        let one_way = |kind: &str, decoder: &str| {
            let model = format!(r#"{{"type": "{kind}", "vocab": {{"<unk>": 0, "a": 1}}}}"#);
            let file = format!(r#"{{"version": "1.0", "model": {model}{decoder}}}"#);
            facts(file.as_bytes(), String::new()).unwrap().one_way
        };
        assert!(one_way("BPE", "") && one_way("WordPiece", r#", "decoder": null"#));
        assert!(!one_way("BPE", r#", "decoder": {"type": "ByteLevel"}"#));
        assert!(!one_way("WordLevel", ""));
    }

    #[test]
    fn words_are_encoded_one_by_one_where_text_is_cut_as_here() {
        let folder = tempfile::tempdir().unwrap();
        let [text, file] = ["text", "file.json"].map(|name| folder.path().join(name));
        std::fs::write(&text, "a cat and a hat").unwrap();
        let training = Training {
            method: Method::Bpe,
            pieces: 20,
            special: Vec::new(),
            coverage: 1_000_000,
            files: vec![text.into()],
        };
        train(&training, &file).unwrap();
        let json = std::fs::read_to_string(&file).unwrap();
        let has_words = |json: &str| {
            let facts = facts(json.as_bytes(), String::new()).unwrap();
            HuggingFace::read(json.as_bytes(), &facts).unwrap().words.is_some()
        };
        assert!(has_words(&json));
        let mut changed = 0;
        for (ours, other) in [
            (r#""NFKC""#, r#""NFC""#),
            (r#""always""#, r#""first""#),
            (r#""dropout": null"#, r#""dropout": 0.1"#),
            (r#""special": true"#, r#""special": false"#),
        ] {
            let json = json
                .replace(ours, other)
                .replace(&ours.replace(": ", ":"), &other.replace(": ", ":"));
            changed += usize::from(!has_words(&json));
        }
        assert_eq!(changed, 4);
    }
}
