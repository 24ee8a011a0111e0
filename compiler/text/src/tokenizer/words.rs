//! Lists of words: one token a line, with or without its count; text is what stands between white space.
//!
//! Ids are the places of tokens in the file; `<unk>` follows behind when the file has none.

use std::collections::HashMap;

use super::TokenizerFacts;
use super::huggingface::{END, PADDING, START, UNKNOWN};

/// Padding as `OpenNMT` calls it.
const BLANK: &str = "<blank>";

/// A loaded list.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    unknown: u32,
    /// Start, end and padding, which text never gives.
    control: Vec<u32>,
}

impl Words {
    /// Reads a list and its facts.
    pub(crate) fn read(bytes: &[u8], sha256: String) -> Result<(Self, TokenizerFacts), String> {
        let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut words: Vec<String> = Vec::new();
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (number, line) in (1_u64..).zip(text.lines()) {
            // What follows a token is its count or its score.
            let Some(word) = line.split_whitespace().next() else { continue };
            let id = u32::try_from(words.len()).map_err(|_| "ids beyond 32 bits".to_owned())?;
            if ids.insert(word.to_owned(), id).is_some() {
                return Err(format!("line {number} repeats `{word}`"));
            }
            words.push(word.to_owned());
        }
        if words.is_empty() {
            return Err("it holds no tokens".to_owned());
        }
        let named = |names: &[&str]| names.iter().find_map(|name| ids.get(*name).copied());
        let (bos, eos) = (named(&START), named(&END));
        let pad = named(&PADDING).or_else(|| named(&[BLANK]));
        let unknown = named(&UNKNOWN);
        let unknown = if let Some(id) = unknown {
            id
        } else {
            words.push("<unk>".to_owned());
            u32::try_from(words.len() - 1).map_err(|_| "ids beyond 32 bits".to_owned())?
        };
        let pieces = u32::try_from(words.len()).map_err(|_| "ids beyond 32 bits".to_owned())?;
        let facts =
            TokenizerFacts { pieces, unk: Some(unknown), bos, eos, pad, sha256, one_way: false };
        let control = [bos, eos, pad].into_iter().flatten().collect();
        Ok((Self { tokens: words, ids, unknown, control }, facts))
    }

    /// The id of every word between white space.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let id = |word: &str| {
            let id = self.ids.get(word).filter(|id| !self.control.contains(id));
            id.copied().unwrap_or(self.unknown)
        };
        text.split_whitespace().map(id).collect()
    }

    /// The text of one token.
    pub(crate) fn piece(&self, id: u32) -> Option<String> {
        self.tokens.get(id as usize).cloned()
    }

    /// Tokens joined by spaces, those that are no text left out.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let text = |id: &u32| {
            let id = Some(*id).filter(|id| !self.control.contains(id))?;
            self.tokens.get(id as usize).map(String::as_str)
        };
        ids.iter().filter_map(text).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn lists_are_read_with_and_without_counts() {
        let (words, facts) =
            Words::read("<s>\n</s>\n\nthe 12\nder\t-3.5\n".as_bytes(), String::new()).unwrap();
        assert_eq!(
            (facts.pieces, facts.unk, facts.bos, facts.eos, facts.pad),
            (5, Some(4), Some(0), Some(1), None)
        );
        assert_eq!(words.encode(" the\tder 12  the"), [2, 3, 4, 2]);
        assert_eq!(words.encode("<s> the </s>"), [4, 2, 4], "names of control tokens are text");
        assert_eq!(words.decode(&[0, 2, 4, 3, 1, 99]), "the <unk> der");
        assert_eq!(words.piece(3).as_deref(), Some("der"));
        let (_, facts) = Words::read(b"<blank>\n<unk>\na\n", String::new()).unwrap();
        assert_eq!((facts.pieces, facts.unk, facts.pad), (3, Some(1), Some(0)));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let fault = |bytes: &[u8]| Words::read(bytes, String::new()).unwrap_err();
        assert_eq!(fault(b"a\nb\na\n"), "line 3 repeats `a`");
        assert_eq!(fault(b"\n \n"), "it holds no tokens");
        assert_eq!(fault(b"\xff\n"), "it is not UTF-8");
    }
}
