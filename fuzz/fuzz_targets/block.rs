//! See `decoders::journal::block`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::journal::block(data);
});
