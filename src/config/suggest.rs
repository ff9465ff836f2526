//! "Did you mean …?"

/// The candidate nearest to `word`, if it is near enough to be a slip of the pen.
pub(crate) fn closest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_corrected_and_a_different_word_is_not() {
        let known = ["interval", "timeout", "global_defs"];
        assert_eq!(closest("internal", known), Some("interval"));
        assert_eq!(closest("global_def", known), Some("global_defs"));
        assert_eq!(closest("tiemout", known), Some("timeout"));
        assert_eq!(closest("password", known), None);
    }
}
