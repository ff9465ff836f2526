//! A sealed volume that says of itself what is not so, under a seal that is right.

use std::fs;
use std::time::Duration;

use crate::journal::codec;
use crate::journal::sealed::{Index, SEAL, TRAILER, seal_of};
use crate::journal::volumes::Retention;

use super::*;

/// Two sealed volumes of 300 records, and an empty one behind them.
fn sealed(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir).unwrap();
    for part in stories(600).chunks(300) {
        journal.append(part.to_vec()).unwrap();
        journal.rotate().unwrap();
    }
    journal.seal::<Tally>().unwrap();
    journal
}

fn volume(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.vol"))
}

/// Changes what the volume says of itself.
fn retell(path: &Path, change: impl FnOnce(&mut Index)) {
    let mut file = fs::read(path).unwrap();
    let trailer = file.split_off(file.len() - TRAILER);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    let packed = file.split_off(number(&trailer[..8]));
    let raw = zstd::bulk::decompress(&packed, number(&trailer[12..16])).unwrap();
    let mut index = codec::deserialize(&raw).unwrap();
    change(&mut index);
    let raw = codec::serialize(&index);
    let packed = zstd::bulk::compress(&raw, 1).unwrap();
    let lengths = [packed.len() as u32, raw.len() as u32].map(u32::to_be_bytes);
    let hash = seal_of(&file[..8], &packed);
    file.extend_from_slice(&packed);
    file.extend_from_slice(&trailer[..8]);
    file.extend_from_slice(&lengths.concat());
    file.extend_from_slice(&hash);
    file.extend_from_slice(SEAL);
    fs::write(path, file).unwrap();
}

#[test]
fn verify_names_a_volume_that_says_what_is_not_so() {
    type Lie = fn(&mut Index);
    let lies: [(u64, Lie, u64); 8] = [
        (1, |index| index.wall_us.0 += 1, 1),
        (301, |index| index.wall_us.1 -= 1, 301),
        (1, |index| index.hash.0[3] ^= 1, 1),
        (1, |index| index.next += 1, 1),
        // The records behind do not follow those before.
        (301, |index| index.anchor.0[3] ^= 1, 300),
        (1, |index| index.chunks[0].first += 1, 1),
        (1, |index| index.chunks[0].stored -= 1, 1),
        (301, |index| index.notable[0].push(1), 301),
    ];
    for (number, (first, lie, named)) in lies.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let journal = sealed(dir.path());
        assert!(journal.verify().first_bad.is_none());
        retell(&volume(dir.path(), first), lie);
        let bad = journal.verify().first_bad;
        let bad = bad.unwrap_or_else(|| panic!("lie {number} is believed"));
        let within = named..named + 300;
        assert!(within.contains(&bad.seq.0), "lie {number}: {bad:?}");
        let turn = usize::from(first == 301);
        assert!(!journal.inspect(turn).unwrap().is_empty(), "lie {number}");
        let beside = journal.inspect(1 - turn).unwrap();
        let path = volume(dir.path(), first).display().to_string();
        assert!(beside.iter().all(|(bad, _)| *bad == path), "lie {number}");
    }
}

#[test]
fn a_volume_goes_for_its_age_only_if_its_records_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let journal = sealed(dir.path());
    let retention = Retention {
        keep: Duration::from_secs(3_600),
        size: u64::MAX,
    };
    let newest = stories(600)[599].at.wall_us;
    assert_eq!(journal.expired(retention, newest).unwrap(), None);
    retell(&volume(dir.path(), 1), |index| index.wall_us = (0, 0));
    journal.reader.shelf.read_anew();
    assert_eq!(journal.expired(retention, newest).unwrap(), None);
    let later = newest + 7_200_000_000;
    let expired = journal.expired(retention, later).unwrap().unwrap();
    assert_eq!(expired.below, Seq(601));
}

#[test]
fn a_damaged_sealed_volume_before_an_empty_one_stays_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(sealed(dir.path()));
    let path = volume(dir.path(), 301);
    let mut file = fs::read(&path).unwrap();
    file[200] ^= 1;
    fs::write(&path, file).unwrap();
    let opened: Salvaged<Tally> = Journal::open_or_salvage(dir.path(), "x").unwrap();
    assert_eq!(opened.damage, None);
    assert_eq!(opened.fold, tally(&stories(600)));
    let mut journal = opened.journal;
    assert_eq!(journal.next_seq(), Seq(601));
    journal.append(vec![loud(601)]).unwrap();
    assert_eq!(journal.get(Seq(601)).unwrap(), Some(loud(601)));
    let bad = journal.verify().first_bad.unwrap();
    assert!((301..=600).contains(&bad.seq.0), "{bad:?}");
}
