//! What a newcomer reads first: the help of every command, and the examples in the documents. Each is what the
//! programs really print and take.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails there

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const RHA: &str = env!("CARGO_BIN_EXE_rha");
const RHA_EVENT: &str = env!("CARGO_BIN_EXE_rha-event");

/// What a program prints, with nothing of this environment in it: stdout, then stderr, and the exit code.
fn run(program: &str, args: &[&str], columns: usize) -> (String, Option<i32>) {
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

/// What a program prints where it must succeed.
fn printed(program: &str, args: &[&str], columns: usize) -> String {
    let (text, code) = run(program, args, columns);
    assert_eq!(code, Some(0), "{program} {args:?}: {text}");
    text
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The entries below a heading of a help text that is wide enough not to be wrapped: name and explanation.
fn entries(help: &str, headings: &[&str]) -> Vec<(String, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in help.lines() {
        if !line.starts_with(' ') {
            inside = headings.contains(&line.trim_end());
        } else if inside {
            let (name, text) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            found.push((name.to_owned(), text.trim().to_owned()));
        }
    }
    found
}

/// Every command, the program itself first, as it is typed behind `rha`.
fn commands() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while next < found.len() {
        let command: Vec<String> = found[next].clone();
        for (name, _) in entries(&short_help(&command), &["Commands:"]) {
            if name != "help" {
                found.push([command.clone(), vec![name]].concat());
            }
        }
        next += 1;
    }
    found
}

fn short_help(command: &[String]) -> String {
    let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
    args.push("-h");
    printed(RHA, &args, 1000)
}

#[test]
fn every_command_explains_itself() {
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let name = ["rha".to_owned(), command.join("_")].join("_");
        insta::assert_snapshot!(name.trim_end_matches('_'), printed(RHA, &args, 100));
    }
}

#[test]
fn rha_event_explains_itself() {
    insta::assert_snapshot!(printed(RHA_EVENT, &["--help"], 100));
}

#[test]
fn help_is_of_one_voice() {
    for command in commands() {
        let help = short_help(&command);
        let first = help.lines().next().unwrap_or_default();
        let mut lines = vec![(format!("rha {}", command.join(" ")), first.to_owned())];
        lines.extend(entries(&help, &["Commands:", "Arguments:", "Options:"]));
        for (name, text) in lines {
            let text = text.split(" [").next().unwrap_or_default();
            let problem = match text.chars().next() {
                None => "is not explained",
                Some(first) if !first.is_uppercase() => "does not begin with a capital letter",
                Some(_) if text.ends_with('.') => "ends with a full stop",
                Some(_) if text.chars().count() > 140 => "is too long for a summary",
                Some(_) => continue,
            };
            panic!("rha {}: {name} {problem}: {text:?}", command.join(" "));
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [&["histroy"][..], &["history", "--since"], &["pause"], &[]] {
        let (text, code) = run(RHA, args, 100);
        assert_eq!(code, Some(2), "{args:?}: {text}");
        assert!(text.contains("--help"), "{args:?}: {text}");
    }
}

/// The fenced blocks of one language.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let rest = markdown.split(fence.as_str()).skip(1);
    rest.map(|text| text.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_architecture_shows_the_machine_as_it_is() {
    let shown = blocks(&document("ARCHITECTURE.md"), "mermaid");
    let real = printed(RHA, &["machine", "--mermaid"], 100);
    assert!(
        shown == [real.as_str()],
        "ARCHITECTURE.md needs this as its only mermaid block:\n{real}"
    );
}

#[test]
fn configurations_that_are_shown_are_good() {
    let mut shown = blocks(&document("README.md"), "toml");
    assert!(!shown.is_empty(), "README.md has no configuration");
    shown.push(document("config/rha.toml"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rha.toml");
    let file = file.to_str().unwrap();
    for text in shown {
        fs::write(file, &text).unwrap();
        for node in ["lvs1", "lvs2"] {
            let said = printed(
                RHA,
                &["--config", file, "config", "check", "--node", node],
                100,
            );
            let good = format!("{file}: good for node {node} (redis)\n");
            assert_eq!(said, good, "{text}");
        }
    }
}

#[test]
fn the_readme_names_every_command() {
    let readme = document("README.md");
    for command in commands().iter().filter(|command| command.len() == 1) {
        let row = format!("| `rha {}", command[0]);
        assert!(readme.contains(&row), "README.md has no row {row}");
    }
}
