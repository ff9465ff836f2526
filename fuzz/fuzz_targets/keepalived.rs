//! See `decoders::configuration::keepalived`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    decoders::configuration::keepalived(data);
});
