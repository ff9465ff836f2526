//! See `decoders::beside::state`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::beside::state(data);
});
