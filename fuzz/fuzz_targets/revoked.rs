#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| token_authorizer_fuzz::revoked(bytes));
