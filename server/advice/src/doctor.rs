//! The host: what keeps it from sending, receiving and proving who it is.
