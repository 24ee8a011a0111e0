//! Events of the parser to a tree: aliases resolved, scalars given their values, merge keys applied.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag, options};
use mmc_syntax::{SourceId, Span, source::LONGEST_TEXT};

use super::error::{DuplicateKey, YamlError};
use super::scalar::{self, Kind};
use super::tree::{Id, KeyIdentity, Tree, Value};

/// Levels of nesting that are read.
const DEEPEST: usize = 128;
/// Nodes for which aliases may stand, all uses counted.
const MOST_ALIASED: u64 = 1 << 26;

/// A document that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The document; an empty file is `null`.
    pub tree: Tree,
    /// Keys that were given twice.
    pub duplicates: Vec<DuplicateKey>,
}

impl Tree {
    /// Reads a document. Places are those of the source.
    pub fn read(source: SourceId, text: &str) -> Result<Read, YamlError> {
        if text.len() > LONGEST_TEXT {
            return Err(YamlError::TooLarge { bytes: text.len(), most: LONGEST_TEXT });
        }
        let start = source.start();
        check_characters(text, start)?;
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let offset = start + u32::try_from(text.len() - body.len()).unwrap_or_default();
        let limits = options! {
            emit_comments: false,
            flow_nesting_limit: DEEPEST + 1,
            block_nesting_limit: DEEPEST + 1,
        };
        Composer {
            parser: Parser::new_from_str_with_options(body, limits),
            text: body,
            offset,
            tree: Self::new(Span::new(offset, offset)),
            anchors: BTreeMap::new(),
            sizes: BTreeMap::new(),
            aliased: 0,
            duplicates: Vec::new(),
        }
        .document()
    }
}

/// Control characters are no YAML. The line breaks that only YAML 1.1 knows (U+0085, U+2028, U+2029) are refused too: the parser
/// takes them for characters, and a text must not change silently.
fn check_characters(text: &str, start: u32) -> Result<(), YamlError> {
    let is_control = |c: char| {
        let is_kept = matches!(c, '\t' | '\n' | '\r');
        let is_other = matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
        (c.is_control() && !is_kept) || is_other
    };
    let Some((at, c)) = text.char_indices().find(|(_, c)| is_control(*c)) else { return Ok(()) };
    let at = start + u32::try_from(at).unwrap_or_default();
    let span = Span::new(at, at + u32::try_from(c.len_utf8()).unwrap_or_default());
    Err(YamlError::ControlCharacter { code: u32::from(c), span })
}

/// What an anchor names.
#[derive(Debug, Clone, Copy)]
enum Named {
    /// A collection that isn't finished.
    Open,
    Node(Id),
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
    offset: u32,
    tree: Tree,
    anchors: BTreeMap<usize, Named>,
    /// Nodes below anchored nodes, all uses counted.
    sizes: BTreeMap<Id, u64>,
    aliased: u64,
    duplicates: Vec<DuplicateKey>,
}

type Next<'a> = (Event<'a>, Span);

