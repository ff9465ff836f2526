//! See `decoders::beside::mark`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::beside::mark(data);
});
