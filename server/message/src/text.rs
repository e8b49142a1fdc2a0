//! Decoded text of a message, for SEARCH.