impl<'a> Composer<'a> {
    fn document(mut self) -> Result<Read, YamlError> {
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::StreamEnd) {
                break;
            }
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    return Err(YamlError::SeveralDocuments { span });
                }
                let next = self.next()?;
                let root = self.node(next, 0)?;
                self.tree.set_root(root);
            }
        }
        if documents == 0 {
            let span = self.tree.span(self.tree.root());
            let nothing = self.tree.add(Value::Null, span);
            self.tree.set_root(nothing);
        }
        Ok(Read { tree: self.tree, duplicates: self.duplicates })
    }

    fn next(&mut self) -> Result<Next<'a>, YamlError> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, self.span(span))),
                Some(Err(fault)) => return Err(self.malformed(&fault)),
                None => return Ok((Event::StreamEnd, self.span_at(self.text.len()))),
            }
        }
    }

    fn malformed(&self, fault: &ScanError) -> YamlError {
        let span = self.span_at(fault.marker().byte_offset().unwrap_or_default());
        let reason = fault.info().lines().next().unwrap_or_default().to_owned();
        if reason.contains("recursion limit") || reason.contains("nesting limit") {
            return YamlError::TooDeep { most: DEEPEST, span };
        }
        YamlError::Malformed { reason, span }
    }

    /// A place as the source map knows it, without the white space behind it.
    fn span(&self, span: granit_parser::Span) -> Span {
        let start = span.start.byte_offset().unwrap_or_default().min(self.text.len());
        let end = span.end.byte_offset().unwrap_or_default().clamp(start, self.text.len());
        let written = self.text.get(start..end).unwrap_or_default().trim_end();
        let place = |at: usize| self.offset + u32::try_from(at).unwrap_or_default();
        Span::new(place(start), place(start + written.len()))
    }

    /// The character at a byte, or the end.
    fn span_at(&self, at: usize) -> Span {
        let at = at.min(self.text.len());
        let wide =
            self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let place = |at: usize| self.offset + u32::try_from(at).unwrap_or_default();
        Span::new(place(at), place(at + wide))
    }

    fn node(&mut self, (event, span): Next<'a>, depth: usize) -> Result<Id, YamlError> {
        if depth > DEEPEST {
            return Err(YamlError::TooDeep { most: DEEPEST, span });
        }
        match event {
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let value = value(&text, style, tag.as_deref(), span)?;
                let id = self.tree.add(value, span);
                self.name(anchor, id);
                Ok(id)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                self.collection(anchor, |this| this.list(span, depth))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                self.collection(anchor, |this| this.map(span, depth))
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Comment(..)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => {
                let reason = "a value is missing".to_owned();
                Err(YamlError::Malformed { reason, span })
            }
        }
    }

    fn collection(
        &mut self,
        anchor: usize,
        read: impl FnOnce(&mut Self) -> Result<Id, YamlError>,
    ) -> Result<Id, YamlError> {
        if anchor > 0 {
            self.anchors.insert(anchor, Named::Open);
        }
        let (nodes, aliased) = (self.tree.len(), self.aliased);
        let id = read(self)?;
        if anchor > 0 {
            let own = u64::try_from(self.tree.len() - nodes).unwrap_or(u64::MAX);
            self.sizes.insert(id, own.saturating_add(self.aliased - aliased));
        }
        self.name(anchor, id);
        Ok(id)
    }

    fn name(&mut self, anchor: usize, id: Id) {
        if anchor > 0 {
            self.anchors.insert(anchor, Named::Node(id));
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Id, YamlError> {
        match self.anchors.get(&anchor) {
            Some(Named::Node(id)) => {
                let size = self.sizes.get(id).copied().unwrap_or(1);
                self.aliased = self.aliased.saturating_add(size);
                if self.aliased > MOST_ALIASED {
                    return Err(YamlError::AliasBomb { most: MOST_ALIASED, span });
                }
                Ok(*id)
            }
            Some(Named::Open) => Err(YamlError::Recursive { span }),
            None => {
                let reason = "there is no such anchor before this alias".to_owned();
                Err(YamlError::Malformed { reason, span })
            }
        }
    }

    fn list(&mut self, span: Span, depth: usize) -> Result<Id, YamlError> {
        let mut items = Vec::new();
        let mut end = span;
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::SequenceEnd) {
                end = span.to(end).to(next.1);
                break;
            }
            let item = self.node(next, depth + 1)?;
            end = self.tree.span(item);
            items.push(item);
        }
        Ok(self.tree.add(Value::List(items), narrow(span, end)))
    }

    fn map(&mut self, span: Span, depth: usize) -> Result<Id, YamlError> {
        let mut written = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&next.0, Event::Scalar(text, style, _, tag)
                if tag.is_none() && *style == ScalarStyle::Plain && scalar::resolve(text) == Kind::Merge);
            let key = self.node(next, depth + 1)?;
            let next = self.next()?;
            let value = self.node(next, depth + 1)?;
            written.push((key, value, is_merge));
        }
        let end = written.last().map_or(span, |(_, value, _)| self.tree.span(*value));
        let entries = self.entries(&written)?;
        Ok(self.tree.add(Value::Map(entries), narrow(span, end)))
    }

    /// Entries of a mapping as Python's dictionary has them: merged ones first, of equal keys the last value at the place of
    /// the first key.
    fn entries(&mut self, written: &[(Id, Id, bool)]) -> Result<Vec<(Id, Id)>, YamlError> {
        let mut all = Vec::new();
        for (_, value, _) in written.iter().filter(|(_, _, is_merge)| *is_merge) {
            self.merge(*value, &mut all)?;
        }
        let merged = all.len();
        all.extend(
            written.iter().filter(|(.., is_merge)| !is_merge).map(|(key, value, _)| (*key, *value)),
        );
        let mut seen: BTreeMap<KeyIdentity, (usize, bool)> = BTreeMap::new();
        let mut entries: Vec<(Id, Id)> = Vec::with_capacity(all.len());
        for (at, (key, value)) in all.into_iter().enumerate() {
            let is_own = at >= merged;
            let found = self.tree.value(key);
            let Some(identity) = KeyIdentity::of(found) else {
                let (kind, span) = (found.kind(), self.tree.span(key));
                return Err(YamlError::BadKey { kind, span });
            };
            let Some((earlier, was_own)) = seen.get(&identity).copied() else {
                seen.insert(identity, (entries.len(), is_own));
                entries.push((key, value));
                continue;
            };
            let Some(entry) = entries.get_mut(earlier) else { continue };
            entry.1 = value;
            if was_own {
                let (span, earlier) = (self.tree.span(key), self.tree.span(entry.0));
                let key = self.text_at(span).to_owned();
                self.duplicates.push(DuplicateKey { key, span, earlier });
            }
            seen.insert(identity, (earlier, is_own));
        }
        Ok(entries)
    }

    /// The entries of what `<<` names; of a list, those of the first mapping win.
    fn merge(&self, value: Id, all: &mut Vec<(Id, Id)>) -> Result<(), YamlError> {
        let bad = |id: Id| YamlError::BadMerge {
            kind: self.tree.value(id).kind(),
            span: self.tree.span(id),
        };
        match self.tree.value(value) {
            Value::Map(entries) => all.extend(entries),
            Value::List(items) => {
                for item in items.iter().rev() {
                    let Value::Map(entries) = self.tree.value(*item) else {
                        return Err(bad(*item));
                    };
                    all.extend(entries);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Time(_) => return Err(bad(value)),
        }
        Ok(())
    }

    fn text_at(&self, span: Span) -> &'a str {
        let place = |at: u32| at.saturating_sub(self.offset) as usize;
        self.text.get(place(span.start)..place(span.end)).unwrap_or_default()
    }
}

