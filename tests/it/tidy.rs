//! The house rules that no compiler holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A module imports from lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("manifest", 1),
    ("audience", 1),
    ("reply", 1),
    ("store", 2),
    ("provider", 2),
    ("mailbox", 2),
    ("simulate", 2),
    ("reconcile", 3),
    ("intake", 3),
    ("daemon", 4),
    ("web", 4),
    ("cli", 5),
];

/// Own code of a file, without its inline tests.
const MOST_LINES: usize = 600;
/// Above this a file wants a reason, which stands here.
const MANY_LINES: usize = 400;
const LONG: &[(&str, &str)] =
    &[("src/store/diff/steps.rs", "one statement, step by step in the order in which it runs")];

const DRAWERS: &[&str] = &["utils", "util", "common", "core", "helpers", "misc"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below the folders: path below the root, and text.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() > 5, "looked for sources in the wrong place");
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Top-level modules that the text of a file names, `depth` modules below the root.
fn named(text: &str, depth: usize) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut names = BTreeSet::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&prefix) {
            // `my_crate::` and a longer chain of `super::` are other paths.
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)) {
                continue;
            }
            names.extend(heads(&code[at + prefix.len()..]));
        }
    }
    names
}

/// The first names of `a::b`, or of each path in `{a::b, c::{d, e}}`.
fn heads(path: &str) -> Vec<String> {
    let word =
        |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                start = at + 1;
            }
            '}' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

