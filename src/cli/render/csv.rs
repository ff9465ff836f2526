//! Comma-separated values, RFC 4180.

use std::io::{self, Write};

/// Writes one line. Fields with a comma, a quote or a line break are quoted.
///
/// # Errors
/// Those of `out`.
pub fn line(out: &mut dyn Write, fields: &[&str]) -> io::Result<()> {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if field.contains([',', '"', '\n', '\r']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

/// Findings with a header.
///
/// # Errors
/// Those of `out`.
pub fn findings(rows: &[[&str; 6]], out: &mut dyn Write) -> io::Result<()> {
    line(
        out,
        &["state", "subject", "instance", "check", "text", "todo"],
    )?;
    rows.iter().try_for_each(|row| line(out, row))
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_what_needs_it() {
        let mut out = Vec::new();
        super::line(&mut out, &["a", "b,c", "say \"hi\"", "", "x\ny"]).unwrap();
        let expected = "a,\"b,c\",\"say \"\"hi\"\"\",,\"x\ny\"\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
