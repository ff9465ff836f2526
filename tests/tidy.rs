//! The rules of the house that a compiler does not know: who may import whom, what may be named where, how
//! long things may be. A rule for a folder that is not there yet applies when it comes.

#[path = "tidy/source.rs"]
mod source;

use std::fs;

use source::{Source, lines_with, root, sources, walk};

/// Lines of a file and of a function in it.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer, each with its reason.
const LONG_FUNCTIONS: [(&str, &str, &str); 1] = [(
    "src/machine/observe.rs",
    "observe",
    "one arm for each kind of event, most of them a line",
)];

/// What a folder may know of the others, and what it must never name. Tests in it may know more.
struct Folder {
    path: &'static str,
    imports: &'static [&'static str],
    never: &'static [&'static str],
}

const IO: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "tokio",
    "reqwest",
    "redis::Client",
    "rustix",
];

const FOLDERS: [Folder; 17] = [
    Folder {
        path: "src/model",
        imports: &[],
        never: &[
            "#[serde(",
            "Instant",
            "SystemTime",
            "HashMap",
            "HashSet",
            "tracing",
            "tokio",
        ],
    },
    Folder {
        path: "src/machine",
        imports: &["model"],
        never: &[
            "async",
            "await",
            "Instant",
            "SystemTime",
            "HashMap",
            "HashSet",
            "tracing",
            "println!",
            "eprintln!",
            "print!",
            "dbg!",
            "f32",
            "f64",
            "rand",
            "tokio",
            "unsafe",
            "static mut",
        ],
    },
    Folder {
        path: "src/text.rs",
        imports: &[],
        never: &IO,
    },
    Folder {
        path: "src/journal",
        // A channel that a task can wait on is no runtime.
        imports: &["model", "migrations"],
        never: &[
            "async",
            "await",
            "tokio::spawn",
            "tokio::task",
            "tokio::time",
            "tokio::net",
            "tokio::runtime",
            "reqwest",
            "clap",
            "HashMap",
        ],
    },
    Folder {
        path: "migrations",
        imports: &["model", "journal"],
        never: &["tokio", "sled", "HashMap"],
    },
    Folder {
        path: "src/wire",
        imports: &["model"],
        never: &["clap", "sled"],
    },
    Folder {
        path: "src/ingest",
        imports: &["model", "wire"],
        never: &["clap", "sled"],
    },
    Folder {
        // The outcomes of effects come in the way that all events do.
        path: "src/effects",
        // views: for the one spelling of a time.
        imports: &["model", "wire", "ingest", "views", "rescue"],
        never: &["clap", "sled"],
    },
    Folder {
        path: "src/rescue",
        imports: &["model"],
        never: &["tokio", "clap", "sled"],
    },
    Folder {
        path: "src/config",
        imports: &["model", "keepalived", "text"],
        never: &["tokio", "sled", "clap"],
    },
    Folder {
        path: "src/keepalived",
        imports: &["model", "config", "text"],
        never: &["tokio", "sled", "clap"],
    },
    Folder {
        // What the sentences of the table and the state mean is the machine's to say.
        path: "src/views",
        imports: &["model", "machine"],
        never: &IO,
    },
    Folder {
        // A replay that cannot name effects or wire cannot touch Redis.
        path: "src/replay",
        imports: &["model", "machine", "journal", "migrations", "views"],
        never: &[
            "tokio",
            "std::net",
            "std::process",
            "reqwest",
            "redis::Client",
            "rustix",
        ],
    },
    Folder {
        path: "src/postmortem",
        imports: &["model", "machine", "views"],
        never: &IO,
    },
    Folder {
        path: "src/agent",
        imports: &[
            "model",
            "machine",
            "journal",
            "migrations",
            "wire",
            "ingest",
            "effects",
            "config",
            "keepalived",
            "views",
            // The fold that a start begins with.
            "replay",
            "text",
        ],
        never: &["sled", "clap"],
    },
    Folder {
        path: "src/cli",
        imports: &[
            "model",
            "machine",
            "journal",
            "migrations",
            "wire",
            "ingest",
            "effects",
            "config",
            "keepalived",
            "views",
            "text",
            "replay",
            "postmortem",
            "rescue",
            "agent",
        ],
        never: &["sled"],
    },
    Folder {
        // The end of keepalived's pipe needs no runtime and no database.
        path: "src/bin/rha-event.rs",
        imports: &["model", "ingest"],
        never: &[
            "tokio", "sled", "reqwest", "tracing", "async", "await", "clap",
        ],
    },
];

/// Crates that one module only may name, so that leaving them is the change of one module.
const ONE_PLACE: [(&str, &str); 2] = [
    ("sled", "src/journal/store"),
    ("bincode", "src/journal/codec"),
];

