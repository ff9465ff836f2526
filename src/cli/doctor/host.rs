//! The kernel under Redis.

use std::fs;

use super::finding::Findings;

/// Everything about the kernel.
pub fn check(found: &mut Findings) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    memory(
        &read("/proc/sys/vm/overcommit_memory"),
        &read("/sys/kernel/mm/transparent_hugepage/enabled"),
        found,
    );
}

fn memory(overcommit: &str, huge_pages: &str, found: &mut Findings) {
    if overcommit.trim() == "0" || overcommit.trim() == "2" {
        let text = "vm.overcommit_memory is not 1: a save, or a replica's first copy, can fail where memory is short";
        found.warning("overcommit", text, "sysctl vm.overcommit_memory=1");
    } else {
        found.ok("overcommit", "vm.overcommit_memory allows Redis to fork");
    }
    if huge_pages.contains("[always]") {
        let text = "transparent huge pages are on: Redis stalls after each fork, long enough to fail a check";
        let todo = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, at each boot";
        found.warning("huge-pages", text, todo);
    } else {
        found.ok("huge-pages", "transparent huge pages are not forced");
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, unwell};
    use super::*;

    #[test]
    fn memory_settings() {
        let of = |overcommit, huge_pages| {
            let mut found = Findings::of("host");
            memory(overcommit, huge_pages, &mut found);
            unwell(&found)
        };
        assert_eq!(of("1\n", "always [madvise] never\n"), []);
        assert_eq!(
            of("0\n", "[always] madvise never\n"),
            [
                ("overcommit", State::Warning),
                ("huge-pages", State::Warning)
            ]
        );
    }
}
