//! Lines of text from the files of the black box, whatever is in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::vec;

use super::files::LINE_MAX;

/// The lines of files, one file after the other. What is behind the last line break of the last file is being written,
/// and left out.
pub struct Texts {
    files: vec::IntoIter<File>,
    current: Option<BufReader<File>>,
}

impl Texts {
    /// Those of these files.
    #[must_use]
    pub fn new(files: Vec<File>) -> Self {
        Self {
            files: files.into_iter(),
            current: None,
        }
    }

    /// The next line without its line break, or nothing of a line that is longer than any of ours.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(reader) = &mut self.current else {
                let Some(file) = self.files.next() else {
                    return Ok(None);
                };
                self.current = Some(BufReader::new(file));
                continue;
            };
            let mut text = Vec::new();
            reader.take(LINE_MAX).read_until(b'\n', &mut text)?;
            if text.last() == Some(&b'\n') {
                text.pop();
                return Ok(Some(text));
            }
            if text.len() as u64 == LINE_MAX {
                reader.skip_until(b'\n')?;
                return Ok(Some(Vec::new()));
            }
            self.current = None;
            let is_being_written = self.files.as_slice().is_empty();
            if !text.is_empty() && !is_being_written {
                return Ok(Some(text));
            }
        }
    }
}
