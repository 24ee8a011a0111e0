//! The generated parser, private to this crate, and the words by which users know its rules.

/// The parser that pest makes of `grammar/mmc.pest`.
#[derive(Debug, pest_derive::Parser)]
#[grammar = "../../grammar/mmc.pest"]
pub(crate) struct Grammar;

/// What a user calls a rule, or nothing for rules that say nothing to users: white space and lookaheads.
pub(crate) fn words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::entry | Rule::file => "an entry (`key = value` or `keyword { ... }`)",
        Rule::import => "`import`",
        Rule::param => "`param`",
        Rule::binding => "`let`",
        Rule::languages => "`languages`",
        Rule::directions => "`for`",
        Rule::setting => "`key = value`",
        Rule::choice => "`name in values`",
        Rule::block => "`keyword { ... }`",
        Rule::body | Rule::open_brace => "`{`",
        Rule::value | Rule::expr | Rule::operand | Rule::primary => "a value",
        Rule::code => "a language code",
        Rule::with_tail | Rule::with_word => "`with`",
        Rule::where_tail | Rule::where_word => "`where`",
        Rule::number | Rule::digits | Rule::plain_digits => "a number",
        Rule::text | Rule::quote => "a text in quotes",
        Rule::quote_end => "`\"`",
        Rule::lint_code => "a code",
        Rule::dotted => "a dotted name",
        Rule::name | Rule::word | Rule::label_word => "a name",
        Rule::list | Rule::open_bracket | Rule::index => "`[`",
        Rule::paren | Rule::open_paren | Rule::arguments => "`(`",
        Rule::map => "`{`",
        Rule::pair => "`key = value`",
        Rule::argument => "an argument",
        Rule::unit => "a unit",
        Rule::import_word => "`import`",
        Rule::param_word => "`param`",
        Rule::let_word => "`let`",
        Rule::languages_word => "`languages`",
        Rule::for_word => "`for`",
        Rule::in_word => "`in`",
        Rule::times => "`x`",
        Rule::both_ways => "`<->`",
        Rule::to => "`->`",
        Rule::add => "`+`",
        Rule::subtract | Rule::negative => "`-`",
        Rule::intersect => "`&`",
        Rule::multiply => "`*`",
        Rule::divide => "`/`",
        Rule::dots => "`..`",
        Rule::assign => "`=`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::close_brace => "`}`",
        Rule::close_bracket => "`]`",
        Rule::close_paren => "`)`",
        Rule::EOI => "the end of the file",
        Rule::WHITESPACE
        | Rule::COMMENT
        | Rule::infix
        | Rule::signed
        | Rule::prefix_word
        | Rule::suffix
        | Rule::piece
        | Rule::plain_text
        | Rule::escape
        | Rule::letter
        | Rule::hspace
        | Rule::entry_ahead
        | Rule::operand_ahead
        | Rule::operator_word
        | Rule::word_rest => return None,
    })
}
