//! `Received` and the per-recipient trace header.
