//! See `decoders::journal::entry`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::journal::entry(data);
});
