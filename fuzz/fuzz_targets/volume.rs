//! See `decoders::volume::volume`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::volume::volume(data);
});
