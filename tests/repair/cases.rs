//! What can happen to the files of a journal, and what is to come of it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::host::Host;

/// The files of a journal of three volumes.
pub struct Files {
    pub journal: PathBuf,
    /// The sealed ones.
    volumes: [PathBuf; 2],
    /// What the records before the open volume come to.
    state: PathBuf,
    open: PathBuf,
    /// First records of the second and of the third volume.
    pub firsts: [u64; 2],
}

impl Files {
    pub fn of(host: &Host) -> Self {
        let journal = host.path("state/journal");
        let mut names: Vec<String> = fs::read_dir(&journal)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('0'))
            .collect();
        names.sort();
        let [one, _, two, open, state] = names.try_into().unwrap();
        let first = |name: &str| name[..20].parse().unwrap();
        Self {
            firsts: [first(&two), first(&open)],
            volumes: [journal.join(one), journal.join(two)],
            state: journal.join(state),
            open: journal.join(open),
            journal,
        }
    }
}

/// Which records must still be there.
#[derive(Clone, Copy)]
pub enum Kept {
    All,
    /// Those of the sealed volumes, and a beginning of the open one.
    Sealed,
    /// Those of the first volume are lost.
    BehindTheFirst,
    /// Those of the second volume are lost.
    ButTheSecond,
    None,
}

/// One thing that can happen.
pub struct Case {
    pub what: &'static str,
    pub damage: fn(&Files),
    /// What `rha verify` says of it.
    pub verify: &'static str,
    /// What a starting agent records about it; empty if nothing that it needs is gone.
    pub recorded: &'static str,
    pub kept: Kept,
}

/// What `rha verify` says of a journal that lacks nothing.
pub const SOUND: &str = "520 records, 1 to 520 in 28 packed blocks: every hash holds";
pub const QUARANTINED: &str = "journal-quarantined";
pub const DAMAGED: &str = "volume-damaged";

