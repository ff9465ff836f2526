//! See `decoders::views::query`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::views::query(data);
});
