//! Path templates: the part of Python's `str.format` that path templates use, `{name}`, `{{` and `}}`.

/// Why a template can't be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateFault {
    /// A name that is no variable there.
    Unknown(String),
    /// A brace without its partner, or more than a name between two.
    Braces(&'static str),
}

/// Fills a template.
pub(crate) fn fill(template: &str, variables: &[(&str, &str)]) -> Result<String, TemplateFault> {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        if let Some(behind) = from.strip_prefix("{{") {
            filled.push('{');
            rest = behind;
        } else if let Some(behind) = from.strip_prefix("}}") {
            filled.push('}');
            rest = behind;
        } else {
            let inner =
                from.strip_prefix('{').ok_or(TemplateFault::Braces("`}` closes nothing"))?;
            let (name, behind) =
                inner.split_once('}').ok_or(TemplateFault::Braces("`{` is never closed"))?;
            filled.push_str(value(name, variables)?);
            rest = behind;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value<'a>(name: &str, variables: &[(&str, &'a str)]) -> Result<&'a str, TemplateFault> {
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TemplateFault::Braces("a variable's name stands between braces"));
    }
    if name.contains(['!', ':', '[', '.', '{']) {
        return Err(TemplateFault::Braces(
            "formats, conversions and indices can't be used in a path",
        ));
    }
    let found = variables.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| TemplateFault::Unknown(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_as_by_python() {
        let variables = [("a", "x"), ("b", "y")];
        assert_eq!(fill("{a}/{{{b}}}.{a}", &variables).unwrap(), "x/{y}.x");
        assert_eq!(fill("ä", &variables).unwrap(), "ä");
        assert_eq!(fill("{c}", &variables), Err(TemplateFault::Unknown("c".to_owned())));
        for wrong in ["{a", "a}", "{}", "{0}", "{a!r}", "{a:>3}", "{ {a}"] {
            assert!(fill(wrong, &variables).is_err(), "{wrong}");
        }
    }
}
