//! See `decoders::ingest::info`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::ingest::info(data);
});
