//! See `decoders::ingest::spool`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::ingest::spool(data);
});
