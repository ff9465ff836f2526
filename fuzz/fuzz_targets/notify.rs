//! See `decoders::ingest::notify`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::ingest::notify(data);
});
