//! How a scalar may be written: the analysis by which PyYAML chooses between plain, single-quoted and double-quoted.

/// The style of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
}

/// How many lines a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Empty,
    Line,
    Lines,
}

/// What decides about the style of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Analysis {
    extent: Extent,
    plain: bool,
    single: bool,
}

impl Analysis {
    /// Neither empty nor with line breaks.
    pub(super) fn is_one_line(self) -> bool {
        self.extent == Extent::Line
    }

    /// The style outside flow collections. `implicit`: a plain scalar would be read as what it is; `key`: as a key on one line.
    pub(super) fn style(self, implicit: bool, key: bool) -> Style {
        if implicit && self.plain && (!key || self.is_one_line()) {
            Style::Plain
        } else if self.single && !(key && self.extent == Extent::Lines) {
            Style::Single
        } else {
            Style::Double
        }
    }
}

/// Line breaks of YAML 1.1.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_white(c: char) -> bool {
    matches!(c, '\0' | ' ' | '\t' | '\r') || is_break(c)
}

/// Characters that may stand unescaped.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Looks at a text.
pub(super) fn analyse(text: &str) -> Analysis {
    if text.is_empty() {
        return Analysis { extent: Extent::Empty, plain: true, single: true };
    }
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut breaks, mut special) = (false, false);
    let (mut break_space, mut space_break) = (false, false);
    let mut before: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let white_follows = rest.peek().is_none_or(|next| is_white(*next));
        indicators |= match before {
            None => {
                "#,[]{}&*!|>'\"%@`".contains(c) || (matches!(c, '?' | ':' | '-') && white_follows)
            }
            Some(before) => (c == ':' && white_follows) || (c == '#' && is_white(before)),
        };
        breaks |= is_break(c);
        // PyYAML's last character is one short of Unicode's.
        let plane = matches!(c, '\u{10000}'..='\u{10fffe}');
        special |= !(is_printable(c) || plane || c == '\n' || c == '\u{85}');
        break_space |= c == ' ' && before.is_some_and(is_break);
        space_break |= is_break(c) && before == Some(' ');
        before = Some(c);
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
    let edges = edge(text.chars().next()) || edge(before);
    let single = !(break_space || space_break || special);
    Analysis {
        extent: if breaks { Extent::Lines } else { Extent::Line },
        plain: single && !edges && !breaks && !indicators,
        single,
    }
}
