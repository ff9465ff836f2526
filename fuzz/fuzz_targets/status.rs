//! See `decoders::views::status`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::views::status(data);
});
