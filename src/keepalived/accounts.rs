//! Users and groups of a root directory that is not this host's, from its etc/passwd and etc/group. This
//! host's are asked for as keepalived asks: [`super::host::user`].

use std::path::Path;

/// The numeric id of a name in a file like /etc/passwd or /etc/group; `None` if it is not there.
///
/// # Errors
/// The file cannot be read.
pub fn id(file: &Path, name: &str) -> std::io::Result<Option<u32>> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        fields.nth(1)?.parse().ok()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("passwd");
        std::fs::write(
            &file,
            "root:x:0:0:root:/root:/bin/sh\nrha:x:998:997::/:\nbad:x\n",
        )
        .unwrap();
        assert_eq!(id(&file, "rha").unwrap(), Some(998));
        assert_eq!(id(&file, "bad").unwrap(), None);
        assert_eq!(id(&file, "nobody").unwrap(), None);
        assert!(id(&directory.path().join("none"), "root").is_err());
    }
}