/// From the start of a collection to the end of its last part.
fn narrow(start: Span, end: Span) -> Span {
    // Aliased parts lie elsewhere.
    if end.end >= start.start { Span::new(start.start, end.end.max(start.end)) } else { start }
}

/// A scalar's value by its tag, or without one by its looks.
fn value(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: Span,
) -> Result<Value, YamlError> {
    let tag = tag.map(written);
    let kind = match tag.as_deref() {
        None | Some("!") if style == ScalarStyle::Plain => scalar::resolve(text),
        Some("!") => scalar::resolve(text),
        None => Kind::Text,
        Some(name) => {
            let kind = name.strip_prefix(CORE).and_then(Kind::of_tag);
            kind.ok_or_else(|| unknown(name, span))?
        }
    };
    scalar::construct(kind, text).map_err(|reason| YamlError::BadValue {
        written: text.chars().take(60).collect(),
        kind: kind.name(),
        reason,
        span,
    })
}

/// The tags that all YAML knows.
const CORE: &str = "tag:yaml.org,2002:";

fn written(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn unknown(tag: &str, span: Span) -> YamlError {
    let short = tag.strip_prefix(CORE).map_or_else(|| tag.to_owned(), |name| format!("!!{name}"));
    YamlError::UnknownTag { tag: short, span }
}

fn check_tag(tag: Option<&Tag>, own: &str, span: Span) -> Result<(), YamlError> {
    match tag.map(written) {
        Some(tag) if tag != "!" && tag.strip_prefix(CORE) != Some(own) => Err(unknown(&tag, span)),
        Some(_) | None => Ok(()),
    }
}
