//! The build script of `ffi`: the shared object's name, and under the feature `header` the C header.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=../build.rs");
    // Cargo names the file but not what is inside: without a soname, programs would ask for the file they were linked
    // with. It changes when the ABI does.
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libfastsock.so.0");
        }
        Ok("macos") => println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libfastsock.0.dylib"),
        _ => {}
    }
    #[cfg(feature = "header")]
    header::generate();
}

#[cfg(feature = "header")]
mod header {
    use std::env;
    use std::fs;
    use std::path::Path;

    /// Writes `fastsock.h` into the build's own directory, where the test `header` compares it with the committed one.
    pub(crate) fn generate() {
        println!("cargo::rerun-if-changed=src");
        println!("cargo::rerun-if-changed=cbindgen.toml");
        let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml");
        config.after_includes = Some(format!("{}\n{}", version(), config.after_includes.unwrap_or_default()));
        let mut text = Vec::new();
        cbindgen::Builder::new()
            .with_crate(".")
            .with_config(config)
            .generate()
            .expect("the crate's exports")
            .write(&mut text);
        let text = String::from_utf8(text).expect("a header in UTF-8");
        let text = tidy(&text);
        let path = Path::new(&env::var_os("OUT_DIR").expect("OUT_DIR")).join("fastsock.h");
        fs::write(path, text).expect("fastsock.h");
    }

    /// The version, which cbindgen cannot take from Cargo (nor print: it drops constants that are text).
    fn version() -> String {
        let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}")).expect("a version from cargo");
        let [major, minor, patch] = ["MAJOR", "MINOR", "PATCH"].map(part);
        let number = ["<< 16 |", "<< 8 |", ""].iter().zip(["MAJOR", "MINOR", "PATCH"]);
        let number: Vec<String> = number.map(|(op, name)| format!("FSOCK_VERSION_{name} {op}").trim().into()).collect();
        format!(
            "\n/** The version of this header; fsock_version tells the library's. */\n\
             #define FSOCK_VERSION_MAJOR UINT32_C({major})\n\
             #define FSOCK_VERSION_MINOR UINT32_C({minor})\n\
             #define FSOCK_VERSION_PATCH UINT32_C({patch})\n\
             #define FSOCK_VERSION_NUMBER ({})\n\
             #define FSOCK_VERSION_STRING \"{major}.{minor}.{patch}\"",
            number.join(" ")
        )
    }

    /// The header as a person would have laid it out.
    fn tidy(text: &str) -> String {
        let (mut lines, mut tidy) = (text.lines().peekable(), String::new());
        while let Some(line) = lines.next() {
            let mut line = typed(line);
            if !line.starts_with("typedef struct") {
                line = line.replace("struct fsock_", "fsock_");
            }
            if line.is_empty() && lines.peek().is_none_or(|next| next.is_empty()) {
                continue;
            }
            if line.trim_start() == "/**" {
                let words = lines.next().unwrap_or_default();
                // A comment of one line needs only one.
                if lines.next_if(|next| next.trim() == "*/").is_some() {
                    line = line + words.trim_start().trim_start_matches('*') + " */";
                } else {
                    line = line + "\n" + words;
                }
            }
            tidy += &(line + "\n");
        }
        tidy
    }

    /// cbindgen prints constants bare, so that they would be ints of any width and `x FSOCK_FOREVER` a subtraction. The
    /// macros of <stdint.h> give them their type, keep them usable in `#if`, and need no cast that C++ warns of.
    fn typed(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let ["#define", name, value] = words[..] else { return line.into() };
        let macro_name = match name {
            "FSOCK_FOREVER" => "INT64_C",
            _ if name.starts_with("FSOCK_E_") => "INT32_C",
            _ => "UINT32_C",
        };
        match (value.parse::<i64>(), value.strip_prefix('-')) {
            (Err(_), _) => line.into(),
            (Ok(_), Some(positive)) => format!("#define {name} (-{macro_name}({positive}))"),
            (Ok(_), None) => format!("#define {name} {macro_name}({value})"),
        }
    }
}
