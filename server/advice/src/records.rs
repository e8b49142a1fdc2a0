//! The records a domain should publish, and how each of them stands in DNS.
