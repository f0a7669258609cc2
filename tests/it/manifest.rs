//! Manifests as files: what loads, and what is said about what does not.

use std::path::{Path, PathBuf};

use outreachd::manifest;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/manifest").join(name)
}

#[test]
fn the_examples_of_the_design_load() {
    let loaded = manifest::load(&case("design"));
    for diagnostic in &loaded.diagnostics {
        println!("{diagnostic}");
    }
    let manifest = loaded.manifest.unwrap();
    println!("{manifest:#?}");
    assert!(loaded.diagnostics.is_empty());
}
