//! The files that an include names, in the manner of glob(3): `*`, `?`, `[ab]` and `{a,b}`.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, glob_with};

/// Longest pattern, in bytes: `PATH_MAX` of the kernel.
const LENGTH_MAX: usize = 4096;
/// Most patterns that the braces of one make.
const ALTERNATIVES_MAX: usize = 256;

/// What a shell does: a wildcard matches no `/`, and no `.` at the beginning of a name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files that `pattern` names, in keepalived's order; a relative one begins in `directory`.
/// Directories are left out.
///
/// # Errors
/// It is no pattern; says why.
pub(super) fn matching(directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for pattern in alternatives(pattern)? {
        let pattern = directory_escaped(directory).join(as_the_crate_spells_it(&pattern));
        let found = glob_with(&pattern.to_string_lossy(), OPTIONS);
        let found = found.map_err(|why| why.msg.to_owned())?;
        // A directory that cannot be read matches nothing, as it does for keepalived.
        files.extend(found.flatten().filter(|path| path.is_file()));
    }
    Ok(files)
}

fn directory_escaped(directory: &Path) -> PathBuf {
    Pattern::escape(&directory.to_string_lossy()).into()
}

/// glob(3) takes `**` for `*` and `[^` for `[!`; the crate would go down into all directories.
fn as_the_crate_spells_it(pattern: &str) -> String {
    let mut pattern = pattern.replace("[^", "[!");
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}

/// `a{b,c}` as `ab` and `ac`, which the crate does not know.
fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    if pattern.len() > LENGTH_MAX {
        return Err(format!("longer than {LENGTH_MAX} bytes"));
    }
    let mut open = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = open.pop() {
        match braces(&pattern) {
            Some((head, words, tail)) => {
                // The first of them is taken up next.
                let words = words.iter().rev();
                open.extend(words.map(|word| format!("{head}{word}{tail}")));
            }
            None => done.push(pattern),
        }
        if open.len() + done.len() > ALTERNATIVES_MAX {
            return Err(format!("its braces make more than {ALTERNATIVES_MAX}"));
        }
    }
    Ok(done)
}

/// What stands before, between the commas of, and behind the first braces.
fn braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = pattern.find('{')?;
    let (mut depth, mut from, mut words) = (0, start + 1, Vec::new());
    for (at, byte) in pattern.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 1 => {
                words.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            words.push(&pattern[from..at]);
            return Some((&pattern[..start], words, &pattern[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_found_as_keepalived_finds_them() {
        let directory = tempfile::tempdir().unwrap();
        // A name that is a pattern itself is taken as it is.
        let root = directory.path().join("[x]");
        for name in [
            "a.inc",
            ".b.inc",
            "d1/a.inc",
            "d1/b.inc",
            "d2/c.inc",
            "d2/e/a.inc",
        ] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "").unwrap();
        }
        let found = |pattern: &str| {
            let files = matching(&root, pattern).unwrap();
            let names = files.iter().map(|file| file.strip_prefix(&root).unwrap());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (pattern, expected) in [
            ("*.inc", "a.inc"),
            ("a.inc", "a.inc"),
            ("none", ""),
            ("d1", ""),
            ("d?/*.inc", "d1/a.inc d1/b.inc d2/c.inc"),
            ("d1/[ab].inc", "d1/a.inc d1/b.inc"),
            ("d1/[^a].inc", "d1/b.inc"),
            ("d**/a.inc", "d1/a.inc"),
            ("**/a.inc", "d1/a.inc"),
            ("{d2/c,a}.inc", "d2/c.inc a.inc"),
            ("d{1/{b,a},2/c}.inc", "d1/b.inc d1/a.inc d2/c.inc"),
            ("d1/{a.inc", ""),
        ] {
            assert_eq!(found(pattern), expected, "{pattern}");
        }
        let absolute = root.join("a.inc");
        let pattern = Pattern::escape(&absolute.to_string_lossy());
        assert_eq!(
            matching(Path::new("/nowhere"), &pattern).unwrap(),
            [absolute]
        );
    }

    /// A file that is named without a directory has the empty one as its parent.
    #[test]
    fn the_empty_directory_is_the_present_one() {
        let found = matching(Path::new(""), "Carg?.toml").unwrap();
        assert_eq!(found, [Path::new("Cargo.toml")]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["[a", &"{a,b}".repeat(20), &"a".repeat(5000)] {
            assert!(matching(Path::new(""), pattern).is_err(), "{pattern}");
        }
    }
}