pub const OPEN: &[Case] = &[
    Case {
        what: "the open log is cut in the middle",
        damage: |files| cut(&files.open.join("db"), |length| length / 2),
        verify: "it was on the disk, up to",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "the open log is empty",
        damage: |files| cut(&files.open.join("db"), |_| 0),
        verify: "it has lost its beginning",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "a bit of the open log is another",
        damage: |files| flip(&files.open.join("db"), |length| length / 2),
        verify: "it was on the disk, up to 520, and is gone",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "a page of the open log is zeros",
        damage: |files| overwrite(&files.open.join("db"), |length| length / 3, &[0; 4096]),
        verify: "it was on the disk, up to 520, and is gone",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "the open log is gone",
        damage: |files| fs::remove_file(files.open.join("db")).unwrap(),
        verify: "it has lost its beginning",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "the open volume is gone",
        damage: |files| fs::remove_dir_all(&files.open).unwrap(),
        verify: "it was on the disk, up to",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "the open volume is empty",
        damage: |files| empty(&files.open),
        verify: "it has lost its beginning",
        recorded: QUARANTINED,
        kept: Kept::Sealed,
    },
    Case {
        what: "sled's settings are garbled",
        damage: |files| fs::write(files.open.join("conf"), "rubbish").unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "sled's settings are gone",
        damage: |files| fs::remove_file(files.open.join("conf")).unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
];

pub const SEALED: &[Case] = &[
    Case {
        what: "the first byte of a sealed volume is another",
        damage: |files| flip(&files.volumes[0], |_| 0),
        verify: "it does not begin as one",
        recorded: "",
        kept: Kept::BehindTheFirst,
    },
    Case {
        what: "a bit of a sealed volume's records is another",
        damage: |files| flip(&files.volumes[0], |_| 100),
        verify: "the chain is broken",
        recorded: "",
        kept: Kept::BehindTheFirst,
    },
    Case {
        what: "a bit of a sealed volume's index is another",
        damage: |files| flip(&files.volumes[1], |length| length - 60),
        verify: "its index is not what was written",
        recorded: "",
        kept: Kept::ButTheSecond,
    },
    Case {
        what: "the last bit of a sealed volume is another",
        damage: |files| flip(&files.volumes[1], |length| length - 1),
        verify: "it does not end as one",
        recorded: "",
        kept: Kept::ButTheSecond,
    },
    Case {
        what: "a sealed volume is cut in the middle",
        damage: |files| cut(&files.volumes[1], |length| length / 2),
        verify: "it does not end as one",
        recorded: "",
        kept: Kept::ButTheSecond,
    },
    Case {
        what: "a sealed volume is empty",
        damage: |files| cut(&files.volumes[0], |_| 0),
        verify: "it cannot be read at byte 0",
        recorded: "",
        kept: Kept::BehindTheFirst,
    },
    Case {
        what: "a sealed volume is a copy of another",
        damage: |files| {
            fs::copy(&files.volumes[0], &files.volumes[1]).unwrap();
        },
        verify: "it is another than its name says",
        recorded: "",
        kept: Kept::ButTheSecond,
    },
    Case {
        what: "the second sealed volume is gone",
        damage: |files| fs::remove_file(&files.volumes[1]).unwrap(),
        verify: "it is missing, up to",
        recorded: "",
        kept: Kept::ButTheSecond,
    },
    Case {
        what: "the first sealed volume is gone",
        damage: |files| fs::remove_file(&files.volumes[0]).unwrap(),
        verify: "no record tells of that",
        recorded: DAMAGED,
        kept: Kept::BehindTheFirst,
    },
];

pub const BESIDE: &[Case] = &[
    Case {
        what: "the snapshot is gone",
        damage: |files| fs::remove_file(&files.state).unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "a bit of the snapshot is another",
        damage: |files| flip(&files.state, |length| length / 2),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "the snapshot is something else",
        damage: |files| fs::write(&files.state, "rubbish").unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "the mark is gone",
        damage: |files| fs::remove_file(files.journal.join("mark")).unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "the mark is rubbish",
        damage: |files| fs::write(files.journal.join("mark"), "rubbish, and more of it").unwrap(),
        verify: SOUND,
        recorded: "",
        kept: Kept::All,
    },
    Case {
        what: "the mark is of another journal",
        damage: |files| {
            let mut mark = 9_999_u64.to_be_bytes().to_vec();
            mark.extend_from_slice(&blake3::hash(&mark).as_bytes()[..8]);
            fs::write(files.journal.join("mark"), mark).unwrap();
        },
        verify: "it was on the disk, up to 9998, and is gone",
        recorded: QUARANTINED,
        kept: Kept::All,
    },
    Case {
        what: "the open volume and the mark are gone",
        damage: |files| {
            fs::remove_dir_all(&files.open).unwrap();
            fs::remove_file(files.journal.join("mark")).unwrap();
        },
        verify: "the black box tells of record",
        recorded: DAMAGED,
        kept: Kept::Sealed,
    },
    Case {
        what: "the journal is empty",
        damage: |files| empty(&files.journal),
        verify: "the black box tells of record",
        recorded: DAMAGED,
        kept: Kept::None,
    },
    Case {
        what: "the journal is gone",
        damage: |files| fs::remove_dir_all(&files.journal).unwrap(),
        verify: "the black box tells of record",
        recorded: DAMAGED,
        kept: Kept::None,
    },
];

impl Kept {
    pub fn has(self, seq: u64, files: &Files) -> bool {
        let [second, third] = files.firsts;
        match self {
            Self::All => true,
            Self::Sealed => seq < third,
            Self::BehindTheFirst => seq >= second,
            Self::ButTheSecond => seq < second || seq >= third,
            Self::None => false,
        }
    }
}

/// Up to where something is written: sled makes its log longer than that.
fn length(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}

fn cut(file: &Path, to: fn(u64) -> u64) {
    let length = to(length(file));
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(length).unwrap();
}

fn overwrite(file: &Path, at: fn(u64) -> u64, bytes: &[u8]) {
    let at = at(length(file));
    let file = fs::File::options().write(true).open(file).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

fn flip(file: &Path, at: fn(u64) -> u64) {
    let mut byte = [0];
    let place = at(length(file));
    let open = fs::File::open(file).unwrap();
    open.read_exact_at(&mut byte, place).unwrap();
    overwrite(file, at, &[byte[0] ^ 1]);
}

fn empty(dir: &Path) {
    fs::remove_dir_all(dir).unwrap();
    fs::create_dir(dir).unwrap();
}