#[test]
fn imports_go_down() {
    assert_eq!(heads("{audience::{Binds, funnel}, model, store::\nStore}"), ["audience", "model", "store"]);
    assert_eq!(named("use super::cli::x;\n// crate::web\nuse crate::model::A;", 1).len(), 2);
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src"]) {
        let inside: Vec<&str> = path.trim_end_matches(".rs").split('/').skip(1).collect();
        let module = inside[0];
        if ["main", "lib"].contains(&module) {
            continue;
        }
        let own = floor(module).unwrap_or_else(|| panic!("{path}: `{module}` is on no floor"));
        let depth = inside.iter().filter(|name| **name != "mod").count();
        for name in named(&text, depth) {
            if name != module && floor(&name).is_some_and(|floor| floor >= own) {
                wrong.push(format!("{path} imports {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "upward or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_named_well_and_say_what_they_are_for() {
    let markers = ["TO-DO", "FIX-ME", "to-do!", "unimpl-emented!"].map(|word| word.replace('-', ""));
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src", "tests", "benches"]) {
        if !text.starts_with("//! ") {
            wrong.push(format!("{path} does not open with what it is for"));
        }
        for marker in markers.iter().filter(|marker| text.contains(marker.as_str())) {
            wrong.push(format!("{path} has {marker}"));
        }
        let module = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next().unwrap();
        if DRAWERS.contains(&module) || path.starts_with("src/error") {
            wrong.push(format!("{path} is named after nothing in particular"));
        }
        let own = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
        let reason = LONG.iter().find(|(long, _)| *long == path);
        if !path.starts_with("src/") {
            // The limits are for what readers of the program go through; a model or a story may be long.
        } else if own > MOST_LINES {
            wrong.push(format!("{path} has {own} lines of its own, more than {MOST_LINES}"));
        } else if own > MANY_LINES && reason.is_none() {
            wrong.push(format!("{path} has {own} lines of its own and no reason in LONG"));
        } else if own <= MANY_LINES && reason.is_some() {
            wrong.push(format!("{path} is not long any more: take it out of LONG"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn generated_schemas_are_current() {
    for (name, text) in outreachd::manifest::schemas() {
        assert_eq!(read(Path::new("schemas").join(name)), text, "{name}: run `outreachd schema`");
    }
}

fn outreachd(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_outreachd")).args(arguments).output().unwrap();
    assert!(output.status.success(), "outreachd {}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// Lines of README's code blocks that call outreachd, as words after its name.
fn readme_commands() -> Vec<Vec<String>> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in read("README.md").lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let command = line.split("  #").next().unwrap_or_default();
            let words: Vec<String> = command.split_whitespace().map(ToOwned::to_owned).collect();
            match words.first().map(String::as_str) {
                Some("outreachd") => commands.push(words[1..].to_vec()),
                Some("cargo") if words.contains(&"run".to_owned()) => {
                    let dashes = words.iter().position(|word| word == "--").unwrap();
                    commands.push(words[dashes + 1..].to_vec());
                }
                _ => {}
            }
        }
    }
    commands
}

#[test]
fn commands_in_the_readme_exist() {
    let commands = readme_commands();
    assert_eq!(
        commands.first().map(Vec::as_slice),
        Some(["demo".to_owned()].as_slice()),
        "README opens with it"
    );
    assert!(commands.len() > 10);
    let help = outreachd(&["--help"]);
    for words in commands {
        let name = words[0].as_str();
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))), "{name}");
        let own = match words.get(1).map(String::as_str) {
            Some(sub)
                if ["contact", "drafts", "replies", "segment", "simulate", "suppress"].contains(&name) =>
            {
                outreachd(&[name, sub, "--help"])
            }
            _ => outreachd(&[name, "--help"]),
        };
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(own.contains(flag.as_str()), "outreachd {}: {flag}", words.join(" "));
        }
    }
}

#[test]
fn exit_codes_in_the_readme_are_those_of_the_program() {
    let code = |text: &str| text.trim().parse::<u8>().ok();
    let declared: BTreeSet<u8> = read("src/cli/exit.rs")
        .lines()
        .filter_map(|line| code(line.split_once(" = ")?.1.trim_end_matches(',')))
        .collect();
    let readme = read("README.md");
    let table = readme.split("## Exit codes").nth(1).unwrap();
    let documented: BTreeSet<u8> = table
        .split("\n## ")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| code(line.strip_prefix('|')?.split('|').next()?))
        .collect();
    assert_eq!(documented, declared);
}

/// The quoted words of a list in `.deny.toml`.
fn deny_list(key: &str) -> Vec<String> {
    let text = read(".deny.toml");
    let list = text.split(&format!("\n{key} = [")).nth(1).unwrap().split(']').next().unwrap();
    list.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// Whether a licence expression (SPDX; `/` is an old way of writing OR) is satisfied by the allowed ones.
fn allows(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    any_of(&words, &mut position, allowed) && position == words.len()
}

fn any_of(words: &[&str], position: &mut usize, allowed: &[String]) -> bool {
    let mut holds = all_of(words, position, allowed);
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        holds |= all_of(words, position, allowed);
    }
    holds
}

fn all_of(words: &[&str], position: &mut usize, allowed: &[String]) -> bool {
    let mut holds = one(words, position, allowed);
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        holds &= one(words, position, allowed);
    }
    holds
}

fn one(words: &[&str], position: &mut usize, allowed: &[String]) -> bool {
    let word = words.get(*position).copied().unwrap_or_default();
    *position += 1;
    if word == "(" {
        let holds = any_of(words, position, allowed);
        *position += 1;
        return holds;
    }
    let mut name = word.to_owned();
    if words.get(*position) == Some(&"WITH") {
        name = format!("{word} WITH {}", words[*position + 1]);
        *position += 2;
    }
    allowed.contains(&name)
}

#[test]
fn dependencies_have_licences_that_we_take() {
    let taken = ["MIT".to_owned(), "ISC".to_owned()];
    assert!(allows("MIT/GPL-3.0", &taken) && allows("(GPL-3.0 OR MIT) AND ISC", &taken));
    assert!(!allows("MIT AND GPL-3.0", &taken) && !allows("MIT WITH Odd", &taken) && !allows("", &taken));

    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // What is not built for this platform need not have been downloaded.
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let (allowed, banned) = (deny_list("allow"), deny_list("deny"));
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(allows(licence, &allowed), "{name} is licensed `{licence}`: .deny.toml does not allow it");
        assert!(!banned.contains(&name.to_owned()), "{name} is banned by .deny.toml");
    }
}
