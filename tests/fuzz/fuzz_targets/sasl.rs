#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mailstead_parser_tests::sasl(data));
