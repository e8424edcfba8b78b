//! Makes every build of this package the model's, without flags that each caller would have to know.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=fastsock_model");
}
