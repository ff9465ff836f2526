//! See `decoders::journal::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::journal::frames(data);
});
