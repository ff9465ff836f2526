//! Where the agent is, from a file that need not be right as a whole: a running agent keeps its settings when its
//! file is spoiled, and can still be asked.

use std::path::{Path, PathBuf};

use super::types::Paths;
use super::{FILE_MAX, file};

/// `[paths] state`, if the file does not say.
pub(super) const STATE: &str = "/var/lib/rha";
/// `[paths] runtime`, if the file does not say.
pub(super) const RUNTIME: &str = "/run/rha";

impl Paths {
    /// What `file` says where it can be read at all, and else the defaults.
    #[must_use]
    pub fn of_spoiled(file: &Path) -> Self {
        let bytes = file::read(file, FILE_MAX).unwrap_or_default();
        Self::in_text(&String::from_utf8_lossy(&bytes))
    }

    fn in_text(text: &str) -> Self {
        let path = |key, default| {
            let value = text.lines().find_map(|line| value(line, key));
            PathBuf::from(value.unwrap_or(default))
        };
        Self {
            state: path("state", STATE),
            runtime: path("runtime", RUNTIME),
        }
    }
}

/// The string in `key = "…"`.
fn value<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix(key)?.trim_start();
    let rest = rest.strip_prefix('=')?.trim_start();
    let inside = rest.strip_prefix(['"', '\''])?;
    inside.split_once(&rest[..1]).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_are_found_in_a_broken_file() {
        let found = [
            (
                "[paths\nruntime = \"/run/x\" # here\nstate='/y'",
                "/run/x",
                "/y",
            ),
            ("  runtime='/run/y'", "/run/y", STATE),
            (
                "# runtime = \"/no\"\nruntime = unquoted\nruntime = \"open",
                RUNTIME,
                STATE,
            ),
            ("runtimes = \"/no\"", RUNTIME, STATE),
            ("", RUNTIME, STATE),
        ];
        for (text, runtime, state) in found {
            let paths = Paths::in_text(text);
            assert_eq!(paths.runtime, Path::new(runtime), "{text}");
            assert_eq!(paths.state, Path::new(state), "{text}");
        }
    }
}
