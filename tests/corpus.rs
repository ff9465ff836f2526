//! Every decoder, fed with the seeds of the fuzz targets and with bounded random changes of them.
//!
//! This is the short run of `tools/fuzz`, on stable. `RHA_SEED=7` repeats one, `RHA_SEEDS=100` runs so many times as
//! long, `RHA_REWRITE=1` makes the seeds anew.

// What helps a test may fail like a test; clippy exempts `#[test]` functions only.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/decoders/mod.rs"]
mod decoders;
// The stories that the unit tests are told; this file needs some of them only.
#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;
#[path = "corpus/mutate.rs"]
mod mutate;
#[allow(dead_code)]
#[path = "sim/rng.rs"]
mod rng;
#[allow(dead_code)]
#[path = "../src/views/samples.rs"]
mod samples;
#[path = "corpus/seeds.rs"]
mod seeds;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

// The stories name them as the library does.
use rha::{machine, model};

use decoders::{ALL, Decoder};
use rng::Rng;

/// Changed seeds for each target. Some are read from files, a spool some twenty times for each.
const MUTATIONS: u64 = 1_500;
const MUTATIONS_OF_FILES: u64 = 150;
/// All seeds together.
const BYTES_MAX: usize = 200 * 1024;

#[test]
fn seeds_are_understood() {
    let folder = Path::new("fuzz/seeds");
    if number("RHA_REWRITE").is_some() {
        seeds::write(folder);
    }
    let mut bytes = 0;
    for (target, decoder) in ALL {
        let found = files(&folder.join(target));
        assert!(!found.is_empty(), "no seeds for {target}");
        for (path, seed) in found {
            bytes += seed.len();
            let name = path.file_name().unwrap().to_string_lossy();
            let understood = feed(target, decoder, &seed, &name);
            assert!(
                understood || name.starts_with("bad-"),
                "{} is not understood: RHA_REWRITE=1 makes the seeds anew",
                path.display()
            );
        }
    }
    assert!(bytes < BYTES_MAX, "{bytes} bytes of seeds");
}

#[test]
fn changed_seeds_do_no_harm() {
    let seed = number("RHA_SEED").unwrap_or_else(|| {
        // What the standard library draws for its hash maps.
        RandomState::new().build_hasher().finish()
    });
    let times = number("RHA_SEEDS").unwrap_or(1);
    for (target, decoder) in ALL {
        let mut rng = Rng::new(seed);
        let found = files(&Path::new("fuzz/seeds").join(target));
        let count = match target {
            "spool" | "volume" | "state" | "mark" | "blackbox" => MUTATIONS_OF_FILES,
            _ => MUTATIONS,
        };
        for round in 0..count * times {
            let mut any = || &found[usize::try_from(rng.below(found.len() as u64)).unwrap()].1;
            let (one, other) = (any(), any());
            let changed = mutate::mutate(one, other, &mut rng);
            feed(
                target,
                decoder,
                &changed,
                &format!("RHA_SEED={seed}, {round}"),
            );
        }
    }
}

/// Feeds a decoder; where that panics, what it was fed is kept.
fn feed(target: &str, decoder: Decoder, bytes: &[u8], what: &str) -> bool {
    catch_unwind(AssertUnwindSafe(|| decoder(bytes))).unwrap_or_else(|_| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bad-{target}"));
        fs::write(&kept, bytes).unwrap();
        panic!("{target} panics ({what}); it was fed {}", kept.display());
    })
}

/// The files of a folder by name, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
