//! What is packed comes back as it was.

use proptest::prelude::*;

use crate::journal::block::{Block, MAX_ROWS};
use crate::journal::codec::{Chain, Entry, deserialize};

use super::*;

proptest! {
    #[test]
    fn a_block_gives_back_what_it_packed(
        checks in proptest::collection::vec(any_check().prop_map(settled), 1..=MAX_ROWS),
        first in 1..u64::MAX - 300,
    ) {
        let checks = numbered(checks, first);
        let block = Block::pack(&checks).unwrap();
        prop_assert_eq!(unpacked(block).unwrap(), checks);
    }

    #[test]
    fn a_block_takes_nothing_that_it_could_not_give_back(
        checks in proptest::collection::vec(any_check(), 1..20),
    ) {
        let checks = numbered(checks, 1);
        if let Some(block) = Block::pack(&checks) {
            prop_assert_eq!(unpacked(block).unwrap(), checks);
        }
    }

    #[test]
    fn an_entry_gives_back_what_it_sealed(
        sample in proptest::sample::select(samples()),
        seq in 1..u64::MAX - 1,
        instance in "\\PC{0,40}",
        wall_us in any::<i64>(),
        cause in any::<Option<u64>>(),
    ) {
        let record = Record {
            seq: Seq(seq),
            instance,
            at: At { wall_us, ..sample.at },
            cause: cause.map(Seq),
            ..sample
        };
        let entry = Entry::Record(record);
        let mut chain = Chain::behind(crate::journal::codec::Hash([7; 16]), None);
        let mut reading = chain;
        let value = chain.seal(&entry).unwrap();
        prop_assert_eq!(reading.admit(seq, &value).unwrap(), entry);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Entry::Quiet(block)) = deserialize::<Entry>(&bytes) {
            let _ = block.unpack().count();
        }
        let mut chain = Chain::genesis();
        prop_assert!(chain.admit(1, &bytes).is_err());
    }

    #[test]
    fn a_changed_byte_is_seen(at in 0..1_000_usize, by in 1..=255_u8) {
        let entry = Entry::Quiet(Block::pack(&(1..=64).map(quiet).collect::<Vec<_>>()).unwrap());
        let value = Chain::genesis().seal(&entry).unwrap();
        let mut changed = value.clone();
        let at = at % value.len();
        changed[at] ^= by;
        let mut chain = Chain::genesis();
        let refused = chain.admit(1, &changed);
        prop_assert!(matches!(refused, Err(Error::Damaged { .. })), "{:?}", refused);
        prop_assert_eq!(chain.admit(1, &value).unwrap(), entry);
    }
}

proptest! {
    // Each case opens a journal twice.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_gives_back_what_was_appended(
        records in proptest::collection::vec(any_record(), 1..400),
        groups in proptest::collection::vec(1..50_usize, 1..20),
    ) {
        let records = numbered(records, 1);
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        let mut rest = records.as_slice();
        let mut groups = groups.into_iter().cycle();
        while !rest.is_empty() {
            let (group, behind) = rest.split_at(groups.next().unwrap().min(rest.len()));
            journal.append(group.to_vec()).unwrap();
            rest = behind;
        }
        prop_assert_eq!(&all(&journal), &records);
        journal.flush_quiet().unwrap();
        let report = journal.verify();
        prop_assert!(report.first_bad.is_none(), "{:?}", report);
        prop_assert_eq!(report.records, records.len() as u64);
        drop(journal);
        let reader = Reader::open(dir.path()).unwrap();
        prop_assert_eq!(&all(&reader), &records);
        let mut reversed: Vec<_> = reader.records_rev(Seq(u64::MAX)).collect::<Result<_, _>>().unwrap();
        reversed.reverse();
        prop_assert_eq!(&reversed, &records);
    }
}

fn unpacked(block: Block) -> Result<Vec<Record>, Error> {
    block.unpack().collect()
}

/// Leaves a check only the numbers that may differ within a block.
fn settled(check: Record) -> Record {
    let mut check = Record {
        at: At {
            boot: BootId(1),
            ..check.at
        },
        cause: None,
        ruleset: 3,
        incident: Some(Seq(5)),
        ..check
    };
    if let Event::RedisProbed(probe) | Event::PeerProbed { probe, .. } = &mut check.event {
        probe.grade = Grade::Slow;
    }
    check
}

#[test]
fn a_full_block_takes_at_most_twelve_bytes_a_check() {
    let checks: Vec<_> = (1..=MAX_ROWS as u64).map(quiet).collect();
    let entry = Entry::Quiet(Block::pack(&checks).unwrap());
    let bytes = Chain::genesis().seal(&entry).unwrap().len();
    assert!(
        bytes <= 12 * checks.len(),
        "{bytes} bytes for {} checks",
        checks.len()
    );
}

#[test]
fn what_was_never_packed_is_refused_with_a_reason() {
    let body = |entry: &Entry| {
        let value = Chain::behind(crate::journal::codec::Hash::GENESIS, None)
            .seal(entry)
            .unwrap();
        value[1..value.len() - 16].to_vec()
    };
    let entry = Entry::Quiet(Block::pack(&(1..=3).map(quiet).collect::<Vec<_>>()).unwrap());
    let body = body(&entry);
    let mut longer = body.clone();
    longer.push(0);
    deserialize::<Entry>(&longer).unwrap_err();
    deserialize::<Entry>(&body[..body.len() - 1]).unwrap_err();
    // The number of rows stands before their length and the rows: one more than there are.
    let rows_at = body.windows(2).rposition(|pair| pair[0] == 3).unwrap();
    let mut more = body.clone();
    more[rows_at] = 4;
    let Ok(Entry::Quiet(block)) = deserialize(&more) else {
        panic!("it decodes")
    };
    assert_eq!(
        unpacked(block).unwrap_err().to_string(),
        "the journal is damaged at record 4: row 3 of a block is garbled"
    );
    more[rows_at] = 2;
    let Ok(Entry::Quiet(block)) = deserialize(&more) else {
        panic!("it decodes")
    };
    assert!(
        unpacked(block)
            .unwrap_err()
            .to_string()
            .contains(" bytes behind the last row")
    );
}
