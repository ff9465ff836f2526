//! See `decoders::views::blackbox`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::views::blackbox(data);
});
