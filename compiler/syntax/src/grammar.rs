//! The generated parser, private to this crate, and the words by which users know its rules.

/// The parser that pest makes of `grammar/mmc.pest`.
#[derive(Debug, pest_derive::Parser)]
#[grammar = "../../grammar/mmc.pest"]
pub(crate) struct Grammar;

/// What a user calls a rule, or nothing for rules that say nothing to users: white space, lookaheads, and what may always
/// go on (units, operators of a range).
#[rustfmt::skip]
pub(crate) fn words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::entry | Rule::file | Rule::import | Rule::param | Rule::binding | Rule::languages
        | Rule::directions | Rule::setting | Rule::choice | Rule::block | Rule::import_word
        | Rule::param_word | Rule::let_word | Rule::languages_word | Rule::for_word => {
            "the next entry (`key = value` or `keyword { ... }`)"
        }
        Rule::value | Rule::expr | Rule::operand | Rule::primary | Rule::number | Rule::digits
        | Rule::plain_digits => "a value",
        Rule::code => "a language code",
        Rule::text | Rule::quote => "a text in quotes",
        Rule::quote_end => "`\"`",
        Rule::lint_code => "a code",
        Rule::dotted => "a dotted name",
        Rule::name | Rule::word => "a name",
        Rule::list | Rule::open_bracket | Rule::index => "`[`",
        Rule::paren | Rule::open_paren | Rule::arguments => "`(`",
        Rule::map | Rule::body | Rule::open_brace => "`{`",
        Rule::pair => "`key = value`",
        Rule::argument => "an argument",
        Rule::in_word => "`in`",
        Rule::assign => "`=`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::close_brace => "`}`",
        Rule::close_bracket => "`]`",
        Rule::close_paren => "`)`",
        Rule::EOI => "the end of the file",
        Rule::with_tail | Rule::with_word | Rule::where_tail | Rule::where_word | Rule::times
        | Rule::both_ways | Rule::to | Rule::add | Rule::subtract | Rule::negative
        | Rule::intersect | Rule::multiply | Rule::divide => "an operator",
        Rule::dots | Rule::unit | Rule::suffix | Rule::WHITESPACE | Rule::COMMENT | Rule::infix
        | Rule::signed | Rule::prefix_word | Rule::piece | Rule::plain_text | Rule::escape
        | Rule::letter | Rule::hspace | Rule::entry_ahead | Rule::operand_ahead
        | Rule::labelled_ahead | Rule::label | Rule::labelled_setting | Rule::labelled_block | Rule::blank
        | Rule::operator_word | Rule::word_rest => return None,
    })
}