#[test]
fn folders_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for folder in &FOLDERS {
        for file in sources(folder.path).iter().filter(|file| !file.is_test()) {
            let own = folder.path.trim_start_matches("src/");
            for (line, module) in file.imports() {
                if module != own && !folder.imports.contains(&module.as_str()) {
                    wrong.push(format!("{}:{line}: may not import {module}", file.name));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn folders_never_name_what_they_must_not() {
    let mut wrong = Vec::new();
    for folder in &FOLDERS {
        for file in sources(folder.path).iter().filter(|file| !file.is_test()) {
            for word in folder.never {
                for line in file.lines_with(word) {
                    wrong.push(format!("{}:{line}: must not name {word}", file.name));
                }
            }
        }
    }
    for (word, only) in ONE_PLACE {
        for file in sources("src")
            .iter()
            .filter(|file| !file.name.starts_with(only))
        {
            for line in file.lines_with(word) {
                wrong.push(format!("{}:{line}: only {only} may name {word}", file.name));
            }
        }
    }
    report(&wrong);
}

/// Both need serde: records and snapshots of the state are stored.
#[test]
fn the_pure_part_has_no_crates() {
    let mut wrong = Vec::new();
    for (folder, crates) in [
        ("src/model", &["std", "serde"][..]),
        ("src/machine", &["std", "serde"][..]),
    ] {
        for file in sources(folder).iter().filter(|file| !file.is_test()) {
            for (line, name) in file.uses() {
                let inside = ["crate", "super", "self"].contains(&name.as_str());
                // Upper case is a type of the file itself: `use AlarmKind as A`.
                let own = name.starts_with(char::is_uppercase) || file.has_module(&name);
                if !inside && !own && !crates.contains(&name.as_str()) {
                    wrong.push(format!(
                        "{}:{line}: may not use the crate {name}",
                        file.name
                    ));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn files_and_functions_are_short() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!(
                "{}: {lines} lines, {FILE_LINES_MAX} at most",
                file.name
            ));
        }
    }
    for file in ["src", "migrations", "tools"]
        .iter()
        .flat_map(|folder| sources(folder))
    {
        for (line, name, lines) in file.functions() {
            let may = LONG_FUNCTIONS
                .iter()
                .any(|(path, long, _)| *path == file.name && *long == name);
            if lines > FUNCTION_LINES_MAX && !may {
                wrong.push(format!(
                    "{}:{line}: {name} has {lines} lines, {FUNCTION_LINES_MAX} at most",
                    file.name
                ));
            }
        }
    }
    report(&wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not name them.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ig", "nore"),
    ];
    let mut wrong = Vec::new();
    for file in ["src", "migrations", "tools"]
        .iter()
        .flat_map(|folder| sources(folder))
    {
        for word in words {
            for line in lines_with(&file.text, word) {
                wrong.push(format!(
                    "{}:{line}: {word}: do it, or write down why not",
                    file.name
                ));
            }
        }
    }
    report(&wrong);
}

/// A story begins with what it tells, and has been played.
#[test]
fn stories_have_a_beginning_and_an_end() {
    let mut wrong = Vec::new();
    for path in walk(&root().join("tests/scenarios"), "txt") {
        let text = fs::read_to_string(&path).expect("a story can be read");
        let header = text
            .lines()
            .next()
            .is_some_and(|line| line.starts_with("# ") && line.len() > 20);
        let told = text
            .split_once("\n----\n")
            .is_some_and(|(_, told)| !told.trim().is_empty());
        if !header || !told {
            wrong.push(format!(
                "{}: needs a `# ` line on top and a told end",
                path.display()
            ));
        }
    }
    report(&wrong);
}

/// The rules themselves can fail.
#[test]
fn the_reader_of_sources_can_read() {
    let text = "use crate::{model::{a, b}, wire};\nfn f() { // crate::cli\n  \"crate::agent {\";\n  r#\"fn x() {\"#;\n}\n";
    let file = Source::new("src/x/y.rs".to_owned(), text.to_owned());
    let modules: Vec<_> = file
        .imports()
        .into_iter()
        .map(|(_, module)| module)
        .collect();
    assert_eq!(modules, ["model", "wire"]);
    assert_eq!(file.functions(), [(2, "f".to_owned(), 4)]);
    let file = Source::new(
        "src/x/mod.rs".to_owned(),
        "use super::wire::redis;\nlet c = '\"'; async {}\n".to_owned(),
    );
    assert_eq!(file.imports(), [(1, "wire".to_owned())]);
    assert_eq!(file.lines_with("async"), [2]);
    assert_eq!(
        lines_with("asynchronous\nmy_async\n", "async"),
        Vec::<usize>::new()
    );
    assert!(sources("src/machine").len() > 5 && sources("src/model").len() > 5);
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
