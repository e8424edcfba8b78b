//! Everything public in the core has an example that is compiled and run: each module, type, trait, function and method.

mod rustdoc;

use serde_json::Value;

/// Fewer would mean that this looks in the wrong places.
const AT_LEAST: usize = 400;

/// Whether a block of code is among it that rustdoc runs.
fn has_example(docs: &str) -> bool {
    let mut fences = docs.lines().map(str::trim).filter(|line| line.starts_with("```"));
    while let Some(opening) = fences.next() {
        if matches!(opening, "```" | "```rust") {
            return true;
        }
        fences.next();
    }
    false
}

#[derive(Default)]
struct Found {
    count: usize,
    /// Those without an example, and where they are.
    bare: Vec<String>,
}

impl Found {
    fn look_at(&mut self, item: &Value, path: &str) {
        self.count += 1;
        if !has_example(item["docs"].as_str().unwrap_or_default()) {
            let span = &item["span"];
            self.bare.push(format!("{path} ({}:{})", span["filename"].as_str().unwrap_or_default(), span["begin"][0]));
        }
    }

    /// Looks at an item, and at what is in it.
    fn walk(&mut self, index: &Value, item: &Value, path: &str) {
        let members = |list: &Value| -> Vec<Value> {
            let ids = list.as_array().into_iter().flatten();
            ids.map(|id| index[id.to_string()].clone()).filter(|member| !member.is_null()).collect()
        };
        let inner = &item["inner"];
        let path = format!("{path}::{}", item["name"].as_str().unwrap_or_default());
        if let Some(module) = inner.get("module") {
            self.look_at(item, &path);
            for member in members(&module["items"]) {
                self.walk(index, &member, &path);
            }
        } else if let Some(import) = inner.get("use") {
            let imported = &index[import["id"].to_string()];
            if !imported.is_null() {
                self.walk(index, imported, path.trim_end_matches("::"));
            }
        } else if let Some(kind) = inner.get("trait") {
            self.look_at(item, &path);
            self.functions(members(&kind["items"]), &path);
        } else if let Some(kind) = inner.get("struct").or(inner.get("enum")).or(inner.get("union")) {
            self.look_at(item, &path);
            for block in members(&kind["impls"]) {
                // What a trait asks for is described there.
                if block["inner"]["impl"]["trait"].is_null() {
                    self.functions(members(&block["inner"]["impl"]["items"]), &path);
                }
            }
        } else if inner.get("function").is_some() {
            self.look_at(item, &path);
        }
    }

    fn functions(&mut self, members: Vec<Value>, path: &str) {
        for member in members.iter().filter(|member| member["inner"].get("function").is_some()) {
            self.look_at(member, &format!("{path}::{}", member["name"].as_str().unwrap_or_default()));
        }
    }
}

#[test]
fn everything_public_has_an_example_that_runs() {
    let Some(json) = rustdoc::json() else { return };
    let text = std::fs::read_to_string(json).expect("rustdoc's output");
    let docs: Value = serde_json::from_str(&text).expect("rustdoc's output");
    let mut found = Found::default();
    let index = &docs["index"];
    found.walk(index, &index[docs["root"].to_string()], "");
    assert!(found.count >= AT_LEAST, "only {} items: rustdoc's output has another form", found.count);
    assert!(found.bare.is_empty(), "without an example that runs:\n{}", found.bare.join("\n"));
}
