//! See `decoders::configuration::import`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::configuration::import(data);
});
