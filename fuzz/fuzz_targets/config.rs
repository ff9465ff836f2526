//! See `decoders::configuration::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::configuration::config(data);
});
