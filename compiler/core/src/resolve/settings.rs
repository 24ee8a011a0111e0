//! Blocks of which the experiment only carries the content: keys and values for another program.

use mmc_syntax::ast::{Expr, ExprKind};
use mmc_syntax::source::Span;

use super::read::{PLAIN, Reader};
use super::section::{Field, Section};
use crate::ir::experiment::At;
use crate::ir::settings::{Setting, Settings};

/// All fields of a section; faulty values are reported and left out.
pub(crate) fn resolve<'a>(section: &Section<'a>, reader: &mut Reader<'_, 'a>) -> Settings {
    let mut settings = Settings::new();
    for (word, span, field) in section.fields() {
        let value = match field {
            Field::Block(inner) => Some(Setting::Block(resolve(inner, reader))),
            Field::Value(value) => setting(value, word, reader),
        };
        if let Some(value) = value {
            settings.insert(word.to_owned(), At { value, span });
        }
    }
    settings
}

fn setting<'a>(expr: &'a Expr, field: &str, reader: &mut Reader<'_, 'a>) -> Option<Setting> {
    let expr = reader.follow(expr)?;
    match &expr.kind {
        ExprKind::Name(word) if word == "true" || word == "false" => {
            Some(Setting::Switch(word == "true"))
        }
        ExprKind::Name(word) | ExprKind::Text(word) => Some(Setting::Text(word.clone())),
        ExprKind::List(items) => {
            let item = |item: &'a Expr, reader: &mut Reader<'_, 'a>| {
                Some(At { value: setting(item, field, reader)?, span: item.span })
            };
            let items = items.iter().map(|each| item(each, reader)).collect::<Option<_>>()?;
            Some(Setting::List(items))
        }
        ExprKind::Map(pairs) => {
            let mut settings = Settings::new();
            for (key, value) in pairs {
                let (word, span) = key_of(key, field, reader)?;
                let value = setting(value, field, reader)?;
                settings.insert(word, At { value, span });
            }
            Some(Setting::Block(settings))
        }
        _ => {
            let (quantity, _) = reader.quantity(expr, field, PLAIN)?;
            let whole = quantity.whole.filter(|_| is_whole(expr));
            Some(whole.map_or(Setting::Real(quantity.value), Setting::Whole))
        }
    }
}

fn key_of<'a>(key: &'a Expr, field: &str, reader: &mut Reader<'_, 'a>) -> Option<(String, Span)> {
    match &key.kind {
        ExprKind::Name(word) | ExprKind::Text(word) => Some((word.clone(), key.span)),
        _ => {
            reader.wrong_type(field, "keys that are words or texts", key);
            None
        }
    }
}

/// Whether a number was written without a point: `1.0` stays a real number.
fn is_whole(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number { digits, .. } => !digits.contains(['.', 'e', 'E']),
        ExprKind::Negative(inner) | ExprKind::Group(inner) => is_whole(inner),
        ExprKind::Binary { left, right, .. } => is_whole(left) && is_whole(right),
        _ => true,
    }
}
