//! `mailstead`: a whole mail server for one household in one binary.

fn main() {}
