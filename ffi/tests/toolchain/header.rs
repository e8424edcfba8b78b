//! fastsock.h, taken apart: what is declared and what is said about it.

use std::fs;

/// A declaration of the header, without its comment, on one line.
pub struct Item {
    /// `struct`, `callback`, `function` or `opaque`.
    pub kind: &'static str,
    pub name: String,
    pub text: String,
    /// The comment before it, as plain text.
    pub comment: String,
}

pub fn text() -> String {
    fs::read_to_string(format!("{}/fastsock.h", super::INCLUDE)).unwrap()
}

/// The object-like macros that a program may use.
pub fn constants(header: &str) -> Vec<String> {
    let words = header.lines().filter_map(|line| line.strip_prefix("#define FSOCK_"));
    let names = words.filter_map(|rest| rest.split_once(' ')).filter(|(_, value)| !value.starts_with(['{', '"']));
    names.map(|(name, _)| format!("FSOCK_{name}")).collect()
}

pub fn items(header: &str) -> Vec<Item> {
    let (mut items, mut comment, mut code) = (Vec::new(), String::new(), String::new());
    let mut rest = header;
    while let Some(line) = rest.lines().next() {
        if rest.starts_with("/*") {
            let end = rest.find("*/").unwrap() + 2;
            comment = plain(&rest[..end]);
            rest = rest[end..].trim_start();
            continue;
        }
        rest = &rest[(line.len() + 1).min(rest.len())..];
        if line.starts_with(['#', '}']) && code.is_empty() || line.starts_with("extern") {
            comment.clear();
            continue;
        }
        // A member's comment is not the struct's.
        if !line.trim_start().starts_with(['/', '*']) {
            code = format!("{code} {}", line.trim()).trim().into();
        }
        let is_whole = code.ends_with(';') && code.matches('{').count() == code.matches('}').count();
        if is_whole {
            items.push(item(&code, &std::mem::take(&mut comment)));
            code.clear();
        }
        rest = rest.trim_start_matches('\n');
    }
    items.into_iter().filter(|item| item.name.starts_with("fsock_")).collect()
}

fn item(code: &str, comment: &str) -> Item {
    let word = |text: &str| text.trim_end().rsplit([' ', '*', ')']).next().unwrap().to_owned();
    let (kind, name) = match code {
        _ if code.starts_with("typedef struct") && code.contains('{') => ("struct", word(code.trim_end_matches(';'))),
        _ if code.starts_with("typedef struct") => ("opaque", word(code.trim_end_matches(';'))),
        _ if code.starts_with("typedef") => ("callback", code.split(['*', ')']).nth(1).unwrap().to_owned()),
        _ => ("function", word(code.split('(').next().unwrap())),
    };
    Item { kind, name, text: code.into(), comment: comment.into() }
}

fn plain(comment: &str) -> String {
    let inside = comment.trim_start_matches("/**").trim_start_matches("/*").trim_end_matches("*/");
    let lines = inside.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.collect::<Vec<_>>().join(" ").trim().into()
}

/// The names of a struct's members.
pub fn members(item: &Item) -> Vec<&str> {
    let body = item.text.split(['{', '}']).nth(1).unwrap();
    let declared = body.split(';').filter(|member| !member.trim().is_empty());
    declared.map(|member| member.rsplit([' ', '*']).next().unwrap()).collect()
}
